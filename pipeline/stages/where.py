"""Which documents a stage is for: `where: {source: "crawl_*", lang: [en, fr]}` beside it.

Where(source=("crawl_*",)).matches(docs) -> (n,) bool, without nulls
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, field_validator

from pipeline.codes import checked_pattern


class Where(BaseModel):
    """Which documents a stage is for; the others pass by. Each is a name, a pattern (`crawl_*`) or a list of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: tuple[str, ...] | None = None
    lang: tuple[str, ...] | None = None  # what was found
    lang_declared: tuple[str, ...] | None = None
    kind: tuple[str, ...] | None = None  # text, code

    @field_validator("*", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value

    @field_validator("lang")
    @classmethod
    def _known(cls, patterns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if patterns is None else tuple(map(checked_pattern, patterns))

    def matches(self, docs: pa.Table) -> pa.Array:
        """(n,) bool, without nulls."""
        out = np.ones(docs.num_rows, dtype=bool)
        for name, patterns in self:
            if patterns is not None:
                out &= _matches_any(docs.column(name), patterns)
        return pa.array(out)


def _matches_any(column: pa.ChunkedArray, patterns: tuple[str, ...]) -> np.ndarray:
    codes = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    hit = [v is not None and any(fnmatchcase(v, p) for p in patterns) for v in codes.dictionary.to_pylist()]
    return (
        np.array(hit, dtype=bool)[codes.indices.to_numpy(zero_copy_only=False)] if hit else np.zeros(len(column), bool)
    )
