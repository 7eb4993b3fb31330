"""Spans as sets: joined, taken away from each other, and drawn in to whole characters.

In and out: (m, 3) int64 arrays of (row, begin, end), sorted by row and begin; what comes out is disjoint, never empty.
Nothing is read but the bytes at the ends of spans.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel


def sorted_spans(rows: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(m, 3) int64 from (m,) each, in order."""
    order = np.lexsort((begins, rows))
    return np.stack([rows[order], begins[order], ends[order]], axis=1).astype(np.int64, copy=False)


def union(spans: np.ndarray) -> np.ndarray:
    """What any of the spans covers; spans that overlap or touch become one."""
    return _union(spans)


def less(spans: np.ndarray, spared: np.ndarray) -> np.ndarray:
    """What `spans` cover and `spared` do not; both are disjoint."""
    return _less(spans, spared)


def whole_characters(texts: pa.Array | pa.ChunkedArray, spans: np.ndarray) -> np.ndarray:
    """The characters of UTF-8 that lie within each span with all their bytes; ends are bytes of the row's text."""
    offsets, data = buffers(texts)
    return _whole_characters(data, offsets, spans)


@kernel
def _union(spans):  # type: ignore[no-untyped-def]
    out = np.empty_like(spans)
    count = 0
    for i in range(len(spans)):
        if count and spans[i, 0] == out[count - 1, 0] and spans[i, 1] <= out[count - 1, 2]:
            out[count - 1, 2] = max(out[count - 1, 2], spans[i, 2])
        else:
            out[count] = spans[i]
            count += 1
    return out[:count].copy()


@kernel
def _less(spans, spared):  # type: ignore[no-untyped-def]
    out = np.empty((len(spans) + len(spared), 3), np.int64)
    count, j = 0, 0
    for i in range(len(spans)):
        row, begin, end = spans[i, 0], spans[i, 1], spans[i, 2]
        while j < len(spared) and (spared[j, 0] < row or (spared[j, 0] == row and spared[j, 2] <= begin)):
            j += 1
        while begin < end and j < len(spared) and spared[j, 0] == row and spared[j, 1] < end:
            if spared[j, 1] > begin:
                out[count, 0], out[count, 1], out[count, 2] = row, begin, spared[j, 1]
                count += 1
            begin = spared[j, 2]
            if begin < end:
                j += 1
        if begin < end:
            out[count, 0], out[count, 1], out[count, 2] = row, begin, end
            count += 1
    return out[:count].copy()


@kernel
def _whole_characters(data, offsets, spans):  # type: ignore[no-untyped-def]
    out = np.empty_like(spans)
    count = 0
    for i in range(len(spans)):
        first, stop = offsets[spans[i, 0]], offsets[spans[i, 0] + 1]
        begin, end = first + spans[i, 1], first + spans[i, 2]
        while begin < end and data[begin] & 0xC0 == 0x80:
            begin += 1
        while begin < end < stop and data[end] & 0xC0 == 0x80:
            end -= 1
        if begin < end:
            out[count, 0], out[count, 1], out[count, 2] = spans[i, 0], begin - first, end - first
            count += 1
    return out[:count].copy()
