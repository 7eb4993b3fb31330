"""Row-wise stages: consecutive ones go over each shard together, each writing its own layer and ledger.

docs -> [stage 1] -> layer 1, ledger 1 -> [stage 2] -> layer 2, ledger 2 ...     one task a shard
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engine import Task
from pipeline.stages import STAGES
from pipeline.stages.base import DROPPED, Outcome, PartStage, RowStage, SpanStage, Stage
from pipeline.steps.base import Corpus, merged
from pipeline.steps.source import marked
from pipeline.store.counts import count_dropped, count_kept
from pipeline.store.files import write_table
from pipeline.store.layers import KEPT, Shard, overlay, read_shard
from pipeline.store.ledger import entries, write_ledger
from pipeline.store.place import place
from pipeline.store.step import Step

MATCHED = "where_matched"  # tally of the documents that the stage was for


@dataclass
class RowsWork:
    """Makes the steps of consecutive row-wise stages."""

    steps: Sequence[Step]
    stages: Sequence[RowStage]
    corpus: Corpus
    title: str = field(init=False)

    def __post_init__(self) -> None:
        self.title = " + ".join(stage.name for stage in self.stages)

    def phases(self) -> Iterator[list[Task]]:
        yield [self._task(shard) for shard in self.corpus.shards if _first_undone(self.steps, shard.key) is not None]

    def _task(self, shard: Shard) -> Task:
        arguments = {
            "shard": shard.to_json(),
            "before": self.corpus.to_json(),
            "steps": [str(step.folder) for step in self.steps],
            "stages": [stage_json(stage) for stage in self.stages],
        }
        most = max(stage.memory(shard.bytes, shard.rows) for stage in self.stages)
        return Task(
            "pipeline.steps.rows:sift_shard",
            arguments,
            memory=most + 2 * shard.bytes,  # the shard itself, and the layer beside it
            documents=shard.rows,
            bytes=shard.bytes,
        )

    def manifest(self, step: Step) -> dict[str, Any]:
        marks = [marked(step, shard.key) for shard in self.corpus.shards]
        return {**merged(marks), "about": {}, "run": {"stage_seconds": sum(mark["seconds"] for mark in marks)}}


def stage_json(stage: Stage) -> dict[str, Any]:
    """A stage as a task's arguments name it."""
    return {"name": stage.name, "settings": stage.model_dump(mode="json")}


def stage_from(json: dict[str, Any]) -> Stage:
    return STAGES[json["name"]].model_validate(json["settings"])


def _first_undone(steps: Sequence[Step], key: str) -> int | None:
    """Which of the steps is the first that has not been made for a shard."""
    return next((i for i, step in enumerate(steps) if step.marked(key) is None), None)


def sift_shard(
    shard: dict[str, Any], before: list[str], steps: list[str], stages: list[dict[str, Any]]
) -> dict[str, Any]:
    """Task: takes a shard through the stages that have not been marked as done for it."""
    here = Shard(**shard)
    made = [Step(place(folder)) for folder in steps]
    todo = _first_undone(made, here.key)
    assert todo is not None, here.key
    docs = read_shard(here, [*(Step(place(folder)) for folder in before), *made[:todo]])
    read = amount(docs)
    for step, json in zip(made[todo:], stages[todo:], strict=True):
        stage = stage_from(json)
        assert isinstance(stage, RowStage), stage.name
        begin = time.perf_counter()  # for the manifest's block of times, outside every digest
        outcome = limited(stage, docs)
        docs = store(step, here.key, stage.name, docs, outcome, seconds=time.perf_counter() - begin)
    return read


def amount(docs: pa.Table) -> dict[str, int]:
    """Documents and bytes of text, as tasks report what went through them."""
    return {"documents": docs.num_rows, "bytes": pc.sum(pc.binary_length(docs.column("text"))).as_py() or 0}


def limited(stage: RowStage | PartStage | SpanStage, docs: pa.Table, *verdicts: pa.Table) -> Outcome:
    """`stage.apply` on the documents that its `where` names, spread over all rows of `docs`."""
    if stage.where is None:
        return stage.apply(docs, *verdicts)
    meant = stage.where.matches(docs)
    rows = np.flatnonzero(meant.to_numpy(zero_copy_only=False))
    outcome = spread(stage.apply(docs.filter(meant), *verdicts), docs, rows)
    return Outcome(outcome.columns, outcome.dropped, {**outcome.tallies, MATCHED: len(rows)})


def spread(outcome: Outcome, docs: pa.Table, rows: np.ndarray) -> Outcome:
    """The outcome for some rows as one for all of `docs`: the other rows keep what they had, or have null."""
    back = np.full(docs.num_rows, -1, dtype=np.int64)
    back[rows] = np.arange(len(rows))
    where = pa.array(back, mask=back < 0)
    columns = {}
    for name, values in outcome.columns.items():
        values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
        new = values.take(where)
        if name != "text" and name in docs.column_names:  # in text, null means unchanged anyway
            new = pc.if_else(pa.array(back >= 0), new, docs.column(name).combine_chunks().cast(new.type))
        columns[name] = new
    dropped = outcome.dropped.set_column(
        0, DROPPED.field("row"), pa.array(rows[outcome.dropped.column("row").to_numpy()], pa.int64())
    )
    return Outcome(columns, dropped, outcome.tallies)


def store(
    step: Step, key: str, name: str, docs: pa.Table, outcome: Outcome, mark: str | None = None, seconds: float = 0
) -> pa.Table:
    """Writes the layer, the ledger and the mark (named as the shard, or `mark`) of one stage for one shard; returns the
    documents that are left."""
    layer = layer_of(docs, outcome)
    judged = KEPT in layer.column_names
    left = overlay(docs, layer.drop_columns([KEPT]) if judged else layer)
    ledger = entries(left, outcome.dropped, name)
    if judged:
        left = left.filter(layer.column(KEPT))
    assert left.num_rows + ledger.num_rows == docs.num_rows, f"{name} lost documents"
    files = {
        step.layer(key): write_table(step.layer(key), layer),
        step.ledger(key): write_ledger(step.ledger(key), ledger),
    }
    result = {
        "kept": count_kept(left),
        "dropped": count_dropped(ledger),
        "tallies": outcome.tallies,
        "seconds": seconds,
    }
    step.mark(mark or key, result, files)
    return left


def layer_of(docs: pa.Table, outcome: Outcome) -> pa.Table:
    """Only what changed of the texts (a text that is as before becomes null), and all other columns."""
    columns: dict[str, Any] = {}
    for name, new in outcome.columns.items():
        assert len(new) == docs.num_rows, f"column {name} has {len(new)} rows for {docs.num_rows} documents"
        if name == "text":
            same = pc.equal(new, docs.column("text"))
            if pc.any(same).as_py():
                new = pc.if_else(same, pa.scalar(None, pa.large_string()), new)
            if new.null_count == len(new):
                continue
        columns[name] = new
    if outcome.dropped.num_rows:
        kept = np.ones(docs.num_rows, dtype=bool)
        rows = outcome.dropped.column("row").to_numpy()
        kept[rows] = False
        assert kept.sum() + len(rows) == docs.num_rows, "a document was dropped twice"
        columns[KEPT] = pa.array(kept)
    return pa.table(columns)
