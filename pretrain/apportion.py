"""Shares to whole numbers: a temperature, a limit for each language, and rows that add up exactly.

    tempered({"en": 400, "sw": 100}, 2)                                  -> weights as 2 to 1
    filled(90, {"en": 8, "sw": 1}, {"sw": 5})                            -> {"en": 85, "sw": 5}     sw wants 10, may 5
    rounded(3, {"en": Fraction(3, 2), "sw": Fraction(3, 2)}, {})         -> {"en": 2, "sw": 1}

Whole numbers and fractions, so the same everywhere; floats come in where a person wrote them or a power made them, and
are rounded to 40 bits. Never sees a corpus or a config.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import floor

_BITS = 40  # of the sum of weights: coarse enough to hide the last bit of a `pow`


def whole_weights(shares: Mapping[str, float | Fraction]) -> dict[str, int]:
    """Positive shares as whole numbers of about 40 bits in sum; the smallest is 1."""
    total = sum(shares.values())
    return {language: max(1, round(share / total * (1 << _BITS))) for language, share in shares.items()}


def tempered(rows: Mapping[str, int], temperature: float) -> dict[str, int]:
    """Weights proportional to rows ** (1 / temperature): 1 is the natural share, more lifts small languages.

    At 1 the weights are the rows themselves, so that all languages end their first epoch together.
    """
    if temperature == 1:
        return dict(rows)
    largest = max(rows.values())
    return whole_weights({language: (n / largest) ** (1 / temperature) for language, n in rows.items()})


def filled(total: int, weights: Mapping[str, int], limits: Mapping[str, int]) -> dict[str, Fraction]:
    """`total` shared by weight, none above its limit; what is above goes to the others by their weights.

    min(limit, level * weight) with the one level at which they add up to `total`. It is found exactly: those over their
    limit at the level of all only go further over it as the level rises, so each round fixes them and asks again. The
    limits of all add up to `total` or more where every language has one.
    """
    wanted: dict[str, Fraction] = {}
    free, left = dict(weights), total
    while over := {x for x, w in free.items() if x in limits and limits[x] * sum(free.values()) < left * w}:
        wanted |= {x: Fraction(limits[x]) for x in over}
        left -= sum(limits[x] for x in over)
        free = {x: w for x, w in free.items() if x not in over}
    everything = sum(free.values())
    return {x: Fraction(left * free[x], everything) if x in free else wanted[x] for x in weights}


def rounded(total: int, wanted: Mapping[str, Fraction], limits: Mapping[str, int]) -> dict[str, int]:
    """Whole numbers >= 0 that add up to `total`, by largest remainder; ties go by name. None is above its limit.

    `wanted` may hold what is below 0 (rows that were given too early) and add up to a little more or less than `total`.
    """
    counts = {x: max(0, floor(wanted[x])) for x in sorted(wanted)}
    counts = {x: min(n, limits.get(x, n)) for x, n in counts.items()}
    while (short := total - sum(counts.values())) > 0:
        room = [x for x, n in counts.items() if n < limits.get(x, n + 1)]
        assert room, "the limits add up to less than the total"
        for x in sorted(room, key=lambda x: counts[x] - wanted[x])[:short]:
            counts[x] += 1
    while short < 0:
        over = [x for x, n in counts.items() if n > 0]
        for x in sorted(over, key=lambda x: wanted[x] - counts[x])[:-short]:
            counts[x] -= 1
        short = total - sum(counts.values())
    return counts
