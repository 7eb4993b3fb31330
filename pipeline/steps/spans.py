"""Span-wise stages: two rounds of keys, so that only what may be repeated is ever told with its content.

    observe   each shard      -> scratch/keys/<shard>.arrow           a key once, sorted
    suspect   each partition  -> scratch/suspects/<partition>.arrow   keys that stand twice, sorted by shard
    gather    each shard      -> scratch/contents/<shard>.arrow       sorted by key; scratch/copies/<shard>.arrow
    match     each partition  -> scratch/spans/<partition>.arrow      sorted by document number
    apply     each shard      -> layer, ledger; it reads its own range of each partition's spans
    show      once            -> the spans that stood most often and the longest, for the report

No task holds more than one shard, or one partition of one round's keys. What a partition is stands in `partitions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engine import Task
from pipeline.stages.base import SpanStage
from pipeline.steps.base import Corpus, merged
from pipeline.steps.partitions import PARTITION_BYTES, PartitionedWork, opened, read_document, task_name
from pipeline.steps.rows import amount, limited, store
from pipeline.steps.source import marked
from pipeline.store.files import FileInfo, read_table, write_table
from pipeline.store.layers import DOC, Shard, read_shard
from pipeline.store.ranges import rows_between
from pipeline.store.rows import RowFile
from pipeline.store.step import Step

SHOWN, EXCERPT = 20, 200  # spans in the manifest, and characters of each
MATCH_FACTOR = 5  # bytes that `suspect` and `match` need for each byte of their tables (3.1 measured)
LOT = 1 << 20  # rows of spans that are read at once
KEYS, CONTENTS = "keys", "contents"  # folders of the two rounds


@dataclass
class SpansWork(PartitionedWork):
    """Makes the step of one span-wise stage."""

    module: ClassVar[str] = "pipeline.steps.spans"

    stage: SpanStage

    def rounds(self) -> Iterator[list[Task]]:
        yield self.over_shards("observe")
        before = self._count("observe")
        yield self._over("suspect", KEYS, before)
        yield self.over_shards("gather", partitions=before)
        partitions = self._count("gather")
        yield self._over("match", CONTENTS, partitions)
        yield self.over_shards("apply", partitions=partitions)
        yield self._show(partitions)

    def _count(self, phase: str) -> int:
        """How many partitions the tables make that a phase wrote: it follows from their sizes alone."""
        marks = [marked(self.step, task_name(phase, shard.key)) for shard in self.corpus.shards]
        return max(1, -(-sum(mark["table_bytes"] for mark in marks) // PARTITION_BYTES))

    def _over(self, phase: str, kind: str, partitions: int) -> list[Task]:
        sizes = _sizes(self.step, self.corpus.shards, kind, partitions)
        return [
            self.task(phase, MATCH_FACTOR * size, {"partition": at, "partitions": partitions})
            for at, size in enumerate(sizes)
            if self.step.marked(task_name(phase, f"{at:05d}")) is None
        ]

    def _show(self, partitions: int) -> list[Task]:
        if self.step.marked("show") is not None:
            return []
        most = max((self._memory(shard) for shard in self.corpus.shards), default=0)
        return [self.task("show", most, {"partitions": partitions})]

    def manifest(self, step: Step) -> dict[str, Any]:
        marks = [marked(step, task_name("apply", shard.key)) for shard in self.corpus.shards]
        return {**merged(marks), "about": marked(step, "show")["about"]}


def _meant(docs: pa.Table, stage: SpanStage) -> pa.Table:
    return docs.filter(stage.where.matches(docs)) if stage.where else docs


def _bounds(keys: np.ndarray, partitions: int) -> np.ndarray:
    """(partitions + 1,) where each partition begins among sorted keys: ranges of the same width over [0, 2^64)."""
    bounds = np.array([p * 2**64 // partitions for p in range(partitions)], np.uint64)
    return np.append(np.searchsorted(keys, bounds), len(keys))


def _path(step: Step, kind: str, name: str) -> Path:
    return step.scratch(f"{kind}/{name}.arrow")


def _sizes(step: Step, shards: Sequence[Shard], kind: str, partitions: int) -> list[int]:
    """Bytes of the tables in each partition; rows are taken to be alike within a shard."""
    sizes = np.zeros(partitions)
    for shard in shards:
        table = read_table(_path(step, kind, shard.key))
        rows = np.diff(_bounds(table.column("key").to_numpy(), partitions))
        sizes += rows * (table.nbytes / max(1, table.num_rows))
    return [int(size) for size in sizes]


def _share(step: Step, shard: Shard, kind: str, partition: int, partitions: int) -> pa.Table:
    """The rows of one partition that a shard wrote."""
    path = _path(step, kind, shard.key)
    begin, end = _bounds(read_table(path).column("key").to_numpy(), partitions)[partition : partition + 2].tolist()
    return _rows(path, begin, end)


def _rows(path: Path, begin: int, end: int) -> pa.Table:
    """A copy of some rows: of thousands of shards, none stays mapped."""
    with RowFile(path) as file:
        return file.slice(begin, end)


def _written(step: Step, kind: str, name: str, table: pa.Table) -> dict[Path, FileInfo]:
    path = _path(step, kind, name)
    return {path: write_table(path, table)}


def observe(folder: str, stage: dict[str, Any], at: int) -> dict[str, Any]:
    """Task: keys of one shard."""
    step, made, corpus = opened(folder, stage, SpanStage)
    shard = corpus.shards[at]
    docs = _meant(read_shard(shard, corpus.steps), made)
    keys = made.observe(docs)
    key = keys.column("key").to_numpy()
    # partitions are found by bisection: in keys out of order, some would be in none
    assert np.all(key[1:] > key[:-1]), f"{made.name}: keys must rise, each once"
    files = _written(step, KEYS, shard.key, keys)
    step.mark(task_name("observe", shard.key), {"table_bytes": keys.nbytes}, files)
    return amount(docs)


def suspect(folder: str, stage: dict[str, Any], partition: int, partitions: int) -> dict[str, Any]:
    """Task: the keys of one partition that stand twice, for each shard that has them."""
    step, made, corpus = opened(folder, stage, SpanStage)
    parts = []
    for at, shard in enumerate(corpus.shards):
        share = _share(step, shard, KEYS, partition, partitions)
        parts.append(share.append_column("shard", pa.array(np.full(share.num_rows, at), pa.uint32())))
    suspects = made.suspect(pa.concat_tables(parts).combine_chunks())
    files = _written(step, "suspects", f"{partition:05d}", suspects.sort_by([("shard", "ascending")]))
    step.mark(task_name("suspect", f"{partition:05d}"), {}, files)
    return {}


def _suspects(step: Step, at: int, partitions: int) -> pa.Table:
    """The suspects of one shard."""
    parts = []
    for partition in range(partitions):
        path = _path(step, "suspects", f"{partition:05d}")
        shards = read_table(path).column("shard").to_numpy()
        parts.append(_rows(path, *np.searchsorted(shards, np.array([at, at + 1], np.uint32)).tolist()))
    return pa.concat_tables(parts).combine_chunks()


def gather(folder: str, stage: dict[str, Any], at: int, partitions: int) -> dict[str, Any]:
    """Task: what stands under suspects in one shard, each content once, and the spans that repeat it."""
    step, made, corpus = opened(folder, stage, SpanStage)
    shard = corpus.shards[at]
    docs = _meant(read_shard(shard, corpus.steps), made)
    gathered = made.gather(docs, _suspects(step, at, partitions))
    files = _written(step, CONTENTS, shard.key, gathered.contents)
    files |= _written(step, "copies", shard.key, gathered.copies)
    step.mark(task_name("gather", shard.key), {"table_bytes": gathered.contents.nbytes}, files)
    return amount(docs)


def match(folder: str, stage: dict[str, Any], partition: int, partitions: int) -> dict[str, Any]:
    """Task: which spans of one partition of the contents are equal."""
    step, made, corpus = opened(folder, stage, SpanStage)
    shares = [_share(step, shard, CONTENTS, partition, partitions) for shard in corpus.shards]
    matched = made.match(pa.concat_tables(shares).combine_chunks())
    spans = matched.spans.sort_by([(DOC, "ascending"), ("begin", "ascending")])
    files = _written(step, "spans", f"{partition:05d}", spans)
    step.mark(task_name("match", f"{partition:05d}"), {"most": matched.most}, files)
    return {}


def apply(folder: str, stage: dict[str, Any], at: int, partitions: int) -> dict[str, Any]:
    """Task: layer and ledger of one shard from the spans of its documents."""
    step, made, corpus = opened(folder, stage, SpanStage)
    shard = corpus.shards[at]
    docs = read_shard(shard, corpus.steps)
    spans = [read_table(_path(step, "copies", shard.key))]
    files = [_path(step, "spans", f"{partition:05d}") for partition in range(partitions)]
    spans += rows_between(files, shard.base, shard.base + shard.rows, LOT)
    meant = _meant(docs, made)
    cuts = made.cuts(meant, pa.concat_tables(spans))
    path = _path(step, "longest", shard.key)
    write_table(path, _longest(meant, cuts))
    store(step, shard.key, made.name, docs, limited(made, docs, cuts), mark=task_name("apply", shard.key))
    return amount(docs)


def _longest(docs: pa.Table, cuts: pa.Table) -> pa.Table:
    """The longest spans that go from one shard, with their documents; of equals, the first."""
    row, begin, end = (cuts.column(name).to_numpy() for name in ("row", "begin", "end"))
    order = np.lexsort((begin, row, begin - end))[:SHOWN]
    doc = docs.column(DOC).to_numpy()[row[order]]
    return pa.table({"bytes": (end - begin)[order], DOC: doc, "begin": begin[order]})


def show(folder: str, stage: dict[str, Any], partitions: int) -> dict[str, Any]:
    """Task: the beginnings of what stands most often and of the longest spans that went."""
    step, made, corpus = opened(folder, stage, SpanStage)
    marks = [marked(step, task_name("match", f"{at:05d}")) for at in range(partitions)]
    about = {"most": _most(corpus, made, sorted(tuple(place) for mark in marks for place in mark["most"]))}
    told = (read_table(_path(step, "longest", shard.key)).to_pylist() for shard in corpus.shards)
    spans = ((-row["bytes"], row[DOC], row["begin"]) for rows in told for row in rows)
    about["longest"] = _shown_longest(corpus, nsmallest(SHOWN * SHOWN, spans))
    step.mark("show", {"about": about}, {})
    return {}


def _most(corpus: Corpus, stage: SpanStage, places: Sequence[Any]) -> list[dict[str, Any]]:
    """Of each document that holds the first of some windows, one for each number of times that they stand."""
    out: dict[tuple[int, int], dict[str, Any]] = {}
    for total, doc, begin in places:
        if len(out) == SHOWN:
            break
        if (total, doc) not in out:
            one = read_document(corpus, doc, ["id", "text"])
            out[total, doc] = {"total": -total, **_shown(one, *stage.window(one, begin))}
    return list(out.values())


def _shown_longest(corpus: Corpus, longest: Sequence[tuple[int, int, int]]) -> list[dict[str, Any]]:
    """Spans of different beginnings; each is told as (minus its bytes, document, begin)."""
    out: dict[str, dict[str, Any]] = {}
    for minus, doc, begin in longest:
        if len(out) == SHOWN:
            break
        one = read_document(corpus, doc, ["id", "text"])
        shown = {"bytes": -minus, **_shown(one, begin, begin - minus)}
        out.setdefault(shown["excerpt"], shown)
    return list(out.values())


def _shown(one: pa.Table, begin: int, end: int) -> dict[str, Any]:
    """The document and the beginning of some bytes of its text."""
    text = pc.cast(one.column("text"), pa.large_binary())[0].as_buffer().slice(begin, min(end - begin, 4 * EXCERPT))
    excerpt = text.to_pybytes().decode("utf-8", errors="ignore")[:EXCERPT]  # a window may begin within a character
    return {"document": one.column("id")[0].as_py(), "excerpt": excerpt}
