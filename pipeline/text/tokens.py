"""The words that the filters of Gopher and FineWeb count: those of `measures`, and numbers and symbols that stand alone.

word    as in `measures`: what stands between white space, lower-cased, SPECIAL characters taken off both ends; each
        character of a script without spaces is a word of its own
        and, where all between white space is SPECIAL, that run as it stands: `42`, `-`, `...`. Gopher asks how many
        words hold a letter: without those, all would

In: a text's code points and their marks. Out: for each word its hash (a polynomial of its characters), BASE to the
power of its length, and where it ends when all are written without white space: what n-grams are made of.
"""

import numpy as np

from pipeline.text.characters import SPACE, SPECIAL, UNSPACED
from pipeline.text.compiling import piece
from pipeline.text.hashing import BASE, U, mix
from pipeline.text.marks import ALPHABETIC, PUNCTUATION

WINDOW = 2048  # characters whose separators are listed at once
SEPARATES = SPACE | UNSPACED
TOKENS, WORDS, WORD_CHARACTERS, WITH_LETTER, GOPHER_STOPS, STOPS_MET, LISTED, READ = range(8)
TALLIES = 8


@piece
def scan_tokens(codes, kinds, count, lower, slots, gopher, own, met, document, room, limit, tallies):  # type: ignore[no-untyped-def]
    """Fills `tallies` and the arrays of `room`: (hashes, powers, ends, separators); ends[0] is 0.

    WORDS are those with a character that is not PUNCTUATION. Of the first `limit` words, LISTED of them, the arrays are
    filled, and READ characters stand before the next one. `gopher` and `own` are stop lists in `slots`, (first, mask);
    `met`, (len(slots),) int64, notes the document in which a word of them was met last.
    """
    hashes, powers, ends, separators = room
    tallies[:] = 0
    tallies[READ] = count
    ends[0] = 0
    first, run, before = 0, 0, 0  # the word, the run between white space, words before that
    for begin in range(0, count, WINDOW):
        found = U(0)
        for i in range(begin, min(begin + WINDOW, count)):  # no branch: a separator is as likely as not
            separators[found] = i
            found += U(kinds[i] & SEPARATES != 0)
        for which in range(found):
            end = np.int64(separators[which])
            head, tail = _trimmed(kinds, first, end)
            if head < tail:
                word = _add(codes, kinds, head, tail, lower, hashes, powers, ends, limit, tallies)
                tallies[GOPHER_STOPS] += _meets(word, slots, gopher, met, document)
                tallies[STOPS_MET] += _meets(word, slots, own, met, document)
            if kinds[end] & SPACE:
                if run < end and tallies[TOKENS] == before:
                    _add(codes, kinds, run, end, lower, hashes, powers, ends, limit, tallies)
                run, before = end + 1, tallies[TOKENS]
            elif not kinds[end] & SPECIAL:
                word = _add(codes, kinds, end, end + 1, lower, hashes, powers, ends, limit, tallies)
                tallies[STOPS_MET] += _meets(word, slots, own, met, document)
            first = end + 1
    head, tail = _trimmed(kinds, first, count)
    if head < tail:
        word = _add(codes, kinds, head, tail, lower, hashes, powers, ends, limit, tallies)
        tallies[GOPHER_STOPS] += _meets(word, slots, gopher, met, document)
        tallies[STOPS_MET] += _meets(word, slots, own, met, document)
    if run < count and tallies[TOKENS] == before:
        _add(codes, kinds, run, count, lower, hashes, powers, ends, limit, tallies)


@piece
def _trimmed(kinds, first, last):  # type: ignore[no-untyped-def]
    while first < last and kinds[first] & SPECIAL:
        first += 1
    while first < last and kinds[last - 1] & SPECIAL:
        last -= 1
    return first, last


@piece
def _add(codes, kinds, first, last, lower, hashes, powers, ends, limit, tallies):  # type: ignore[no-untyped-def]
    """Counts a word and lists it; its hash as stop lists have it."""
    h, power, some, each = U(0), U(1), np.uint16(0), np.uint16(0xFFFF)
    for i in range(first, last):
        h = h * BASE + U(lower[codes[i]])
        power *= BASE
        some |= kinds[i]
        each &= kinds[i]
    listed = tallies[LISTED]
    if listed < limit:
        hashes[listed], powers[listed] = h, power
        ends[listed + 1] = ends[listed] + (last - first)
        tallies[LISTED] += 1
    elif tallies[TOKENS] == limit:
        tallies[READ] = first
    tallies[TOKENS] += 1
    tallies[WITH_LETTER] += some & ALPHABETIC != 0
    if not each & PUNCTUATION:
        tallies[WORDS] += 1
        tallies[WORD_CHARACTERS] += last - first
    return mix(h)


@piece
def _meets(word, slots, place, met, document):  # type: ignore[no-untyped-def]
    """1 where the word is in the list and was not met in this document before."""
    start, mask = place
    if mask < 0:
        return 0
    at = np.int64(word & U(mask))
    while slots[start + at] != U(0):
        if slots[start + at] == word:
            new = met[start + at] != document
            met[start + at] = document
            return np.int64(new)
        at = (at + 1) & mask
    return 0
