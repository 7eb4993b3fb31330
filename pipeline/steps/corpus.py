"""Corpus-wise stages: keys of all documents, brought together by partition, so that no process needs them all.

    observe   each shard      -> scratch/keys/<shard>.arrow (sorted by key), scratch/notes/<shard>.arrow
    resolve   each partition  -> scratch/edges/<partition>.arrow     a partition is a range of keys
    examine   each shard      -> scratch/details/<shard>.arrow       only where the stage verifies by the text
    confirm   each partition  -> scratch/confirmed/<partition>.arrow
    settle    once            -> scratch/verdicts.arrow
    apply     each shard      -> layer, ledger

What a partition is stands in `partitions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engine import Task
from pipeline.errors import RunError
from pipeline.stages.base import VERDICTS, CorpusStage, Outcome
from pipeline.steps.base import Corpus, merged
from pipeline.steps.partitions import PartitionedWork, keys_of, of_shard, opened, read_document, read_meant, task_name
from pipeline.steps.rows import amount, store
from pipeline.steps.source import marked
from pipeline.store.files import read_table, write_table
from pipeline.store.layers import DOC, NumberedRows, Shard, read_shard
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.units import say_bytes

SETTLE_FACTOR = 8  # bytes `settle` needs for each byte of the edges


@dataclass
class CorpusWork(PartitionedWork):
    """Makes the step of one corpus-wise stage."""

    module: ClassVar[str] = "pipeline.steps.corpus"

    stage: CorpusStage
    memory: int  # run.memory, to refuse before the work what would not fit

    def phases(self) -> Iterator[list[Task]]:
        self.name_corpus()
        yield self.over_shards("observe")
        partitions = self.partitions()
        yield self.over_partitions("resolve", partitions)
        if self.stage.wants_examination:
            yield self.over_shards("examine", partitions=partitions)
            yield self.over_partitions("confirm", partitions)
        yield self._settle(partitions)
        yield self.over_shards("apply")

    def _settle(self, partitions: int) -> list[Task]:
        if self.step.marked("settle") is not None:
            return []
        edges = _edge_files(self.step, self.stage, partitions)
        need = SETTLE_FACTOR * sum(path.stat().st_size for path in edges)
        if need > self.memory:
            raise RunError(
                f"{self.stage.name}: clusters take about {say_bytes(need)}; run.memory is {say_bytes(self.memory)}",
                hint=f"set run.memory to {say_bytes(need)} or more, or ask for fewer candidates (more rows a band)",
            )
        return [self.task("settle", need, {"partitions": partitions})]

    def manifest(self, step: Step) -> dict[str, Any]:
        marks = [marked(step, task_name("apply", shard.key)) for shard in self.corpus.shards]
        return {**merged(marks), "about": marked(step, "settle")["about"]}


def observe(folder: str, stage: dict[str, Any], at: int) -> dict[str, Any]:
    """Task: keys and notes of one shard."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    shard = corpus.shards[at]
    docs = read_meant(shard, corpus, made)
    observed = made.observe(docs)
    files = {}
    path = step.scratch(f"keys/{shard.key}.arrow")
    files[path] = write_table(path, observed.keys.sort_by([("key", "ascending"), (DOC, "ascending")]))
    if observed.notes is not None:
        path = step.scratch(f"notes/{shard.key}.arrow")
        files[path] = write_table(path, observed.notes.append_column(DOC, docs.column(DOC)))
    step.mark(
        task_name("observe", shard.key), {"key_bytes": observed.keys.nbytes, "notes": observed.notes is not None}, files
    )
    return amount(docs)


def _notes(step: Step, shards: Sequence[Shard], kind: str) -> NumberedRows | None:
    files = [step.scratch(f"{kind}/{shard.key}.arrow") for shard in shards]
    return NumberedRows(shards, files) if files and files[0].exists() else None


