"""The sample of a corpus that something is trained on: the documents that a coin chose, a file a shard.

take(step, shard, before, columns, share, seed) -> Table of `columns`; written beside the step, not sealed
sample_file(step, key), sample_mark(key)        where it stands, and the mark that its task leaves
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from pipeline.store.files import FileInfo, write_table
from pipeline.store.layers import Shard, read_shard
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.tokenizer import chosen


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
