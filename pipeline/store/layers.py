"""Layers: a step stores only what it changed; reading lays the layers over each other and applies the masks.

    source      id source kind … text          5 rows
    normalize   text (null = unchanged)        5 rows
    measure     words, characters, …           5 rows
    keep        kept                           5 rows  -> 3 rows from here on
    redact      text                           3 rows

A layer has as many rows as its step was given. The column `kept` is the mask of a judgement; a layer without it
dropped nothing; a layer without columns changed nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store.files import read_table
from pipeline.store.place import place
from pipeline.store.step import Step

KEPT = "kept"
DOC = "doc"  # a document's number: its place in the order of all documents; computed, never stored


@dataclass(frozen=True)
class Shard:
    """A shard of a source, as every later step sees it."""

    key: str  # `<source>-<group>-<number>`: its name in every step
    source: str  # folder of the source's step
    base: int  # number of its first document
    rows: int
    bytes: int  # of text

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "source": self.source, "base": self.base, "rows": self.rows, "bytes": self.bytes}


def read_shard(shard: Shard, steps: Sequence[Step], columns: Sequence[str] | None = None) -> pa.Table:
    """The documents of a shard after `steps`, with their numbers in the column `doc`.

    With `columns`, only these (and `doc`) are laid over and kept, which spares the text where it is not wanted."""
    docs = read_table(Step(place(shard.source)).layer(shard.key))
    wanted = None if columns is None else {*columns, KEPT}
    if wanted is not None:
        docs = docs.select([c for c in docs.column_names if c in wanted])
    docs = docs.append_column(DOC, pa.array(np.arange(shard.base, shard.base + shard.rows, dtype=np.uint64)))
    for step in steps:
        docs = overlay(docs, read_table(step.layer(shard.key)), wanted)
    return docs


def overlay(docs: pa.Table, layer: pa.Table, wanted: set[str] | None = None) -> pa.Table:
    """`docs` with the layer's columns laid over and its mask applied."""
    for name in layer.column_names:
        if name != KEPT and (wanted is None or name in wanted):
            docs = set_column(docs, name, layer.column(name))
    return docs.filter(layer.column(KEPT)) if KEPT in layer.column_names else docs


def set_column(docs: pa.Table, name: str, new: pa.ChunkedArray | pa.Array) -> pa.Table:
    """Replaces or appends a column; in `text`, null means unchanged."""
    at = docs.schema.get_field_index(name)
    if at < 0:
        return docs.append_column(name, new)
    if name == "text" and new.null_count:
        new = docs.column(name) if new.null_count == len(new) else pc.coalesce(new, docs.column(name))
    return docs.set_column(at, docs.schema.field(name) if name == "text" else name, new)
