"""The distinct pieces of a sample and how often each stands, counted by shard and added up out of core.

    write_counts  each shard      -> scratch/counts/<shard>.arrow       key, piece, count; sorted by key
    merge_pieces  each partition  -> scratch/merged/<partition>.arrow   the same, of all shards
    within        of all marks    -> Bound: which of them are learned from, the rarest left out
    gather        once            -> scratch/pieces.arrow               piece, count; sorted by the bytes
    gathered      once            <- the same, as PieceCounts

Counts are 64-bit integers. A partition is a range of 64-bit keys of the pieces, and pieces are compared byte by byte.
Left out are those counted least; of those counted alike, the ones with the greatest keys, which favours no script.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.steps.partitions import PARTITION_BYTES, range_of, task_name
from pipeline.steps.sample import Sampling
from pipeline.store.files import FileInfo, read_table, write_table
from pipeline.store.place import place
from pipeline.store.rows import RowFile
from pipeline.store.step import Step
from pipeline.text.buffers import buffers
from pipeline.text.piece_counts import PieceCounts, merge_counts
from pipeline.text.piece_keys import piece_keys
from pipeline.tokenizer import memory_to_train

LONG = 1_000_000  # bytes of a piece that is named in a mark, because a partition that holds it is larger than others
MERGE_FACTOR, MERGE_BASE = 8, 50_000_000  # memory that merging takes for each byte of a partition's rows, and beside it
GATHER_FACTOR = 6  # memory that gathering takes for each byte of what is kept, its rows included
ROW = 24  # bytes of a row beside its piece
PIECES = "pieces.arrow"

ROWS = pa.schema([("key", pa.uint64()), ("piece", pa.large_binary()), ("count", pa.int64())])

Mark = dict[str, Any]


def write_counts(step: Step, shard: str, pieces: PieceCounts) -> tuple[Mark, dict[Path, FileInfo]]:
    """Writes the pieces of a shard; for its mark the bytes of their rows and where long ones fall."""
    keys = piece_keys(pieces.edges, pieces.data)
    order = np.argsort(keys, kind="stable")
    sizes = np.diff(pieces.edges)
    table = pa.table([keys, _array(pieces), pieces.counts], schema=ROWS).take(pa.array(order))
    path = _counts_file(step, shard)
    long = np.flatnonzero(sizes > LONG)
    told: Mark = {"rows": len(keys), "bytes": int(sizes.sum())}
    told["long"] = sorted(zip(keys[long].tolist(), sizes[long].tolist(), strict=True))
    return told, {path: write_table(path, table)}


def _array(pieces: PieceCounts) -> pa.Array:
    views = [None, pa.py_buffer(pieces.edges), pa.py_buffer(pieces.data)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(pieces), views)


def piece_partitions(marks: Sequence[Mark]) -> int:
    """How many partitions the rows of all shards make."""
    return max(1, -(-_row_bytes(marks) // PARTITION_BYTES))


def _row_bytes(marks: Sequence[Mark]) -> int:
    return sum(ROW * mark["rows"] + mark["bytes"] for mark in marks)


def merge_memory(marks: Sequence[Mark], partition: int, partitions: int) -> int:
    """Bytes that merging a partition takes: an even part of the rows, and the long pieces that fall into it."""
    low, high = range_of(partition, partitions)
    long = sum(size for mark in marks for key, size in mark["long"] if low <= key < high)
    return MERGE_BASE + MERGE_FACTOR * (_row_bytes(marks) // partitions + long)


def merge_pieces(folder: str, partition: int, partitions: int) -> dict[str, Any]:
    """Task: adds up the counts of one range of keys. Its mark tells how many pieces and bytes have each count."""
    step = Step(place(folder))
    files = [_counts_file(step, shard.key) for shard in Sampling.read(step).shards]
    low, high = range_of(partition, partitions)
    table = _added(pa.concat_tables([ROWS.empty_table(), *(_between(path, low, high) for path in files)]))
    path = _merged_file(step, partition)
    counts, sizes = table.column("count").to_numpy(), pc.binary_length(table.column("piece")).to_numpy()
    values, which = np.unique(counts, return_inverse=True)
    pieces, size = np.bincount(which), np.bincount(which, weights=sizes).astype(np.int64)  # exact below 2^53
    by_count = list(zip(values.tolist(), pieces.tolist(), size.tolist(), strict=True))
    step.mark(task_name("merge", f"{partition:05d}"), {"by_count": by_count}, {path: write_table(path, table)})
    return {}


def _between(path: Path, low: int, high: int) -> pa.Table:
    """Rows of a file whose keys are in [low, high)."""
    with RowFile(path) as file:
        bounds = [bound for bound in (low, high) if bound < 2**64]
        begin, end = [*file.search("key", np.array(bounds, np.uint64)).tolist(), file.rows][:2]
        return file.slice(begin, end)


def _added(rows: pa.Table) -> pa.Table:
    """Each piece once, with the sum of its counts; sorted by key, then by the bytes."""
    grouped = rows.group_by(["key", "piece"], use_threads=False).aggregate([("count", "sum")])
    grouped = grouped.rename_columns(ROWS.names)
    return grouped.sort_by([("key", "ascending"), ("piece", "ascending")])


@dataclass(frozen=True)
class Bound:
    """Which pieces are learned from: those counted more than `least` times; of those counted just so often the ones in
    partitions before `whole`, and of partition `whole` the first that fit in `room` bytes."""

    least: int
    whole: int
    room: int
    pieces: int  # that are learned from, `whole`'s share of the last ones aside
    bytes: int

    def to_json(self) -> dict[str, int]:
        return asdict(self)


def within(by_count: Sequence[Sequence[Sequence[int]]], most: int) -> Bound:
    """The bound for `most` bytes of pieces, from what each partition has: (count, pieces, bytes) rising."""
    pieces: Counter[int] = Counter()
    sizes: Counter[int] = Counter()
    for part in by_count:
        for count, number, size in part:
            pieces[count] += number
            sizes[count] += size
    taken, size = 0, 0
    for count in sorted(sizes, reverse=True):
        if size + sizes[count] > most:
            return _cut(by_count, count, most - size, taken, size)
        taken += pieces[count]
        size += sizes[count]
    return Bound(0, len(by_count), 0, taken, size)


def _cut(by_count: Sequence[Sequence[Sequence[int]]], least: int, room: int, taken: int, size: int) -> Bound:
    """Of the pieces counted `least` times as many as fit, partition by partition."""
    for whole, part in enumerate(by_count):
        number, bytes_ = next(((n, b) for count, n, b in part if count == least), (0, 0))
        if bytes_ > room:
            return Bound(least, whole, room, taken + number, size + room)
        taken, size, room = taken + number, size + bytes_, room - bytes_
    raise AssertionError("all fit, so there was nothing to cut")


def gather(folder: str, partitions: int, bound: dict[str, int], vocab_size: int) -> dict[str, Any]:
    """Task: brings the pieces together that are learned from; its mark tells what that will take, and what is left
    out."""
    step = Step(place(folder))
    made, told = _gathered(step, partitions, Bound(**bound))
    path = step.scratch(PIECES)
    files = {path: write_table(path, pa.table({"piece": _array(made), "count": made.counts}))}
    step.mark("gather", {"pieces": told, "memory": memory_to_train(made, vocab_size)}, files)
    return {}


def gather_memory(bound: Bound, marks: Sequence[Mark]) -> int:
    """Bytes that `gather` takes: one partition, and what is kept of all."""
    largest = max((sum(size + ROW * number for _, number, size in mark["by_count"]) for mark in marks), default=0)
    return MERGE_BASE + 3 * largest + GATHER_FACTOR * (bound.bytes + ROW * bound.pieces)


def gathered(step: Step) -> PieceCounts:
    """What `gather` left."""
    return _counts_of(read_table(step.scratch(PIECES)))


def _gathered(step: Step, partitions: int, bound: Bound) -> tuple[PieceCounts, dict[str, Any]]:
    kept, told = [], Counter[str]()
    pruned = Counter({"pieces": 0, "bytes": 0, "occurrences": 0})
    for at in range(partitions):
        table = read_table(_merged_file(step, at))
        mask = _mask(table, at, bound)
        for into, rows in ((told, table), (pruned, table.filter(pa.array(~mask)))):
            into["pieces"] += rows.num_rows
            into["bytes"] += pc.sum(pc.binary_length(rows.column("piece"))).as_py() or 0
            into["occurrences"] += pc.sum(rows.column("count")).as_py() or 0
        kept.append(_counts_of(table.filter(pa.array(mask)).sort_by([("piece", "ascending")])))
    least = {"seen": bound.least} if pruned["pieces"] else {}
    return merge_counts(kept), {**told, "pruned": {**pruned, **least}}


def _mask(table: pa.Table, at: int, bound: Bound) -> np.ndarray:
    counts = table.column("count").to_numpy()
    mask = counts > bound.least
    last = counts == bound.least
    if at < bound.whole:
        return mask | last
    if at > bound.whole:
        return mask
    sizes = pc.binary_length(table.column("piece")).to_numpy()
    return mask | (last & (np.cumsum(np.where(last, sizes, 0)) <= bound.room))


def _counts_of(table: pa.Table) -> PieceCounts:
    edges, data = buffers(table.column("piece"))
    return PieceCounts(edges - edges[0], data[edges[0] : edges[-1]], table.column("count").to_numpy())


def _counts_file(step: Step, shard: str) -> Path:
    return step.scratch(f"counts/{shard}.arrow")


def _merged_file(step: Step, partition: int) -> Path:
    return step.scratch(f"merged/{partition:05d}.arrow")
