"""Lines and paragraphs that stood before, short lines, lines without an end mark: Gopher's and FineWeb's questions.

In: a text's code points and their marks. Out: counts, by the names below. Equal is what has the same characters.

line        what stands between line feeds. Gopher takes line feeds in a row for one, so only at both ends of a text is
            there an empty line; FineWeb leaves out lines of white space
paragraph   what stands between two line feeds or more, white space taken off both ends of the text first

Sources: datatrove 0.10.1, pipeline/filters/gopher_repetition_filter.py and fineweb_quality_filter.py.
"""

from pipeline.text.compiling import piece
from pipeline.text.hashing import START, STEP, U, mix
from pipeline.text.marks import BLANK, TERMINAL
from pipeline.text.seen import empty, seen

FEED = 10
SHORT = 30  # characters of a short line, at most (FineWeb)
LINES, LINES_AGAIN, CHARACTERS_AGAIN, READ = range(4)
FILLED, ENDED, SHORTS, FILLED_AGAIN, FEEDS_READ = range(4, 9)
PARAGRAPHS, PARAGRAPHS_AGAIN, PARAGRAPH_CHARACTERS_AGAIN, PARAGRAPHS_READ = range(9, 13)
TALLIES = 13


@piece
def count_feeds(codes, count):  # type: ignore[no-untyped-def]
    feeds = 0
    for i in range(count):
        feeds += codes[i] == FEED
    return feeds


@piece
def lines_again(codes, kinds, count, feeds, limit, room, tallies):  # type: ignore[no-untyped-def]
    """Fills LINES to FEEDS_READ of the first `limit` lines that are not empty: the first READ characters.

    `feeds` of the text; FEEDS_READ are those read. room: (table, stamp), as in `seen`.
    """
    table, stamps = room
    mask = empty(table, stamps, min(feeds + 1, limit))
    stamp = stamps[0]
    tallies[LINES:PARAGRAPHS] = 0
    begin = 0
    while begin < count and tallies[LINES] < limit:
        end = begin
        while end < count and codes[end] != FEED:
            end += 1
        if begin < end:
            again = seen(table, _hash(codes, begin, end), mask, stamp)
            tallies[LINES] += 1
            tallies[LINES_AGAIN] += again
            tallies[CHARACTERS_AGAIN] += again * (end - begin)
            if not _blank(kinds, begin, end):
                tallies[FILLED] += 1
                tallies[FILLED_AGAIN] += again * (end - begin)
                tallies[SHORTS] += end - begin <= SHORT
                tallies[ENDED] += kinds[end - 1] & TERMINAL != 0
        tallies[FEEDS_READ] += end < count
        begin = end + 1
    tallies[READ] = min(begin, count)
    if count:  # an empty line at either end is one more, and the second stood before
        outer = (codes[0] == FEED) + (codes[count - 1] == FEED and begin >= count)
        tallies[LINES] += outer
        tallies[LINES_AGAIN] += outer == 2


@piece
def paragraphs_again(codes, kinds, count, feeds, limit, room, tallies):  # type: ignore[no-untyped-def]
    """Fills PARAGRAPHS to PARAGRAPHS_READ of the first `limit` paragraphs, as above; none in an empty text."""
    table, stamps = room
    mask = empty(table, stamps, min(feeds // 2 + 1, limit))
    stamp = stamps[0]
    tallies[PARAGRAPHS:] = 0
    tallies[PARAGRAPHS_READ] = count
    first, last = 0, count
    while first < last and kinds[first] & BLANK:
        first += 1
    while first < last and kinds[last - 1] & BLANK:
        last -= 1
    if first == last:
        tallies[PARAGRAPHS] = count > 0
        return
    begin = first
    while begin < last:
        end = begin
        while end < last and not (codes[end] == FEED and codes[end + 1] == FEED):  # before `last` stands no line feed
            end += 1
        again = seen(table, _hash(codes, begin, end), mask, stamp)
        tallies[PARAGRAPHS] += 1
        tallies[PARAGRAPHS_AGAIN] += again
        tallies[PARAGRAPH_CHARACTERS_AGAIN] += again * (end - begin)
        begin = end
        while begin < last and codes[begin] == FEED:
            begin += 1
        if tallies[PARAGRAPHS] == limit and begin < last:
            tallies[PARAGRAPHS_READ] = begin
            return


@piece
def _blank(kinds, begin, end):  # type: ignore[no-untyped-def]
    while begin < end and kinds[begin] & BLANK:
        begin += 1
    return begin == end


@piece
def _hash(codes, begin, end):  # type: ignore[no-untyped-def]
    """Two characters a step; the length is part of it, so the zero that fills the last step cannot deceive."""
    h, i = START ^ U(end - begin), begin
    while i + 2 <= end:
        h = (h ^ (U(codes[i]) | U(codes[i + 1]) << U(32))) * STEP
        h ^= h >> U(32)
        i += 2
    if i < end:
        h = (h ^ U(codes[i])) * STEP
    return mix(h)
