"""From edges between documents that are alike to verdicts: of each cluster the first document stays.

    edges (a, b, similarity) -> verdicts (doc, twin, neighbour, similarity); about = {edges, clusters_found, sizes, ...}

Clusters are transitive: two documents of one need not be alike themselves, but for a chain of others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.stages.base import VERDICTS, Settled
from pipeline.text.unionfind import components

SHOWN, MEMBERS_SHOWN = 10, 5  # clusters in the report, and documents of each


def settled(edges: pa.Table, about: dict[str, Any]) -> Settled:
    """Verdicts on all documents with an edge but the first of each cluster; `about` is what else there is to say."""
    a, b, similarity = (edges.column(name).to_numpy() for name in ("a", "b", "similarity"))
    members, labels = components(a, b)
    neighbour, similarity = _closest(a, b, similarity)
    goes = labels != members
    verdicts = [members[goes], labels[goes], neighbour[goes], similarity[goes]]
    return Settled(pa.table(verdicts, schema=VERDICTS), {**about, "edges": len(a), **_about(members, labels)})


def _about(members: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    firsts, begins, sizes = np.unique(np.sort(labels), return_index=True, return_counts=True)
    in_cluster = members[np.argsort(labels, kind="stable")]
    largest = np.lexsort((firsts, -sizes))[:SHOWN]
    return {
        "clusters_found": len(firsts),
        "documents_in_clusters": len(members),
        "sizes": [[int(size), int(n)] for size, n in zip(*np.unique(sizes, return_counts=True), strict=True)],
        "clusters": [
            {"size": int(sizes[i]), "documents": in_cluster[begins[i] :][: min(sizes[i], MEMBERS_SHOWN)].tolist()}
            for i in largest
        ],
    }


def _closest(a: np.ndarray, b: np.ndarray, similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each document with an edge, sorted: its most similar neighbour, the smallest of equals, and how similar."""
    doc, neighbour, both = np.concatenate([a, b]), np.concatenate([b, a]), np.concatenate([similarity, similarity])
    order = np.lexsort((neighbour, -both, doc))
    first = order[np.unique(doc[order], return_index=True)[1]]
    return neighbour[first], both[first]
