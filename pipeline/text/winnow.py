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
NEVER = U(2**64 - 1)  # no hash is larger


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
    now, behind = np.empty(w, np.uint64), np.empty(w + 1, np.uint64)
    behind_times = np.empty(w + 1, np.int64)
    count, longest = 0, LONGEST * size
    for t in range(len(offsets) - 1):
        first, end = offsets[t], offsets[t + 1]
        if end - first < size:
            continue
        h = U(0)
        for i in range(first, first + k):
            h = h * BASE + U(values[i])
        h = _hashes(values, first, end, k, power, h, now)
        _from_behind(now, behind, behind_times)
        key, here, begin = behind[0], behind_times[0], first
        start = first  # of the window that was seen last: its k-grams are the first block
        while start + size < end:
            block = min(w, end - start - size)
            h = _hashes(values, start + w, end, k, power, h, now)
            ahead, ahead_times = NEVER, 0
            for j in range(block):
                x = now[U(j)]
                if x <= ahead:
                    ahead_times = 1 if x < ahead else ahead_times + 1
                    ahead = x
                smallest = min(ahead, behind[U(j + 1)])
                start += 1
                if smallest == key and start - begin < longest:
                    here += x == key
                    continue
                if count < room:
                    begins[count], windows[count] = begin, start - begin
                    keys[count], times[count] = mix(key), min(here, 2)
                count += 1
                key, begin = smallest, start
                here = (ahead_times if ahead == key else 0) + (behind_times[U(j + 1)] if behind[U(j + 1)] == key else 0)
            if block == w:
                _from_behind(now, behind, behind_times)
        if count < room:
            begins[count], windows[count] = begin, end - size + 1 - begin
            keys[count], times[count] = mix(key), min(here, 2)
        count += 1
    return count, begins, windows, keys, times


@piece
def _hashes(values, i, end, k, power, h, now):  # type: ignore[no-untyped-def]
    """Fills `now` with the hashes of the k-grams from `i` on, `h` being the sum of the first; the sum of the next."""
    at, after = U(i), U(i) + U(k)
    for j in range(min(len(now), end - k - i + 1)):
        now[U(j)] = _order(h)
        if after < U(end):
            h = h * BASE + (U(values[after]) - U(values[at]) * power)
        at += U(1)
        after += U(1)
    return h


@piece
def _from_behind(now, behind, behind_times):  # type: ignore[no-untyped-def]
    """The smallest hash from each place of a full block to its end, and how often it stands there; NEVER at the end."""
    smallest, times = NEVER, 0
    behind[len(now)], behind_times[len(now)] = NEVER, 0
    for j in range(len(now)):
        at = U(len(now) - 1 - j)
        x = now[at]
        times = 1 if x < smallest else times + (x == smallest)
        smallest = min(smallest, x)
        behind[at], behind_times[at] = smallest, times
