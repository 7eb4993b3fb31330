"""Corpus-wise stages: keys of all documents, brought together by partition, so that no process needs them all.

    observe   each shard      -> scratch/keys/<shard>.arrow (sorted by key), scratch/notes/<shard>.arrow
    resolve   each partition  -> scratch/links/<partition>-<n>.arrow     a partition is a range of keys
    join, label, count, settle   clusters from all links: `clusters.py`
    apply     each shard      -> layer, ledger

Where the stage verifies by the text, `resolve` writes edges instead of links, and before the clusters come

    examine   each shard      -> scratch/details/<shard>.arrow           of documents that have an edge
    confirm   each partition  -> scratch/links/<partition>-<n>.arrow

No task holds more than a shard, or LOT rows of keys and what `resolve` looks up for them; a key that stands in more
documents than that comes in several lots. Links are what is left of the edges of a lot (`links.py`). How keys are cut
into lots follows from the keys alone, so it is the same on any machine. A partition is told in `partitions.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engine import Task
from pipeline.stages.base import CorpusStage, Notes
from pipeline.steps import clusters
from pipeline.steps.base import merged
from pipeline.steps.indexing import added_pairs, pairs, write_index
from pipeline.steps.links import joined, links_of, nearest
from pipeline.steps.partitions import PartitionedWork, listed, opened, range_of, read_meant, task_name
from pipeline.steps.rows import MATCHED, amount, store
from pipeline.steps.source import marked
from pipeline.steps.standing import Standing, stand, standing_of, with_new
from pipeline.store.files import FileInfo, read_table, write_table
from pipeline.store.index import INDEX
from pipeline.store.layers import DOC, Shard, read_shard
from pipeline.store.numbered import NumberedRows
from pipeline.store.ranges import rows_between
from pipeline.store.step import Step

LOT = 500_000  # rows of keys, edges or links that a task holds at once
LOT_BYTES = 200  # for each of them, at most: keys, their order, edges, links, and copies while they are made
DETAIL_BYTES = 32_000_000  # details in memory at once; more only where those of one edge are larger
DETAIL_COPIES = 3  # as they are read, put together, and compared


@dataclass
class CorpusWork(PartitionedWork):
    """Makes the step of one corpus-wise stage."""

    module: ClassVar[str] = "pipeline.steps.corpus"

    stage: CorpusStage
    memory: int  # run.memory, for which `clusters` chooses how many documents to join at once

    standing: Standing = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.corpus, self.standing = stand(self.corpus, self.stage)

    def told(self) -> dict[str, Any]:
        return self.standing.to_json()

    def key_bytes(self) -> int:
        return super().key_bytes() + sum(shard.file("keys").stat().st_size for shard in self.standing.old)

    def rounds(self) -> Iterator[list[Task]]:
        yield self.over_shards("observe")
        partitions = self.partitions()
        need = LOT * LOT_BYTES + self.stage.bytes_to_resolve
        yield self.over_partitions("resolve", partitions, need)
        if self.stage.wants_examination:
            self.list_files("resolve", partitions)
            yield self.over_shards("examine")
            yield self.over_partitions("confirm", partitions, need + DETAIL_COPIES * self._details())
        self.list_files("confirm" if self.stage.wants_examination else "resolve", partitions)
        yield from clusters.phases(self, self.memory)
        yield self.over_shards("apply")

    def _details(self) -> int:
        """Bytes of details that `confirm` has to hold at once."""
        marks = [marked(self.step, task_name("examine", shard.key)) for shard in self.corpus.shards]
        return max([DETAIL_BYTES, *(2 * mark["largest"] for mark in marks)])

    def manifest(self, step: Step) -> dict[str, Any]:
        marks = [marked(step, task_name("apply", shard.key)) for shard in self.corpus.shards]
        found = [marked(step, task_name("found", shard.key)) for shard in self.corpus.shards]
        about = {**marked(step, "settle")["about"], "pairs": added_pairs(mark["pairs"] for mark in found)}
        manifest = {**merged([*marks, *found]), "about": about}
        if self.stage.keep_index:
            kept = zip(self.corpus.shards, found, strict=True)
            shards = [{"key": shard.key, "rows": mark["indexed"]} for shard, mark in kept]
            manifest[INDEX] = {"settings": self.stage.index_settings, "shards": shards}
        return manifest


@dataclass
class _Lots:
    """Writes tables of one partition, as many files as it takes: `<kind>/<partition>-<n>.arrow`."""

    step: Step
    partition: int
    files: dict[Path, FileInfo] = field(default_factory=dict)
    links: list[pa.Table] = field(default_factory=list)
    edges: int = 0

    def write(self, kind: str, table: pa.Table) -> None:
        path = self.step.scratch(f"{kind}/{self.partition:05d}-{len(self.files):05d}.arrow")
        self.files[path] = write_table(path, table)

    def add(self, edges: pa.Table) -> None:
        """Joins links until there are too many to go on with."""
        self.edges += edges.num_rows
        if edges.num_rows:
            self.links.append(links_of(edges))
        if sum(table.num_rows for table in self.links) > LOT:
            self.flush()

    def flush(self) -> None:
        if self.links:
            self.write("links", self.links[0] if len(self.links) == 1 else joined(self.links))
        self.links = []

    def mark(self, phase: str) -> dict[str, Any]:
        self.flush()
        self.step.mark(task_name(phase, f"{self.partition:05d}"), {"edges": self.edges}, self.files)
        return {}


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
    result = {"key_bytes": observed.keys.nbytes, "notes": observed.notes is not None}
    step.mark(task_name("observe", shard.key), result, files)
    return amount(docs)


def resolve(folder: str, stage: dict[str, Any], partition: int, partitions: int) -> dict[str, Any]:
    """Task: edges of one partition of the keys, or the links they come to."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    lots, standing = _Lots(step, partition), standing_of(step)
    keys = standing.keys(step, corpus.shards).between(*range_of(partition, partitions), LOT)
    keys = (with_new(lot, standing.new) for lot in keys) if standing.old else keys
    with standing.notes(step, corpus.shards, "notes") as notes:
        for edges in _edges(made, keys, notes):
            if not made.wants_examination:
                lots.add(edges)
            elif edges.num_rows:
                lots.edges += edges.num_rows
                lots.write("edges", edges)
                lots.write("ends", pa.table({DOC: _ends(edges)}))
    return lots.mark("resolve")


