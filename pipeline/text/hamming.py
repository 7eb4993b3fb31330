"""Which documents of the same buckets have fingerprints that differ in a few bits only.

In: rows (key, fingerprint, document, short), sorted by key, fingerprint and document; a key is a bucket. Out: edges
(a, b, distance) that join what is alike: those of a spanning forest of each bucket, so never more than its rows.

alike    at most `distance` bits differ; at most `sure` where not both documents are short

Equal fingerprints are one for all comparisons, so a million copies of a page are one; those that differ are compared
pair by pair. A bucket with more than `most` different ones is parted into smaller buckets by `finer` masks, of which no
two that are alike disagree on all. In one of these that is still as large, each is compared with the `most` that follow
it and with the first: time stays linear in the rows.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import mix, step
from pipeline.text.unionfind import root_of

U = np.uint64
NONE = U(0xFFFFFFFFFFFFFFFF)
MOST = 4096  # different fingerprints of a bucket that are compared with one
LED = 2048  # fingerprints of a bucket that are shown to the rows that come later

Edges = tuple[np.ndarray, np.ndarray, np.ndarray]  # documents a and b, and how many bits differ


def _bits_set(typing, x):  # type: ignore[no-untyped-def]
    """How many bits of a uint64 are set."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), emit


bits_set: Any = intrinsic(_bits_set)


def pairs(
    keys: np.ndarray,
    fingerprints: np.ndarray,
    docs: np.ndarray,
    short: np.ndarray,
    distance: int,
    sure: int,
    finer: np.ndarray | None = None,
    most: int = MOST,
) -> Edges:
    """(a, b, distance): a < b, uint64 documents, each (m,), sorted, no pair twice.

    `keys`, `fingerprints` and `docs` are (n,) uint64, `short` (n,) bool, rows in any order; `finer` (k,) uint64 masks.
    """
    rows = _sorted(keys, fingerprints, docs, short)
    *found, crowded = _pairs(rows, U(distance), U(sure), most, finer is not None)
    edges = _once([found])
    if finer is not None and crowded.any():
        keys, fingerprints, docs, short = (column[crowded] for column in rows)
        for mask in finer:
            rows = _sorted(refined(keys, fingerprints & mask), fingerprints, docs, short)
            *found, _ = _pairs(rows, U(distance), U(sure), most, False)
            edges = _once([edges, found])
    return edges


def _sorted(keys: np.ndarray, fingerprints: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, ...]:
    order = np.lexsort((others[0], fingerprints, keys))
    return tuple(column[order] for column in (keys, fingerprints, *others))


def _once(found: list[Any]) -> Edges:
    a, b, apart = (np.concatenate(columns) for columns in zip(*found, strict=True))
    a, b = np.minimum(a, b), np.maximum(a, b)
    order = np.lexsort((b, a))
    a, b, apart = a[order], b[order], apart[order]
    new = np.append(True, (np.diff(a) != 0) | (np.diff(b) != 0))[: len(a)]
    return a[new], b[new], apart[new]


def leaders(keys: np.ndarray, fingerprints: np.ndarray, docs: np.ndarray, short: np.ndarray) -> np.ndarray:
    """Rows with which to compare more rows of the greatest key: of its fingerprints that most documents have, the first
    document and the first short one; LED fingerprints at most."""
    rows = np.flatnonzero(keys == keys.max(initial=0))
    rows = rows[np.lexsort((docs[rows], fingerprints[rows]))]
    values, begins, counts = np.unique(fingerprints[rows], return_index=True, return_counts=True)
    chosen = np.lexsort((values, -counts))[:LED]
    shorts = rows[short[rows]]
    _, firsts = np.unique(fingerprints[shorts], return_index=True)
    lead = np.isin(fingerprints[shorts[firsts]], values[chosen])
    found = np.union1d(rows[begins[chosen]], shorts[firsts[lead]])
    return found[np.argsort(docs[found], kind="stable")]


@kernel
def refined(keys, parts):  # type: ignore[no-untyped-def]
    """(n,) uint64 keys of smaller buckets, each within one of the old."""
    out = np.empty_like(keys)
    for i in range(len(keys)):
        out[i] = mix(step(keys[i], parts[i]))
    return out


@kernel
def _pairs(rows, distance, sure, most, leave):  # type: ignore[no-untyped-def]
    """Edges, and the rows of large buckets, which are left for later if `leave`."""
    keys, fingerprints, docs, short = rows
    n = len(keys)
    room = (np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.uint8))
    groups = (np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, np.int64))
    begin, m, crowded = 0, 0, np.zeros(n, np.bool_)
    while begin < n:
        end = begin + 1
        while end < n and keys[end] == keys[begin]:
            end += 1
        if end - begin > 1:
            count, m = _groups(fingerprints, docs, short, begin, end, groups, room, m)
            if leave and count > most:
                crowded[begin:end] = True
            else:
                m = _compare(groups, count, distance, sure, most, room, m)
        begin = end
    return room[0][:m], room[1][:m], room[2][:m], crowded


@piece
def _groups(fingerprints, docs, short, begin, end, groups, room, m):  # type: ignore[no-untyped-def]
    """The different fingerprints of a bucket, each with its first document and its first short one, and edges from the
    first to the others: how many fingerprints, how many edges by now."""
    values, firsts, shorts, parents = groups
    count = 0
    for row in range(begin, end):
        if row == begin or fingerprints[row] != fingerprints[row - 1]:
            values[count], firsts[count], shorts[count], parents[count] = fingerprints[row], docs[row], NONE, count
            count += 1
        elif docs[row] != docs[row - 1]:
            m = _edge(room, m, firsts[count - 1], docs[row], U(0))
        if short[row] and shorts[count - 1] == NONE:
            shorts[count - 1] = docs[row]
    return count, m


@piece
def _edge(room, m, a, b, apart):  # type: ignore[no-untyped-def]
    room[0][m], room[1][m], room[2][m] = a, b, apart
    return m + 1


@piece
def _compare(groups, count, distance, sure, most, room, m):  # type: ignore[no-untyped-def]
    """Edges between different fingerprints that join what was apart."""
    values, _, _, _ = groups
    for i in range(count):
        for j in range(i + 1, min(count, i + 1 + most)):
            apart = bits_set(values[i] ^ values[j])
            if apart <= distance:
                m = _join(groups, i, j, apart, sure, room, m)
        if i > most:
            apart = bits_set(values[0] ^ values[i])
            if apart <= distance:
                m = _join(groups, 0, i, apart, sure, room, m)
    return m


@piece
def _join(groups, i, j, apart, sure, room, m):  # type: ignore[no-untyped-def]
    _, firsts, shorts, parents = groups
    ends = firsts if apart <= sure else shorts
    if ends[i] == NONE or ends[j] == NONE:
        return m
    x, y = root_of(parents, i), root_of(parents, j)
    if x == y:
        return m
    parents[max(x, y)] = min(x, y)
    return _edge(room, m, ends[i], ends[j], apart)
