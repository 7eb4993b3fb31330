"""Judge by the numbers that `measure` wrote: the first bound broken is the reason given.

docs (with the measures named) -> Outcome(dropped: row, reason, value, limit). Changes nothing, measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, FiniteFloat, field_validator, model_validator

from pipeline.codes import by_language, checked
from pipeline.errors import ConfigError
from pipeline.stages.base import Outcome, RowStage, dropped_table
from pipeline.stages.shares import SHARES
from pipeline.text.languages import canonical, same

LANGUAGE, DECLARED = "language", "declared"  # reasons that are no measure
# Bounds are kept as pairs in the order written, because that order decides the reason: JSON with sorted keys loses it.
Bound = tuple[str, tuple[FiniteFloat | None, FiniteFloat | None]]
Bounds = tuple[Bound, ...]


class Keep(RowStage):
    """Keeps the documents whose measures lie within bounds, and drops the others, each with its reason.

    A bound is `measure: [lowest, highest]`, both allowed, `null` for no limit on that side. Bounds are tried in the
    order written; the first that is broken gives the reason (the measure's name), the value and the limit in the
    ledger. A measure that has no number for a document (no stop-word list for its language) breaks no bound.
    Under `lang`, a bound replaces the one of the same measure for that language; others are added behind.

    `languages` drops every other language, with the reason `language`; `as_declared` drops documents found to be in
    another language than their source says, with the reason `declared`. Both are looked at before the bounds.

        - keep:
            bounds: {words: [20, 100000], char_repetition: [0, 0.2], stopword_ratio: [0.1, null]}
            lang:
              zh-hans: {words: [1, 1000000]}
            languages: [en, fr, zh-hans]
          where: {kind: text}

    Needs the measures that it names: put `- measure` above it. Writes nothing.
    """

    name: ClassVar[str] = "keep"

    bounds: Bounds = Field((), description="measure: lowest and highest value, null for none")
    lang: tuple[tuple[str, Bounds], ...] = Field((), description="language: bounds that are its own")
    languages: tuple[str, ...] | None = Field(None, description="only these; default: all")
    as_declared: bool = Field(False, description="only documents in the language that their source declares")

    @field_validator("bounds", mode="before")
    @classmethod
    def _in_order(cls, value: Any) -> Any:
        return _pairs(value)

    @field_validator("lang", mode="before")
    @classmethod
    def _by_language(cls, value: Any) -> Any:
        pairs = by_language(value)
        return [(lang, _pairs(bounds)) for lang, bounds in pairs] if isinstance(pairs, list) else pairs

    @field_validator("bounds", "lang")
    @classmethod
    def _possible(cls, value: Any, info: Any) -> Any:
        names = [name for name, _ in value]
        if len(set(names)) < len(names):
            raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} is bound twice")
        for name, (low, high) in value if info.field_name == "bounds" else [b for _, own in value for b in own]:
            if name in SHARES and (most := max(low or 0, high or 0)) > 1:
                raise ValueError(f"{name} is a share, 1 being the whole: write {most / 100:g} for {most:g} percent")
            if low is not None and high is not None and low > high:
                raise ValueError(f"{name}: [{low:g}, {high:g}] holds nothing; write the lower limit first")
        return value

    @field_validator("languages")
    @classmethod
    def _canonical(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(sorted({checked(code) for code in value}))

    @model_validator(mode="after")
    def _judges(self) -> Keep:
        if not (self.bounds or self.lang or self.languages is not None or self.as_declared):
            raise ValueError("keeps everything; give it bounds: {words: [20, 100000]}")
        return self

    @property
    def needs(self) -> tuple[str, ...]:
        every = (self.bounds, *(own for _, own in self.lang))
        return tuple(dict.fromkeys(name for bounds in every for name, _ in bounds))

    @property
    def bytes_per_text_byte(self) -> float:
        return 2.0

    def apply(self, docs: pa.Table) -> Outcome:
        langs = docs.column("lang").combine_chunks()
        verdict = _Verdict(docs.num_rows)
        if self.languages is not None:
            verdict.drop(~_among(langs, self.languages), LANGUAGE, _scores(docs))
        if self.as_declared:
            verdict.drop(_elsewhere(docs), DECLARED, _scores(docs))
        own = [lang for lang, _ in self.lang]
        self._judge(docs, ~_among(langs, own), self.bounds, verdict)
        for lang in own:
            self._judge(docs, _among(langs, [lang]), self.bounds_of(lang), verdict)
        return Outcome(dropped=verdict.table())

    def bounds_of(self, lang: str) -> Bounds:
        """The bounds of documents in this language, in the order in which they are tried."""
        return tuple({**dict(self.bounds), **dict(dict(self.lang).get(lang, ()))}.items())

    def _judge(self, docs: pa.Table, rows: np.ndarray, bounds: Bounds, verdict: _Verdict) -> None:
        for name, (low, high) in bounds:
            values = _numbers(docs, name)
            with np.errstate(invalid="ignore"):  # NaN stands for no number, and is on neither side of a limit
                if low is not None:
                    verdict.drop(rows & (values < low), name, values, low)
                if high is not None:
                    verdict.drop(rows & (values > high), name, values, high)


class _Verdict:
    """The first reason against each row."""

    def __init__(self, rows: int) -> None:
        self.reasons = np.full(rows, "", object)
        self.values, self.limits = np.full(rows, np.nan), np.full(rows, np.nan)

    def drop(self, rows: np.ndarray, reason: str, values: np.ndarray | None = None, limit: float = np.nan) -> None:
        new = rows & (self.reasons == "")
        self.reasons[new] = reason
        if values is not None:
            self.values[new], self.limits[new] = values[new], limit

    def table(self) -> pa.Table:
        rows = np.flatnonzero(self.reasons != "")
        value, limit = (pa.array(numbers[rows], mask=np.isnan(numbers[rows])) for numbers in (self.values, self.limits))
        return dropped_table(rows, pa.array(self.reasons[rows], pa.string()), value=value, limit=limit)


def _among(langs: pa.Array, wanted: Iterable[str]) -> np.ndarray:
    return pc.is_in(langs, pa.array(list(wanted), pa.string())).to_numpy(zero_copy_only=False)


def _pairs(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    for name, own in value.items():
        if not isinstance(own, list | tuple) or len(own) != 2:
            low = own if isinstance(own, int | float) else 20
            raise ValueError(f"{name} must be [lowest, highest], null for none: [{low}, null] or [null, {low}]")
    return list(value.items())


def _scores(docs: pa.Table) -> np.ndarray | None:
    """How sure the language is, the value beside the reason; None where nobody looked."""
    return _numbers(docs, "lang_score") if "lang_score" in docs.column_names else None


def _numbers(docs: pa.Table, name: str) -> np.ndarray:
    """(n,) float64, NaN where there is no number."""
    if name not in docs.column_names:
        raise ConfigError(f"keep: {name!r} was never measured", hint=f"add `- measure: {{names: [{name}]}}` above it")
    return docs.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)


def _elsewhere(docs: pa.Table) -> np.ndarray:
    """(n,) bool: documents whose language is another than declared; nothing declared, nothing broken."""
    pairs = zip(docs.column("lang_declared").to_pylist(), docs.column("lang").to_pylist(), strict=True)
    return np.array([d is not None and not same(canonical(d), found) for d, found in pairs], bool)
