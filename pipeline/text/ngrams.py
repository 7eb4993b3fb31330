"""How much of a text its word n-grams repeat, as Gopher asks: the most frequent one, and those that stood before.

In: the words of `tokens`. Out: characters, to be divided by those of the text (Rae et al. 2021, arXiv:2112.11446,
table A1; how exactly is datatrove's: pipeline/filters/gopher_repetition_filter.py).

The hash of an n-gram grows with n: that of n words is made of that of n - 1 in one step, for all of a text in a row.
Pieces of the kernel in `quality`.
"""

import numpy as np

from pipeline.text.compiling import piece
from pipeline.text.hashing import BASE, U, mix
from pipeline.text.seen import empty, entry, seen, slot_of

SPACE = U(32)
TOP, MOST = 4, 10  # up to 4 words the most frequent n-gram, from 5 to 10 those that stood before
SIZES = 11  # n itself is the place in the answer


@piece
def repeated_ngrams(words, count, asked, room, grams, out):  # type: ignore[no-untyped-def]
    """`out[n]` for each n of the bits `asked`: characters of n-grams of `count` words. `words`: (hashes, powers, ends).

    room: (table, stamp, counts, firsts), as in `seen`; `grams`, (count,) uint64, is room to work in.
    """
    hashes, powers, ends = words
    if asked & 0b11100:
        grams[:count] = hashes[:count]
        for n in range(2, TOP + 1):
            for i in range(count - n + 1):
                grams[i] = (grams[i] * BASE + SPACE) * powers[i + n - 1] + hashes[i + n - 1]
            if asked >> n & 1:
                out[n] = _top(grams, ends, count, n, room)
    if asked >> (TOP + 1):
        grams[:count] = hashes[:count]
        for n in range(2, MOST + 1):
            for i in range(count - n + 1):
                grams[i] = grams[i] * powers[i + n - 1] + hashes[i + n - 1]
            if n > TOP and asked >> n & 1:
                out[n] = _duplicated(grams, ends, count, n, room)


@piece
def _top(grams, ends, count, n, room):  # type: ignore[no-untyped-def]
    """Characters of the most frequent n-gram, a space between words, times how often it occurs; of equals the first."""
    table, stamps, counts, firsts = room
    if count < n:
        return 0
    mask = empty(table, stamps, count)
    stamp = stamps[0]
    most, best = np.int32(0), np.int32(0)
    for i in range(count - n + 1):
        mixed = mix(grams[i])
        at = slot_of(table, mixed, mask, stamp)
        if table[at] == entry(mixed, stamp):
            counts[at] += 1
        else:
            table[at] = entry(mixed, stamp)
            counts[at] = 1
            firsts[at] = i
        if counts[at] > most or (counts[at] == most and firsts[at] < best):
            most, best = counts[at], firsts[at]
    return most * (ends[best + n] - ends[best] + n - 1)


@piece
def _duplicated(grams, ends, count, n, room):  # type: ignore[no-untyped-def]
    """Characters of the n-grams, written without spaces, that stood before; behind such a one the search goes on."""
    table, stamps, _, _ = room
    mask = empty(table, stamps, count)
    stamp = stamps[0]
    i, characters = 0, np.int64(0)
    while i < count - n + 1:
        if seen(table, mix(grams[i]), mask, stamp):
            characters += ends[i + n] - ends[i]
            i += n
        else:
            i += 1
    return characters
