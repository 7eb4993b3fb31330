"""The words of a text, their lengths and hashes, and how many of them a list holds.

In: a text that was read and looked up (`decoding`), its letters in lower case if words are to be hashed. Words are those
that `measures` defines. A list is a table of words and of runs of up to LONGEST_RUN words (`stopwords`).

Pieces of the kernel in `measures`. Words are taken in batches, so that room for a long text is bounded.
"""

import numpy as np

from pipeline.text.characters import SPACE, SPECIAL, UNSPACED, U
from pipeline.text.compiling import piece
from pipeline.text.decoding import four, per_load
from pipeline.text.hashing import START, joined, step

CHUNK = 8192  # characters that are looked through for separators at once
SEPARATES = SPACE | UNSPACED  # what ends a word
LONGEST_RUN = 4  # words of an entry of a list
HISTORY = LONGEST_RUN - 1  # words of the batch before that a run may begin with
BATCH = HISTORY + 2 * (CHUNK + 1)  # each separator may end a word and be one
WINDOW = 4  # slots of a table, from its home on, that an entry may stand in: all are looked at, without a branch
WORDS, WORD_CHARACTERS, LONGEST_WORD, LISTED, STOPS, FLAGS = range(6)
TALLIES = 6
# what to keep of each load of a word's first 8 characters, by its length: [narrow or wide][length][load]
KEPT = np.array(
    [
        [[(1 << 64 // per * min(max(length - per * load, 0), per)) - 1 for load in range(4)] for length in range(9)]
        for per in (4, 2)
    ],
    np.uint64,
)


@piece
def word_hash(text, first, last):  # type: ignore[no-untyped-def]
    """The hash, never 0, of the word `text[first:last]`, which does not end in U+0000 (it is no letter)."""
    per, length = per_load(text), last - first
    kept = KEPT[2 // per]
    begun, i = U(min(length, 8)), U(first)
    h = START ^ U(length)
    for load in range(8 // per):  # most words end here, and no branch asks which
        h = step(h, four(text, i + U(load * per)) & kept[begun, U(load)])
    for at in range(8, length, per):
        h = step(h, four(text, i + U(at)) & kept[U(min(length - at, per)), U(0)])
    return max(h, U(1))


@piece
def find_words(text, kinds, count, limit, hashing, listing, room, words, stops, flagged, tallies):  # type: ignore[no-untyped-def]
    """Counts the words of `text[:count]`; with `hashing`, those in the lists, and with `listing` appends hashes to `words`.

    Listed are the words that end before the character `limit`; the end of the text ends a word if it lies within.
    `room` is (ends, (CHUNK + 1,) uint32; batch, (BATCH,) uint64).
    """
    ends, batch = room
    batch[:HISTORY] = 0
    first = 0
    for begin in range(0, count, CHUNK):
        stop = min(begin + CHUNK, count)
        found = _separators(kinds, begin, stop, ends)
        if stop == count:
            ends[found] = count - begin
            found += 1
        made, listed = HISTORY, HISTORY
        for which in range(found):
            end = begin + np.int64(ends[which])
            first, last = _trimmed(kinds, first, end)
            if first < last:
                if hashing:
                    batch[made] = word_hash(text, first, last)
                made += 1
                tallies[WORD_CHARACTERS] += last - first
                tallies[LONGEST_WORD] = max(tallies[LONGEST_WORD], last - first)
            if kinds[end] & (UNSPACED | SPECIAL) == UNSPACED:
                if hashing:
                    batch[made] = word_hash(text, end, end + 1)
                made += 1
                tallies[WORD_CHARACTERS] += 1
                tallies[LONGEST_WORD] = max(tallies[LONGEST_WORD], 1)
            first = end + 1
            if end < limit or count <= limit:
                listed = made
        tallies[WORDS] += made - HISTORY
        if listing:
            words[tallies[LISTED] : tallies[LISTED] + listed - HISTORY] = batch[HISTORY:listed]
            tallies[LISTED] += listed - HISTORY
        tallies[STOPS] += _matches(batch, made, stops)
        tallies[FLAGS] += _matches(batch, made, flagged)
        for before in range(HISTORY):
            batch[before] = batch[made - HISTORY + before]


@piece
def _separators(kinds, begin, stop, ends):  # type: ignore[no-untyped-def]
    """Places of separators, counted from `begin`, found without a branch; how many."""
    found = U(0)
    for i in range(stop - begin):
        ends[found] = i
        found += U(kinds[U(begin + i)] & SEPARATES != 0)
    return np.int64(found)


@piece
def _trimmed(kinds, first, last):  # type: ignore[no-untyped-def]
    """The run without the SPECIAL characters at its ends; empty if there are no others."""
    while first < last and kinds[U(first)] & SPECIAL:
        first += 1
    while first < last and kinds[U(last - 1)] & SPECIAL:
        last -= 1
    return first, last


@piece
def _matches(batch, made, table):  # type: ignore[no-untyped-def]
    """How many words, and runs of words that end in the batch, are in a list: (slots, first, mask, longest run)."""
    slots, first, mask, longest = table
    if mask < 0:
        return 0
    hits = 0
    for at in range(HISTORY, made):
        run = batch[at]
        hits += _in_list(run, slots, U(first), U(mask))
        for back in range(1, longest):
            run = joined(run, batch[at - back])
            hits += _in_list(run, slots, U(first), U(mask))
    return hits


@piece
def _in_list(run, slots, first, mask):  # type: ignore[no-untyped-def]
    home = first + (run & mask)
    found = slots[home] == run
    for away in range(1, WINDOW):
        found |= slots[home + U(away)] == run
    return np.int64(found)
