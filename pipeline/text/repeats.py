"""How much of a list of hashes repeats, in time linear in its length whatever it holds.

In: `hashes`, (m,) uint64, which are reordered. Out: shares in [0, 1]. Nothing here branches on what a hash is, since
such a branch cannot be foreseen and costs more than the counting:

1. Most n-grams of most texts occur once. A table of one byte a slot tells most of those: a slot met
   once holds a single.
2. The others each write themselves into a slot of a table; who was not overwritten is counted there, copy by copy, and
   the overwritten go into another round, with other slots. They are few.

Long lists are first parted by their high bits (American flag: McIlroy, Bostic and McIlroy 1993), so that the tables of
each part stay in the cache. Never called from Python on the way: these are pieces of the kernel in `measures`.
"""

import numpy as np

from pipeline.text.compiling import piece
from pipeline.text.hashing import BASE, U

PART = 131072  # hashes counted at once
PARTS_BITS = 12  # a long list is parted in at most 2^12
SPREAD = 8  # slots of the first table for each hash, at least: one in eleven singles meets another hash there
ROOMY = 4  # slots of the second table for each hash, at least, where there is room
ROUNDS = 16  # after so many, which only chosen hashes can need, what is left is sorted
COUNTED = 65536  # counts below this have a line in the histogram; the few from there on are listed


@piece
def scratch(longest):  # type: ignore[no-untyped-def]
    """Room for counting lists of up to `longest` hashes: (histogram, large counts, met, slots, claimed)."""
    part = min(longest, PART)
    slots = _slots(part, ROOMY) // 2
    return (
        np.zeros(COUNTED, np.int64),
        np.empty(longest // COUNTED + 1, np.int64),
        np.empty(_slots(part, SPREAD), np.uint8),
        np.empty((slots, 2), np.uint64),
        np.empty(slots + 1, np.uint32),
    )


@piece
def _slots(hashes, each):  # type: ignore[no-untyped-def]
    slots = 64
    while slots < each * hashes:
        slots *= 2
    return slots


@piece
def repeated_share(hashes, m, room):  # type: ignore[no-untyped-def]
    """The share of the first `m` hashes that occur more than once; 0 where there are none."""
    if m == 0:
        return 0.0
    _, singles, most, _ = _count(hashes, m, room)
    room[0][: most + 1] = 0
    return (m - singles) / m


@piece
def top_share(hashes, m, room):  # type: ignore[no-untyped-def]
    """The share of the `k` most frequent: k = min(floor(sqrt(distinct)), how many repeat) (ROOTS, filtering.py)."""
    if m == 0:
        return 0.0
    histogram, large = room[0], room[1]
    distinct, singles, most, listed = _count(hashes, m, room)
    left = min(np.int64(np.sqrt(distinct)), distinct - singles)
    total = 0
    for _ in range(min(left, listed)):
        total += _take_largest(large, listed)
    left -= min(left, listed)
    count = most
    while left > 0:  # the histogram, from the most frequent down
        taken = min(left, histogram[count])
        total += taken * count
        left -= taken
        count -= 1
    histogram[: most + 1] = 0
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
    """Fills the histogram (of counts from 2 on) and the list of large counts.

    (distinct hashes, those that occur once, the largest count in the histogram, length of the list)
    """
    bits = 0
    while m >> bits > PART and bits < PARTS_BITS:
        bits += 1
    so_far = (0, 0, 0, 0)
    starts = _part(hashes, m, bits)
    for part in range(1 << bits):
        so_far = _count_part(hashes, starts[part], starts[part + 1], room, so_far)
    return so_far


@piece
def _part(hashes, m, bits):  # type: ignore[no-untyped-def]
    """Reorders by the highest `bits` bits; (2^bits + 1,) where each part begins."""
    starts = np.zeros((1 << bits) + 1, np.int64)
    if bits == 0:
        starts[1] = m
        return starts
    shift = U(64 - bits)
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
def _count_part(hashes, lo, hi, room, so_far):  # type: ignore[no-untyped-def]
    histogram, large, met, table, claimed = room
    distinct, singles, most, listed = so_far
    end = _without_singles(hashes, lo, hi, met)
    distinct += hi - end
    singles += hi - end
    spread = BASE
    for _ in range(ROUNDS):
        if lo == end:
            break
        end, new = _round(hashes, lo, end, spread, table, claimed)
        spread *= BASE
        distinct += new
        for which in range(new):
            count = np.int64(table[claimed[which], 1])
            singles += count == 1
            if count < COUNTED:
                histogram[count] += 1
                most = max(most, count)
            else:
                large[listed] = count
                listed += 1
    if lo < end:
        distinct, singles, most, listed = _sorted(hashes[lo:end], histogram, large, (distinct, singles, most, listed))
    histogram[1] = 0
    return distinct, singles, most, listed


@piece
def _without_singles(hashes, lo, hi, met):  # type: ignore[no-untyped-def]
    """Moves the hashes that may occur more than once to the front of the part; where they end."""
    slots = min(_slots(hi - lo, SPREAD), len(met))
    mask = U(slots - 1)
    met[:slots] = 0
    for i in range(lo, hi):
        at = hashes[U(i)] & mask
        met[at] = met[at] * 2 + 1  # 1 once, then 3, 7, ... 255, and there it stays
    end = U(lo)
    for i in range(lo, hi):
        h = hashes[U(i)]
        hashes[end] = h
        end += U(met[h & mask] != 1)
    return np.int64(end)


@piece
def _round(hashes, lo, hi, spread, table, claimed):  # type: ignore[no-untyped-def]
    """Counts those that own a slot, and moves the others to the front; (where they end, slots owned).

    All copies of a hash fall into one slot, and own it or not together. `spread`, odd, is another in each round. A slot
    is its owner and the owner's count, side by side: a slot that is not in the cache is waited for once.
    """
    slots = min(_slots(hi - lo, ROOMY), len(table))
    shift = U(64)
    while slots > 1:
        slots //= 2
        shift -= U(1)
    for i in range(lo, hi):
        h = hashes[U(i)]
        slot = h * spread >> shift
        table[slot, 0] = h
        table[slot, 1] = 0
    end, new = U(lo), U(0)
    for i in range(lo, hi):
        h = hashes[U(i)]
        slot = h * spread >> shift
        owned = U(table[slot, 0] == h)
        count = table[slot, 1]
        table[slot, 1] = count + owned
        claimed[new] = slot
        new += owned & U(count == U(0))
        hashes[end] = h
        end += owned ^ U(1)
    return np.int64(end), np.int64(new)


@piece
def _sorted(hashes, histogram, large, so_far):  # type: ignore[no-untyped-def]
    """Counts what chosen hashes left over."""
    distinct, singles, most, listed = so_far
    hashes.sort()
    first = 0
    for i in range(1, len(hashes) + 1):
        if i == len(hashes) or hashes[i] != hashes[first]:
            count = i - first
            distinct += 1
            singles += count == 1
            if count < COUNTED:
                histogram[count] += 1
                most = max(most, count)
            else:
                large[listed] = count
                listed += 1
            first = i
    return distinct, singles, most, listed
