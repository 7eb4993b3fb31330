"""What `apply` of a corpus-wise stage keeps beside layer and ledger: who duplicates whom, and the index.

    pairs(gone, verdicts)         -> [[source of those that went, source of those that stayed, documents], ...]
    write_index(step, shard, stayed) -> how many documents, and the files of store/index.py

An index holds the documents that stayed and have a key; their rows are counted from 0 in each shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store.files import FileInfo, read_table, write_table
from pipeline.store.index import index_file
from pipeline.store.layers import DOC, Shard
from pipeline.store.step import Step

Pairs = list[list[str | int]]  # source, source of the twin, documents


def pairs(gone: pa.Table, verdicts: pa.Table) -> Pairs:
    """Counts the documents of a shard that went by source and source of their twin."""
    stayed = pc.list_element(pc.split_pattern(verdicts.column("twin"), "/", max_splits=1), 0)  # `<source>/<path>#<row>`
    table = pa.table({"source": gone.column("source"), "twin": stayed})
    counts = table.group_by(["source", "twin"]).aggregate([([], "count_all")])
    return sorted([row["source"], row["twin"], row["count_all"]] for row in counts.to_pylist())


def added_pairs(parts: Iterable[Pairs]) -> Pairs:
    """The counts of all shards; the most first."""
    sums: Counter[tuple[str, str]] = Counter()
    for part in parts:
        for source, twin, documents in part:
            sums[str(source), str(twin)] += int(documents)
    return [[*names, count] for names, count in sorted(sums.items(), key=lambda one: (-one[1], one[0]))]


def write_index(step: Step, shard: Shard, stayed: pa.Table) -> tuple[int, dict[Path, FileInfo]]:
    """Of the documents of a shard that stayed, those with a key."""
    keys = read_table(step.scratch(f"keys/{shard.key}.arrow"))
    here = np.zeros(shard.rows + 1, bool)
    here[stayed.column(DOC).to_numpy() - np.uint64(shard.base)] = True
    doc = keys.column(DOC).to_numpy() - np.uint64(shard.base)
    keyed = np.zeros(shard.rows + 1, bool)
    keyed[doc] = True
    indexed = here & keyed
    rows = (np.cumsum(indexed) - 1).astype(np.uint64)  # in the index, of those that are in it
    at = keys.schema.get_field_index(DOC)
    tables = {
        "keys": keys.set_column(at, DOC, pa.array(rows[doc])).filter(pa.array(indexed[doc])),
        "ids": stayed.select(["id"]).filter(_among(indexed, stayed, shard)),
    }
    if (notes := step.scratch(f"notes/{shard.key}.arrow")).exists():
        of_shard = read_table(notes)
        kept = of_shard.filter(_among(indexed, of_shard, shard))
        number = pa.array(np.arange(kept.num_rows, dtype=np.uint64))
        tables["notes"] = kept.set_column(kept.schema.get_field_index(DOC), DOC, number)
    paths = {kind: index_file(step, kind, shard.key) for kind in tables}
    return int(indexed.sum()), {paths[kind]: write_table(paths[kind], table) for kind, table in tables.items()}


def _among(indexed: np.ndarray, docs: pa.Table, shard: Shard) -> pa.Array:
    return pa.array(indexed[docs.column(DOC).to_numpy() - np.uint64(shard.base)])