def _edges(stage: CorpusStage, lots: Iterable[pa.Table], notes: Notes | None) -> Iterator[pa.Table]:
    """The edges of each lot of keys; of a key that goes on from the lot before, its leaders there stand first."""
    leaders = None
    for keys in lots:
        if leaders is not None and leaders.num_rows and leaders.column("key")[0] == keys.column("key")[0]:
            keys = pa.concat_tables([leaders.cast(keys.schema), keys])
        resolved = stage.resolve(keys.combine_chunks(), notes)
        leaders = resolved.leaders
        yield resolved.edges


def _ends(edges: pa.Table) -> np.ndarray:
    """(n,) the documents that have an edge, sorted."""
    return np.unique(np.concatenate([edges.column(name).to_numpy() for name in ("a", "b")]))


def examine(folder: str, stage: dict[str, Any], at: int) -> dict[str, Any]:
    """Task: details of those documents of one shard that have an edge."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    shard = corpus.shards[at]
    docs = read_meant(shard, corpus, made)
    wanted = np.zeros(shard.rows, bool)
    for table in rows_between(listed(step, "ends"), shard.base, shard.base + shard.rows, LOT):
        wanted[table.column(DOC).to_numpy() - np.uint64(shard.base)] = True
    docs = docs.filter(pa.array(wanted[docs.column(DOC).to_numpy() - np.uint64(shard.base)]))
    path = step.scratch(f"details/{shard.key}.arrow")
    files = {path: write_table(path, made.examine(docs))}
    with NumberedRows([shard], [path]) as details:
        largest = int(details.sizes(docs.column(DOC).to_numpy()).max(initial=0))
    step.mark(task_name("examine", shard.key), {"largest": largest}, files)
    return amount(docs)


def confirm(folder: str, stage: dict[str, Any], partition: int, partitions: int) -> dict[str, Any]:
    """Task: the links of those edges of one partition that hold when looked at closely."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    lots = _Lots(step, partition)
    names = marked(step, task_name("resolve", f"{partition:05d}"))["files"]
    with standing_of(step).notes(step, corpus.shards, "details") as details:
        assert details is not None
        for edges in (read_table(step.folder / name) for name in names if "/edges/" in name):
            for begin, end in _cut(edges, details):
                lots.add(made.confirm(edges.slice(begin, end - begin), details))
    return lots.mark("confirm")


