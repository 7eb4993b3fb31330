"""What sources of single files share: a path, a language, and one reader over a decompressed stream.

    FileSource(name="crawl", path="data/{lang}/*.jsonl.zst")     .files() -> sorted InputFiles

A subclass reads one file. Where the language comes from: `lang` of the source, else `{lang}` in the path, else what the
document says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipeline.sources.base import Bad, InputFile, Record, Source
from pipeline.sources.decompress import stream
from pipeline.sources.lines import Line, lines
from pipeline.sources.listing import expand, lang_in, open_bytes

Paths = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]


class FileSource(Source):
    """Common to sources whose input files are files."""

    path: Paths = Field(
        min_length=1,
        description="path, pattern (`*`, `**`, `{lang}`) or a list of them; any fsspec URL (s3://, hf://), or "
        "local: then from the current folder on, not from the config's",
    )
    kind: Literal["text", "code"] = Field("text", description="what the documents are")

    def files(self) -> list[InputFile]:
        """All matching files, sorted by path. Raises ConfigError where there are none or one may not be read."""
        return expand(self.path)

    def identity(self, digests: Any) -> Any:
        """Path and digest of each file, and the language its path declares; where it lies makes no difference."""
        return [[file.path, digests(file), lang_in(file.url, self.path)] for file in self.files()]

    def lang_of_file(self, file: InputFile) -> str | None:
        """The language that the config or the file's path declares."""
        return self.lang or lang_in(file.url, self.path)

    def blocks(self, file: InputFile) -> Iterator[bytes]:
        """Its bytes, uncompressed."""
        with open_bytes(file.url) as raw:
            yield from stream(raw, file.url)

    def lines(self, file: InputFile) -> Iterator[Line]:
        """Its uncompressed lines, none longer than `max_document`."""
        return lines(self.blocks(file), self.max_document)

    def too_large(self, row: int, offset: int | None, size: int) -> Bad:
        detail = f"{size} bytes in one document"
        return Bad(row, "too_large", offset, detail, value=float(size), limit=float(self.max_document))


def since(skip: int, found: Iterator[Record | Bad]) -> Iterator[Record | Bad]:
    """What stands at row `skip` or after it."""
    return (one for one in found if one.row >= skip)
