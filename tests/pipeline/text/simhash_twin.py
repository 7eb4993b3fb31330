"""What SimHash computes, in plain Python: the definition that the kernels must equal."""

from __future__ import annotations

import unicodedata

from tests.pipeline.minhash_twin import GOLDEN, M, mix
from tests.pipeline.text.measures_twin import is_space

STEP = 0xD6E8FEB86659FD93
BLANK = 0x40000000


def kept(text: str) -> list[str]:
    """Its characters in lower case, without punctuation; a character whose lower case is longer than one stays."""
    lower = [c.lower() if len(c.lower()) == 1 else c for c in text]
    return [low for c, low in zip(text, lower, strict=True) if unicodedata.category(c)[0] != "P"]


def value(char: str) -> int:
    return ord(char) | BLANK * is_space(char)


def units(text: str, by_words: bool) -> list[int]:
    if not by_words:
        return [value(char) for char in kept(text)]
    found: list[int] = []
    for word in "".join(" " if is_space(char) else char for char in kept(text)).split(" "):
        h = 0
        for char in word:
            h = (h ^ ord(char)) * STEP & M
            h ^= h >> 32
        found += [mix(h)] if word else []
    return found


def features(text: str, by_words: bool, size: int) -> list[int]:
    found = units(text, by_words)
    runs = [found[i : i + size] for i in range(max(1, len(found) - size + 1))] if found else []
    return [mix(sum(u * pow(GOLDEN, p, 1 << 64) for p, u in enumerate(reversed(run))) & M) for run in runs]


def compute(hashes: list[int]) -> int:
    """The bits that more than half of the hashes have."""
    return sum(1 << b for b in range(64) if 2 * sum(h >> b & 1 for h in hashes) > len(hashes))


def distance(a: int, b: int) -> int:
    return (a ^ b).bit_count()
