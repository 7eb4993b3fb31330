"""What stages that drop whole documents by a 128-bit key share: of the documents with one key, the first stays.

resolve: keys (key, key2, doc) -> edges (doc, twin), from each document that goes to the first of its group
settle:  edges -> verdicts, the same; about = {groups, documents, largest}
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.stages.base import VERDICTS, CorpusStage, Notes, Settled

KEYS = pa.schema([("key", pa.uint64()), ("key2", pa.uint64()), ("doc", pa.uint64())])


class FirstStays(CorpusStage):
    """A stage whose `observe` gives keys of the schema KEYS; documents without a key are nobody's duplicate."""

    def resolve(self, keys: pa.Table, notes: Notes | None) -> pa.Table:
        key, key2, doc = (keys.column(name).to_numpy() for name in KEYS.names)
        order = np.lexsort((doc, key2, key))
        key, key2, doc = key[order], key2[order], doc[order]
        starts = np.ones(len(doc), bool)  # of groups
        starts[1:] = (key[1:] != key[:-1]) | (key2[1:] != key2[:-1])
        firsts = doc[starts][np.cumsum(starts) - 1]
        return pa.table({"doc": doc[~starts], "twin": firsts[~starts]})

    def settle(self, edges: pa.Table) -> Settled:
        edges = edges.sort_by("doc")
        _, sizes = np.unique(edges.column("twin").to_numpy(), return_counts=True)
        about = {
            "groups": len(sizes),
            "documents": int(sizes.sum() + len(sizes)),
            "largest": int(sizes.max() + 1) if len(sizes) else 0,
        }
        missing = {name: pa.nulls(edges.num_rows, VERDICTS.field(name).type) for name in ("neighbour", "similarity")}
        columns = {**{name: edges.column(name) for name in ("doc", "twin")}, **missing}
        return Settled(pa.table([columns[name] for name in VERDICTS.names], schema=VERDICTS), about)
