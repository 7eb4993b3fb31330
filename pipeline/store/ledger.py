"""The ledger: one row for each document that is not there, with the reason, the value, the limit and the twin.

What cannot be read at the source stands in it too, with file and offset. `excerpt` is the beginning of the text, for
a human who looks through what was removed.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store.files import FileInfo, write_table

EXCERPT = 200  # characters

LEDGER = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string()),  # null where it could not be read
        pa.field("lang", pa.string()),
        pa.field("bytes", pa.int64()),  # of text; null where it could not be read
        pa.field("stage", pa.string(), nullable=False),  # `source`, or the name of the stage
        pa.field("reason", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("limit", pa.float64()),
        pa.field("twin", pa.string()),  # the document that stayed
        pa.field("neighbour", pa.string()),  # the document it was matched with
        pa.field("similarity", pa.float64()),  # their Jaccard
        pa.field("file", pa.string()),  # where it could not be read
        pa.field("offset", pa.int64()),  # byte in that file, uncompressed
        pa.field("excerpt", pa.string()),
    ]
)


def entries(docs: pa.Table, dropped: pa.Table, stage: str) -> pa.Table:
    """Ledger rows from a stage's `dropped` (stages/base.py) and the documents it names by row."""
    named = docs.select(["id", "source", "kind", "lang", "text"]).take(dropped.column("row"))
    text = named.column("text")
    columns = {name: named.column(name) for name in ("id", "source", "kind", "lang")}
    columns |= {
        "bytes": pc.binary_length(text).cast(pa.int64()),
        "stage": pa.array([stage] * dropped.num_rows, pa.string()),
    }
    columns |= {name: dropped.column(name) for name in dropped.column_names if name != "row"}
    columns |= {"excerpt": pc.utf8_slice_codeunits(text, 0, EXCERPT).cast(pa.string())}
    rows = dropped.num_rows
    return pa.table([columns.get(f.name, pa.nulls(rows, f.type)) for f in LEDGER], schema=LEDGER)


def write_ledger(path: Path, table: pa.Table) -> FileInfo:
    return write_table(path, table.cast(LEDGER), compression="zstd")
