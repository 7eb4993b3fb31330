"""What the runner makes of edges, in one go: verdicts, and clusters for `about`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from pipeline.stages.base import Clusters
from pipeline.steps.links import joined, links_of


def settled(edges: Sequence[pa.Table]) -> list[dict[str, Any]]:
    """[{doc, twin, neighbour, similarity}] of the documents that go; the last two as far as they are known."""
    links = joined([links_of(table) for table in edges])
    rows = [{"twin": row.pop("root"), **row} for row in links.to_pylist()]
    return [row for row in rows if row["twin"] != row["doc"]]


def clusters(edges: Sequence[pa.Table]) -> Clusters:
    """Clusters with all of their documents."""
    members: dict[int, list[int]] = {}
    for row in settled(edges):
        members.setdefault(row["twin"], [row["twin"]]).append(row["doc"])
    sizes = Counter(map(len, members.values()))
    largest = sorted(members.values(), key=lambda docs: (-len(docs), docs[0]))
    return Clusters(sum(map(len, edges)), sorted(map(list, sizes.items())), [(len(docs), docs) for docs in largest])
