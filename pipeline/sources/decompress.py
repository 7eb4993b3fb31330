"""Bytes of a file as they were before compression, block by block: plain, gzip, zstd, xz or bzip2.

    stream(raw, "a.jsonl.zst") -> b'{"text": ...', b'...', ...     blocks of about 1 MiB

What a file is, its first bytes say; its name only tells that an empty file should have held something. Several
gzip streams or zstd frames behind each other are read as one. A file that ends too early gives all bytes there are and
then raises `Damage("truncated")`; a broken one raises `Damage("unreadable")`. Memory stays bounded whatever the file
holds: 1 MiB a block, at most 32 MiB where a zstd file is made to explode (its blocks may grow 32,768-fold).
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import zstandard

from pipeline.errors import InputError

BLOCK = 1 << 20
RAW_BLOCK = 1 << 16  # of compressed bytes; each end of a frame copies what is left of it
ZSTD_PIECE = 1 << 10  # compressed bytes handed over at once, because zstandard cannot bound what it gives back
XZ_MEMORY = 1 << 28  # xz -9 needs 65 MB; a dictionary beyond this is refused
LONGEST_MAGIC = 10

MAGIC = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),  # the second begins a skippable frame
    "xz": re.compile(rb"\xfd7zXZ\x00"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)"),
}
SUFFIX = {".gz": "gzip", ".tgz": "gzip", ".zst": "zstd", ".tzst": "zstd", ".xz": "xz", ".txz": "xz", ".bz2": "bzip2"}


class Damage(Exception):  # noqa: N818 (not an error: the ledger gets it)
    """A file that cannot be read further. `reason` is a ledger's word; `offset`, where known, an uncompressed one."""

    def __init__(self, reason: str, detail: str, offset: int | None = None) -> None:
        super().__init__(reason, detail, offset)
        self.reason, self.detail, self.offset = reason, detail, offset


class Feed:
    """Reads a raw file in blocks and takes back what was not wanted."""

    def __init__(self, raw: IO[bytes]) -> None:
        self.raw, self.back, self.size = raw, b"", RAW_BLOCK

    def take(self) -> bytes:
        """The next bytes, at most a block; b"" at the end."""
        if self.back:
            data, self.back = self.back, b""
            return data
        try:
            return self.raw.read(self.size)
        except OSError as error:
            raise InputError(
                f"{name_of(self.raw)}: reading failed: {error}", "check the disk or the network"
            ) from error

    def peek(self, count: int) -> bytes:
        """The next bytes without taking them: at least `count`, fewer only where the file ends."""
        data = self.take()
        while len(data) < count and (more := self.take()):
            data += more
        self.back = data
        return data


def name_of(raw: IO[bytes]) -> str:
    return str(getattr(raw, "name", None) or getattr(raw, "path", "") or "a stream")


def compression(head: bytes) -> str | None:
    """gzip, zstd, xz, bzip2, or None for a plain file, by its first bytes."""
    return next((kind for kind, magic in MAGIC.items() if magic.match(head)), None)


def promised(name: str) -> str | None:
    """The compression that a file's name speaks of."""
    return next((kind for suffix, kind in SUFFIX.items() if name.lower().endswith(suffix)), None)


def stream(raw: IO[bytes], name: str) -> Iterator[bytes]:
    """Uncompressed blocks, each with at least one byte. Raises `Damage` after the last good one, `InputError` where
    the disk or network fails."""
    feed = Feed(raw)
    head = feed.peek(LONGEST_MAGIC)
    kind = compression(head)
    if kind is None and promised(name) and len(head) < LONGEST_MAGIC and not head.strip():
        raise Damage("truncated", f"{len(head)} bytes, too few for a {promised(name)} file", 0)
    if kind:
        yield from _gather(_frames(feed, kind))
    else:
        feed.size = BLOCK
        yield from iter(feed.take, b"")


def _gather(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Small pieces joined to blocks; all that came before a damage is handed on before it is raised."""
    held: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size >= BLOCK:
                yield b"".join(held)
                held, size = [], 0
    except Damage:
        if size:
            yield b"".join(held)
        raise
    if size:
        yield b"".join(held)


def _frames(feed: Feed, kind: str) -> Iterator[bytes]:
    """Frame after frame, of one kind; zeros behind the last are padding, as gzip and xz have it."""
    while True:
        yield from FRAME[kind](feed)
        while (rest := feed.peek(LONGEST_MAGIC)) and not rest.strip(b"\0"):
            feed.back = b""
        feed.back = rest.lstrip(b"\0")
        if not feed.back:
            return
        if compression(feed.peek(LONGEST_MAGIC)) != kind:
            raise _cut(kind) if len(feed.back) < 4 else Damage("unreadable", f"bytes that are no {kind} follow its end")


def _cut(kind: str) -> Damage:
    return Damage("truncated", f"the {kind} file ends before its end")


def _gzip_frame(feed: Feed) -> Iterator[bytes]:
    inflate = zlib.decompressobj(31)  # gzip with header and checksum
    while not inflate.eof:
        data = feed.take()
        if not data:
            yield _tried("gzip", inflate.flush)  # what zlib still held back; bounded by its window
            raise _cut("gzip")
        while data and not inflate.eof:
            yield _tried("gzip", inflate.decompress, data, BLOCK)
            data = inflate.unconsumed_tail
    feed.back = inflate.unused_data + feed.back


def _bounded_frame(kind: str, inflate: Any, feed: Feed) -> Iterator[bytes]:
    while not inflate.eof:
        data = feed.take() if inflate.needs_input else b""
        if inflate.needs_input and not data:
            raise _cut(kind)
        yield _tried(kind, inflate.decompress, data, BLOCK)
    feed.back = inflate.unused_data + feed.back


def _xz_frame(feed: Feed) -> Iterator[bytes]:
    return _bounded_frame("xz", lzma.LZMADecompressor(memlimit=XZ_MEMORY), feed)


def _bzip2_frame(feed: Feed) -> Iterator[bytes]:
    return _bounded_frame("bzip2", bz2.BZ2Decompressor(), feed)


def _zstd_frame(feed: Feed) -> Iterator[bytes]:
    inflate = zstandard.ZstdDecompressor().decompressobj(write_size=32768)
    while not inflate.eof:
        data = feed.take()
        if not data:
            raise _cut("zstd")
        start = 0
        while start < len(data) and not inflate.eof:
            yield _tried("zstd", inflate.decompress, data[start : start + ZSTD_PIECE])
            start += ZSTD_PIECE
        feed.back = inflate.unused_data + data[start:]


FRAME: dict[str, Callable[[Feed], Iterator[bytes]]] = {
    "gzip": _gzip_frame,
    "zstd": _zstd_frame,
    "xz": _xz_frame,
    "bzip2": _bzip2_frame,
}


def _tried(kind: str, inflate: Callable[..., bytes], *arguments: Any) -> bytes:
    try:
        return inflate(*arguments)
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError, EOFError) as error:  # OSError is bz2's word
        raise Damage("unreadable", f"broken {kind} data: {error}") from error
