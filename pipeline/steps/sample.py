"""The sample of a corpus that something is trained on: the documents that a coin chose, a file a shard.

take(step, shard, before, columns, share, seed) -> Table of `columns`; written beside the step, not sealed
drawn(shard, before, columns, share, seed)      -> the same with `doc` and `toss`, in the order of tosses; not written
sample_file(step, key), sample_mark(key)           where it stands, and the mark that its task leaves

In the order of tosses, what is first does not hang on how shards were cut, nor on how they are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.sampling import chosen, limits, tosses
from pipeline.store.files import FileInfo, read_json, write_json, write_table
from pipeline.store.layers import DOC, Shard, read_shard
from pipeline.store.place import place
from pipeline.store.step import Step

TOSS = "toss"


def sample_mark(shard: str) -> str:
    return f"sample-{shard}"


def sample_file(step: Step, shard: str) -> Path:
    return step.scratch(f"sample/{shard}.arrow")


def take(
    step: Step, shard: Shard, before: Sequence[str], columns: Sequence[str], share: dict[str, float], seed: int
) -> tuple[pa.Table, dict[Path, FileInfo]]:
    """The chosen documents of a shard, and the file they were written to; `share` is by language."""
    docs = read_shard(shard, [Step(place(name)) for name in before], ["id", *columns])
    mask = chosen(docs.column("id").to_pylist(), docs.column("lang").to_pylist(), share, seed)
    taken = docs.select(list(columns)).filter(pa.array(mask))
    path = sample_file(step, shard.key)
    return taken, {path: write_table(path, taken)}


def drawn(shard: Shard, before: Sequence[str], columns: Sequence[str], share: dict[str, float], seed: int) -> pa.Table:
    """The chosen documents of a shard by their tosses (of equal ones, by their numbers)."""
    docs = read_shard(shard, [Step(place(name)) for name in before], ["id", *columns])
    toss = tosses(docs.column("id").to_pylist(), seed)
    rows = np.flatnonzero(toss < limits(docs.column("lang").to_pylist(), share))
    rows = rows[np.argsort(toss[rows], kind="stable")]
    taken = docs.select([*columns, DOC]).take(pa.array(rows))
    return taken.append_column(TOSS, pa.array(toss[rows]))


@dataclass(frozen=True)
class Sampling:
    """What the tasks of a sample have to know; written once, so that their arguments stay short."""

    shards: tuple[Shard, ...]
    before: tuple[str, ...]  # folders of the steps whose layers lie over the shards
    share: dict[str, float]
    seed: int

    def write(self, step: Step) -> None:
        shards = [shard.to_json() for shard in self.shards]
        told = {"shards": shards, "before": list(self.before), "share": self.share, "seed": self.seed}
        write_json(step.scratch("sampling.json"), told)

    @classmethod
    def read(cls, step: Step) -> Sampling:
        told = read_json(step.scratch("sampling.json"))
        shards = tuple(Shard(**shard) for shard in told["shards"])
        return cls(shards, tuple(told["before"]), told["share"], told["seed"])
