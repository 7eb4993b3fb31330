"""The lines of a sample, each distinct one once: which there are, and texts without those that stand elsewhere.

    line_keys(texts)            -> keys (m,) uint64 rising, rows (m,): each distinct line, and the first text it is in
    once(texts, keys, spared)   -> texts: of the lines with these keys the first stays where `spared`, else none

What a line is, when two are the same and how sure its 64-bit hash is, `lines.py` says; every line counts that is not
blank. A blank line goes with the line above it: else the blanks about what was taken out would run together to white
space that no document has. Texts are hashed some at a time, so memory goes with their distinct lines.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.text.buffers import buffers
from pipeline.text.characters import flags
from pipeline.text.compiling import kernel
from pipeline.text.lines import line_starts, listed, observed, without
from pipeline.text.parts import feed, trimmed

BATCH = 1_000_000  # bytes hashed at once, each at up to 60 bytes of memory


def line_keys(texts: pa.Array | pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Of n texts: (m,) uint64 hashes of the distinct lines, rising, and (m,) int64 the first text that holds each."""
    offsets, data = buffers(texts)
    edges, owners = _edges(offsets, data)
    keys, rows = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for begin, end in _batches(edges):
        part = _texts(edges[begin : end + 1], data)
        hashes, first, _, _ = observed(part, np.zeros(end - begin, np.uint64), 1)
        keys.append(hashes)
        rows.append(owners[begin + first])
    every, first = np.unique(np.concatenate(keys), return_index=True)  # the first of equals: rows rise by batch
    return every, np.concatenate(rows)[first]


def once(texts: pa.Array | pa.ChunkedArray, keys: np.ndarray, spared: np.ndarray) -> tuple[pa.Array, int]:
    """n texts without lines that stand elsewhere, and how many were taken out, blank ones not counted."""
    keys = keys.view()
    keys.flags.writeable = False  # mapped ones are, and the kernel would be compiled for both
    marked = listed(texts, np.zeros(len(texts), np.uint64), 1, keys, spared)
    count = int(marked.sum())
    offsets, data = buffers(texts)
    _blanks_follow(data, offsets, line_starts(texts), flags(), marked)
    new, _ = without(texts, marked)
    old = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    return _chosen(new, old.cast(pa.large_string())), count


def _chosen(new: pa.Array, old: pa.Array) -> pa.Array:
    return old if new.null_count == len(new) else new if not new.null_count else pc.coalesce(new, old)


def _edges(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where texts begin, and parts of long texts, cut behind line feeds; and which text each part is of."""
    long = np.flatnonzero(np.diff(offsets) > BATCH)
    cuts = [np.array(_cuts(data, offsets[row], offsets[row + 1]), np.int64) for row in long]
    edges = np.sort(np.concatenate([offsets, *cuts]), kind="stable")
    return edges, np.searchsorted(offsets, edges[:-1], side="right") - 1


def _cuts(data: np.ndarray, begin: int, end: int) -> list[int]:
    out = []
    for at in range(begin, end - BATCH, BATCH):
        feeds = np.flatnonzero(data[at : at + BATCH] == 10)
        if len(feeds):  # else one line goes on through all of this
            out.append(at + int(feeds[-1]) + 1)
    return out


def _batches(edges: np.ndarray) -> list[tuple[int, int]]:
    """Runs of parts of about BATCH bytes, at least one part each."""
    cuts = np.flatnonzero(np.diff(edges // BATCH))
    return [(a, b) for a, b in zip([0, *cuts.tolist()], [*cuts.tolist(), len(edges) - 1], strict=True) if b > a]


def _texts(edges: np.ndarray, data: np.ndarray) -> pa.Array:
    return pa.LargeStringArray.from_buffers(
        len(edges) - 1, pa.py_buffer(np.ascontiguousarray(edges)), pa.py_buffer(data)
    )


@kernel
def _blanks_follow(data, offsets, starts, kinds, marked):  # type: ignore[no-untyped-def]
    """Marks blank lines below a marked line, and takes no mark away."""
    for d in range(len(offsets) - 1):
        first, end = offsets[d], offsets[d + 1]
        for line in range(starts[d] + 1, starts[d + 1]):
            first = feed(data, first, end) + 1
            if marked[line - 1] and not marked[line]:
                begin, stop = trimmed(data, first, feed(data, first, end), kinds)
                marked[line] = begin == stop
