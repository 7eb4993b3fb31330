"""Some rows of Arrow files, by their place in them: read by position, never the whole file.

    with RowFile(path) as file:
        file.slice(begin, end)  -> Table of end - begin rows
        file.take(rows)         -> Table of these rows; `rows` (m,) rise, none stands twice
    with RowFiles(paths) as files:
        files.take(which, rows) -> Table of m rows, of the file `which` (m,) each; in a file they rise

Rows of a thousand files cost little more than of one: what is to be read is worked out for all together, and each run
of neighbours is one call of the system. Files are those of `write_table`: one record batch, so each buffer of a column
lies in one piece. Where it lies is learnt once (`layout_of`) and kept as a few numbers. Columns without nulls only: of
fixed width, of strings, of lists of numbers, of booleans; others are refused. Raises InputError where a file is shorter
than it was when it was written.
"""

from __future__ import annotations

import mmap
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.store.nearby import nearby

GAP = 2048  # bytes that are read along, rather than asking the system once more
OPEN = 200  # files at once
ALONG = 1 << 24  # bytes of rows that nobody asked for, read along with others, that are held at once
PIECE = 1 << 28  # bytes asked for at once: the system gives no more than 2 GiB
OFFSETS, VALUES, BYTES = 0, 1, 2  # what is known of a column
AGAIN = "run again: what was damaged is found by its digest and made again"


@dataclass(frozen=True, slots=True)
class Column:
    """Where the buffers of a column begin in its file: of offsets (of values, where all are as wide), of values."""

    offsets: int
    values: int
    bytes: int  # of values


@dataclass(frozen=True, slots=True)
class Layout:
    """What has to be known of a file to read rows of it."""

    rows: int
    schema: pa.Schema  # of the columns that are read
    columns: dict[str, Column]


def layout_of(path: Path, columns: Sequence[str] | None = None) -> Layout:
    """Of these columns, or of all. Raises InputError where the file is damaged or gone."""
    try:
        here = nearby(path)
        state = here.stat()
        # a copy of a store's file is named by its version, and its time is when it was used last
        made = (state.st_mtime_ns, state.st_ino) if here is path else ()
        return _layout(str(here), (state.st_size, *made), columns and tuple(columns))
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:  # a damaged head may say anything
        raise InputError(f"cannot read {path}: {error}", hint=AGAIN) from error


@lru_cache(maxsize=10_000)  # a worker asks for the same files in one task after the other
def _layout(path: str, state: tuple[int, ...], columns: tuple[str, ...] | None) -> Layout:
    """`state` is not looked at: a file that was made again is another one."""
    with pa.memory_map(path) as source:  # for as long as this takes; its head alone is touched
        begin = source.read_buffer(1).address
        source.seek(0)
        table = pa.ipc.open_stream(source).read_all()
        table = table if columns is None else table.select(list(columns))
        places = {name: _column(table.column(name), begin) for name in table.column_names}
        return Layout(table.num_rows, table.schema.remove_metadata(), places)


def _column(column: pa.ChunkedArray, begin: int) -> Column:
    if not len(column):
        return Column(0, 0, 0)
    if column.num_chunks != 1 or column.null_count:
        raise ValueError(f"a column of {column.type} is in pieces or has nulls")
    if not _is_known(column.type) or (_is_list(column.type) and column.chunk(0).values.null_count):
        raise ValueError(f"rows of {column.type} cannot be read by their place, or hold nulls")
    places = [buffer.address - begin if buffer is not None else 0 for buffer in column.chunk(0).buffers()]
    # validity, values; or validity, offsets, values; or validity, offsets, and validity and values of the items
    return Column(places[1], places[-1], column.chunk(0).buffers()[-1].size)


