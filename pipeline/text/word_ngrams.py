"""How much of a text its word n-grams repeat, as Gopher asks: the most frequent one, and those that stood before.

In: the words of `tokens`. Out: characters, to be divided by those of the text (Rae et al. 2021, arXiv:2112.11446,
table A1; how exactly is datatrove's: pipeline/filters/gopher_repetition_filter.py).

The hash of an n-gram grows with n: that of n words is made of that of n - 1 in one step, for all of a text in a row.
Most n-grams stand once, and they are told first, without a branch: each sets a bit of a small map, and who finds it set
marks the place. Only n-grams at marked places are then counted in a table. Pieces of the kernel in `quality`.
"""

import numpy as np

from pipeline.text.compiling import piece
from pipeline.text.hashing import BASE, U, mix
from pipeline.text.seen import empty, entry, seen, slot_of

SPACE = U(32)
TOP, MOST = 4, 10  # up to 4 words the most frequent n-gram, from 5 to 10 those that stood before
SIZES = 11  # n itself is the place in the answer
MAP_BITS = 16  # for each n-gram, at least: so that one in sixteen is marked for another's sake, at most


@piece
def map_words(most):  # type: ignore[no-untyped-def]
    """The length, in words of 64 bits, of a map for up to `most` n-grams."""
    words = 1
    while 64 * words < MAP_BITS * most:
        words *= 2
    return words


@piece
def repeated_ngrams(words, count, asked, room, work, out):  # type: ignore[no-untyped-def]
    """`out[n]` for each n of the bits `asked`: characters of n-grams of `count` words. `words`: (hashes, powers, ends).

    room: (table, stamp, counts, firsts), as in `seen`; `work`: (grams, mixed, places, once, twice), room to work in:
    (count,) uint64 twice, (count,) int64, and (map_words(count),) uint64 twice.
    """
    hashes, powers, _ = words
    grams = work[0]
    out[:] = 0
    if asked & 0b11100:
        for i in range(count):
            grams[i] = hashes[i]
        for n in range(2, TOP + 1):
            for i in range(count - n + 1):
                grams[i] = (grams[i] * BASE + SPACE) * powers[i + n - 1] + hashes[i + n - 1]
            if asked >> n & 1:
                out[n] = _repeated(words, count, n, room, work)
    if asked >> (TOP + 1):
        for i in range(count):
            grams[i] = hashes[i]
        for n in range(2, MOST + 1):
            for i in range(count - n + 1):
                grams[i] = grams[i] * powers[i + n - 1] + hashes[i + n - 1]
            if n > TOP and asked >> n & 1:
                out[n] = _repeated(words, count, n, room, work)


@piece
def _repeated(words, count, n, room, work):  # type: ignore[no-untyped-def]
    if count < n:
        return np.int64(0)
    grams, mixed, places, once, twice = work
    ends, (table, stamps, counts, firsts) = words[2], room
    for i in range(count - n + 1):
        mixed[i] = mix(grams[i])
    found = _marked(mixed, count - n + 1, places, once, twice)
    mask = empty(table, stamps, found)
    if n > TOP:
        return _duplicated(mixed, places, found, ends, n, table, stamps[0], mask)
    return _top(mixed, places, found, ends, n, table, stamps[0], mask, counts, firsts)


@piece
def _marked(mixed, m, places, once, twice):  # type: ignore[no-untyped-def]
    """Fills `places` with those whose bit another set, too: all that occur twice, and a few more; how many."""
    words = map_words(m)
    once[:words] = U(0)
    twice[:words] = U(0)
    last = U(words - 1)
    for i in range(m):
        word, bit = mixed[i] >> U(6) & last, U(1) << (mixed[i] & U(63))
        twice[word] |= once[word] & bit
        once[word] |= bit
    found = U(0)
    for i in range(m):
        places[found] = i
        found += twice[mixed[i] >> U(6) & last] >> (mixed[i] & U(63)) & U(1)
    return np.int64(found)


@piece
def _top(mixed, places, found, ends, n, table, stamp, mask, counts, firsts):  # type: ignore[no-untyped-def]
    """Characters of the most frequent n-gram, a space between words, times how often it occurs; of equals the first."""
    most, best = np.int64(1), np.int64(0)
    for which in range(found):
        i = places[which]
        at = slot_of(table, mixed[i], mask, stamp)
        if table[at] == entry(mixed[i], stamp):
            counts[at] += 1
            if counts[at] > most or (counts[at] == most and firsts[at] < best):
                most, best = np.int64(counts[at]), np.int64(firsts[at])
        else:
            table[at] = entry(mixed[i], stamp)
            counts[at] = 1
            firsts[at] = i
    return most * (ends[best + n] - ends[best] + n - 1)


@piece
def _duplicated(mixed, places, found, ends, n, table, stamp, mask):  # type: ignore[no-untyped-def]
    """Characters of the n-grams, written without spaces, that stood before; behind such a one the search goes on."""
    characters, following = np.int64(0), 0
    for which in range(found):
        i = places[which]
        if i >= following and seen(table, mixed[i], mask, stamp):
            characters += ends[i + n] - ends[i]
            following = i + n
    return characters
