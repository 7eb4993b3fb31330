"""Reading the values of a measure off the layers, shard by shard, and choosing the documents to show.

    inspect(planned, Question("word_repetition", langs=("sw",)), memory) -> Inspected

Documents are looked at as they stood before the `keep` that judges the measure (or after the last sealed step, where
none does). Texts are read one shard at a time; values of all documents are held at once, some BYTES_PER_DOCUMENT each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ConfigError, InputError
from pipeline.inspection.inspected import QUANTILES, Axis, Inspected, Limits, Sample, Spread
from pipeline.plan import Planned
from pipeline.stages.base import Where
from pipeline.stages.keep import Keep
from pipeline.stages.shares import UP_TO_ONE
from pipeline.steps.source import shards_of
from pipeline.store.layers import Shard, read_shard
from pipeline.units import say_bytes

BYTES_PER_DOCUMENT = 150  # five columns, in parts and joined; masks, a sorted copy (measured: 129 at two million)
EXCERPT = 1500  # characters
OF_A_LANGUAGE = 2  # samples of one side, at most, where several languages are looked at
CANDIDATES = 400  # documents nearest to a limit that may be shown
COLUMNS = ("id", "source", "kind", "lang", "lang_declared", "text")


@dataclass(frozen=True)
class Question:
    """What to look at: a measure, of which documents, and with which limits (None: those of the config)."""

    measure: str
    langs: tuple[str, ...] = ()
    where: Where = field(default_factory=Where)
    low: float | None = None
    high: float | None = None
    step: str | None = None  # the `keep` whose limits to take, by its number (`04`) or its folder's beginning
    samples: int = 5  # of each side


@dataclass(frozen=True)
class _View:
    """The documents looked at, as columns of n rows, and where each stands."""

    values: np.ndarray  # (n,) float64, NaN for none
    sizes: np.ndarray  # (n,) int64 bytes of text
    langs: np.ndarray  # (n,) object
    shards: np.ndarray  # (n,) int64
    rows: np.ndarray  # (n,) int64, among the rows of its shard as read

    def of(self, mask: np.ndarray) -> _View:
        return _View(*(getattr(self, name)[mask] for name in ("values", "sizes", "langs", "shards", "rows")))


def inspect(planned: Sequence[Planned], question: Question, memory: int) -> Inspected:
    """Raises ConfigError for a measure that no stage writes, InputError where its step does not stand yet, or where
    the documents' numbers would not fit into `memory` bytes."""
    steps, judge = _steps(planned, question)
    shards = _shards(planned)
    _check_memory(sum(shard.rows for shard in shards), memory)
    only = Where() if judge is None else judge.settings.where or Where()
    seen = _read(shards, steps, question, only)
    limits = _limits(question, judge, seen.langs)
    broken = np.zeros(len(seen.values), bool)
    for lang, own in limits.items():
        rows = seen.langs == lang
        broken[rows] = own.breaks(seen.values[rows])
    distinct = set(limits.values())
    common = next(iter(distinct)) if len(distinct) == 1 else Limits()
    axis = Axis.of(seen.values, common, question.measure in UP_TO_ONE)
    languages = [
        Spread.of(lang, seen.values[rows], seen.sizes[rows], broken[rows], own, axis)
        for lang, own in limits.items()
        for rows in [seen.langs == lang]
    ]
    picker = _Picker(shards, steps, question, only, seen, limits)
    return Inspected(
        measure=question.measure,
        step=steps[-1].step.folder.name,
        judge=judge.step.folder.name if judge is not None and question.low is question.high is None else None,
        judges={name: list(told) for name, told in only if told},
        where=_in_words(question, only),
        axis=axis,
        whole=Spread.of("", seen.values, seen.sizes, broken, common, axis),
        languages=sorted(languages, key=lambda s: (-s.dropped / s.documents, -s.documents, s.lang)),
        kept=picker.nearest(~broken),
        dropped=picker.nearest(broken),
        along=picker.along(),
    )


def measures(planned: Sequence[Planned]) -> dict[str, str]:
    """{measure: folder of the step that writes it}, of all stages of a config."""
    return {name: p.step.folder.name for p in _stages(planned) for name in p.settings.numbers}


def _stages(planned: Sequence[Planned]) -> list[Planned]:
    return [p for p in planned if p.kind in ("row", "corpus")]


