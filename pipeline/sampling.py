"""Which documents a sample takes: so many bytes of each language by a stated rule, each document by a coin of its own.

    budgets({"en": 10**9, "sw": 10**6}, 10**8, alpha=0.5)              -> {"en": 99_000_000, "sw": 1_000_000}   bytes
    budgets({"en": 900, "fr": 90, "sw": 10}, 200, 0.0, {"fr": 0.1})    -> {"en": 170, "fr": 20, "sw": 10}
    shares(...)                                                        -> {"en": 0.099, "sw": 1.0}      of its documents
    tosses(ids, seed) < limits(langs, shares)                          -> the documents that are taken

A toss is a function of (seed, id) alone, so neither shards nor their order can matter, and a larger sample holds every
document of a smaller one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Annotated, Any

import numpy as np
from pydantic import PlainValidator

from pipeline.digest import coins
from pipeline.units import parse_share, parse_size


def parse_part(value: Any) -> int | float:
    """What a language gets of a sample: bytes (int) of 5MB, a share (float) of 30% or 0.3. Raises ValueError."""
    if value == 1 and not isinstance(value, float):
        raise ValueError("1 may be a byte or the whole: write 100% or 1B")
    if isinstance(value, float) or (isinstance(value, str) and "%" in value):
        return parse_share(value)
    return parse_size(value)


DIGITS = 30  # behind the point of a weight

Part = Annotated[int | float, PlainValidator(parse_part, json_schema_input_type=str | float)]
Parts = Mapping[str, int | float]


def in_bytes(part: float, total: int) -> int:
    """Bytes of a part of a sample of `total` bytes."""
    return part if isinstance(part, int) else round(part * total)


def budgets(available: Mapping[str, int], total: int, alpha: float, parts: Parts | None = None) -> dict[str, int]:
    """Bytes to take of each language: its part if it has one; the others share what is left by p^alpha.

    (Conneau and Lample 2019, arXiv:1901.07291, sec. 3.1, there for sentences.) None gets more than it has; what is left
    over goes to the others."""
    own = {lang: in_bytes(part, total) for lang, part in (parts or {}).items()}
    out = {lang: min(own.get(lang, 0), size) for lang, size in sorted(available.items())}
    others = {lang: size for lang, size in sorted(available.items()) if size > 0 and lang not in own}
    return out | _by_temperature(others, max(0, total - sum(out.values())), alpha)


def _by_temperature(available: Mapping[str, int], total: int, alpha: float) -> dict[str, int]:
    weight = {lang: _weight(size, sum(available.values()), alpha) for lang, size in available.items()}
    out: dict[str, int] = {}
    left = min(total, sum(available.values()))
    while weight:
        level = sum(weight.values())
        full = [lang for lang in weight if weight[lang] * left >= available[lang] * level]
        if not full:
            return out | {lang: left * w // level for lang, w in weight.items()}
        out |= {lang: available[lang] for lang in full}
        left -= sum(available[lang] for lang in full)
        weight = {lang: w for lang, w in weight.items() if lang not in full}
    return out


def _weight(size: int, everything: int, alpha: float) -> int:
    """(size / everything)^alpha as a whole number; size itself where alpha is 1.

    In decimals, which are the same on any machine: the last bit of a `pow` of floats is not."""
    if alpha == 1:
        return size
    with localcontext(prec=DIGITS + 10):
        return int((Decimal(size) / everything) ** Decimal(str(alpha)) * 10**DIGITS)


def shares(available: Mapping[str, int], taken: Mapping[str, int]) -> dict[str, float]:
    """The share of each language's documents to take, in [0, 1], for `limits`."""
    # rounded, so that the last bit of a machine's `pow` cannot decide about a document
    return {lang: round(taken[lang] / size, 9) if size else 1.0 for lang, size in sorted(available.items())}


def tosses(ids: Sequence[str], seed: int) -> np.ndarray:
    """(n,) uint64 below 2^53, which a float holds exactly: the toss for each document."""
    return coins(seed, [f"sample {name}" for name in ids]) >> np.uint64(11)


def limits(langs: Sequence[str], share: Mapping[str, float]) -> np.ndarray:
    """(n,) float64: a document is taken if its toss is below the limit of its language."""
    return np.array([share[lang] for lang in langs], np.float64) * 2.0**53


def chosen(ids: Sequence[str], langs: Sequence[str], share: Mapping[str, float], seed: int) -> np.ndarray:
    """(n,) bool: whether the toss for a document falls under its language's share."""
    return tosses(ids, seed) < limits(langs, share)
