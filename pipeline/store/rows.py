"""Some rows of an Arrow file, by their place in it: read by position, never mapped, never the whole file.

    with RowFile(path, layout_of(path)) as file:
        file.slice(begin, end)  -> Table of end - begin rows
        file.take(rows)         -> Table of these rows; `rows` (m,) rise, none stands twice

Files are those of `write_table`: one record batch, so each buffer of a column lies in one piece. Where it lies is
learnt once (`layout_of`) and kept as a few numbers. Columns without nulls only: of fixed width, of strings, of lists of
numbers, of booleans. Raises InputError where a file is shorter than it was when it was written.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.store.nearby import nearby

GAP = 2048  # bytes that are read along, rather than asking the system once more
PIECE = 1 << 28  # bytes asked for at once: the system gives no more than 2 GiB
AGAIN = "run again: what was damaged is found by its digest and made again"


@dataclass(frozen=True, slots=True)
class Column:
    """Where the buffers of a column begin in its file: of offsets (None where all values are as wide), of values."""

    type: pa.DataType
    offsets: int | None
    values: int


@dataclass(frozen=True, slots=True)
class Layout:
    """What has to be known of a file to read rows of it."""

    rows: int
    schema: pa.Schema  # of the columns that are read
    columns: dict[str, Column]

    def only(self, names: Sequence[str]) -> Layout:
        """For reading these columns alone."""
        schema = pa.schema([self.schema.field(name) for name in names])
        return Layout(self.rows, schema, {name: self.columns[name] for name in names})


def layout_of(path: Path, columns: Sequence[str] | None = None) -> Layout:
    """Of these columns, or of all. Raises InputError where the file is damaged or gone."""
    try:
        with pa.memory_map(str(nearby(path))) as source:  # for as long as this takes; its head alone is touched
            begin = source.read_buffer(1).address
            source.seek(0)
            table = pa.ipc.open_stream(source).read_all()
            table = table if columns is None else table.select(list(columns))
            places = {name: _column(table.column(name), begin) for name in table.column_names}
            return Layout(table.num_rows, table.schema.remove_metadata(), places)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"cannot read {path}: {error}", hint=AGAIN) from error


def _column(column: pa.ChunkedArray, begin: int) -> Column:
    if not len(column):
        return Column(column.type, None, 0)
    assert column.num_chunks == 1 and not column.null_count, column.type
    places = [buffer.address - begin if buffer is not None else 0 for buffer in column.chunk(0).buffers()]
    # validity, values; or validity, offsets, values; or validity, offsets, and validity and values of the items
    return Column(column.type, None if len(places) == 2 else places[1], places[-1])


class RowFile:
    """An open file; it holds one handle, and closing it twice does no harm."""

    def __init__(self, path: Path, layout: Layout | None = None) -> None:
        self.path, self.layout = path, layout or layout_of(path)
        try:
            self._handle = os.open(nearby(path), os.O_RDONLY)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}", hint=AGAIN) from error

    def __enter__(self) -> RowFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1

    def slice(self, begin: int, end: int) -> pa.Table:
        return self.take(np.arange(begin, end))

    def take(self, rows: np.ndarray) -> pa.Table:
        """(m,) int64 rising row numbers -> Table of m rows."""
        assert not len(rows) or rows[-1] < self.layout.rows, (self.path, rows[-1:])
        if not len(rows):
            return self.layout.schema.empty_table()
        return pa.table(
            [self._array(column, rows) for column in self.layout.columns.values()], schema=self.layout.schema
        )

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """(m,) int64 bytes of the lists and strings in these rows."""
        out = np.zeros(len(rows), np.int64)
        for column in self.layout.columns.values():
            if column.offsets is not None and len(rows):
                starts, stops = self._ends(column, rows)
                out += (stops - starts) * _item_width(column.type)
        return out

    def _array(self, column: Column, rows: np.ndarray) -> pa.Array:
        if pa.types.is_boolean(column.type):  # eight rows a byte
            places, which = np.unique(rows >> 3, return_inverse=True)
            return pa.array((self._fixed(column.values, 1, places)[which] >> (rows & 7) & 1).astype(bool))
        if column.offsets is None:
            data = self._fixed(column.values, column.type.byte_width, rows)
            return pa.Array.from_buffers(column.type, len(rows), [None, pa.py_buffer(data)])
        starts, stops = self._ends(column, rows)
        width = _item_width(column.type)
        data = pa.py_buffer(self._bytes(column.values + starts * width, (stops - starts) * width))
        ends = np.append(0, np.cumsum(stops - starts)).astype(_offset_type(column.type))
        buffers = [None, pa.py_buffer(ends)]
        if not pa.types.is_large_list(column.type):
            return pa.Array.from_buffers(column.type, len(rows), [*buffers, data])
        items = pa.Array.from_buffers(column.type.value_type, int(ends[-1]), [None, data])
        return pa.Array.from_buffers(column.type, len(rows), buffers, children=[items])

    def _ends(self, column: Column, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the values of each row begin and end."""
        assert column.offsets is not None, column.type
        wide = np.dtype(_offset_type(column.type))
        found = (self._fixed(column.offsets, wide.itemsize, some) for some in (rows, rows + 1))
        starts, stops = (np.frombuffer(data, wide).astype(np.int64) for data in found)
        return starts, stops

    def _fixed(self, place: int, width: int, rows: np.ndarray) -> np.ndarray:
        """(m * width,) uint8: rows of one width. Those that are near are read in one piece, and what is between."""
        cuts = np.flatnonzero(np.diff(rows) > 1 + GAP // width) + 1
        begins, ends = rows[np.append(0, cuts)], rows[np.append(cuts - 1, len(rows) - 1)] + 1
        data = self._bytes(place + begins * width, (ends - begins) * width)
        if len(data) == len(rows) * width:  # nothing was between
            return data
        before = np.append(0, np.cumsum(ends - begins)[:-1]) - begins  # rows of the runs before, less where it begins
        which = np.repeat(before, np.diff(np.append(np.append(0, cuts), len(rows))))
        return data.reshape(-1, width)[rows + which].reshape(-1)

    def _bytes(self, places: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(lengths.sum(),) uint8: runs of bytes, one behind the other."""
        out = np.empty(int(lengths.sum()), np.uint8)
        cuts = np.flatnonzero(places[1:] != places[:-1] + lengths[:-1]) + 1  # none between runs that touch
        firsts = np.append(0, cuts)
        sums = np.add.reduceat(lengths, firsts)
        view, at = memoryview(out.data), 0
        for begin, length in zip(places[firsts].tolist(), sums.tolist(), strict=True):
            if length and os.preadv(self._handle, [view[at : at + length]], begin) != length:
                self._patiently(view[at : at + length], begin)
            at += length
        return out

    def _patiently(self, view: memoryview, begin: int) -> None:
        got = 0
        while got < len(view):
            more = os.preadv(self._handle, [view[got : got + PIECE]], begin + got)
            if not more:
                raise InputError(f"{self.path} was cut short: nothing at byte {begin + got}", hint=AGAIN)
            got += more


def _offset_type(kind: pa.DataType) -> type[np.int32] | type[np.int64]:
    return np.int32 if pa.types.is_string(kind) or pa.types.is_binary(kind) else np.int64


def _item_width(kind: pa.DataType) -> int:
    return int(kind.value_type.byte_width) if pa.types.is_large_list(kind) else 1
