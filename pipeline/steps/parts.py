"""Part-wise stages: keys of the parts of all documents, decided on by partition, and back to the shards that told them.

    observe   each shard      -> scratch/keys/<shard>.arrow           a key once, sorted by key
    decide    each partition  -> scratch/verdicts/<partition>.arrow   sorted by document number
    show      once            -> the parts that stood most often, for the report
    apply     each shard      -> layer, ledger; it reads its own range of each partition's verdicts

No task holds more than one shard, or one partition of the keys. What a partition is stands in `partitions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engine import Task
from pipeline.stages.base import PART_VERDICTS, PartStage
from pipeline.steps.base import Corpus, merged
from pipeline.steps.partitions import (
    PARTITION_BYTES,
    PartitionedWork,
    key_files,
    opened,
    range_of,
    read_document,
    read_meant,
    task_name,
)
from pipeline.steps.rows import amount, limited, store
from pipeline.steps.source import marked
from pipeline.store.counts import add_tallies
from pipeline.store.files import read_json, write_json, write_table
from pipeline.store.layers import DOC, Shard, read_shard
from pipeline.store.ranges import rows_between
from pipeline.store.step import Step

SHOWN, EXCERPT = 20, 200  # parts in the manifest, and characters of each
TOTALS = "totals.json"
LOT = 1_000_000  # keys that are decided on at once; a key has no more rows than there are shards
DECIDE_FACTOR = 6  # bytes `decide` needs for each byte of its keys: the keys, sorted, and the verdicts on them

Place = tuple[int, int, int]  # minus how often, key, document


@dataclass
class PartsWork(PartitionedWork):
    """Makes the step of one part-wise stage."""

    module: ClassVar[str] = "pipeline.steps.parts"

    stage: PartStage

    def rounds(self) -> Iterator[list[Task]]:
        yield self.over_shards("observe")
        partitions = self.partitions()
        write_json(self.step.scratch(TOTALS), add_tallies(mark["totals"] for mark in self.observed()))
        yield self.over_partitions("decide", partitions, DECIDE_FACTOR * PARTITION_BYTES)
        yield self._show(partitions)
        yield self.over_shards("apply", partitions=partitions)

    def _show(self, partitions: int) -> list[Task]:
        if self.step.marked("show") is not None:
            return []
        most = max((self._memory(shard) for shard in self.corpus.shards), default=0)
        return [self.task("show", most, {"partitions": partitions})]

    def manifest(self, step: Step) -> dict[str, Any]:
        marks = [marked(step, task_name("apply", shard.key)) for shard in self.corpus.shards]
        return {**merged(marks), "about": marked(step, "show")["about"]}


def observe(folder: str, stage: dict[str, Any], at: int) -> dict[str, Any]:
    """Task: keys and totals of one shard."""
    step, made, corpus = opened(folder, stage, PartStage)
    shard = corpus.shards[at]
    docs = read_meant(shard, corpus, made)
    observed = made.observe(docs)
    key = observed.keys.column("key").to_numpy()
    # partitions are found by bisection: in keys out of order, some would be in none
    assert np.all(key[1:] > key[:-1]), f"{made.name}: keys must rise, each once"
    path = step.scratch(f"keys/{shard.key}.arrow")
    result = {"key_bytes": observed.keys.nbytes, "totals": observed.totals}
    step.mark(task_name("observe", shard.key), result, {path: write_table(path, observed.keys)})
    return amount(docs)


def decide(folder: str, stage: dict[str, Any], partition: int, partitions: int) -> dict[str, Any]:
    """Task: verdicts on one partition of the keys."""
    step, made, corpus = opened(folder, stage, PartStage)
    totals = read_json(step.scratch(TOTALS))
    lots = key_files(step, corpus.shards).between(*range_of(partition, partitions), LOT)
    verdicts = pa.concat_tables(
        [PART_VERDICTS.empty_table(), *(made.decide(lot, totals).cast(PART_VERDICTS) for lot in lots)]
    )
    path = _verdict_file(step, partition)
    result = {"parts": pc.sum(verdicts.column("first")).as_py() or 0, "most": _most(verdicts)}
    files = {path: write_table(path, verdicts.sort_by([(DOC, "ascending"), ("key", "ascending")]))}
    step.mark(task_name("decide", f"{partition:05d}"), result, files)
    return {}


def _verdict_file(step: Step, partition: int) -> Path:
    return step.scratch(f"verdicts/{partition:05d}.arrow")


def _most(verdicts: pa.Table) -> list[Place]:
    """The parts that stand most often; of equals, those of the smallest keys."""
    firsts = verdicts.filter(verdicts.column("first"))
    total, key, doc = (firsts.column(name).to_numpy() for name in ("total", "key", DOC))
    order = np.lexsort((key, -total))[:SHOWN]
    return list(zip((-total[order]).tolist(), key[order].tolist(), doc[order].tolist(), strict=True))


def show(folder: str, stage: dict[str, Any], partitions: int) -> dict[str, Any]:
    """Task: how many different parts go, and the text of those that stand most often."""
    step, made, corpus = opened(folder, stage, PartStage)
    marks = [marked(step, task_name("decide", f"{at:05d}")) for at in range(partitions)]
    most = sorted(tuple(place) for mark in marks for place in mark["most"])[:SHOWN]
    shown = [{"total": -total, **_part(corpus, made, key, doc)} for total, key, doc in most]
    step.mark("show", {"about": {"different": sum(mark["parts"] for mark in marks), "most": shown}}, {})
    return {}


def _part(corpus: Corpus, stage: PartStage, key: int, doc: int) -> dict[str, str]:
    one = read_document(corpus, doc, ["id", "source", "text"])
    return {"document": one.column("id")[0].as_py(), "excerpt": stage.part(one, key)[:EXCERPT]}


def apply(folder: str, stage: dict[str, Any], at: int, partitions: int) -> dict[str, Any]:
    """Task: layer and ledger of one shard from the verdicts on its keys."""
    step, made, corpus = opened(folder, stage, PartStage)
    shard = corpus.shards[at]
    docs = read_shard(shard, corpus.steps)
    outcome = limited(made, docs, _verdicts(step, shard, partitions))
    store(step, shard.key, made.name, docs, outcome, mark=task_name("apply", shard.key))
    return amount(docs)


def _verdicts(step: Step, shard: Shard, partitions: int) -> pa.Table:
    """The verdicts on the keys of one shard."""
    files = [_verdict_file(step, partition) for partition in range(partitions)]
    return pa.concat_tables(
        [PART_VERDICTS.empty_table(), *rows_between(files, shard.base, shard.base + shard.rows, LOT)]
    )
