"""Keys of all shards, parted by ranges: what corpus-wise and part-wise stages have in common.

    scratch/corpus.json          the shards and the steps before, named once, not in the arguments of every task
    scratch/keys/<shard>.arrow   keys of one shard, sorted
    partition p of P             the keys in [p * 2^64 / P, (p + 1) * 2^64 / P), of all shards

How many partitions there are follows from the number of keys alone, so it is the same on any machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engine import Task
from pipeline.stages.base import CorpusStage, PartStage, SpanStage, Stage
from pipeline.steps.base import Corpus
from pipeline.steps.rows import stage_from, stage_json
from pipeline.steps.source import marked
from pipeline.store.files import read_json, read_table, write_json
from pipeline.store.layers import DOC, Shard, read_shard
from pipeline.store.step import Step

PARTITION_BYTES = 64_000_000  # of keys, brought together by one task
RESOLVE_FACTOR = 6  # bytes a task needs for each byte of its keys: the keys, sorted, and what it makes of them

S = TypeVar("S", bound=Stage)


@dataclass
class PartitionedWork:
    """What the works of stages with keys share: tasks over all shards, and over all partitions of their keys."""

    module: ClassVar[str]  # where its tasks stand

    step: Step
    stage: CorpusStage | PartStage | SpanStage
    corpus: Corpus
    title: str = field(init=False)

    def __post_init__(self) -> None:
        self.title = self.stage.name
        self.steps = [self.step]

    def name_corpus(self) -> None:
        """Writes down what `opened` reads."""
        corpus = {"shards": [shard.to_json() for shard in self.corpus.shards], "before": self.corpus.to_json()}
        write_json(self.step.scratch("corpus.json"), corpus)

    def task(self, phase: str, memory: int, arguments: dict[str, Any], shard: Shard | None = None) -> Task:
        """The task of a phase, told of the step's folder and the stage beside its arguments."""
        told = {"folder": str(self.step.folder), "stage": stage_json(self.stage), **arguments}
        size = {"documents": shard.rows, "bytes": shard.bytes} if shard else {}
        return Task(f"{self.module}:{phase}", told, memory=memory, **size)

    def over_shards(self, phase: str, **arguments: Any) -> list[Task]:
        """A task for each shard that is still to do."""
        return [
            self.task(phase, self._memory(shard), {"at": at, **arguments}, shard)
            for at, shard in enumerate(self.corpus.shards)
            if self.step.marked(task_name(phase, shard.key)) is None
        ]

    def _memory(self, shard: Shard) -> int:
        return self.stage.memory(shard.bytes, shard.rows) + shard.bytes

    def observed(self) -> list[dict[str, Any]]:
        """What `observe` marked, shard by shard."""
        return [marked(self.step, task_name("observe", shard.key)) for shard in self.corpus.shards]

    def partitions(self) -> int:
        """How many partitions the keys make."""
        return max(1, -(-sum(mark["key_bytes"] for mark in self.observed()) // PARTITION_BYTES))

    def over_partitions(self, phase: str, count: int) -> list[Task]:
        """A task for each partition that is still to do."""
        sizes = _partition_bytes(self.step, self.corpus.shards, count)
        return [
            self.task(phase, RESOLVE_FACTOR * size, {"partition": at, "partitions": count})
            for at, size in enumerate(sizes)
            if self.step.marked(task_name(phase, f"{at:05d}")) is None
        ]


def task_name(phase: str, key: str) -> str:
    """The name of the mark that a task leaves; `key` is a shard's, or a partition's number."""
    return f"{phase}-{key}"


def opened(folder: str, stage: dict[str, Any], kind: type[S]) -> tuple[Step, S, Corpus]:
    """What a task is told by the names of its step's folder and its stage, which is of this kind."""
    step, made = Step(Path(folder)), stage_from(stage)
    assert isinstance(made, kind), made.name
    corpus = read_json(step.scratch("corpus.json"))
    shards = tuple(Shard(**shard) for shard in corpus["shards"])
    return step, made, Corpus(shards, tuple(Step(Path(folder)) for folder in corpus["before"]))


def read_meant(shard: Shard, corpus: Corpus, stage: Stage) -> pa.Table:
    """The documents of a shard that the stage is for."""
    docs = read_shard(shard, corpus.steps)
    return docs.filter(stage.where.matches(docs)) if stage.where else docs


def read_document(corpus: Corpus, doc: int, columns: Sequence[str]) -> pa.Table:
    """The one document with this number, as a table of one row."""
    shard = next(s for s in corpus.shards if s.base <= doc < s.base + s.rows)
    docs = read_shard(shard, corpus.steps, columns)
    return docs.filter(pc.equal(docs.column(DOC), pa.scalar(doc, pa.uint64())))


def of_shard(verdicts: pa.Table, shard: Shard) -> pa.Table:
    """The rows of verdicts, sorted by `doc`, that are about documents of this shard."""
    bounds = np.array([shard.base, shard.base + shard.rows], np.uint64)
    begin, end = np.searchsorted(verdicts.column(DOC).to_numpy(), bounds)
    return verdicts.slice(begin, end - begin)


def _edges_of_partitions(keys: np.ndarray, partitions: int) -> np.ndarray:
    """(partitions + 1,) where each partition begins among sorted keys: ranges of the same width over [0, 2^64)."""
    bounds = np.array([p * 2**64 // partitions for p in range(partitions)], np.uint64)
    return np.append(np.searchsorted(keys, bounds), len(keys))


def _partition_bytes(step: Step, shards: Sequence[Shard], partitions: int) -> list[int]:
    """Bytes of the keys in each partition: a key that many documents share makes its partition larger than others."""
    rows, width = np.zeros(partitions, np.int64), 0
    for shard in shards:
        table = read_table(step.scratch(f"keys/{shard.key}.arrow"))
        rows += np.diff(_edges_of_partitions(table.column("key").to_numpy(), partitions))
        width = max(width, table.nbytes // max(1, table.num_rows))
    return [int(count) * width for count in rows]


def keys_of(step: Step, shards: Sequence[Shard], partition: int, partitions: int) -> pa.Table:
    """All keys of one partition, from all shards."""
    parts = []
    for shard in shards:
        table = read_table(step.scratch(f"keys/{shard.key}.arrow"))
        begin, end = _edges_of_partitions(table.column("key").to_numpy(), partitions)[partition : partition + 2]
        parts.append(table.slice(begin, end - begin))
    return pa.concat_tables(parts).combine_chunks()
