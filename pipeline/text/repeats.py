"""How much of a list of hashes repeats: counting in place, in time linear in its length whatever it holds.

In: `hashes`, (m,) uint64, which are reordered. Out: shares in [0, 1]. Long lists are first parted by their high bits
(American flag: McIlroy, Bostic and McIlroy 1993), so that each part is counted in a table that stays in the cache.

Never called from Python on the way: these are pieces of the kernel in `measures`.
"""

import numpy as np

from pipeline.text.compiling import piece
from pipeline.text.hashing import U

PART = 16384  # hashes counted in one table
ROOMY = 4  # slots of a table for each hash, at least: fuller tables were up to 1.6 times slower
PARTS_BITS = 12  # a long list is parted in at most 2^12
COUNTED = 65536  # counts below this have a line in the histogram; the few from there on share the last and are listed
NOTHING = U(0)  # marks an empty slot; a hash of zero is taken for one


@piece
def scratch(longest):  # type: ignore[no-untyped-def]
    """Room for counting lists of up to `longest` hashes: (histogram, list of large counts, keys, counts)."""
    slots = 64
    while slots < ROOMY * min(longest, PART):
        slots *= 2
    return (
        np.zeros(COUNTED + 1, np.int64),
        np.empty(longest // COUNTED + 1, np.int64),
        np.empty(slots, np.uint64),
        np.empty(slots, np.int32),
    )


@piece
def repeated_share(hashes, m, room):  # type: ignore[no-untyped-def]
    """The share of the first `m` hashes that occur more than once; 0 where there are none."""
    if m == 0:
        return 0.0
    _count(hashes, m, room)
    singles = room[0][1]
    room[0][: min(m, COUNTED) + 1] = 0
    return (m - singles) / m


@piece
def top_share(hashes, m, room):  # type: ignore[no-untyped-def]
    """The share of the `k` most frequent: k = min(floor(sqrt(distinct)), how many repeat) (ROOTS, filtering.py)."""
    if m == 0:
        return 0.0
    histogram = room[0]
    distinct, listed = _count(hashes, m, room)
    left = min(np.int64(np.sqrt(distinct)), distinct - histogram[1])
    total = 0
    for _ in range(min(left, listed)):
        total += _take_largest(room[1], listed)
    left -= min(left, listed)
    count = min(m, COUNTED - 1)
    while left > 0:  # the histogram, from the most frequent down
        taken = min(left, histogram[count])
        total += taken * count
        left -= taken
        count -= 1
    histogram[: min(m, COUNTED) + 1] = 0
    return total / m


@piece
def _take_largest(counts, length):  # type: ignore[no-untyped-def]
    """The largest of `counts[:length]`, which becomes 0. There are few: a text of 2^24 characters has at most 256."""
    best = 0
    for i in range(length):
        best = i if counts[i] > counts[best] else best
    largest = counts[best]
    counts[best] = 0
    return largest


@piece
def _count(hashes, m, room):  # type: ignore[no-untyped-def]
    """Fills the histogram and the list of large counts; (distinct hashes, length of the list)."""
    bits = 0
    while m >> bits > PART and bits < PARTS_BITS:
        bits += 1
    if bits == 0:
        return _count_part(hashes, 0, m, room, 0, 0)
    distinct, listed = 0, 0
    starts = _part(hashes, m, bits)
    for part in range(1 << bits):
        distinct, listed = _count_part(hashes, starts[part], starts[part + 1], room, distinct, listed)
    return distinct, listed


@piece
def _part(hashes, m, bits):  # type: ignore[no-untyped-def]
    """Reorders by the highest `bits` bits; (2^bits + 1,) where each part begins."""
    shift = U(64 - bits)
    starts = np.zeros((1 << bits) + 1, np.int64)
    for i in range(m):
        starts[np.int64(hashes[i] >> shift) + 1] += 1
    for part in range(1 << bits):
        starts[part + 1] += starts[part]
    heads = starts[:-1].copy()
    for part in range(1 << bits):
        while heads[part] < starts[part + 1]:
            held = hashes[heads[part]]
            home = np.int64(held >> shift)
            while home != part:  # each swap brings one hash home
                other = hashes[heads[home]]
                hashes[heads[home]] = held
                heads[home] += 1
                held = other
                home = np.int64(held >> shift)
            hashes[heads[part]] = held
            heads[part] += 1
    return starts


@piece
def _count_part(hashes, lo, hi, room, distinct, listed):  # type: ignore[no-untyped-def]
    histogram, large, keys, counts = room
    slots = 64
    while slots < ROOMY * min(hi - lo, PART):
        slots *= 2
    keys, counts = keys[:slots], counts[:slots]
    keys[:] = NOTHING
    at, new = _insert(hashes, lo, hi, keys, counts, histogram, 0)
    while at < hi:  # only a part that is much longer than the others comes here
        keys, counts = _grown(keys, counts)
        at, new = _insert(hashes, at, hi, keys, counts, histogram, new)
    if histogram[COUNTED]:
        for slot in range(len(keys)):
            if keys[slot] != NOTHING and counts[slot] >= COUNTED:
                large[listed] = counts[slot]
                listed += 1
        histogram[COUNTED] = 0
    return distinct + new, listed


@piece
def _insert(hashes, lo, hi, keys, counts, histogram, new):  # type: ignore[no-untyped-def]
    """Counts `hashes[lo:hi]` until the table is half full; (where it stopped, distinct so far)."""
    mask = U(len(keys) - 1)
    full = len(keys) // 2
    for i in range(lo, hi):
        key = max(hashes[i], U(1))
        at = key & mask
        while keys[at] != key and keys[at] != NOTHING:
            at = (at + U(1)) & mask
        if keys[at] == key:
            count = counts[at]
            counts[at] = count + 1
            histogram[min(count, COUNTED)] -= 1
            histogram[min(count + 1, COUNTED)] += 1
        else:
            keys[at] = key
            counts[at] = 1
            histogram[1] += 1
            new += 1
            if new > full:
                return i + 1, new
    return hi, new


@piece
def _grown(keys, counts):  # type: ignore[no-untyped-def]
    wide = np.zeros(4 * len(keys), np.uint64)
    tallies = np.empty(len(wide), np.int32)
    mask = U(len(wide) - 1)
    for i in range(len(keys)):
        if keys[i] != NOTHING:
            at = keys[i] & mask
            while wide[at] != NOTHING:
                at = (at + U(1)) & mask
            wide[at] = keys[i]
            tallies[at] = counts[i]
    return wide, tallies
