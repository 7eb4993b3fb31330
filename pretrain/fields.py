"""The kinds of value that a config holds: strict, so that `true` is no number and "10" no count.

    class Data(Block):           frozen, unknown keys refused, no NaN and no infinity
        rows: Count = 10         1 or more
        tokens: Amount           10_000_000, or 10M as people write it

Imports no torch. Knows no key of any config.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}
_AMOUNT = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?) ?([kMGBT]?)(?: ?(?:tokens|samples))?")


class Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def amount(value: Any) -> Any:
    """10_000_000 of "10M" or "10M tokens" (k, M, G or B, T); what is no text as it is, for the type to judge.

    Raises ValueError, which a config tells with its place.
    """
    if not isinstance(value, str):
        return value
    if found := _AMOUNT.fullmatch(value):
        exact = Decimal(found[1].replace("_", "")) * _UNITS[found[2]]
        if exact == int(exact):
            return int(exact)
    raise ValueError(f"is {value!r}, which is no whole number: write 10000000 or 10M (k, M, G, T)")


Int = Annotated[int, Strict()]  # no `true`, no "10"
Count = Annotated[int, Strict(), Field(ge=1)]
Amount = Annotated[int, BeforeValidator(amount), Strict(), Field(ge=1)]
NotNegative = Annotated[int, Strict(), Field(ge=0)]
Float = Annotated[float, Strict()]
Positive = Annotated[float, Strict(), Field(gt=0)]
Weight = Annotated[float, Strict(), Field(ge=0, le=1e15)]
Share = Annotated[float, Strict(), Field(ge=0, lt=1)]
