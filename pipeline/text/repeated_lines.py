"""How much of a text stands in lines that stood above.

In: UTF-8 bytes. Out: bytes in lines that equal an earlier line, over bytes in lines; ASCII blanks at both ends of a
line and empty lines do not count. One text at a time, a piece of the kernel in `measures`.
"""

import numpy as np

from pipeline.text.compiling import piece
from pipeline.text.hashing import U, mix, place_of
from pipeline.text.lines import bytes_hash, feed


@piece
def repeated_lines(data, begin, end, whole):  # type: ignore[no-untyped-def]
    """A share in [0, 1] of `data[begin:end]`; a last line without line feed counts only if `whole`."""
    table, used = np.zeros(16, np.uint64), 0
    total, again = 0, 0
    first = begin
    while first < end:
        stop = feed(data, first, end)
        if stop == end and not whole:
            break
        last = stop
        while first < last and _blank(data[first]):
            first += 1
        while first < last and _blank(data[last - 1]):
            last -= 1
        if first < last:
            line = max(mix(bytes_hash(data, first, last)), U(1))
            if 2 * used >= len(table):
                table = _grown(table)
            at = place_of(table, line)
            total += last - first
            if table[at] == line:
                again += last - first
            else:
                table[at] = line
                used += 1
        first = stop + 1
    return again / total if total else 0.0


@piece
def _blank(byte):  # type: ignore[no-untyped-def]
    return byte == 32 or byte == 9 or 11 <= byte <= 13


@piece
def _grown(table):  # type: ignore[no-untyped-def]
    wide = np.zeros(4 * len(table), np.uint64)
    for line in table:
        if line != U(0):
            wide[place_of(wide, line)] = line
    return wide
