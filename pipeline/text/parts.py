"""Where a line of a text ends, or a paragraph: pieces for kernels over lines.

A line is what stands between line feeds. A paragraph is what blank lines part, and the blank lines behind it are its
own (those above the first one, too), so that a text is its paragraphs one after the other. White space is as Unicode
has it; a line of nothing else is blank.
"""

import numpy as np

from pipeline.text.characters import SPACE, U, decode
from pipeline.text.compiling import piece
from pipeline.text.hashing import load
from pipeline.text.utf8 import HIGHEST, LOWEST

LINE, PARAGRAPH = 0, 1
UNITS = {"line": LINE, "paragraph": PARAGRAPH}
FEEDS = U(0x0A0A0A0A0A0A0A0A)


@piece
def feed(data, first, end):  # type: ignore[no-untyped-def]
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
def trimmed(data, first, last, kinds):  # type: ignore[no-untyped-def]
    """(first, last) of a line without white space at both ends; equal where nothing is left."""
    while first < last:
        code, after = decode(data, U(first), U(last))
        if not kinds[code] & SPACE:
            break
        first = np.int64(after)
    while first < last:
        begin = last - 1
        while begin > first and last - begin < 4 and data[begin] & 0xC0 == 0x80:
            begin -= 1
        code, after = decode(data, U(begin), U(last))
        if after != U(last) or not kinds[code] & SPACE:
            break
        last = begin
    return first, last


@piece
def _is_blank(data, first, last, kinds):  # type: ignore[no-untyped-def]
    while first < last:
        code, after = decode(data, U(first), U(last))
        if not kinds[code] & SPACE:
            return False
        first = np.int64(after)
    return True


@piece
def paragraph_end(data, first, end, kinds):  # type: ignore[no-untyped-def]
    """The line feed after which the next paragraph begins, or `end`; this one begins at `first`."""
    last = feed(data, first, end)
    filled = not _is_blank(data, first, last, kinds)
    left = False  # whether a blank line came behind one that is not
    while last < end:
        after = feed(data, last + 1, end)
        blank = _is_blank(data, last + 1, after, kinds)
        if left and not blank:
            break
        left = left or (filled and blank)
        filled = filled or not blank
        last = after
    return last