def _steps(planned: Sequence[Planned], question: Question) -> tuple[list[Planned], Planned | None]:
    """The steps whose layers are laid over each other, and the `keep` that judges the measure."""
    stages = _stages(planned)
    writers = [i for i, p in enumerate(stages) if question.measure in p.settings.numbers]
    if not writers:
        raise _no_measure(planned, question.measure)
    if not stages[writers[0]].step.sealed:
        folder = stages[writers[0]].step.folder.name
        raise InputError(
            f"the step that measures {question.measure}, {folder}, does not stand yet", hint="pipeline run CONFIG"
        )
    judges = [i for i, p in enumerate(stages) if i > writers[0] and _judges(p, question.measure)]
    judge = _chosen(stages, judges, question)
    before = stages if judge is None else stages[:judge]
    sealed = list(takewhile(lambda p: p.step.sealed, before))
    return sealed, None if judge is None else stages[judge]


def _no_measure(planned: Sequence[Planned], name: str) -> ConfigError:
    known = ", ".join(sorted(measures(planned))) or "none at all"
    written = any(name in p.settings.writes for p in _stages(planned))
    why = f"{name!r} holds words, no numbers" if written else f"no stage of this config writes {name!r}"
    return ConfigError(why, hint=f"it measures {known}")


def _judges(planned: Planned, measure: str) -> bool:
    return isinstance(planned.settings, Keep) and measure in planned.settings.needs


def _chosen(stages: Sequence[Planned], judges: Sequence[int], question: Question) -> int | None:
    if question.step is None:
        fits = [i for i in judges if _concerns(stages[i].settings, question.where)]
        return fits[0] if fits else None
    named = [i for i in judges if stages[i].step.folder.name.startswith(question.step)]
    if not named:
        folders = ", ".join(stages[i].step.folder.name for i in judges) or "no step at all"
        raise ConfigError(f"{question.step!r} does not judge {question.measure}", hint=f"it is judged by {folders}")
    return named[0]


def _concerns(keep: Keep, where: Where) -> bool:
    """Whether a `keep` may be about documents of these kinds."""
    return (
        keep.where is None or keep.where.kind is None or where.kind is None or bool({*keep.where.kind} & {*where.kind})
    )


def _shards(planned: Sequence[Planned]) -> list[Shard]:
    sources = [p for p in planned if p.kind == "source" and p.step.sealed]
    return [shard for p in sources for shard in shards_of(p.step, p.settings.name, 0)]


def _check_memory(documents: int, memory: int) -> None:
    if documents * BYTES_PER_DOCUMENT > memory:
        need = say_bytes(documents * BYTES_PER_DOCUMENT)
        raise InputError(
            f"the numbers of {documents:,} documents take {need}, and run.memory is {say_bytes(memory)}",
            hint="raise run.memory, or look at a config with fewer sources",
        )


def _docs(shard: Shard, steps: Sequence[Planned], question: Question, only: Where) -> pa.Table:
    """The documents of a shard that were asked for."""
    docs = read_shard(shard, [p.step for p in steps], [*COLUMNS, question.measure])
    mask = pc.and_(question.where.matches(docs), only.matches(docs))
    if question.langs:
        mask = pc.and_(mask, pc.is_in(docs.column("lang").combine_chunks(), pa.array(question.langs)))
    return docs.filter(mask)


