"""Names that are computed: canonical JSON, addresses, digests of files, and coins.

    canonical({"b": 1, "a": [0.5]}) -> b'{"a":[0.5],"b":1}'
    address(recipe)                 -> '3f2a…' (16 hex digits of its sha256)
    coin(seed, name)                -> an integer in [0, 2^64), the same on any machine

A value with no single spelling (NaN, a set, bytes, a key that is no string) is refused, never guessed.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

ADDRESS_DIGITS = 16  # 64 bits: two of a million recipes share one with a chance of 3e-8


def canonical(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8. Raises `ValueError` for what has none."""
    _refuse_ambiguous(value, "recipe")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _refuse_ambiguous(value: Any, where: str) -> None:
    if value is None or isinstance(value, bool | int | str):
        return
    if isinstance(value, float):
        if not math.isfinite(value) or (value == 0 and math.copysign(1, value) < 0):
            raise ValueError(f"{where}: {value!r} has no single spelling")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            _refuse_ambiguous(item, f"{where}[{i}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{where}: the key {key!r} is no string")
            _refuse_ambiguous(item, f"{where}.{key}")
    else:
        raise ValueError(f"{where}: {type(value).__name__} has no single spelling")


def digest(value: Any) -> str:
    """sha256 of the canonical spelling, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def address(recipe: Any) -> str:
    """The short name of a recipe: 16 hex digits."""
    return digest(recipe)[:ADDRESS_DIGITS]


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def coin(seed: int, name: str) -> int:
    """A toss for a name: uniform over [0, 2^64), a function of (seed, name) alone."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=seed.to_bytes(8, "big")).digest(), "big")


def coins(seed: int, names: list[str]) -> np.ndarray:
    """(len(names),) uint64: `coin` of each."""
    return np.fromiter((coin(seed, name) for name in names), dtype=np.uint64, count=len(names))
