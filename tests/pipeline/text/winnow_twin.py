"""What `winnow` computes, in plain Python: the key of every window, and runs of neighbours with one key."""

from __future__ import annotations

from pipeline.text.winnow import LONGEST, gram

M = (1 << 64) - 1
BASE, MIX_1, MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def order(units: list[int]) -> int:
    h = 0
    for unit in units:
        h = (h * BASE + unit) & M
    h = ((h ^ (h >> 32)) * MIX_1) & M
    return h ^ (h >> 29)


def mix(x: int) -> int:
    x = ((x ^ (x >> 30)) * MIX_1) & M
    x = ((x ^ (x >> 27)) * MIX_2) & M
    return x ^ (x >> 31)


def runs(units: list[int], size: int) -> list[tuple[int, int, int, int]]:
    """(first window, windows, key, how often the smallest k-gram stands in it, 2 at most) of each run of one text."""
    k = gram(size)
    grams = [order(units[i : i + k]) for i in range(len(units) - k + 1)]
    w = size - k + 1
    smallest = [min(grams[s : s + w]) for s in range(len(units) - size + 1)]
    out, begin = [], 0
    for end in range(1, len(smallest) + 1):
        if end == len(smallest) or smallest[end] != smallest[begin] or end - begin == LONGEST * size:
            times = grams[begin : end - 1 + w].count(smallest[begin])
            out.append((begin, end - begin, mix(smallest[begin]), min(times, 2)))
            begin = end
    return out
