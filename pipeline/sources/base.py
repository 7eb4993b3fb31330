"""What a source is: a frozen config object that lists files and reads records from each.

    source.files()          -> [InputFile(path='news/a.jsonl.gz', ...)]   sorted by path
    source.read(file, skip) -> Record | Bad, one after another, in the order of the file

A record becomes a document; a `Bad` becomes a line of the ledger, with file and offset. Together they are everything
that stood in the file: nothing is skipped in silence. A source never cuts shards, gives ids or writes files: the
step does. `read` must hold no more than one document (and a read buffer) in memory, whatever the file holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.codes import checked
from pipeline.units import Size

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # a source's name is a part of ids and of folder names


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file (or archive, or hub shard) of a source."""

    path: str  # path in the source: relative, '/' between parts, the part of the id before '#'
    url: str  # where to open it: a local path or any fsspec URL
    size: int  # bytes, for grouping and progress; 0 where unknown


class Record(NamedTuple):  # a frozen dataclass takes four times as long to make
    """One document as it stands in a file. `text` is valid Unicode without lone surrogates, or valid UTF-8 bytes."""

    row: int  # counts what stands in the file, readable or not, from 0
    text: str | bytes
    kind: str  # text or code
    lang: str | None  # as declared
    meta: str | None  # JSON
    path: str | None = None  # where one input file holds many (an archive, a tree): replaces InputFile.path in the id


@dataclass(frozen=True, slots=True)
class Bad:
    """Something that cannot be read, or may not be: a line of the ledger."""

    row: int
    reason: str  # invalid_json, missing_text, invalid_utf8, truncated, too_large, unsafe_path, unreadable, licence, ...
    offset: int | None  # byte offset in the (uncompressed) file where it begins
    detail: str  # for a human, at most some hundred characters: the error's words, an excerpt
    path: str | None = None
    value: float | None = None  # the number measured (size), where a limit was broken
    limit: float | None = None
    counts: bool = True  # whether it counts towards `max_bad`; a licence that is not allowed is no damage
    records: int = 1  # how many are lost by it, where that is known (a broken row group)
    breaks_off: bool = False  # nothing behind it can be read: the file counts as damaged


class Unwell(Exception):  # noqa: N818 (not an error: the ledger gets it)
    """Something in a document that cannot be read; `reason` is a ledger's word. A source makes a `Bad` of it."""

    def __init__(self, reason: str, detail: str, value: float | None = None, limit: float | None = None) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail, self.value, self.limit = reason, detail, value, limit


class Source(BaseModel):
    """Common to all sources."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ClassVar[str]  # its name in the config: jsonl, warc, code, ...
    version: ClassVar[int] = 3  # 3: what counts towards max_bad stands in the manifest
    packages: ClassVar[tuple[str, ...]] = ("orjson",)  # whose version goes into the recipe: it spells `meta`

    memory: ClassVar[int] = 0  # bytes that reading one document takes beside the document (a parser's tree)

    name: str = Field(pattern=NAME, description="begins the ids of its documents")
    priority: int = Field(0, description="of two duplicates the one whose source has the smaller priority stays")
    lang: str | None = Field(None, description="language of all its documents (BCP-47), whatever the files say")
    max_document: Size = Field(64_000_000, description="bytes; a larger one goes to the ledger: memory stays bounded")

    @field_validator("lang")
    @classmethod
    def _known_language(cls, code: str | None) -> str | None:
        return None if code is None else checked(code)

    @property
    def place(self) -> frozenset[str]:
        """Fields that say where its files lie, or whose twin stays: no byte of its own step depends on them."""
        return frozenset({"path", "priority"})

    def files(self) -> list[InputFile]:
        """All input files, sorted by path. Raises ConfigError when there are none or one cannot be had."""
        raise NotImplementedError

    def identity(self, digests: Any) -> Any:
        """JSON for the recipe: what the input's bytes are. `digests(InputFile) -> str` gives a file's sha256 (cached
        between runs); a pinned revision needs none."""
        return [[file.path, digests(file)] for file in self.files()]

    def read(self, file: InputFile, skip: int = 0) -> Iterator[Record | Bad]:
        """Everything that stands in `file` from row `skip` on (rows before it may be passed over unparsed)."""
        raise NotImplementedError
