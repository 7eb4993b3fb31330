"""Links: what is left of some edges when only clusters and nearest neighbours matter, one row a document.

    edges (a, b[, similarity])  ->  links (doc, root[, neighbour, similarity]), sorted by `doc`

`root` is the smallest document that `doc` is tied to by these edges, itself included; `neighbour` is the one of the
highest similarity among all that it has an edge with. Links of several parts joined again give the links of all, so
the edges of a partition need not be kept: a bucket of a million copies is a million links.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from pipeline.text.unionfind import components, strongest

COLUMNS = ("doc", "root", "neighbour", "similarity")


def links_of(edges: pa.Table) -> pa.Table:
    """Of edges (a, b, ...), in any order."""
    a, b = (edges.column(name).to_numpy() for name in ("a", "b"))
    doc, other = np.concatenate([a, b]), np.concatenate([b, a])
    if "similarity" not in edges.column_names:
        return _links([doc, other])
    return _links([doc, other, other, np.tile(edges.column("similarity").to_numpy(), 2)])


def joined(parts: Iterable[pa.Table]) -> pa.Table:
    """The links of all parts as those of one."""
    return _links([column.to_numpy() for column in pa.concat_tables(parts).columns])


def nearest(
    doc: np.ndarray, neighbour: np.ndarray, similarity: np.ndarray, members: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each of `members`, sorted, with all of `doc` among them: its most similar neighbour, and how similar."""
    best, found = np.full(len(members), -1.0), np.zeros(len(members), np.uint64)
    strongest(np.searchsorted(members, doc), neighbour, similarity, best, found)
    return found, best


def _links(columns: list[np.ndarray]) -> pa.Table:
    doc, root, *near = columns
    members, labels = components(doc, root)
    found = nearest(doc, near[0], near[1], members) if near else ()
    return pa.table([members, labels, *found], names=list(COLUMNS[: len(columns)]))
