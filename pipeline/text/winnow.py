"""Which windows of a corpus can be equal at all: runs of windows under one key, by winnowing.

In: units (bytes of UTF-8 or hashes of words) of all texts in one array, and where each text begins. A window is `size`
consecutive units of one text. Out: the windows of each text in runs of neighbours, each run with a key.

    key of a window = the smallest hash of the k-grams in it, k = `gram(size)`
    run             = windows beside each other that have one key, at most 4 * `size` of them

(Schleimer, Wilkerson and Aiken 2003, who keep the places of smallest hashes, need a rule for ties, by which text of
one repeated character keeps a place for every byte. The smallest value needs none.) What follows from it:

- a key is a function of what stands in the window, so **equal windows have equal keys**, wherever they stand. Runs
  under a key that stands once hold no repeat and can be forgotten; this is the only use of a hash, so one that two
  k-grams share costs time and changes nothing;
- two equal windows in one run hold the smallest k-gram at different places (they begin at different places, and hold
  it at the same distance from where they begin), so a run that holds it once has no two equal windows: `times` tells;
- with k-grams all different there are 2 / (w + 1) runs a unit, w = size - k + 1. Text of a short period is few runs.

The smallest of the last w hashes is held by two halves (van Herk 1992; Gil and Werman 1993): three comparisons a unit
on any input.
"""

import numpy as np

from pipeline.text.characters import U
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, MIX_1, mix

LONGEST = 4  # windows of a run at most, in sizes


def gram(size: int) -> int:
    """Units of the k-grams that windows of `size` are keyed by."""
    return max(1, size // 2)  # repeats of a shorter one are many, a longer one means more runs


def runs(values: np.ndarray, offsets: np.ndarray, size: int) -> tuple[np.ndarray, ...]:
    """(m,) int64 where the first window of each run begins in `values`, (m,) int32 how many windows it has, (m,) uint64
    keys, (m,) uint8 how often the smallest k-gram stands in it (2: twice or more).

    `values` is uint8 or uint64; text t is `values[offsets[t]:offsets[t + 1]]`. Texts under `size` units have no window.
    """
    k = gram(size)
    room = int(2.3 * (offsets[-1] - offsets[0]) / (size - k + 2)) + len(offsets)
    power = U(pow(int(BASE), k, 1 << 64))
    found, *columns = _runs(values, offsets, size, k, power, room)
    if found > room:  # more than chance has it: text that was made for it
        found, *columns = _runs(values, offsets, size, k, power, found)
    return tuple(column[:found] for column in columns)


@piece
def _order(h):  # type: ignore[no-untyped-def]
    """What decides which k-gram is smallest: spreads the bits of a polynomial; one to one."""
    h = (h ^ (h >> U(32))) * MIX_1
    return h ^ (h >> U(29))


@kernel
def _runs(values, offsets, size, k, power, room):  # type: ignore[no-untyped-def]
    begins, windows = np.empty(room, np.int64), np.empty(room, np.int32)
    keys, times = np.empty(room, np.uint64), np.empty(room, np.uint8)
    w = size - k + 1
    hashes, behind, behind_times = np.empty(w, np.uint64), np.empty(w, np.uint64), np.empty(w, np.int64)
    count = 0
    for t in range(len(offsets) - 1):
        first, end = offsets[t], offsets[t + 1]
        if end - first < size:
            continue
        h = U(0)
        for i in range(first, first + k - 1):
            h = h * BASE + U(values[i])
        ahead, ahead_times, at = U(0), 0, 0  # smallest hash of the block under way, how often, and how many it has
        key, here, begin, full = U(0), 0, first, False
        gone = U(0)
        for i in range(first + k - 1, end):
            h = h * BASE + U(values[i]) - gone * power
            gone = U(values[i - k + 1])
            x = _order(h)
            hashes[at] = x
            if at == 0 or x < ahead:
                ahead, ahead_times = x, 1
            elif x == ahead:
                ahead_times += 1
            at += 1
            smallest, smallest_times = ahead, ahead_times
            if at == w:
                at = 0
                _from_behind(hashes, behind, behind_times)
            elif full:
                if behind[at] < ahead:
                    smallest, smallest_times = behind[at], behind_times[at]
                elif behind[at] == ahead:
                    smallest_times += behind_times[at]
            else:
                continue
            start = i - size + 1  # of the window that ends here
            if full and smallest == key and start - begin < LONGEST * size:
                here += x == key
                continue
            if full:
                if count < room:
                    begins[count], windows[count] = begin, start - begin
                    keys[count], times[count] = mix(key), min(here, 2)
                count += 1
            key, here, begin, full = smallest, smallest_times, start, True
        if count < room:
            begins[count], windows[count] = begin, end - size + 1 - begin
            keys[count], times[count] = mix(key), min(here, 2)
        count += 1
    return count, begins, windows, keys, times


@piece
def _from_behind(hashes, behind, behind_times):  # type: ignore[no-untyped-def]
    """The smallest hash from each place of a full block to its end, and how often it stands there."""
    smallest, times = hashes[-1], 0
    for j in range(len(hashes) - 1, -1, -1):
        if hashes[j] < smallest:
            smallest, times = hashes[j], 1
        elif hashes[j] == smallest:
            times += 1
        behind[j], behind_times[j] = smallest, times