def _read(shards: Sequence[Shard], steps: Sequence[Planned], question: Question, only: Where) -> _View:
    parts = [_of_shard(at, _docs(shard, steps, question, only), question.measure) for at, shard in enumerate(shards)]
    names = ("values", "sizes", "langs", "shards", "rows")
    whole = _View(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
    if not len(whole.values):
        raise InputError(
            f"there is no document ({_in_words(question, only)})", hint="leave --lang, --source or --kind out"
        )
    return whole


def _of_shard(at: int, docs: pa.Table, measure: str) -> _View:
    values = docs.column(measure).cast(pa.float64()).to_numpy()
    sizes = pc.binary_length(docs.column("text")).to_numpy().astype(np.int64)
    codes = docs.column("lang").combine_chunks().dictionary_encode()
    langs = codes.dictionary.to_numpy(zero_copy_only=False)[codes.indices.to_numpy()]  # one Python string a language
    return _View(values, sizes, langs, np.full(len(values), at), np.arange(len(values)))


def _limits(question: Question, judge: Planned | None, langs: np.ndarray) -> dict[str, Limits]:
    """{language: its limits}, of the languages that are there."""
    there = sorted(set(langs.tolist()))
    if question.low is not None or question.high is not None:
        return dict.fromkeys(there, Limits(question.low, question.high))
    if judge is None:
        return dict.fromkeys(there, Limits())
    bounds = {lang: dict(judge.settings.bounds_of(lang)).get(question.measure, (None, None)) for lang in there}
    return {lang: _telling(Limits(*own), question.measure) for lang, own in bounds.items()}


def _telling(limits: Limits, measure: str) -> Limits:
    """Without a limit that nothing can break: no measure is below 0, and no share above 1."""
    low = None if limits.low == 0 else limits.low
    return Limits(low, None if measure in UP_TO_ONE and limits.high == 1 else limits.high)


def _in_words(question: Question, only: Where) -> str:
    parts = [f"{name} {' or '.join(told)}" for where in (question.where, only) for name, told in where if told]
    return ", ".join(dict.fromkeys([*question.langs, *parts]))


@dataclass(frozen=True)
class _Picker:
    """Chooses documents and reads them. Where values are equal, a scramble of the document's place decides: the same
    documents are shown each time, and not only the first of the corpus."""

    shards: Sequence[Shard]
    steps: Sequence[Planned]
    question: Question
    only: Where
    seen: _View
    limits: dict[str, Limits]

    def nearest(self, mask: np.ndarray) -> list[Sample]:
        """Those of `mask` nearest to a limit, OF_A_LANGUAGE of each language, the nearest first."""
        rows = np.flatnonzero(mask & ~np.isnan(self.seen.values))
        edges = self._edges(rows)
        distance = np.abs(self.seen.values[rows] - edges)
        order = np.lexsort((_scrambled(rows), distance))[:CANDIDATES]
        order = order[~np.isnan(distance[order])]
        return self._samples(self._turns(rows[order]))

    def along(self) -> list[Sample]:
        """One at each of the quantiles, the lowest and the highest included."""
        rows = np.flatnonzero(~np.isnan(self.seen.values))
        order = rows[np.lexsort((_scrambled(rows), self.seen.values[rows]))]
        if not len(order):
            return []
        places = [min(int(q * len(order)), len(order) - 1) for q in (0.0, *QUANTILES, 1.0)]
        return self._samples(list(dict.fromkeys(order[places].tolist())))

    def _edges(self, rows: np.ndarray) -> np.ndarray:
        """(m,) the nearest limit of each row; NaN where it has none."""
        values, langs = self.seen.values[rows], self.seen.langs[rows]
        out = np.full(len(rows), np.nan)
        for lang, own in self.limits.items():
            for limit in (own.low, own.high):
                if limit is not None:
                    closer = (langs == lang) & ~(np.abs(values - out) <= np.abs(values - limit))
                    out[closer] = limit
        return out

    def _turns(self, rows: np.ndarray) -> list[int]:
        several = len(self.limits) > 1
        taken: dict[str, int] = {}
        out: list[int] = []
        for row in rows.tolist():
            lang = self.seen.langs[row]
            taken[lang] = taken.get(lang, 0) + 1
            if not several or taken[lang] <= OF_A_LANGUAGE:
                out.append(row)
        return out[: self.question.samples]

    def _samples(self, rows: Sequence[int]) -> list[Sample]:
        edges = self._edges(np.array(rows, np.int64))
        limit = {row: None if np.isnan(edge) else float(edge) for row, edge in zip(rows, edges, strict=True)}
        read = dict(self._texts(rows))
        seen = self.seen
        return [
            Sample(
                read[row][0], seen.langs[row], float(seen.values[row]), limit[row], int(seen.sizes[row]), read[row][1]
            )
            for row in rows
        ]

    def _texts(self, rows: Sequence[int]) -> Iterator[tuple[int, tuple[str, str]]]:
        """(row, (id, excerpt)); each shard that holds one is read once."""
        for at in sorted({int(self.seen.shards[row]) for row in rows}):
            here = [row for row in rows if self.seen.shards[row] == at]
            docs = _docs(self.shards[at], self.steps, self.question, self.only).select(["id", "text"])
            docs = docs.take(pa.array(self.seen.rows[here]))
            texts = pc.utf8_slice_codeunits(docs.column("text"), 0, EXCERPT).to_pylist()
            yield from zip(here, zip(docs.column("id").to_pylist(), texts, strict=True), strict=True)


def _scrambled(rows: np.ndarray) -> np.ndarray:
    """(m,) uint64 that look drawn by chance, the same for the same rows."""
    x = (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    return (x ^ (x >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
