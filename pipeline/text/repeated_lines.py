"""How much of a text stands in lines that stood above.

In: UTF-8 bytes. Out: bytes in lines that equal an earlier line, over bytes in lines; ASCII blanks at both ends of a
line and empty lines do not count. One text at a time, a piece of the kernel in `measures`.
"""

import numpy as np

from pipeline.text.compiling import piece
from pipeline.text.hashing import START, STEP, U, load, mix

FEEDS, LOWEST, HIGHEST = U(0x0A0A0A0A0A0A0A0A), U(0x0101010101010101), U(0x8080808080808080)


@piece
def repeated_lines(data, begin, end, whole):  # type: ignore[no-untyped-def]
    """A share in [0, 1] of `data[begin:end]`; a last line without line feed counts only if `whole`."""
    table, used = np.zeros(16, np.uint64), 0
    total, again = 0, 0
    first = begin
    while first < end:
        feed = _feed(data, first, end)
        if feed == end and not whole:
            break
        last = feed
        while first < last and _blank(data[first]):
            first += 1
        while first < last and _blank(data[last - 1]):
            last -= 1
        if first < last:
            line = max(_hash(data, first, last), U(1))
            if 2 * used >= len(table):
                table = _grown(table)
            at = _slot(table, line)
            total += last - first
            if table[at] == line:
                again += last - first
            else:
                table[at] = line
                used += 1
        first = feed + 1
    return again / total if total else 0.0


@piece
def _feed(data, first, end):  # type: ignore[no-untyped-def]
    """The place of the next line feed, or `end`. Eight bytes at a time: a byte of zero borrows from its highest bit."""
    i, stop = U(first), U(end)
    while i + U(8) <= stop:
        word = load(data, i) ^ FEEDS
        if (word - LOWEST) & ~word & HIGHEST:
            break
        i += U(8)
    while i < stop and data[i] != 10:
        i += U(1)
    return np.int64(i)


@piece
def _blank(byte):  # type: ignore[no-untyped-def]
    return byte == 32 or byte == 9 or 11 <= byte <= 13


@piece
def _hash(data, first, last):  # type: ignore[no-untyped-def]
    """8 bytes a step; the length is part of it, so zeros that fill the last step cannot deceive."""
    h = START ^ U(last - first)
    i, stop = U(first), U(last)
    while i + U(8) <= stop:
        h = (h ^ load(data, i)) * STEP
        h ^= h >> U(32)
        i += U(8)
    word = U(0)
    while i < stop:
        word = word << U(8) | U(data[i])
        i += U(1)
    return mix((h ^ word) * STEP)


@piece
def _slot(table, line):  # type: ignore[no-untyped-def]
    mask = U(len(table) - 1)
    at = line & mask
    while table[at] != U(0) and table[at] != line:
        at = (at + U(1)) & mask
    return at


@piece
def _grown(table):  # type: ignore[no-untyped-def]
    wide = np.zeros(4 * len(table), np.uint64)
    for line in table:
        if line != U(0):
            wide[_slot(wide, line)] = line
    return wide