def resolve(folder: str, stage: dict[str, Any], partition: int, partitions: int) -> dict[str, Any]:
    """Task: edges of one partition of the keys."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    edges = made.resolve(keys_of(step, corpus.shards, partition, partitions), _notes(step, corpus.shards, "notes"))
    path = step.scratch(f"edges/{partition:05d}.arrow")
    step.mark(task_name("resolve", f"{partition:05d}"), {}, {path: write_table(path, edges)})
    return {}


def examine(folder: str, stage: dict[str, Any], at: int, partitions: int) -> dict[str, Any]:
    """Task: details of those documents of one shard that have an edge."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    shard = corpus.shards[at]
    docs = read_meant(shard, corpus, made)
    wanted = [np.zeros(0, np.uint64)]
    for partition in range(partitions):
        edges = read_table(step.scratch(f"edges/{partition:05d}.arrow"))
        for end in (edges.column(0).to_numpy(), edges.column(1).to_numpy()):
            wanted.append(np.unique(end[(end >= shard.base) & (end < shard.base + shard.rows)]))
    docs = docs.filter(pc.is_in(docs.column(DOC), pa.array(np.unique(np.concatenate(wanted)))))
    path = step.scratch(f"details/{shard.key}.arrow")
    step.mark(task_name("examine", shard.key), {}, {path: write_table(path, made.examine(docs))})
    return amount(docs)


def confirm(folder: str, stage: dict[str, Any], partition: int, partitions: int) -> dict[str, Any]:
    """Task: those edges of one partition that hold when looked at closely."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    details = _notes(step, corpus.shards, "details")
    assert details is not None
    edges = made.confirm(read_table(step.scratch(f"edges/{partition:05d}.arrow")), details)
    path = step.scratch(f"confirmed/{partition:05d}.arrow")
    step.mark(task_name("confirm", f"{partition:05d}"), {}, {path: write_table(path, edges)})
    return {}


def _edge_files(step: Step, stage: CorpusStage, partitions: int) -> list[Path]:
    kind = "confirmed" if stage.wants_examination else "edges"
    return [step.scratch(f"{kind}/{partition:05d}.arrow") for partition in range(partitions)]


def settle(folder: str, stage: dict[str, Any], partitions: int) -> dict[str, Any]:
    """Task: verdicts from all edges. Document numbers in `about["clusters"]` become ids and the beginnings of texts."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    settled = made.settle(pa.concat_tables(map(read_table, _edge_files(step, made, partitions))))
    verdicts = pa.table([settled.verdicts.column(f.name).cast(f.type) for f in VERDICTS], schema=VERDICTS)
    path = step.scratch("verdicts.arrow")
    files = {path: write_table(path, verdicts.sort_by(DOC))}
    about = dict(settled.about)
    if "clusters" in about:
        show = partial(_shown, corpus)
        about["clusters"] = [{**cluster, "documents": show(cluster["documents"])} for cluster in about["clusters"]]
    step.mark("settle", {"about": about}, files)
    return {}


def _shown(corpus: Corpus, docs: Sequence[int]) -> list[dict[str, str]]:
    """Id and beginning of the text of some documents, in this order."""
    out = []
    for doc in docs:
        row = read_document(corpus, doc, ["id", "text"])
        text = pc.utf8_slice_codeunits(row.column("text"), 0, 200)[0].as_py()
        out.append({"id": row.column("id")[0].as_py(), "excerpt": text})
    return out


def apply(folder: str, stage: dict[str, Any], at: int) -> dict[str, Any]:
    """Task: layer and ledger of one shard from the verdicts on its documents."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    shard = corpus.shards[at]
    docs = read_shard(shard, corpus.steps)
    verdicts = read_table(step.scratch("verdicts.arrow"))
    named = _named(of_shard(verdicts, shard), docs, corpus.shards)
    outcome: Outcome = made.apply(docs, named)
    store(step, shard.key, made.name, docs, outcome, mark=task_name("apply", shard.key))
    return amount(docs)


def _named(verdicts: pa.Table, docs: pa.Table, shards: Sequence[Shard]) -> pa.Table:
    """Verdicts with rows of `docs` for documents, and ids for twins and neighbours."""
    names = NumberedRows(shards, [Step(place(s.source)).layer(s.key) for s in shards], ["id"])
    rows = np.searchsorted(docs.column(DOC).to_numpy(), verdicts.column(DOC).to_numpy())
    columns: dict[str, Any] = {"row": pa.array(rows, pa.int64())}
    for name in ("twin", "neighbour"):
        numbers = pc.fill_null(verdicts.column(name), verdicts.column("twin")).to_numpy()
        columns[name] = names.take(numbers).column("id") if len(numbers) else pa.array([], pa.string())
    columns["similarity"] = verdicts.column("similarity")
    return pa.table(columns)
