r"""Plain text files in UTF-8: a document is a whole file, a paragraph, or a line.

    split: file       "One.\n\nTwo.\n" -> "One.\n\nTwo.\n"       row 0
    split: paragraph                   -> "One.", "Two."         rows 0, 1: paragraphs are what blank lines part
    split: line                        -> "One.", "Two."         rows 0, 2: lines, blank ones counted and passed over

A document that is not UTF-8 or larger than `max_document` is told, and the next one is read. Never holds two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from pipeline.sources.base import Bad, InputFile, Record
from pipeline.sources.decompress import Damage
from pipeline.sources.files import FileSource, since
from pipeline.sources.lines import excerpt, lines, without_bom

Piece = tuple[int, int, bytes | int]  # row, offset, and the text or, where it is too long, its length


class Text(FileSource):
    """Plain text files (plain, .gz, .zst, .xz, .bz2): one document a file, a paragraph or a line."""

    type: ClassVar[str] = "text"

    split: Literal["file", "paragraph", "line"] = Field("file", description="what one document is")

    def read(self, file: InputFile, skip: int = 0) -> Iterator[Record | Bad]:
        """A Record or a Bad for each document, from row `skip` on."""
        return since(skip, self._read(file))

    def _read(self, file: InputFile) -> Iterator[Record | Bad]:
        pieces = {"file": whole, "paragraph": _paragraphs, "line": _lines}[self.split]
        lang = self.lang_of_file(file)
        row = -1
        try:
            for row, offset, piece in pieces(self.blocks(file), self.max_document):
                if isinstance(piece, int):
                    yield self.too_large(row, offset, piece)
                else:
                    yield self._document(row, offset, piece, lang)
        except Damage as damage:
            yield Bad(row + 1, damage.reason, damage.offset, damage.detail, breaks_off=True)

    def _document(self, row: int, offset: int, data: bytes, lang: str | None) -> Record | Bad:
        data = without_bom(data) if offset == 0 else data
        if problem := utf8_problem(row, offset, data):
            return problem
        return Record(row, data, self.kind, lang, None)


def utf8_problem(row: int, offset: int, data: bytes) -> Bad | None:
    """A `Bad` that says where, if `data` is no UTF-8."""
    if data.isascii():
        return None
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return Bad(row, "invalid_utf8", offset + error.start, f"{error.reason}: {excerpt(data[error.start :])}")
    return None


def _lines(blocks: Iterator[bytes], limit: int) -> Iterator[Piece]:
    for row, (offset, line) in enumerate(lines(blocks, limit)):
        if isinstance(line, int) or line.strip():
            yield row, offset, line if isinstance(line, int) else line.removesuffix(b"\r")


def _paragraphs(blocks: Iterator[bytes], limit: int) -> Iterator[Piece]:
    row = begins = size = 0  # size: bytes of the paragraph so far, line ends counted
    held: list[bytes] = []
    try:
        for offset, line in lines(blocks, limit):
            if isinstance(line, int) or line.strip():
                begins = begins if size else offset
                size += (line if isinstance(line, int) else len(line)) + 1
                if isinstance(line, bytes) and size - 1 <= limit:
                    held.append(line)
            elif size:
                yield row, begins, _joined(held, size - 1, limit)
                row, size, held = row + 1, 0, []
    except Damage as damage:
        raise Damage(damage.reason, damage.detail, begins if size else damage.offset) from damage
    if size:
        yield row, begins, _joined(held, size - 1, limit)


def _joined(held: list[bytes], size: int, limit: int) -> bytes | int:
    return b"\n".join(held).removesuffix(b"\r") if size <= limit else size


def whole(blocks: Iterator[bytes], limit: int) -> Iterator[Piece]:
    """One piece: all there is."""
    size = 0
    held: list[bytes] = []
    try:
        for block in blocks:
            size += len(block)
            if size <= limit:
                held.append(block)
    except Damage as damage:
        raise Damage(damage.reason, damage.detail, 0) from damage
    yield 0, 0, b"".join(held) if size <= limit else size
