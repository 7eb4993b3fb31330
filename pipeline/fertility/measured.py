"""What was measured of a tokenizer, and which size of vocabulary that speaks for.

    sizes_below(250_680)           -> [8192, 16384, 32768, 65536, 131072, 250680]
    savings({512: {"en": 100, "sw": 50}, 1024: {"en": 90, "sw": 40}})
                                   -> {1024: 0.15}       en saves 0.1, sw 0.2: each language counts alike
    recommended(savings, sizes, worth=0.02)

A saving is told for a doubling: where a size is not twice the one before, (tokens / tokens before)^(1 / log2(size /
size before)) is what a doubling would have left. It must never read a file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

SIZES = 6  # of a curve
LEAST = 512  # tokens: below it there is little but the bytes
WORTH = 0.02  # of the tokens: what a doubling must save, by default

Tokens = Mapping[int, Mapping[str, int]]  # {size: {lang: tokens}}


def sizes_below(size: int) -> list[int]:
    """The vocabulary's own size, and the powers of two below it: SIZES in all, none below LEAST."""
    powers = [1 << bits for bits in range(LEAST.bit_length() - 1, size.bit_length()) if 1 << bits < size]
    return [*powers[-(SIZES - 1) :], size]


def savings(tokens: Tokens) -> dict[int, float]:
    """{size: share of tokens that a doubling up to it saves}, the mean over languages; for all sizes but the first.

    A language without tokens at the size before does not count."""
    out = {}
    sizes = sorted(tokens)
    for before, size in pairwise(sizes):
        doublings = math.log2(size / before)
        left = [(tokens[size][lang] / n) ** (1 / doublings) for lang, n in sorted(tokens[before].items()) if n]
        out[size] = 1 - sum(left) / len(left) if left else 0.0
    return out


def recommended(saved: Mapping[int, float], sizes: Sequence[int], worth: float = WORTH) -> int:
    """The least size beyond which no doubling saves `worth` of the tokens or more; the largest where the last does."""
    worthy = [size for size in sizes if saved.get(size, 0.0) >= worth]
    return max(worthy, default=min(sizes))


@dataclass(frozen=True)
class Fertility:
    """JSON all through; lists in the order in which they are shown. Shares are in [0, 1]."""

    tokenizer: dict[str, Any]  # address, vocab_size
    sample: int  # bytes of each language, at most, that sizes and other tokenizers were compared on
    languages: list[dict[str, Any]]  # see `gather`
    sizes: list[dict[str, Any]]  # size, saved, tokens: {lang: tokens of the sample}
    worth: float
    judges: list[str]  # languages whose savings are averaged
    unseen: bool  # whether the tokenizer did not learn from what they were judged on
    recommended: int
    against: list[str]  # names of the other tokenizers
    parallel: str | None
    usage: dict[str, Any]  # of the whole encoded corpus, as in the report

    def to_json(self) -> dict[str, Any]:
        return {"format": "seedbed-fertility", "format_version": 1, **asdict(self)}

    @property
    def flat(self) -> bool:
        """Whether the curve ends in a doubling that is not worth it: else a larger vocabulary may be."""
        return len(self.sizes) > 1 and self.recommended < self.sizes[-1]["size"]
