"""Lines that begin like an item of a list or break off, and the marks `#` and `...`: Gopher's questions about form.

In: a text's code points and their marks. Out: counts, by the names below. A line ends where `str.splitlines` ends it.
Source: datatrove 0.10.1, pipeline/filters/gopher_quality_filter.py.
"""

from pipeline.text.compiling import piece
from pipeline.text.marks import BLANK, BREAK

HASH, POINT, HYPHEN, BULLET, ELLIPSIS = 0x23, 0x2E, 0x2D, 0x2022, 0x2026
LINES, BULLETS, BROKEN_OFF, HASHES, ELLIPSES = range(5)
TALLIES = 5


@piece
def listed_lines(codes, kinds, count, tallies):  # type: ignore[no-untyped-def]
    """LINES; of these BULLETS begin with `•` or `-`, BROKEN_OFF end in `...` or `…`, white space aside."""
    tallies[LINES] = tallies[BULLETS] = tallies[BROKEN_OFF] = 0
    begin = 0
    while begin < count:
        end = begin
        while end < count and not kinds[end] & BREAK:
            end += 1
        first, last = begin, end
        while first < last and kinds[first] & BLANK:
            first += 1
        while first < last and kinds[last - 1] & BLANK:
            last -= 1
        tallies[LINES] += 1
        if first < last:
            tallies[BULLETS] += codes[first] == BULLET or codes[first] == HYPHEN
            dots = last - first > 2 and codes[last - 1] == codes[last - 2] == codes[last - 3] == POINT
            tallies[BROKEN_OFF] += dots or codes[last - 1] == ELLIPSIS
        begin = end + 1
        if begin < count and codes[end] == 13 and codes[begin] == 10:
            begin += 1


@piece
def count_marks(codes, count, tallies):  # type: ignore[no-untyped-def]
    """HASHES; ELLIPSES of one character or of three points, of which each is counted once."""
    hashes, ellipses, points = 0, 0, 0
    for i in range(count):
        hashes += codes[i] == HASH
        ellipses += codes[i] == ELLIPSIS
    for i in range(count):
        if codes[i] == POINT:
            points += 1
            if points == 3:
                ellipses += 1
                points = 0
        else:
            points = 0
    tallies[HASHES], tallies[ELLIPSES] = hashes, ellipses
