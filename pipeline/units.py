"""Sizes and shares as people write them: 3MB, 64 KiB, 1%, 0.01.

Decimal units are powers of 1000 and binary ones (KiB, MiB, GiB) powers of 1024, as the standards say.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

UNITS = {
    "": 1,
    "b": 1,
    "k": 10**3,
    "kb": 10**3,
    "m": 10**6,
    "mb": 10**6,
    "g": 10**9,
    "gb": 10**9,
    "t": 10**12,
    "tb": 10**12,
}
UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def parse_size(value: Any) -> int:
    """Bytes: 3MB -> 3,000,000. Raises `ValueError` for what is no size."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", value) if isinstance(value, str) else None
    if not match or match[2].lower() not in UNITS:
        raise ValueError(f"{value!r} is no size: write 500KB, 3MB, 8GB or 64MiB")
    return int(Decimal(match[1]) * UNITS[match[2].lower()])  # a float would make 8.2GB a byte less than 8200MB


def parse_share(value: Any) -> float:
    """A share in [0, 1]: 1% -> 0.01. Raises `ValueError` for what is none."""
    if isinstance(value, str) and re.fullmatch(r"\s*\d+(\.\d+)?\s*%\s*", value):
        value = float(value.strip().rstrip("% ")) / 100
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise ValueError(f"{value!r} is no share: write 1% or 0.01")


Size = Annotated[int, BeforeValidator(parse_size)]
Share = Annotated[float, BeforeValidator(parse_share)]


def say_bytes(count: float) -> str:
    """As people read it: 3000000 -> '3.0 MB'."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
