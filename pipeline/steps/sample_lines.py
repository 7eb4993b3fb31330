"""Each distinct line of a sample once, wherever it stands: its keys, parted by ranges, and what stands elsewhere.

    keys        each shard      -> scratch/lines/<shard>.arrow          key, doc, toss: each distinct line; by key
    settle      each partition  -> scratch/elsewhere/<partition>.arrow  key, doc: lines that go from a shard; by doc
    elsewhere   each shard      <- its own range of each partition

A line stays in the document with the smallest toss among those that hold it, there where it stands first: so which one
it is depends on names alone. Two lines are taken for one with a chance of m / 2^64 for each of m distinct ones. Never
holds more than one partition; disk: 24 bytes for each distinct line of a shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.steps.keys import KeyFiles
from pipeline.steps.partitions import PARTITION_BYTES, range_of, task_name
from pipeline.steps.sample import TOSS, Sampling
from pipeline.store.files import FileInfo, write_table
from pipeline.store.layers import DOC, Shard
from pipeline.store.place import place
from pipeline.store.ranges import rows_between
from pipeline.store.step import Step
from pipeline.text.sample_lines import line_keys

LOT = 1_000_000  # keys that are settled at once; a key has no more rows than there are shards
KEY_BYTES = 24  # of a row of keys
SETTLE_MEMORY = 6 * PARTITION_BYTES
KEYS_FACTOR, KEYS_BASE = 14, 60_000_000  # memory `keys` takes for a byte of text, if each line is new; and beside it

GOES = pa.schema([("key", pa.uint64()), (DOC, pa.uint64())])


def keys_file(step: Step, shard: str) -> Path:
    return step.scratch(f"lines/{shard}.arrow")


def write_keys(step: Step, shard: str, taken: pa.Table) -> tuple[int, dict[Path, FileInfo]]:
    """Of a shard's sample, in the order of tosses: how many distinct lines it has, and the file that tells them."""
    keys, rows = line_keys(taken.column("text"))
    table = pa.table({"key": keys, **{name: taken.column(name).take(pa.array(rows)) for name in (DOC, TOSS)}})
    path = keys_file(step, shard)
    return len(keys), {path: write_table(path, table)}


def settle_lines(folder: str, partition: int, partitions: int) -> dict[str, Any]:
    """Task: which lines go from which shards, for one range of keys."""
    step = Step(place(folder))
    files = KeyFiles([keys_file(step, shard.key) for shard in Sampling.read(step).shards])
    lots = files.between(*range_of(partition, partitions), LOT)
    goes = pa.concat_tables([GOES.empty_table(), *map(_going, lots)])
    path = _elsewhere_file(step, partition)
    step.mark(task_name("lines", f"{partition:05d}"), {}, {path: write_table(path, goes.sort_by([(DOC, "ascending")]))})
    return {}


def _going(lot: pa.Table) -> pa.Table:
    """Rows of all keys but the one with the smallest toss of each."""
    key, doc, toss = (lot.column(name).to_numpy() for name in ("key", DOC, TOSS))
    order = np.lexsort((doc, toss, key))
    again = order[1:][key[order[1:]] == key[order[:-1]]]
    return pa.table([pa.array(key[again]), pa.array(doc[again])], schema=GOES)


def elsewhere(step: Step, shard: Shard, partitions: int) -> np.ndarray:
    """(m,) uint64: keys of the lines that go from this shard."""
    files = [_elsewhere_file(step, partition) for partition in range(partitions)]
    tables = rows_between(files, shard.base, shard.base + shard.rows, LOT, ["key"])
    return np.concatenate([np.zeros(0, np.uint64), *(table.column("key").to_numpy() for table in tables)])


def line_partitions(distinct: Sequence[int]) -> int:
    """How many partitions so many distinct lines, shard by shard, make."""
    return max(1, -(-KEY_BYTES * sum(distinct) // PARTITION_BYTES))


def _elsewhere_file(step: Step, partition: int) -> Path:
    return step.scratch(f"elsewhere/{partition:05d}.arrow")
