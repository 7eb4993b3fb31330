"""Rows looked up by document number, from one file a shard: the ids of all documents, the notes of a stage.

    NumberedRows(shards, files).take(docs) -> Table of len(docs) rows, in that order

A file with a column `doc` has rows for some documents of its shard, sorted; one without has a row for each. What is
held is bounded whatever is asked and however many shards there are: the rows themselves, a few open files, and which
documents the files used last have rows for. Asking for the same documents twice reads them twice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.store.layers import DOC, Shard
from pipeline.store.rows import AGAIN, RowFile, RowFiles

HELD = 170_000_000  # documents of the shards whose sets are kept, 1.5 bits each
U = np.uint64


class NumberedRows:
    """Looks rows up by document number. Raises InputError where a file is damaged."""

    def __init__(self, shards: Sequence[Shard], files: Sequence[Path], columns: Sequence[str] | None = None) -> None:
        self._bases = np.array([shard.base for shard in shards], np.uint64)
        self._shards, self._files = list(shards), list(files)
        self._rows = RowFiles(files, columns)
        self._sets: OrderedDict[int, _Set] = OrderedDict()
        self._held = 0  # documents of the shards in `_sets`

    def take(self, docs: np.ndarray) -> pa.Table:
        """(m,) uint64 document numbers -> Table of m rows in that order. Every number must be there."""
        wanted, back = np.unique(docs, return_inverse=True)
        table = self._rows.take(*self._places(wanted))
        return table if len(wanted) == len(docs) and (np.diff(back) > 0).all() else table.take(pa.array(back))

    def sizes(self, docs: np.ndarray) -> np.ndarray:
        """(m,) int64 bytes of the lists and strings of these documents, without reading them."""
        wanted, back = np.unique(docs, return_inverse=True)
        return self._rows.sizes(*self._places(wanted))[back]

    def _places(self, docs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(m,) int64 each: which file has the row of each document, and which row it is; `docs` rise."""
        which = np.searchsorted(self._bases, docs, side="right") - 1
        offsets = (docs - self._bases[which]).astype(np.int64) if len(docs) else np.zeros(0, np.int64)
        begin = 0
        for end in (np.flatnonzero(np.diff(which, append=-1)) + 1).tolist():  # a file at a time
            if (some := self._set(int(which[begin]))) is not None:
                offsets[begin:end] = some.places(offsets[begin:end])
            begin = end
        return which, offsets

    def _set(self, at: int) -> _Set | None:
        """The documents that a file has rows for; None where it has a row for each of its shard."""
        layout, shard = self._rows.layout(at), self._shards[at]
        if DOC not in layout.columns or layout.rows == shard.rows:
            return None
        if at not in self._sets:
            self._sets[at] = _Set.of(self._files[at], shard)
            self._held += shard.rows
            while self._held > HELD and len(self._sets) > 1:
                self._held -= self._shards[self._sets.popitem(last=False)[0]].rows
        self._sets.move_to_end(at)
        return self._sets[at]

    def close(self) -> None:
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Set:
    """Some documents of a shard: `bits`, a bit for each document, and `before`, how many are set before each word."""

    def __init__(self, bits: np.ndarray) -> None:
        self.bits = bits
        self.before = np.append(0, np.cumsum(np.bitwise_count(bits), dtype=np.uint32)[:-1])

    @classmethod
    def of(cls, file: Path, shard: Shard) -> _Set:
        with RowFile(file, [DOC]) as rows:
            docs = rows.slice(0, rows.rows).column(DOC).to_numpy()
        first, last = U(shard.base), U(shard.base + shard.rows - 1)
        if len(docs) and not (first <= docs[0] and docs[-1] <= last and (docs[1:] > docs[:-1]).all()):
            raise InputError(f"{file}: its documents are not those of its shard, in their order", hint=AGAIN)
        there = np.zeros(-(-shard.rows // 64) * 64, np.uint8)
        there[docs - U(shard.base)] = 1
        return cls(np.packbits(there, bitorder="little").view("<u8"))

    def places(self, offsets: np.ndarray) -> np.ndarray:
        """(m,) documents, counted from the first of the shard -> (m,) how many of the set come before each."""
        words, bit = self.bits[offsets >> 6], U(1) << (offsets & 63).astype(np.uint64)
        assert (words & bit).all(), "unknown document"
        return self.before[offsets >> 6] + np.bitwise_count(words & (bit - U(1)))
