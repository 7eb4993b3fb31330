"""Parquet files: one column is the text, the others become `meta`; the row is the number of the row in the file.

    parquet: {name: wiki, path: "wiki/{lang}/*.parquet", text_field: text}

Row groups are read batch by batch (about 8 MB), so memory is bounded by a batch and not by a row group. A file whose
end is missing is one `Bad("unreadable")`, for its directory stands there; a broken row group is one too, with the
number of rows lost as its value, and the next group is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from pipeline.sources.base import Bad, InputFile, Record
from pipeline.sources.files import FileSource, since
from pipeline.sources.listing import open_bytes
from pipeline.sources.tables import Columns, Unreadable, check, records, tried

BATCH_BYTES = 8_000_000
BATCH_ROWS = 4096


class Parquet(FileSource):
    """Parquet files: one document a row."""

    type: ClassVar[str] = "parquet"

    text_field: str = Field("text", min_length=1, description="column of the text; dots go into a struct: `body.text`")
    lang_field: str | None = Field(None, description="column of the language; by default `lang`, else `meta.lang`")

    def files(self) -> list[InputFile]:
        """All matching files. Raises ConfigError where one may not be read, or the first has no such text column."""
        files = super().files()
        try:
            with _opened(files[0].url) as file:
                check(file.schema_arrow, self._columns(files[0]), files[0].url)
        except Unreadable:
            pass  # told when it is read
        return files

    def _columns(self, file: InputFile) -> Columns:
        return Columns(self.text_field, self.lang_field, self.lang_of_file(file), self.kind, self.max_document)

    def read(self, file: InputFile, skip: int = 0) -> Iterator[Record | Bad]:
        """A Record or a Bad for each row, from row `skip` on; row groups before it are not opened. Raises ConfigError
        where there is no such text column."""
        return since(skip, self._read(file, skip))

    def _read(self, file: InputFile, skip: int) -> Iterator[Record | Bad]:
        columns = self._columns(file)
        row = 0
        try:
            with _opened(file.url) as parquet:
                check(parquet.schema_arrow, columns, file.url)
                for group in range(parquet.num_row_groups):
                    end = row + parquet.metadata.row_group(group).num_rows
                    if end > skip:
                        yield from _group(file.url, parquet, group, row, columns)
                    row = end
        except Unreadable as error:
            yield Bad(row, "unreadable", None, str(error), breaks_off=True)


def _group(url: str, parquet: pq.ParquetFile, group: int, row: int, columns: Columns) -> Iterator[Record | Bad]:
    about = parquet.metadata.row_group(group)
    size = max(1, min(BATCH_ROWS, BATCH_BYTES * about.num_rows // max(about.total_byte_size, 1)))
    end = row + about.num_rows
    try:
        for batch in _batches(url, parquet, group, size):
            yield from records(pa.Table.from_batches([batch]), row, columns)
            row += batch.num_rows
    except Unreadable as error:
        lost = end - row
        yield Bad(row, "unreadable", None, f"{lost} rows are lost: {error}", value=float(lost), records=lost)


@contextmanager
def _opened(url: str) -> Iterator[pq.ParquetFile]:
    """Raises Unreadable where it is no Parquet file, InputError where it is gone."""
    with open_bytes(url) as raw:
        # without pre_buffer and with a buffer a column is read page by page, not whole
        open_it = partial(pq.ParquetFile, raw, pre_buffer=False, buffer_size=1 << 20, page_checksum_verification=True)
        yield tried(url, open_it)


def _batches(url: str, parquet: pq.ParquetFile, group: int, size: int) -> Iterator[pa.RecordBatch]:
    batches = tried(url, partial(parquet.iter_batches, size, row_groups=[group], use_threads=False))
    while batch := tried(url, partial(next, batches, None)):
        yield batch
