"""How many documents and bytes went which way: cells that add up over shards and into the manifest.

kept     [{source, kind, lang, documents, bytes, sizes: [[10, 3], [11, 5]]}]     sizes: documents of 2^10..2^11 bytes
dropped  [{source, kind, lang, reason, documents, bytes}]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Cell = dict[str, Any]
KEY = ("source", "kind", "lang")


def count_kept(docs: pa.Table) -> list[Cell]:
    """Cells of the documents of a table."""
    size = pc.binary_length(docs.column("text")).cast(pa.int64())
    bins = pa.array(np.frexp(np.maximum(size.to_numpy(), 1).astype(np.float64))[1] - 1, pa.int32())  # floor(log2)
    table = docs.select(list(KEY)).append_column("bytes", size).append_column("bin", bins)
    grouped = table.group_by([*KEY, "bin"]).aggregate([("bytes", "count"), ("bytes", "sum")])
    return add_kept(
        {**{k: row[k] for k in KEY}, "documents": row["bytes_count"], "bytes": row["bytes_sum"],
         "sizes": [[row["bin"], row["bytes_count"]]]}
        for row in grouped.to_pylist()
    )  # fmt: skip


def add_kept(cells: Iterable[Cell]) -> list[Cell]:
    """Sums cells of the same source, kind and language; sorted, so that their order cannot matter."""
    sums: dict[tuple[str, ...], Cell] = {}
    for cell in cells:
        into = sums.setdefault(tuple(cell[k] for k in KEY), {"documents": 0, "bytes": 0, "sizes": {}})
        into["documents"] += cell["documents"]
        into["bytes"] += cell["bytes"]
        for size, documents in cell["sizes"]:
            into["sizes"][size] = into["sizes"].get(size, 0) + documents
    return [
        {**dict(zip(KEY, key, strict=True)), **cell, "sizes": [list(item) for item in sorted(cell["sizes"].items())]}
        for key, cell in sorted(sums.items())
    ]


def count_dropped(ledger: pa.Table) -> list[Cell]:
    """Cells of the rows of a ledger; what could not be read has kind and lang ''."""
    names = [*KEY, "reason"]
    table = pa.table(
        {n: pc.fill_null(ledger.column(n), "") for n in names} | {"bytes": pc.fill_null(ledger.column("bytes"), 0)}
    )
    grouped = table.group_by(names).aggregate([("bytes", "count"), ("bytes", "sum")])
    return add_dropped(
        {**{k: row[k] for k in names}, "documents": row["bytes_count"], "bytes": row["bytes_sum"]}
        for row in grouped.to_pylist()
    )


def add_dropped(cells: Iterable[Cell]) -> list[Cell]:
    """Sums cells of the same source, kind, language and reason."""
    sums: dict[tuple[str, ...], Cell] = {}
    for cell in cells:
        into = sums.setdefault(tuple(cell[k] for k in (*KEY, "reason")), {"documents": 0, "bytes": 0})
        into["documents"] += cell["documents"]
        into["bytes"] += cell["bytes"]
    return [{**dict(zip((*KEY, "reason"), key, strict=True)), **cell} for key, cell in sorted(sums.items())]


def add_tallies(tallies: Iterable[dict[str, int]]) -> dict[str, int]:
    """Sums counts of things done, name by name."""
    out: dict[str, int] = {}
    for tally in tallies:
        for name, count in tally.items():
            out[name] = out.get(name, 0) + count
    return dict(sorted(out.items()))


def total(cells: Iterable[Cell], what: str = "documents") -> int:
    return sum(cell[what] for cell in cells)
