"""The keys of all shards, brought together a range at a time: never more rows than a bound, however they lie.

    KeyFiles(files).between(low, high, most) -> tables sorted by (key, doc), at most `most` rows each; their keys rise

files: one a shard, in the order of the documents, sorted by (key, doc); `bases` are added to their documents. All rows
of a key are in one table, but for a key that alone has more than `most`: its rows come in tables one after the other,
in the order of their documents. A file is open while its part of a table is read, no longer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.store.layers import DOC
from pipeline.store.rows import RowFiles

PARTS = 256  # of a range that has too many rows: 8 levels down to a single key
WHOLE = 2**64


class KeyFiles:
    """The key files of a corpus; where their buffers lie is learnt once."""

    def __init__(self, files: Sequence[Path], bases: Sequence[int] | None = None) -> None:
        self._count = len(files)
        self._bases = np.array([0] * len(files) if bases is None else bases, np.uint64)
        self._rows = RowFiles(files)

    def between(self, low: int, high: int, most: int) -> Iterator[pa.Table]:
        """Tables of the keys in [low, high), low < high <= 2^64, as the head of this file says."""
        rows = self._places([low, high])
        yield from self._between(low, high, rows[:, 0], rows[:, 1], most)

    def count(self, low: int, high: int) -> int:
        """How many rows have keys in [low, high)."""
        rows = self._places([low, high])
        return int((rows[:, 1] - rows[:, 0]).sum())

    def _between(self, low: int, high: int, begins: np.ndarray, ends: np.ndarray, most: int) -> Iterator[pa.Table]:
        total = int((ends - begins).sum())
        if total <= most:
            if total:
                yield self._read(range(self._count), begins, ends)
        elif high - low == 1:
            yield from self._one_key(begins, ends, most)
        else:
            bounds = sorted({low + (high - low) * part // PARTS for part in range(PARTS + 1)})
            rows = self._places(bounds)
            for first, last in _runs((rows[:, 1:] - rows[:, :-1]).sum(axis=0), most):
                yield from self._between(bounds[first], bounds[last], rows[:, first], rows[:, last], most)

    def _one_key(self, begins: np.ndarray, ends: np.ndarray, most: int) -> Iterator[pa.Table]:
        for first, last in _runs(ends - begins, most):
            while ends[first] - begins[first] > most:  # one shard alone has too many
                part = begins.copy()
                part[first] += most
                yield self._read([first], begins, part)
                begins = part
            yield self._read(range(first, last), begins, ends)

    def _read(self, which: Sequence[int], begins: np.ndarray, ends: np.ndarray) -> pa.Table:
        """Rows begins[i] to ends[i] of these files."""
        files = np.array(which, np.int64)
        counts = (ends - begins)[files]
        file = np.repeat(files, counts)
        rows = np.arange(len(file)) + np.repeat(begins[files] - np.cumsum(counts) + counts, counts)
        with self._rows:  # no file stays open: there may be other such readers
            table = self._rows.take(file, rows)
        if self._bases.any():
            docs = table.column(DOC).to_numpy() + self._bases[file]
            table = table.set_column(table.schema.get_field_index(DOC), DOC, pa.array(docs))
        order = np.argsort(table.column("key").to_numpy(), kind="stable")  # shards come in the order of documents
        return pa.table([pa.array(column.to_numpy()[order]) for column in table.columns], schema=table.schema)

    def _places(self, bounds: Sequence[int]) -> np.ndarray:
        """(files, bounds): the first row in each file whose key is not below each bound."""
        inner = np.array([bound for bound in bounds if bound < WHOLE], np.uint64)
        out = np.empty((self._count, len(bounds)), np.int64)
        for at in range(self._count):
            out[at, : len(inner)] = self._rows.search(at, "key", inner)
            out[at, len(inner) :] = self._rows.layout(at).rows
        return out


def _runs(counts: np.ndarray, most: int) -> Iterator[tuple[int, int]]:
    """Neighbouring parts put together as long as they have `most` rows at most: [first, last) of each run with rows.

    A part that alone has more is a run."""
    first, total = 0, 0
    for at, count in enumerate(counts.tolist()):
        if total + count > most and at > first:
            if total:
                yield first, at
            first, total = at, 0
        total += count
    if total:
        yield first, len(counts)
