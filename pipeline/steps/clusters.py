"""Clusters from the links of all partitions, in bounded memory: the first document that each document is tied to.

    join    each range, the last first  -> scratch/labels/<block>.arrow; scratch/joined/ where more is to be known
    label   each block of later ranges  -> scratch/labels/<block>.arrow    (label), a row for each document
    count   each range                  -> how large its clusters are
    settle  once                        -> what the report is told

A range is as many blocks of documents as `run.memory` holds at 12 bytes a document. For most corpora that is one: then
`join` is a union-find over all documents. Otherwise ranges are eliminated one after the other (`text/unionfind.py`):
edges between documents before a range, which are what is left of it, are forwarded to the ranges they belong to, and
labels are looked up in the ranges before. Two sweeps, whatever the graph looks like, and no range holds more than its
own documents, however many edges come to it. The labels are the same however many ranges there are.

An array over all documents takes less than one over those that have an edge as soon as more than one in six has (such
members need their number, their parent and a search, some 24 bytes), and asks for no search.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engine import Task
from pipeline.stages.base import Clusters, CorpusStage
from pipeline.steps.base import Corpus
from pipeline.steps.links import links_of
from pipeline.steps.partitions import PartitionedWork, listed, opened, read_document, task_name, told_edges
from pipeline.steps.source import marked
from pipeline.steps.standing import Standing, standing_of
from pipeline.store.files import FileInfo, write_table
from pipeline.store.layers import DOC, Shard
from pipeline.store.numbered import NumberedRows
from pipeline.store.ranges import rows_between
from pipeline.store.rows import RowFile
from pipeline.store.step import Step
from pipeline.text.unionfind import absorb, tally, tied

MODULE = "pipeline.steps.clusters"
BLOCK = 1 << 20  # documents whose labels are one file
LOT = 500_000  # links read, or forwarded edges collected, at once
BYTES = 12  # of a document while its range is joined: 4 of its parent, 8 of its anchor
FIXED = 100_000_000  # bytes beside that: lots as they are read and sorted, labels of a block
SHOWN, MEMBERS_SHOWN = 10, 5  # clusters in the report, and documents of each

Cluster = tuple[int, int]  # minus how many documents, the first of them: so sorted, the largest comes first


@dataclass(frozen=True)
class Ranges:
    """How the documents of a corpus are cut: `count` of them, in ranges of `width` blocks."""

    count: int
    width: int

    @property
    def blocks(self) -> int:
        return -(-self.count // BLOCK)

    def __len__(self) -> int:
        return -(-self.blocks // self.width)

    def documents(self, at: int) -> tuple[int, int]:
        """The first document of a range and the one behind its last."""
        return at * self.width * BLOCK, min(self.count, (at + 1) * self.width * BLOCK)

    def blocks_of(self, at: int) -> range:
        return range(at * self.width, min(self.blocks, (at + 1) * self.width))

    def block(self, at: int) -> tuple[int, int]:
        """The first document of a block and the one behind its last."""
        return at * BLOCK, min(self.count, (at + 1) * BLOCK)

    def name(self, at: int) -> str:
        """Of a range, in marks and files: ranges of another width, of a run with other memory, do not count."""
        return f"{self.width:05d}-{at:05d}"


def ranges_of(corpus: Corpus, memory: int) -> Ranges:
    """Ranges that take half of `memory`, or one block if even that is more; no range has 2^32 documents."""
    count = max((shard.base + shard.rows for shard in corpus.shards), default=0)
    fit = (memory // 2 - FIXED) // (BYTES * BLOCK)
    return Ranges(count, max(1, min(fit, (1 << 32) // BLOCK - 1, -(-count // BLOCK))))


def warm() -> None:
    """Compiles what joins edges."""
    edges = pa.table({"a": np.array([1], np.uint64), "b": np.array([2], np.uint64), "similarity": [1.0]})
    doc, root = (column.to_numpy() for column in links_of(edges).columns[:2])
    parents, anchors, labels = np.arange(3, dtype=np.uint32), np.zeros(3, np.uint64), np.empty(3, np.uint64)
    absorb(parents, anchors, np.uint64(0), doc, root, np.empty((len(doc), 2), np.uint64))
    tied(parents, anchors, np.uint64(0), np.uint64(0), labels)
    tally(labels, np.uint64(0), parents)


def phases(work: PartitionedWork, memory: int) -> Iterator[list[Task]]:
    """Joins the links that are listed, and leaves labels."""
    ranges, step = ranges_of(work.corpus, memory), work.step
    size = {"count": ranges.count, "width": ranges.width}
    need = FIXED + BYTES * BLOCK * ranges.width

    def todo(phase: str, key: str, **arguments: int) -> list[Task]:
        if step.marked(task_name(phase, key)) is not None:
            return []
        return [work.task(phase, need, {**size, **arguments}, module=MODULE)]

    for at in reversed(range(len(ranges))):
        yield todo("join", ranges.name(at), at=at)
    for at in range(1, len(ranges)):  # a block looks labels up in the ranges before its own
        names = ((f"{ranges.name(at)}-{block:05d}", block) for block in ranges.blocks_of(at))
        yield [task for name, block in names for task in todo("label", name, at=at, block=block)]
    yield [task for at in range(len(ranges)) for task in todo("count", ranges.name(at), at=at)]
    if step.marked("settle") is None:
        yield [work.task("settle", FIXED, size, module=MODULE)]


def _label_file(step: Step, block: int) -> Path:
    return step.scratch(f"labels/{block:05d}.arrow")


def _joined_file(step: Step, ranges: Ranges, at: int, block: int) -> Path:
    return step.scratch(f"joined/{ranges.name(at)}-{block:05d}.arrow") if at else _label_file(step, block)


def join(folder: str, stage: dict[str, Any], count: int, width: int, at: int) -> dict[str, Any]:
    """Task: takes a range out of the graph. Its documents get one that they are tied to, one before the range if there
    is any, else the smallest of it; what ties documents before the range is forwarded."""
    step, _, _ = opened(folder, stage, CorpusStage)
    ranges = Ranges(count, width)
    first, end = ranges.documents(at)
    parents, anchors = np.arange(end - first, dtype=np.uint32), np.zeros(end - first, np.uint64)
    forward = _Forward(step, ranges.name(at))
    for table in rows_between(_edges_into(step, ranges, at), first, end, LOT, [DOC, "root"]):
        doc, root = (column.to_numpy() for column in table.columns)
        edges = np.empty((len(doc), 2), np.uint64)
        forward.add(edges[: absorb(parents, anchors, np.uint64(first), doc, root, edges)])
    forward.flush()
    files = dict(forward.files)
    for block in ranges.blocks_of(at):
        begin, stop = ranges.block(block)
        out = np.empty(stop - begin, np.uint64)
        tied(parents, anchors, np.uint64(first), np.uint64(begin - first), out)
        path = _joined_file(step, ranges, at, block)
        files[path] = write_table(path, pa.table({"label": out}))
    step.mark(task_name("join", ranges.name(at)), {}, files)
    return {}


def _edges_into(step: Step, ranges: Ranges, at: int) -> list[Path]:
    """Files with edges of documents in a range: links, and what ranges behind it forwarded."""
    marks = (marked(step, task_name("join", ranges.name(later))) for later in range(at + 1, len(ranges)))
    forwarded = (name for mark in marks for name in mark["files"] if "/forwarded/" in name)
    return [*listed(step, "links"), *(step.folder / name for name in forwarded)]


@dataclass
class _Forward:
    """Edges on their way to earlier ranges: `doc` is the greater end, by which they are sorted."""

    step: Step
    name: str
    files: dict[Path, FileInfo] = field(default_factory=dict)
    held: list[np.ndarray] = field(default_factory=list)

    def add(self, edges: np.ndarray) -> None:
        if len(edges):
            self.held.append(edges.copy())
        if sum(map(len, self.held)) > LOT:
            self.flush()

    def flush(self) -> None:
        if not self.held:
            return
        doc, root = np.concatenate(self.held).T
        order = np.lexsort((root, doc))
        doc, root = doc[order], root[order]
        new = np.ones(len(doc), bool)
        new[1:] = (doc[1:] != doc[:-1]) | (root[1:] != root[:-1])
        path = self.step.scratch(f"forwarded/{self.name}-{len(self.files):05d}.arrow")
        self.files[path] = write_table(path, pa.table({DOC: doc[new], "root": root[new]}))
        self.held = []


def label(folder: str, stage: dict[str, Any], count: int, width: int, at: int, block: int) -> dict[str, Any]:
    """Task: the labels of a block, those before its range being known."""
    step, _, _ = opened(folder, stage, CorpusStage)
    ranges = Ranges(count, width)
    first, _ = ranges.documents(at)
    path = _joined_file(step, ranges, at, block)
    with RowFile(path) as file:
        found = file.slice(0, file.rows).column("label").to_numpy().copy()
    before = found < first
    before_it = [Shard(str(b), "", ranges.block(b)[0], BLOCK, 0) for b in range(ranges.blocks_of(at)[0])]
    with NumberedRows(before_it, [_label_file(step, b) for b in range(len(before_it))]) as known:
        found[before] = known.take(found[before]).column("label").to_numpy()
    path = _label_file(step, block)
    files = {path: write_table(path, pa.table({"label": found}))}
    step.mark(task_name("label", f"{ranges.name(at)}-{block:05d}"), {}, files)
    return {}


def count(folder: str, stage: dict[str, Any], count: int, width: int, at: int) -> dict[str, Any]:
    """Task: sizes of the clusters whose first document is in a range."""
    step, _, _ = opened(folder, stage, CorpusStage)
    ranges = Ranges(count, width)
    first, end = ranges.documents(at)
    counts = np.zeros(end - first, np.uint32)
    for block in range(ranges.blocks_of(at)[0], ranges.blocks):  # a label is never greater than its document
        tally(_labels_of(step, block), np.uint64(first), counts)
    sizes: Counter[int] = Counter()
    largest: list[Cluster] = []
    for begin in range(0, len(counts), BLOCK):
        some = counts[begin : begin + BLOCK]
        clusters = np.flatnonzero(some > 1)
        sizes.update(dict(zip(*(x.tolist() for x in np.unique(some[clusters], return_counts=True)), strict=True)))
        order = clusters[np.lexsort((clusters, -some[clusters].astype(np.int64)))][:SHOWN]
        largest = sorted([*largest, *((-int(some[i]), first + begin + int(i)) for i in order)])[:SHOWN]
    step.mark(task_name("count", ranges.name(at)), {"sizes": sorted(sizes.items()), "largest": largest}, {})
    return {}


def settle(folder: str, stage: dict[str, Any], count: int, width: int) -> dict[str, Any]:
    """Task: what the report is told. Document numbers in `about["clusters"]` become ids and beginnings of texts."""
    step, made, corpus = opened(folder, stage, CorpusStage)
    ranges = Ranges(count, width)
    marks = [marked(step, task_name("count", ranges.name(at))) for at in range(len(ranges))]
    sizes = sum((Counter(dict(mark["sizes"])) for mark in marks), Counter[int]())
    largest = sorted(tuple(cluster) for mark in marks for cluster in mark["largest"])[:SHOWN]
    members = _members(step, ranges, [root for _, root in largest])
    shown = [(-size, members[root]) for size, root in largest]
    about = made.about(Clusters(told_edges(step), [list(item) for item in sorted(sizes.items())], shown))
    if "clusters" in about:
        told = about["clusters"]
        standing = standing_of(step)
        about["clusters"] = [
            {**cluster, "documents": _shown(corpus, standing, cluster["documents"])} for cluster in told
        ]
    step.mark("settle", {"about": about}, {})
    return {}


def _members(step: Step, ranges: Ranges, roots: Sequence[int]) -> dict[int, list[int]]:
    """The first few documents of each cluster, its root among them."""
    members: dict[int, list[int]] = {root: [] for root in roots}
    for block in range(min(roots, default=0) // BLOCK, ranges.blocks):
        wanting = np.array([root for root, found in members.items() if len(found) < MEMBERS_SHOWN], np.uint64)
        if not len(wanting):
            break
        labels = _labels_of(step, block)
        for row in np.flatnonzero(np.isin(labels, wanting)).tolist():
            members[int(labels[row])].append(block * BLOCK + row)
    return {root: found[:MEMBERS_SHOWN] for root, found in members.items()}


def _shown(corpus: Corpus, standing: Standing, docs: Sequence[int]) -> list[dict[str, str]]:
    """Id and beginning of the text of some documents, in this order; of those of an index the id alone is known."""
    out = []
    for doc in docs:
        if doc < standing.new:
            with standing.ids(corpus.shards) as ids:
                old = ids.take(np.array([doc], np.uint64)).column("id")[0].as_py()
            out.append({"id": old, "excerpt": ""})
            continue
        row = read_document(corpus, doc, ["id", "text"])
        text = pc.utf8_slice_codeunits(row.column("text"), 0, 200)[0].as_py()
        out.append({"id": row.column("id")[0].as_py(), "excerpt": text})
    return out


def _labels_of(step: Step, block: int, begin: int = 0, end: int = BLOCK) -> np.ndarray:
    """(k,) uint64: the labels of documents begin to end of a block."""
    with RowFile(_label_file(step, block)) as file:
        return file.slice(begin, min(end, file.rows)).column("label").to_numpy()


def labels(step: Step, begin: int, count: int) -> np.ndarray:
    """(count,) uint64: of documents begin, begin + 1, ... the first document of the cluster each is in."""
    parts = [np.zeros(0, np.uint64)]
    for block in range(begin // BLOCK, -(-(begin + count) // BLOCK)):
        parts.append(_labels_of(step, block, max(0, begin - block * BLOCK), min(BLOCK, begin + count - block * BLOCK)))
    return np.concatenate(parts)
