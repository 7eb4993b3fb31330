"""Which lines at the end of a text hold too few stop words to be running text: references, addresses, credits.

In: Arrow texts (n), their stop lists and for each the share of stop words that a line must pass. Out: (lines,) bool,
for `lines.without`. Words are those of `measure`: lower case, without SPECIAL characters at both ends; a character of a
script without spaces is one. A single capital is a word, but no stop word: names in references have initials.

The trailer is what stands behind the last line of which more than that share of the words are stop words, if that is
`min_lines` lines or more (lines without a word do not count). A text without any such line has no trailer, nor has one
without a stop list. (ROOTS, map_remove_references.py, where such a text is emptied.) Time is linear in the bytes.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import SPACE, SPECIAL, UNSPACED, U, decode, flags, lowered
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, mix
from pipeline.text.lines import line_starts
from pipeline.text.stoplists import StopLists, place_in


def trailers(
    texts: pa.Array | pa.ChunkedArray, shares: np.ndarray, min_lines: int, langs: Sequence[str], stop_lists: StopLists
) -> np.ndarray:
    """(lines,) bool: the lines of trailers. `shares` is (n,) float64."""
    offsets, data = buffers(texts)
    begins, masks = stop_lists.places(langs)
    starts = line_starts(texts)
    return _trailers(data, offsets, starts, shares, min_lines, flags(), lowered(), stop_lists.slots, begins, masks)


@kernel
def _trailers(data, offsets, starts, shares, min_lines, kinds, lower, slots, begins, masks):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    marked = np.zeros(starts[n], np.bool_)
    for d in range(n):
        if masks[d] < 0:
            continue
        i, end, line, last, behind = offsets[d], offsets[d + 1], starts[d], np.int64(-1), 0
        while i < end:
            i, words, stops = _line(data, i, end, kinds, lower, slots, begins[d], masks[d])
            if words and stops > words * shares[d]:
                last, behind = line, 0
            elif words:
                behind += 1
            line += 1
        if last >= 0 and behind >= min_lines:
            marked[last + 1 : starts[d + 1]] = True
    return marked


@piece
def _line(data, i, end, kinds, lower, slots, begin, mask):  # type: ignore[no-untyped-def]
    """(the place after the line's feed, its words, those in the stop list)."""
    words, stops = 0, 0
    h, kept, inside = U(0), U(0), False  # hash of the word so far, and up to its last character that is not SPECIAL
    initial = False  # nothing but a capital so far
    at, stop = U(i), U(end)
    while at < stop:
        code, at = decode(data, at, stop)
        kind = kinds[code]
        if kind & (SPACE | UNSPACED):
            if inside:
                words += 1
                stops += not initial and place_in(slots, begin, mask, mix(kept)) >= 0
                inside = False
            h = U(0)
            if code == U(10):
                return np.int64(at), words, stops
            if kind & (UNSPACED | SPECIAL) == UNSPACED:
                words += 1
                stops += place_in(slots, begin, mask, mix(U(lower[code]))) >= 0
        elif inside or not kind & SPECIAL:
            h = h * BASE + U(lower[code])
            if not kind & SPECIAL:
                kept = h
                initial = not inside and U(lower[code]) != code
            inside = True
    if inside:
        words += 1
        stops += not initial and place_in(slots, begin, mask, mix(kept)) >= 0
    return np.int64(at), words, stops