class RowFiles:
    """Files with the same columns. Holds OPEN handles at most, and where the buffers of the files asked for lie."""

    def __init__(self, files: Sequence[Path], columns: Sequence[str] | None = None) -> None:
        self._files, self._columns = list(files), columns
        self._layouts: dict[int, Layout] = {}
        self._places: dict[str, np.ndarray] = {}  # (files, 3) int64: columns, as far as known
        self._open: OrderedDict[int, int] = OrderedDict()  # handles, those used last at the end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        while self._open:
            os.close(self._open.popitem()[1])

    def layout(self, at: int) -> Layout:
        """Of one file."""
        if at not in self._layouts:
            layout = self._layouts[at] = layout_of(self._files[at], self._columns)
            for name, column in layout.columns.items():
                places = self._places.setdefault(name, np.zeros((len(self._files), 3), np.int64))
                places[at] = column.offsets, column.values, column.bytes
        return self._layouts[at]

    def search(self, at: int, name: str, bounds: np.ndarray) -> np.ndarray:
        """(k,) the first row of one file whose value in a column that rises is not below each of `bounds`, (k,)."""
        layout = self.layout(at)
        if not layout.rows:
            return np.zeros(len(bounds), np.int64)
        try:
            with nearby(self._files[at]).open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # some twenty pages are touched
            kind, begin = layout.schema.field(name).type.to_pandas_dtype(), layout.columns[name].values
            return np.searchsorted(np.frombuffer(mapped, kind, layout.rows, begin), bounds)
        except (OSError, ValueError) as error:
            raise self._damaged(at, str(error)) from error

    def take(self, which: np.ndarray, rows: np.ndarray) -> pa.Table:
        """(m,) int64 files and rows of them -> Table of m rows."""
        schema = self._learn(which, rows)
        if not len(rows):
            return schema.empty_table()
        return pa.table([self._array(field, which, rows) for field in schema], schema=schema)

    def sizes(self, which: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(m,) int64 bytes of the lists and strings in these rows."""
        out = np.zeros(len(rows), np.int64)
        for field in self._learn(which, rows) if len(rows) else ():
            if _is_wide(field.type):
                starts, stops = self._ends(field, which, rows)
                out += (stops - starts) * _item_width(field.type)
        return out

    def _learn(self, which: np.ndarray, rows: np.ndarray) -> pa.Schema:
        """Where the buffers of these files lie; their columns."""
        changes = np.flatnonzero(np.diff(which, append=-1))  # the last row of each file
        layouts = [self.layout(at) for at in which[changes].tolist()] or [self.layout(0)]
        ends = zip(layouts, which[changes].tolist(), rows[changes].tolist(), strict=False)
        for layout, at, last in ends:  # none, where no row is asked for
            if last >= layout.rows or layout.schema != layouts[0].schema:
                told = ", ".join(f"{field.name} {field.type}" for field in layout.schema)
                raise self._damaged(at, f"it has {layout.rows} rows of {told}; row {last} was asked for")
        return layouts[0].schema

    def _array(self, field: pa.Field, which: np.ndarray, rows: np.ndarray) -> pa.Array:
        if pa.types.is_boolean(field.type):  # eight rows a byte
            new = (np.diff(which, prepend=-1) != 0) | (np.diff(rows >> 3, prepend=-1) != 0)
            data = self._fixed(field.name, VALUES, 1, which[new], rows[new] >> 3)
            return pa.array((data[np.cumsum(new) - 1] >> (rows & 7) & 1).astype(bool))
        if not _is_wide(field.type):
            data = self._fixed(field.name, VALUES, field.type.byte_width, which, rows)
            return pa.Array.from_buffers(field.type, len(rows), [None, pa.py_buffer(data)])
        starts, stops = self._ends(field, which, rows)
        width = _item_width(field.type)
        places = self._places[field.name][which, VALUES] + starts * width
        data = pa.py_buffer(self._bytes(which, places, (stops - starts) * width))
        ends = np.append(0, np.cumsum(stops - starts)).astype(_offset_type(field.type))
        buffers = [None, pa.py_buffer(ends)]
        if not _is_list(field.type):
            return pa.Array.from_buffers(field.type, len(rows), [*buffers, data])
        items = pa.Array.from_buffers(field.type.value_type, int(ends[-1]), [None, data])
        return pa.Array.from_buffers(field.type, len(rows), buffers, children=[items])

    def _ends(self, field: pa.Field, which: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the values of each row begin and end."""
        wide = np.dtype(_offset_type(field.type))
        found = (self._fixed(field.name, OFFSETS, wide.itemsize, which, some) for some in (rows, rows + 1))
        starts, stops = (np.frombuffer(data, wide).astype(np.int64) for data in found)
        most = self._places[field.name][which, BYTES] // _item_width(field.type)
        if wrong := np.flatnonzero((starts < 0) | (stops < starts) | (stops > most)).tolist():
            raise self._damaged(int(which[wrong[0]]), f"{field.name} of row {rows[wrong[0]]} lies nowhere")
        return starts, stops

    def _damaged(self, at: int, what: str) -> InputError:
        return InputError(f"cannot read {self._files[at]}: {what}", hint=AGAIN)

    def _fixed(self, name: str, buffer: int, width: int, which: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(m * width,) uint8: rows of one width. Those that are near are read in one piece, and what is between."""
        cuts = np.flatnonzero((np.diff(rows) > 1 + GAP // width) | (np.diff(which) != 0)) + 1
        heads, tails = np.append(0, cuts), np.append(cuts - 1, len(rows) - 1)
        begins, ends = rows[heads], rows[tails] + 1
        if ((ends - begins).sum() - len(rows)) * width > ALONG:  # every 17th signature would be 17 times what is asked
            half = len(rows) // 2
            parts = ((which[:half], rows[:half]), (which[half:], rows[half:]))
            return np.concatenate([self._fixed(name, buffer, width, *part) for part in parts])
        places = self._places[name][which[heads], buffer] + begins * width
        data = self._bytes(which[heads], places, (ends - begins) * width)
        if len(data) == len(rows) * width:  # nothing was between
            return data
        before = np.append(0, np.cumsum(ends - begins)[:-1]) - begins  # rows of the runs before, less where it begins
        return data.reshape(-1, width)[rows + np.repeat(before, tails + 1 - heads)].reshape(-1)

    def _bytes(self, which: np.ndarray, places: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(lengths.sum(),) uint8: runs of bytes, one behind the other."""
        out = np.empty(int(lengths.sum()), np.uint8)
        cuts = (places[1:] != places[:-1] + lengths[:-1]) | (which[1:] != which[:-1])  # none between runs that touch
        firsts = np.append(0, np.flatnonzero(cuts) + 1)
        runs = zip(
            which[firsts].tolist(), places[firsts].tolist(), np.add.reduceat(lengths, firsts).tolist(), strict=True
        )
        view, to = memoryview(out.data), 0
        for at, begin, length in runs:
            try:
                if length and os.preadv(self._handle(at), [view[to : to + length]], begin) != length:
                    self._patiently(at, view[to : to + length], begin)
            except OSError as error:
                raise self._damaged(at, f"{length} bytes at {begin}: {error.strerror}") from error
            to += length
        return out

    def _patiently(self, at: int, view: memoryview, begin: int) -> None:
        got = 0
        while got < len(view):
            more = os.preadv(self._handle(at), [view[got : got + PIECE]], begin + got)
            if not more:
                raise InputError(f"{self._files[at]} was cut short: nothing at byte {begin + got}", hint=AGAIN)
            got += more

    def _handle(self, at: int) -> int:
        handle = self._open.get(at)
        if handle is None:
            try:
                handle = self._open[at] = os.open(nearby(self._files[at]), os.O_RDONLY)
            except OSError as error:
                raise self._damaged(at, str(error.strerror)) from error
            if len(self._open) > OPEN:
                os.close(self._open.popitem(last=False)[1])
        self._open.move_to_end(at)
        return handle


class RowFile:
    """One such file."""

    def __init__(self, path: Path, columns: Sequence[str] | None = None) -> None:
        self._file = RowFiles([path], columns)
        self.rows = self._file.layout(0).rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def slice(self, begin: int, end: int) -> pa.Table:
        return self.take(np.arange(begin, end))

    def take(self, rows: np.ndarray) -> pa.Table:
        """(m,) int64 rising row numbers -> Table of m rows."""
        return self._file.take(np.zeros(len(rows), np.int64), rows)

    def search(self, name: str, bounds: np.ndarray) -> np.ndarray:
        """(k,) as `RowFiles.search`."""
        return self._file.search(0, name, bounds)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_known(kind: pa.DataType) -> bool:
    """Whether the buffers of a column say where a row of it lies: of one width, text, lists of numbers."""
    if _is_list(kind):
        return pa.types.is_primitive(kind.value_type) and not pa.types.is_boolean(kind.value_type)
    texts = (pa.string(), pa.large_string(), pa.binary(), pa.large_binary())
    return pa.types.is_primitive(kind) or pa.types.is_fixed_size_binary(kind) or kind in texts


def _is_wide(kind: pa.DataType) -> bool:
    """Whether its values have offsets."""
    return not pa.types.is_primitive(kind) and not pa.types.is_fixed_size_binary(kind)


def _offset_type(kind: pa.DataType) -> type[np.int32] | type[np.int64]:
    narrow = pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_list(kind)
    return np.int32 if narrow else np.int64


def _item_width(kind: pa.DataType) -> int:
    return int(kind.value_type.byte_width) if _is_list(kind) else 1
