"""The words of a text, their lengths and hashes, and how many of them a list holds.

In: a text that was read and looked up (`decoding`), its letters in lower case if words are to be hashed. Words are
those that `measures` defines. A list is a table of words and of runs of up to LONGEST_RUN words (`wordlists`).

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
WORDS, WORD_CHARACTERS, LONGEST_WORD, MADE, LISTED = range(5)
TALLIES = 5
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
def word_room():  # type: ignore[no-untyped-def]
    """Room for the words of a chunk: (ends, firsts, lasts, batch)."""
    return (
        np.empty(CHUNK + 1, np.uint32),
        np.empty(BATCH, np.int64),
        np.empty(BATCH, np.int64),
        np.zeros(BATCH, np.uint64),
    )


@piece
def find_words(kinds, begin, count, first, limit, room, tallies):  # type: ignore[no-untyped-def]
    """Finds the words that end in the chunk from `begin` on; where the next may begin. A text's last chunk ends a word.

    Their places stand in `firsts` and `lasts` from HISTORY on, up to tallies[MADE]; up to tallies[LISTED] those that
    end before the character `limit` (the end of the text ends a word if it lies within).
    """
    ends, firsts, lasts, _ = room
    stop = min(begin + CHUNK, count)
    found = _separators(kinds, begin, stop, ends)
    if stop == count:
        ends[found] = count - begin
        found += 1
    made = listed = HISTORY
    characters, longest = tallies[WORD_CHARACTERS], tallies[LONGEST_WORD]
    for which in range(found):
        end = begin + int(ends[which])
        begun, last = _trimmed(kinds, first, end)
        if begun < last:
            firsts[made], lasts[made] = begun, last
            made += 1
            characters += last - begun
            longest = max(longest, last - begun)
        if kinds[end] & (UNSPACED | SPECIAL) == UNSPACED:
            firsts[made], lasts[made] = end, end + 1
            made += 1
            characters += 1
            longest = max(longest, 1)
        first = end + 1
        if end < limit or count <= limit:
            listed = made
    tallies[WORD_CHARACTERS], tallies[LONGEST_WORD] = characters, longest
    tallies[WORDS] += made - HISTORY
    tallies[MADE], tallies[LISTED] = made, listed
    return first


@piece
def hash_words(text, room, made):  # type: ignore[no-untyped-def]
    """Hashes the words that were found into the batch; of the batch before, the last stay in front."""
    _, firsts, lasts, batch = room
    for at in range(HISTORY, made):
        batch[at] = word_hash(text, firsts[at], lasts[at])


@piece
def next_batch(batch, made):  # type: ignore[no-untyped-def]
    """Moves the last words of a batch in front of the next."""
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
def matches(batch, made, table):  # type: ignore[no-untyped-def]
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