def _cut(edges: pa.Table, details: NumberedRows) -> Iterator[tuple[int, int]]:
    """Runs of edges whose details may be in memory at once."""
    sizes = sum(details.sizes(edges.column(name).to_numpy()) for name in ("a", "b"))
    ends, begin = np.cumsum(sizes), 0
    while begin < len(ends):
        before = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, before + DETAIL_BYTES, side="right")))
        yield begin, end
        begin = end


def apply(folder: str, stage: dict[str, Any], at: int) -> dict[str, Any]:
    """Task: layer and ledger of one shard from the verdicts on its documents; what the index keeps of it."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    shard, standing = corpus.shards[at], standing_of(step)
    docs = read_shard(shard, corpus.steps)
    numbers = docs.column(DOC).to_numpy()
    twins = clusters.labels(step, shard.base, shard.rows)[numbers - np.uint64(shard.base)]
    goes = going(numbers, twins, standing.protected, made.among)
    told = _linked(step, shard, numbers) if made.action == "mark" else goes
    with standing.ids(corpus.shards) as ids:
        verdicts = _verdicts(step, shard, ids, told, numbers, twins)
    outcome = made.apply(docs, verdicts)
    if made.where is not None:
        matched = pc.sum(made.where.matches(docs)).as_py() or 0
        outcome = replace(outcome, tallies={**outcome.tallies, MATCHED: matched})
    found: dict[str, Any] = {"pairs": [] if made.action == "mark" else pairs(docs.filter(pa.array(goes)), verdicts)}
    files: dict[Path, FileInfo] = {}
    if made.keep_index:
        found["indexed"], files = write_index(step, shard, docs.filter(pa.array(~goes)))
    step.mark(task_name("found", shard.key), found, files)
    store(step, shard.key, made.name, docs, outcome, mark=task_name("apply", shard.key))
    return amount(docs)


def going(numbers: np.ndarray, twins: np.ndarray, protected: int, among: bool) -> np.ndarray:
    """(n,) bool: of documents and the first ones of their clusters, which go."""
    goes = (twins != numbers) & (numbers >= protected)
    return goes if among else goes & (twins < protected)


def _linked(step: Step, shard: Shard, numbers: np.ndarray) -> np.ndarray:
    """(n,) bool: which documents of a shard are in a cluster with another."""
    out = np.zeros(shard.rows, bool)
    for table in rows_between(listed(step, "links"), shard.base, shard.base + shard.rows, LOT, [DOC]):
        out[table.column(DOC).to_numpy() - np.uint64(shard.base)] = True
    return out[numbers - np.uint64(shard.base)]


def _verdicts(
    step: Step, shard: Shard, ids: NumberedRows, told: np.ndarray, numbers: np.ndarray, twins: np.ndarray
) -> pa.Table:
    """The documents told of (`row`), and the ids of those that stay for them and of those they are most like."""
    rows = np.flatnonzero(told)
    neighbours, similarity = _nearest(step, shard, numbers[rows])
    twin = ids.take(twins[rows]).column("id")
    neighbour = twin if neighbours is None else ids.take(neighbours).column("id")
    return pa.table({"row": rows, "twin": twin, "neighbour": neighbour, "similarity": similarity})


def _nearest(step: Step, shard: Shard, goes: np.ndarray) -> tuple[np.ndarray | None, pa.Array]:
    """(n,) the most similar neighbour of each document that goes, and how similar; None where no stage measured it."""
    found = []
    for table in rows_between(listed(step, "links"), shard.base, shard.base + shard.rows, LOT):
        if "similarity" not in table.column_names:
            break
        doc = table.column(DOC).to_numpy()
        places = np.searchsorted(goes, doc)
        found.append(table.filter(pa.array((places < len(goes)) & (np.append(goes, 0)[places] == doc))))
    if not found:
        return None, pa.nulls(len(goes), pa.float64())
    table = pa.concat_tables(found)
    doc, neighbour, similarity = (table.column(name).to_numpy() for name in (DOC, "neighbour", "similarity"))
    neighbours, best = nearest(doc, neighbour, similarity, goes)
    return neighbours, pa.array(best)
