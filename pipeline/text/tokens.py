"""The words that Gopher's and FineWeb's filters count: those of `measures`, and numbers and symbols that stand alone.

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
from pipeline.text.stoplists import place_in

WINDOW = 2048  # characters whose words are listed at once
SEPARATES = SPACE | UNSPACED
TOKENS, WORDS, WORD_CHARACTERS, WITH_LETTER, GOPHER_STOPS, STOPS_MET, LISTED, READ = range(8)
TALLIES = 8


@piece
def scan_tokens(codes, kinds, count, lower, slots, gopher, own, met, document, room, limit, tallies):  # type: ignore[no-untyped-def]
    """Fills `tallies` and the first arrays of `room`: (hashes, powers, ends, separators, begins, stops); ends[0] is 0.

    WORDS are those with a character that is not PUNCTUATION. Of the first `limit` words, LISTED of them, the arrays are
    filled, and READ characters stand before the next one. `gopher` and `own` are stop lists in `slots`, (first, mask);
    `met`, (len(slots),) int64, notes the document in which a word of them was met last. The last three arrays are room
    to work in: (WINDOW,) uint32 and twice (2 * WINDOW + 2,) int64.
    """
    hashes, powers, ends, separators, begins, stops = room
    tallies[:] = 0
    tallies[READ] = count
    ends[0] = 0
    first, run, filled = 0, 0, False  # the word, the run between white space, whether a word stood in it
    tokens, words, characters, letters, ours, theirs = 0, 0, 0, 0, 0, 0
    for begin in range(0, count, WINDOW):
        end = min(begin + WINDOW, count)
        found, first, run, filled = _find(kinds, begin, end, count, first, run, filled, separators, begins, stops)
        for which in range(found):  # in one place, which the compiler copies in: as a call it took half of the time
            head, tail = begins[which], stops[which]
            h, power, some, each = U(0), U(1), np.uint16(0), np.uint16(0xFFFF)
            for i in range(head, tail):
                h = h * BASE + U(lower[codes[i]])
                power *= BASE
                some |= kinds[i]
                each &= kinds[i]
            if tokens < limit:
                hashes[tokens], powers[tokens] = h, power
                ends[tokens + 1] = ends[tokens] + (tail - head)
            elif tokens == limit:
                tallies[READ] = head
            tokens += 1
            letters += some & ALPHABETIC != 0
            word = each & PUNCTUATION == 0
            words += word
            characters += word * (tail - head)
            mixed = mix(h)
            theirs += _meets(mixed, slots, gopher, met, document)
            ours += _meets(mixed, slots, own, met, document)
    tallies[TOKENS], tallies[WORDS], tallies[WORD_CHARACTERS] = tokens, words, characters
    tallies[WITH_LETTER], tallies[GOPHER_STOPS], tallies[STOPS_MET] = letters, theirs, ours
    tallies[LISTED] = min(tokens, limit)


@piece
def _find(kinds, begin, end, count, first, run, filled, separators, begins, stops):  # type: ignore[no-untyped-def]
    """Where the words that end in `kinds[begin:end]` begin and stop; how many, and what is carried on."""
    breaks = U(0)
    for i in range(begin, end):  # no branch: a separator is as likely as not
        separators[breaks] = i
        breaks += U(kinds[i] & SEPARATES != 0)
    found = U(0)
    for which in range(breaks + U(end == count)):  # the end of the text is a separator, too
        at = np.int64(separators[which]) if which < breaks else count
        kind = kinds[at] if which < breaks else SPACE
        tail = at
        while first < tail and kinds[first] & SPECIAL:
            first += 1
        while first < tail and kinds[tail - 1] & SPECIAL:
            tail -= 1
        begins[found], stops[found] = first, tail
        found += U(first < tail)
        filled |= first < tail
        if kind & SPACE:
            begins[found], stops[found] = run, at
            found += U(not filled and run < at)
            run, filled = at + 1, False
        elif not kind & SPECIAL:
            begins[found], stops[found] = at, at + 1
            found += U(1)
            filled = True
        first = at + 1
    return found, first, run, filled


@piece
def _meets(word, slots, place, met, document):  # type: ignore[no-untyped-def]
    """1 where the word is in the list and was not met in this document before."""
    start, mask = place
    if mask < 0:
        return 0
    at = place_in(slots, start, mask, word)
    if at < 0:
        return 0
    new = met[at] != document
    met[at] = document
    return np.int64(new)
