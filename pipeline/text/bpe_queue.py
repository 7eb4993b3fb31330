"""Which pair comes next: of the highest count, of equals the one of smaller ids, told lazily of counts that fell.

A lot stands in the queue under the count it had when it was put there. Counts only fall, so when it comes to the front
and has another one by now, it goes back under that, or out of the queue if that is too low to be merged.

A count below BUCKETS has a bucket, a linked list. The highest bucket is made a heap when its turn comes, so the many
rare pairs that are never merged are never compared. Lots of other counts stand in a heap of their own.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.bpe_state import ACTIVE, HEAP, LEVEL, NONE
from pipeline.text.compiling import piece


@piece
def push(s, lot, count):  # type: ignore[no-untyped-def]
    n = s.n
    s.following[lot] = NONE
    if count > n[LEVEL]:
        _up(s.heap, s.heap_counts, s.pairs, n[HEAP], lot, count)
        n[HEAP] += 1
    elif count == n[LEVEL]:
        s.active[n[ACTIVE]] = lot
        n[ACTIVE] += 1
        _up_active(s.active, s.pairs, n[ACTIVE] - 1, lot)
    else:
        s.following[lot] = s.buckets[count]
        s.buckets[count] = lot


@piece
def pop(s, least):  # type: ignore[no-untyped-def]
    """The next lot; NONE if there is none of the count `least` or more."""
    n = s.n
    while True:
        if _heap_is_next(s):
            lot, told = np.int64(s.heap[0]), s.heap_counts[0]
            n[HEAP] -= 1
            _down(s.heap, s.heap_counts, s.pairs, n[HEAP])
        elif n[ACTIVE] > 0:
            lot, told = np.int64(s.active[0]), n[LEVEL]
            n[ACTIVE] -= 1
            s.active[0] = s.active[n[ACTIVE]]
            _down_active(s.active, s.pairs, n[ACTIVE], 0)
        elif n[LEVEL] > 0:
            _open(s)
            continue
        else:
            return np.int64(NONE)
        if s.counts[lot] == told:
            return lot
        if s.counts[lot] >= least:
            push(s, lot, s.counts[lot])


@piece
def _heap_is_next(s):  # type: ignore[no-untyped-def]
    n = s.n
    if n[HEAP] == 0 or s.heap_counts[0] < n[LEVEL]:
        return False
    if s.heap_counts[0] > n[LEVEL] or n[ACTIVE] == 0:
        return True
    return _sooner(s.pairs, s.heap[0], s.active[0])


@piece
def _open(s):  # type: ignore[no-untyped-def]
    """Makes the next lower bucket a heap."""
    n = s.n
    n[LEVEL] -= 1
    lot = s.buckets[n[LEVEL]]
    s.buckets[n[LEVEL]] = NONE
    size = 0
    while lot != NONE:
        s.active[size] = lot
        size += 1
        after = s.following[lot]
        s.following[lot] = NONE
        lot = after
    for at in range((size >> 1) - 1, -1, -1):
        _down_active(s.active, s.pairs, size, at)
    n[ACTIVE] = size


@piece
def _sooner(pairs, a, b):  # type: ignore[no-untyped-def]
    """Of two lots of equal counts, whether a comes before b."""
    return pairs[a] < pairs[b]


@piece
def _up_active(active, pairs, at, lot):  # type: ignore[no-untyped-def]
    while at > 0 and _sooner(pairs, lot, active[(at - 1) >> 1]):
        active[at] = active[(at - 1) >> 1]
        at = (at - 1) >> 1
    active[at] = lot


@piece
def _down_active(active, pairs, size, at):  # type: ignore[no-untyped-def]
    """Moves the lot at `at` down to where it belongs."""
    lot = active[at]
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _sooner(pairs, active[child + 1], active[child]):
            child += 1
        if _sooner(pairs, lot, active[child]):
            break
        active[at] = active[child]
        at = child
    active[at] = lot


@piece
def _above(pairs, a, a_count, b, b_count):  # type: ignore[no-untyped-def]
    return a_count > b_count or (a_count == b_count and _sooner(pairs, a, b))


@piece
def _up(heap, counts, pairs, at, lot, count):  # type: ignore[no-untyped-def]
    while at > 0 and _above(pairs, lot, count, heap[(at - 1) >> 1], counts[(at - 1) >> 1]):
        heap[at], counts[at] = heap[(at - 1) >> 1], counts[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at], counts[at] = lot, count


@piece
def _down(heap, counts, pairs, size):  # type: ignore[no-untyped-def]
    """Fills the place of the first, which was taken, with the last, which stands at `size`."""
    lot, count, at = heap[size], counts[size], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _above(pairs, heap[child + 1], counts[child + 1], heap[child], counts[child]):
            child += 1
        if _above(pairs, lot, count, heap[child], counts[child]):
            break
        heap[at], counts[at] = heap[child], counts[child]
        at = child
    heap[at], counts[at] = lot, count
