"""Rows looked up by document number, from one file a shard: the ids of all documents, the notes of a stage.

    NumberedRows(shards, files).take(docs) -> Table of len(docs) rows, in that order

A file with a column `doc` has rows for some documents of its shard, sorted; one without has a row for each. What is
held is bounded whatever is asked and however many shards there are: the rows themselves, a few open files, and the
document numbers of the files used last. Asking for the same documents twice reads them twice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.store.layers import DOC, Shard
from pipeline.store.rows import Layout, RowFile, layout_of

OPEN = 100  # files at once
NUMBERS = 8_000_000  # document numbers that are kept, 4 bytes each


class NumberedRows:
    """Looks rows up by document number. Raises InputError where a file is damaged."""

    def __init__(self, shards: Sequence[Shard], files: Sequence[Path], columns: Sequence[str] | None = None) -> None:
        self._bases = np.array([shard.base for shard in shards], np.uint64)
        self._shards, self._files, self._columns = list(shards), list(files), columns
        self._layouts: dict[int, Layout] = {}
        self._open: OrderedDict[int, RowFile] = OrderedDict()
        self._numbers: OrderedDict[int, np.ndarray] = OrderedDict()
        self._held = 0  # numbers in `_numbers`

    def take(self, docs: np.ndarray) -> pa.Table:
        """(m,) uint64 document numbers -> Table of m rows in that order. Every number must be there."""
        wanted, back = np.unique(docs, return_inverse=True)
        parts = [self._file(at).take(rows) for at, rows in self._by_file(wanted)]
        if not parts:
            return self._file(0).take(np.zeros(0, np.int64))
        table = pa.concat_tables(parts)
        return table if len(wanted) == len(docs) and (np.diff(back) > 0).all() else table.take(pa.array(back))

    def sizes(self, docs: np.ndarray) -> np.ndarray:
        """(m,) int64 bytes of the lists and strings of these documents, without reading them."""
        wanted, back = np.unique(docs, return_inverse=True)
        parts = [self._file(at).sizes(rows) for at, rows in self._by_file(wanted)]
        return np.concatenate([np.zeros(0, np.int64), *parts])[back]

    def _by_file(self, docs: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Which rows of which files, of sorted document numbers."""
        owner = np.searchsorted(self._bases, docs, side="right") - 1
        for run in np.split(np.arange(len(docs)), np.flatnonzero(np.diff(owner)) + 1):
            if len(run):
                at = int(owner[run[0]])
                yield at, self._rows(at, docs[run] - self._bases[at])

    def _rows(self, at: int, offsets: np.ndarray) -> np.ndarray:
        numbers = self._numbers_of(at)
        if numbers is None:  # every document of the shard is there
            return offsets.astype(np.int64)
        rows = np.searchsorted(numbers, offsets.astype(np.uint32))
        assert (rows < len(numbers)).all() and (numbers[rows] == offsets).all(), "unknown document"
        return rows

    def _numbers_of(self, at: int) -> np.ndarray | None:
        """(n,) uint32: the documents of a file, counted from the first of its shard; None where all are there."""
        layout = self._layout(at)
        if DOC not in layout.columns or layout.rows == self._shards[at].rows:
            return None
        if at not in self._numbers:
            self._numbers[at] = self._doc_column(at)
            self._held += len(self._numbers[at])
            while self._held > NUMBERS and len(self._numbers) > 1:
                self._held -= len(self._numbers.popitem(last=False)[1])
        self._numbers.move_to_end(at)
        return self._numbers[at]

    def _doc_column(self, at: int) -> np.ndarray:
        with RowFile(self._files[at], self._layout(at).only([DOC])) as file:
            numbers = file.slice(0, file.layout.rows).column(DOC).to_numpy()
        return (numbers - self._bases[at]).astype(np.uint32)

    def _layout(self, at: int) -> Layout:
        if at not in self._layouts:
            self._layouts[at] = layout_of(self._files[at], self._columns)
        return self._layouts[at]

    def _file(self, at: int) -> RowFile:
        if at not in self._open:
            self._open[at] = RowFile(self._files[at], self._layout(at))
            if len(self._open) > OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(at)
        return self._open[at]

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def __enter__(self) -> NumberedRows:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
