"""Entries of a tar or zip archive, one after another, for reading only: nothing is ever written to disk.

    for entry in entries("src.tar.gz"):    Entry(path="src/a.py", size=812, kind="file", offset=512)
        entry.read(4096)                   its first 4096 bytes, uncompressed; only until the next entry is asked for

A tar is read as a stream and so yields all that stands before a damage. A zip has its directory at the end, so of one
that was cut nothing can be trusted: `Damage("truncated")` at once.
"""

from __future__ import annotations

import lzma
import posixpath
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import IO

from pipeline.sources.decompress import Damage, stream
from pipeline.sources.listing import open_bytes
from pipeline.sources.tar import Reader, members

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
# what zipfile raises: RuntimeError for what is encrypted, ValueError for a name that is no UTF-8 though it says so, and
# OverflowError for an offset of 64 bits
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    OverflowError,
)


class EntryDamage(Damage):
    """One entry cannot be read; those behind it can."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of an archive."""

    path: str
    size: int
    kind: str  # file, folder, link, other
    offset: int
    read: Callable[[int], bytes]  # at most so many of its first bytes; call once


def entries(url: str) -> Iterator[Entry]:
    """All members in the order of the archive. Raises `Damage` where it breaks off."""
    with open_bytes(url) as raw:
        if raw.read(4) in ZIP_MAGIC:
            yield from _zip_entries(raw)
            return
    with open_bytes(url) as raw:
        reader = Reader(stream(raw, url))
        for member in members(reader):
            yield Entry(member.path, member.size, member.kind, member.offset, partial(_taken, reader, member.size))


def _taken(reader: Reader, size: int, count: int) -> bytes:
    return reader.take(min(size, count))


def _zip_entries(raw: IO[bytes]) -> Iterator[Entry]:
    try:
        archive = zipfile.ZipFile(raw)  # type: ignore[arg-type]
    except BROKEN as error:
        reason = "truncated" if isinstance(error, zipfile.BadZipFile | OSError) else "unreadable"
        raise Damage(reason, f"the directory at its end is missing or broken: {error}"[:160], 0) from error
    with archive:
        for info in archive.infolist():
            read = partial(_unzipped, archive, info)
            yield Entry(info.orig_filename, info.file_size, _zip_kind(info), info.header_offset, read)


def _zip_kind(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if info.filename.endswith("/"):  # `is_dir` asks for the last character of a name that may have none
        return "folder"
    if stat.S_ISLNK(mode):
        return "link"
    return "other" if stat.S_IFMT(mode) and not stat.S_ISREG(mode) else "file"


def _unzipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, count: int) -> bytes:
    try:
        with archive.open(info) as file:
            return file.read(count)
    except BROKEN as error:
        raise EntryDamage("unreadable", f"{type(error).__name__}: {error}"[:120], info.header_offset) from error


def unsafe(path: str) -> bool:
    """Whether a name leads out of the archive: absolute, with `..`, with a drive, with NUL."""
    parts = path.replace("\\", "/").split("/")
    return parts[0] == "" or ".." in parts or "\0" in path or re.match("[A-Za-z]:", path) is not None


def tidy(path: str) -> str:
    """A safe name without `./` and `//`."""
    return posixpath.normpath(path)


def spelled(path: str) -> str:
    r"""A name for the ledger, even if it is no valid Unicode: broken bytes as \udcXX."""
    return path.encode("utf-8", "backslashreplace").decode()
