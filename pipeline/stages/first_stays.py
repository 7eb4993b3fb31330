"""What stages that drop whole documents by a 128-bit key share: of the documents with one key, the first stays.

resolve: keys (key, key2, doc) -> edges (a, b), from the first document of a group to each of its others
about:   {groups, documents, largest}
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.stages.base import Clusters, CorpusStage, Notes, Resolved

KEYS = pa.schema([("key", pa.uint64()), ("key2", pa.uint64()), ("doc", pa.uint64())])


class FirstStays(CorpusStage):
    """A stage whose `observe` gives keys of the schema KEYS; documents without a key are nobody's duplicate."""

    def resolve(self, keys: pa.Table, notes: Notes | None) -> Resolved:
        key, key2, doc = (keys.column(name).to_numpy() for name in KEYS.names)
        order = np.lexsort((doc, key2, key))
        key, key2, doc = key[order], key2[order], doc[order]
        starts = np.ones(len(doc), bool)  # of groups
        starts[1:] = (key[1:] != key[:-1]) | (key2[1:] != key2[:-1])
        firsts = doc[starts][np.cumsum(starts) - 1]
        leads = starts & (key == key[-1:])
        leaders = pa.table([key[leads], key2[leads], doc[leads]], schema=KEYS)
        return Resolved(pa.table({"a": firsts[~starts], "b": doc[~starts]}), leaders)

    def about(self, clusters: Clusters) -> dict[str, Any]:
        largest = max((size for size, _ in clusters.sizes), default=0)
        return {"groups": clusters.count, "documents": clusters.documents, "largest": largest}
