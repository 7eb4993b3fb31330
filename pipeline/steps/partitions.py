"""Keys of all shards, parted by ranges: what corpus-wise and part-wise stages have in common.

    scratch/corpus.json          the shards and the steps before, named once, not in the arguments of every task
    scratch/keys/<shard>.arrow   keys of one shard, sorted
    partition p of P             the keys in [p * 2^64 / P, (p + 1) * 2^64 / P), of all shards

How many partitions there are follows from the number of keys alone, so it is the same on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engine import Task
from pipeline.stages.base import CorpusStage, PartStage, SpanStage, Stage
from pipeline.steps.base import Corpus
from pipeline.steps.keys import KeyFiles
from pipeline.steps.rows import stage_from, stage_json
from pipeline.steps.source import marked
from pipeline.store.files import read_json, write_json
from pipeline.store.layers import DOC, Shard, read_shard
from pipeline.store.place import is_local, place
from pipeline.store.step import Step

PARTITION_BYTES = 64_000_000  # of keys, brought together by one task
RECHECKED = 100  # tasks whose files one task reads again
LIST = "partitions.json"  # what a phase over partitions left: the names of its files, and how many edges are in them

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

    def phases(self) -> Iterator[list[Task]]:
        self.name_corpus()
        yield rechecks(self.step)
        yield from self.rounds()

    def rounds(self) -> Iterator[list[Task]]:
        """The phases of this kind of stage."""
        raise NotImplementedError

    def name_corpus(self) -> None:
        """Writes down what `opened` reads."""
        corpus = {"shards": [shard.to_json() for shard in self.corpus.shards], "before": self.corpus.to_json()}
        write_json(self.step.scratch("corpus.json"), {**corpus, **self.told()})

    def told(self) -> dict[str, Any]:
        """What else `corpus.json` has to say to the tasks."""
        return {}

    def task(
        self, phase: str, memory: int, arguments: dict[str, Any], shard: Shard | None = None, module: str | None = None
    ) -> Task:
        """The task of a phase, told of the step's folder and the stage beside its arguments."""
        told = {"folder": str(self.step.folder), "stage": stage_json(self.stage), **arguments}
        size = {"documents": shard.rows, "bytes": shard.bytes} if shard else {}
        return Task(f"{module or self.module}:{phase}", told, memory=memory, **size)

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
        return max(1, -(-self.key_bytes() // PARTITION_BYTES))

    def key_bytes(self) -> int:
        return sum(mark["key_bytes"] for mark in self.observed())

    def over_partitions(self, phase: str, count: int, memory: int) -> list[Task]:
        """A task for each partition that is still to do."""
        return [
            self.task(phase, memory, {"partition": at, "partitions": count})
            for at in range(count)
            if self.step.marked(task_name(phase, f"{at:05d}")) is None
        ]

    def list_files(self, phase: str, count: int) -> None:
        """Writes down what a phase over partitions left, for `listed` and `told_edges`."""
        marks = [marked(self.step, task_name(phase, f"{at:05d}")) for at in range(count)]
        edges = sum(mark["edges"] for mark in marks)
        write_json(
            self.step.scratch(LIST), {"edges": edges, "files": [name for mark in marks for name in mark["files"]]}
        )


def rechecks(step: Step) -> list[Task]:
    """Before going on where a run stopped: what it left is read again, and what is not as it was is made again."""
    done = step.done() if is_local(step.folder) else []  # stores keep digests of their own
    lots = [done[at : at + RECHECKED] for at in range(0, len(done), RECHECKED)]
    return [Task(f"{__name__}:recheck", {"folder": str(step.folder), "tasks": lot}) for lot in lots]


def recheck(folder: str, tasks: list[str]) -> dict[str, Any]:
    """Task: takes the marks from tasks whose files do not have the digests that were marked."""
    step = Step(place(folder))
    return {"damaged": sum(not step.recheck(task) for task in tasks)}


def task_name(phase: str, key: str) -> str:
    """The name of the mark that a task leaves; `key` is a shard's, or a partition's number."""
    return f"{phase}-{key}"


def opened(folder: str, stage: dict[str, Any], kind: type[S]) -> tuple[Step, S, Corpus]:
    """What a task is told by the names of its step's folder and its stage, which is of this kind."""
    step, made = Step(place(folder)), stage_from(stage)
    assert isinstance(made, kind), made.name
    corpus = read_json(step.scratch("corpus.json"))
    shards = tuple(Shard(**shard) for shard in corpus["shards"])
    return step, made, Corpus(shards, tuple(Step(place(folder)) for folder in corpus["before"]))


def read_meant(shard: Shard, corpus: Corpus, stage: Stage) -> pa.Table:
    """The documents of a shard that the stage is for."""
    docs = read_shard(shard, corpus.steps)
    return docs.filter(stage.where.matches(docs)) if stage.where else docs


def read_document(corpus: Corpus, doc: int, columns: Sequence[str]) -> pa.Table:
    """The one document with this number, as a table of one row."""
    shard = next(s for s in corpus.shards if s.base <= doc < s.base + s.rows)
    docs = read_shard(shard, corpus.steps, columns)
    return docs.filter(pc.equal(docs.column(DOC), pa.scalar(doc, pa.uint64())))


def listed(step: Step, kind: str) -> list[Path]:
    """The files of a kind that the last phase over partitions left."""
    return [step.folder / name for name in read_json(step.scratch(LIST))["files"] if f"/{kind}/" in name]


def told_edges(step: Step) -> int:
    """How many edges the last phase over partitions found."""
    return int(read_json(step.scratch(LIST))["edges"])


def range_of(partition: int, partitions: int) -> tuple[int, int]:
    """The keys of a partition: [low, high), high at most 2^64."""
    return partition * 2**64 // partitions, (partition + 1) * 2**64 // partitions


def key_files(step: Step, shards: Sequence[Shard]) -> KeyFiles:
    """The keys of all shards."""
    return KeyFiles([step.scratch(f"keys/{shard.key}.arrow") for shard in shards])
