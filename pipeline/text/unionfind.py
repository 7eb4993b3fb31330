"""Connected components over integer arrays: who is tied to whom, through any number of edges.

In: edges (a, b), each (m,) integers, in any order. Out: `members`, (n,), every document that has an edge, sorted, and
`labels`, (n,), the smallest member of each one's component.

(labels, members) are edges themselves, n of them and with the same components. So partitions of a graph can be reduced
one by one, and what is left joined in a last call: memory is bounded by documents with an edge, not by edges.

Where not even the documents fit, `absorb` eliminates them range by range, the last range first: a range needs 12 bytes
a document, whatever the edges are. Each document of it is left with one edge at most to those before the range, and
two documents that were tied to one of it are tied to each other instead. Then labels are read off, the first range
first. An elimination of vertices, in two sweeps over the ranges, whatever the diameter of the graph.
"""

import numpy as np

from pipeline.text.compiling import kernel, piece

U = np.uint64


def components(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(members, labels), of the type of `a`. Takes about 24 bytes an edge and 24 a member."""
    members, ranks = np.unique(np.concatenate([a, b]), return_inverse=True)
    parents = _join(ranks[: len(a)], ranks[len(a) :], np.arange(len(members)))
    return members, members[parents]


@kernel
def _join(a, b, parents):  # type: ignore[no-untyped-def]
    for i in range(len(a)):
        x, y = root_of(parents, a[i]), root_of(parents, b[i])
        parents[max(x, y)] = min(x, y)  # the root of a tree is its smallest member
    for i in range(len(parents)):  # parents come first, and are roots by now
        parents[i] = parents[parents[i]]
    return parents


@piece
def root_of(parents, x):  # type: ignore[no-untyped-def]
    """The root of the tree that `x` is in; its way there is half as long the next time."""
    while parents[x] != x:
        parents[x] = parents[parents[x]]
        x = parents[x]
    return x


@kernel
def strongest(rows, neighbours, similarities, best, nearest):  # type: ignore[no-untyped-def]
    """Keeps in `best` and `nearest`, (n,) each, the highest similarity told of a row and the neighbour it is with.

    Of neighbours equally similar the smallest. `rows` are below n; all told are (m,). `best` begins at -1.
    """
    for i in range(len(rows)):
        row, other, similarity = rows[i], neighbours[i], similarities[i]
        if similarity > best[row] or (similarity == best[row] and other < nearest[row]):
            best[row], nearest[row] = similarity, other


@kernel
def absorb(parents, anchors, first, docs, others, out):  # type: ignore[no-untyped-def]
    """Joins edges into a range of documents, and gives back those it makes between documents before the range.

    parents  (n,) uint32, of document first + i; roots are the smallest of their trees; begins as 0, 1, 2 ...
    anchors  (n,) uint64, of a root: 1 + a document before the range that it is tied to; begins as zeros, which the
             system gives for nothing until they are written to
    docs, others  (m,) uint64 ends of edges, docs all in the range, others in it or before
    out      (m, 2) uint64: edges (greater, smaller) of documents before the range, tied to one root. Returns how many
    """
    told = 0
    for i in range(len(docs)):
        root = root_of(parents, docs[i] - first)
        if others[i] < first:
            anchor = others[i] + U(1)
        else:
            other = root_of(parents, others[i] - first)
            if other == root:
                continue
            low, high = min(root, other), max(root, other)
            parents[high] = low
            anchor, root = anchors[high], low
        held = anchors[root]
        if anchor == held or anchor == 0:
            continue
        if held:
            out[told, 0], out[told, 1] = max(anchor, held) - U(1), min(anchor, held) - U(1)
            told += 1
        else:
            anchors[root] = anchor
    return told


@kernel
def tied(parents, anchors, first, begin, out):  # type: ignore[no-untyped-def]
    """Into `out`, (k,) uint64: of documents first + begin + i, the anchor of its root, or the root if it has none."""
    for i in range(len(out)):
        root = root_of(parents, begin + U(i))
        out[i] = anchors[root] - U(1) if anchors[root] else first + U(root)


@kernel
def tally(labels, first, counts):  # type: ignore[no-untyped-def]
    """Adds to `counts`, (n,) uint32, how often the labels first, first + 1, ... stand among `labels`, (m,) uint64."""
    end = first + U(len(counts))
    for label in labels:
        if first <= label < end:
            counts[label - first] += np.uint32(1)
