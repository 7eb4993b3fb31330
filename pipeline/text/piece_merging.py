"""Several sorted lists of pieces and their counts made one: a piece that stands in more of them has the sum.

    merge(first, edges, data, counts) -> edges, data, counts         list l: the pieces first[l] up to first[l + 1]

Takes time linear in the bytes, but for the log of the number of lists: the heads of all lists stand in a heap. Needs no
list whole, so ranges of lists can be merged one by one. Never changes what it is given.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.compiling import kernel, piece


def merge(
    first: np.ndarray, edges: np.ndarray, data: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`first` (lists + 1,) int64; piece p of all is `data[edges[p]:edges[p + 1]]`, sorted within its list, and occurs
    `counts[p]` times. Returns the same of all different pieces, sorted."""
    out_edges, out, out_counts = np.zeros(len(counts) + 1, np.int64), np.empty_like(data), np.empty_like(counts)
    n = _merge(first, edges, data, counts, out_edges, out, out_counts)
    return out_edges[: n + 1].copy(), out[: out_edges[n]].copy(), out_counts[:n].copy()


@piece
def _compared(edges, data, a, b):  # type: ignore[no-untyped-def]
    """-1 where piece a stands before piece b, 1 where after it, 0 where they are the same."""
    shorter = min(edges[a + 1] - edges[a], edges[b + 1] - edges[b])
    for i in range(shorter):
        if data[edges[a] + i] != data[edges[b] + i]:
            return -1 if data[edges[a] + i] < data[edges[b] + i] else 1
    return np.sign((edges[a + 1] - edges[a]) - (edges[b + 1] - edges[b]))


@piece
def _settle(heap, size, at, edges, data):  # type: ignore[no-untyped-def]
    """Moves the piece at `at` of a heap down to where it belongs."""
    item = heap[at]
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _compared(edges, data, heap[child + 1], heap[child]) < 0:
            child += 1
        if _compared(edges, data, heap[child], item) >= 0:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item


@kernel
def _merge(first, edges, data, counts, out_edges, out, out_counts):  # type: ignore[no-untyped-def]
    """Writes the pieces of all parts, which are sorted, in one order; returns how many are different."""
    last = np.zeros(len(counts), np.bool_)  # of its part
    heap = np.empty(len(first) - 1, np.int64)
    size = 0
    for part in range(len(first) - 1):
        if first[part] < first[part + 1]:
            last[first[part + 1] - 1] = True
            heap[size] = first[part]
            size += 1
    for at in range(size - 1, -1, -1):
        _settle(heap, size, at, edges, data)
    n, to, written = 0, 0, -1
    while size > 0:
        p = heap[0]
        if written >= 0 and _compared(edges, data, written, p) == 0:
            out_counts[n - 1] += counts[p]
        else:
            for i in range(edges[p], edges[p + 1]):
                out[to] = data[i]
                to += 1
            out_counts[n] = counts[p]
            n += 1
            out_edges[n] = to
            written = p
        if last[p]:
            size -= 1
            heap[0] = heap[size]
        else:
            heap[0] = p + 1
        _settle(heap, size, 0, edges, data)
    return n
