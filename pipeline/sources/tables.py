"""Rows of Arrow tables as records: one column is the text, the others become `meta`.

    records(table (n rows), first=0, columns=Columns(text="text")) -> n times Record | Bad

A text that is null is `missing_text`; a string that is no UTF-8 (Parquet files hold such) is `invalid_utf8`, in a
column of `meta` as well. Dates and times become strings as Arrow spells them, bytes and decimals too; a row of which a
column cannot be spelled so (a time zone that nobody knows, a year beyond 9999 in a struct) is `unreadable`. Opens
nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ConfigError, InputError
from pipeline.sources.base import Bad, Record, Unwell
from pipeline.sources.jsonl import LANG_FIELDS, dump, language_among, take
from pipeline.sources.text import utf8_problem

Row = dict[str, Any]
# what Arrow and Python raise for values that they cannot turn into Python's: broken UTF-8, years, time zones, fields of
# one name in a struct, lists in lists without end
UNSPELLABLE = (pa.ArrowException, ValueError, OverflowError, KeyError, RecursionError)


class Unreadable(Exception):  # noqa: N818 (not an error: the ledger gets it)
    """Arrow cannot make sense of the bytes; the disk gave them."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns mean what; a dotted name goes into a struct."""

    text: str
    lang_field: str | None = None
    lang: str | None = None  # declared for all
    kind: str = "text"
    max_document: int = 64_000_000  # bytes

    def path(self, schema: pa.Schema) -> tuple[str, ...]:
        """Of the text: a column named with dots, or fields of a struct."""
        return (self.text,) if self.text in schema.names else tuple(self.text.split("."))


def check(schema: pa.Schema, columns: Columns, where: str) -> None:
    """Raises ConfigError where there is no text column, telling those that exist, or where two have one name."""
    twice = next((name for name, count in Counter(schema.names).items() if count > 1), None)
    if twice is not None:
        raise ConfigError(f"{where}: two columns are called {twice!r}", "rename one of them, or leave it out")
    first, *rest = columns.path(schema)
    names = ", ".join(f"{field.name} ({field.type})" for field in schema)
    if first not in schema.names:
        raise ConfigError(f"{where}: no column {columns.text!r}", f"set `text_field` to one of: {names or 'none'}")
    kind = schema.field(first).type
    for name in rest:
        if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            raise ConfigError(f"{where}: no {columns.text!r} in {kind}", "set `text_field` to a field of that struct")
        kind = kind.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not _is_text(kind):
        raise ConfigError(f"{where}: {columns.text!r} is {kind}, not text", f"set `text_field` to one of: {names}")


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return any(
        is_one(kind)
        for is_one in (
            types.is_string,
            types.is_large_string,
            types.is_string_view,
            types.is_binary,
            types.is_large_binary,
            types.is_binary_view,
        )
    )


def records(table: pa.Table, first: int, columns: Columns) -> Iterator[Record | Bad]:
    """One a row, numbered from `first`. `check` has passed."""
    path = columns.path(table.schema)
    texts, valid = _texts(table, path)
    others = table.drop_columns([path[0]]) if len(path) == 1 else table
    for number, (text, other) in enumerate(zip(texts, _rows(others), strict=True), first):
        if text is None:
            yield Bad(number, "missing_text", None, f"{columns.text!r} is null")
        elif len(text) > columns.max_document:
            yield _too_large(number, len(text), columns.max_document)
        elif not valid and (problem := utf8_problem(number, 0, text)):
            yield Bad(number, "invalid_utf8", None, f"{columns.text!r}, byte {problem.offset}: {problem.detail}")
        elif isinstance(other, Unwell):
            yield Bad(number, other.reason, None, other.detail)
        else:
            yield _record(number, text, other, path, columns)


def _too_large(number: int, size: int, limit: int) -> Bad:
    return Bad(number, "too_large", None, f"{size} bytes in one document", value=float(size), limit=float(limit))


def _record(number: int, text: bytes, other: Row, path: tuple[str, ...], columns: Columns) -> Record | Bad:
    paths = (tuple(columns.lang_field.split(".")),) if columns.lang_field else LANG_FIELDS
    lang = columns.lang or language_among(other, paths)
    if len(path) > 1:
        take(other, path)
    try:
        return Record(number, text, columns.kind, lang, dump(other) if other else None)
    except ValueError as error:
        return Bad(number, "unreadable", None, str(error))


def _texts(table: pa.Table, path: tuple[str, ...]) -> tuple[list[bytes | None], bool]:
    """The bytes of each text, and whether all are valid UTF-8."""
    column = reduce(pc.struct_field, path[1:], table.column(path[0]))
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    raw = column.cast(pa.large_binary())
    try:
        raw.cast(pa.large_string())
    except pa.ArrowInvalid:
        return raw.to_pylist(), False
    return raw.to_pylist(), True


def _plain(table: pa.Table) -> pa.Table:
    """Times as strings, since Python's have no nanoseconds."""
    for i, field in enumerate(table.schema):
        if pa.types.is_duration(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.int64()))
        elif pa.types.is_temporal(field.type) and not pa.types.is_interval(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.string()))
    return table


def _rows(table: pa.Table) -> list[Row | Unwell]:
    """A dict for each row, or what is wrong with one of its columns."""
    if not table.num_columns:
        return [{}] * table.num_rows
    try:
        return _plain(table).to_pylist()
    except UNSPELLABLE:
        return [_row(table.slice(i, 1)) for i in range(table.num_rows)]


def _row(table: pa.Table) -> Row | Unwell:
    row: Row = {}
    for name in table.column_names:
        try:
            row |= _plain(table.select([name])).to_pylist()[0]
        except UnicodeDecodeError as error:
            return Unwell("invalid_utf8", f"column {name!r}, byte {error.start}: {error.reason}")
        except UNSPELLABLE as error:
            return Unwell("unreadable", f"column {name!r}: {' '.join(str(error).split())}"[:160])
    return row


def tried(where: str, read: Callable[[], Any]) -> Any:
    """What `read` gives. Raises Unreadable where Arrow finds the bytes broken, InputError where the disk fails."""
    try:
        return read()
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:  # the disk or the network, not the bytes
            raise InputError(f"{where}: reading failed: {error}", "check the disk or the network") from error
        raise Unreadable(" ".join(str(error).split())[:160]) from error
