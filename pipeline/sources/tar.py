"""Members of a tar archive as they come by in a stream; nothing is extracted, nothing is sought.

    members(Reader(blocks)) -> Member("src/a.py", 812, "file", offset=512), ...    and reader.take(...) gives its bytes

Knows what GNU and POSIX (pax) archives use: long names, sizes beyond 8 GB. An archive that stops before its end mark
raises `Damage("truncated")`, a header with a wrong checksum `Damage("unreadable")`; Python's `tarfile` takes a cut
between two members for the end, without a word. Headers beyond 1 MiB are refused, so that memory stays bounded.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.sources.decompress import Damage

BLOCK = 512
LONGEST_HEADER = 1 << 20
LONGEST_FOR_ALL = 4096  # characters that a header for all members may say of them: each of them is told so much
LONGEST_NUMBER = 20  # digits
LONG_NAME, LONG_LINK, PAX, PAX_ALL, SOLARIS_PAX = b"L", b"K", b"x", b"g", b"X"
SPARSE = "GNU.sparse"
TOLD = frozenset(("path", "size", SPARSE + ".name"))  # what is kept of pax headers, so that many cost no memory
KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.CONTTYPE: "file", tarfile.DIRTYPE: "folder"}
LINKS = (tarfile.LNKTYPE, tarfile.SYMTYPE)
WITHOUT_BYTES = (
    *LINKS,
    tarfile.DIRTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.FIFOTYPE,
)  # whatever size they state


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive."""

    path: str  # as the archive has it, never a path to write to
    size: int  # bytes it says it has
    kind: str  # file, folder, link, other (devices, pipes)
    offset: int  # where its bytes begin in the uncompressed archive


class Reader:
    """Reads exact numbers of bytes from a stream of blocks. `position` counts all bytes passed."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._held = memoryview(b"")
        self.position = 0

    def _next(self, count: int) -> memoryview:
        """At most `count` bytes; empty at the end."""
        if not self._held:
            self._held = memoryview(next(self._blocks, b""))
        piece, self._held = self._held[:count], self._held[count:]
        self.position += len(piece)
        return piece

    def take(self, count: int, may_end: bool = False) -> bytes:
        """The next `count` bytes. Raises `Damage` where there are fewer; with `may_end`, none at all is b""."""
        pieces: list[memoryview] = []
        wanted = count
        while wanted and (piece := self._next(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        if wanted and (pieces or not may_end):
            raise _cut(self.position)
        return b"".join(pieces)

    def skip(self, count: int) -> None:
        """Passes over `count` bytes without holding them."""
        while count:
            piece = self._next(count)
            if not piece:
                raise _cut(self.position)
            count -= len(piece)


def _cut(position: int) -> Damage:
    return Damage("truncated", f"the archive ends after {position} bytes, before its end mark", position)


def members(reader: Reader) -> Iterator[Member]:
    """All members in their order; what the caller has not read of one is passed over."""
    for_all: dict[str, str] = {}
    for_next: dict[str, str] = {}
    while header := reader.take(BLOCK, may_end=True):
        if not header.strip(b"\0"):
            return
        info = _parsed(header, reader.position - BLOCK)
        if info.type in (LONG_NAME, LONG_LINK, PAX, PAX_ALL, SOLARIS_PAX):
            found = _extension(info, _held(reader, info), reader.position)
            if info.type != PAX_ALL:
                for_next |= found
                continue
            for_all |= found
            if sum(map(len, for_all.values())) > LONGEST_FOR_ALL:
                raise Damage("unreadable", "a name too long to be that of all members", reader.position)
            continue
        more = info.type == tarfile.GNUTYPE_SPARSE and header[482]
        while more:  # maps of a sparse file's holes, in blocks of their own
            more = reader.take(BLOCK)[504]
        member = _member(info, for_all | for_next, reader.position)
        for_next = {}
        yield member
        reader.skip(member.offset + _padded(member.size) - reader.position)
    raise _cut(reader.position)


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _parsed(header: bytes, offset: int) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise Damage("unreadable", f"no tar header: {error}", offset) from error


def _held(reader: Reader, info: tarfile.TarInfo) -> bytes:
    if not 0 <= info.size <= LONGEST_HEADER:
        raise Damage("unreadable", f"a tar header of {info.size} bytes", reader.position)
    return reader.take(_padded(info.size))[: info.size]


def _extension(info: tarfile.TarInfo, data: bytes, offset: int) -> dict[str, str]:
    """What an extension header says of the members to come."""
    if info.type == LONG_NAME:
        return {"path": data.rstrip(b"\0").decode("utf-8", "surrogateescape")}
    if info.type == LONG_LINK:
        return {}
    found = {}
    at = 0
    while at < len(data):  # records: "<length of the record> <key>=<value>\n"
        digits = data[at : data.find(b" ", at, at + LONGEST_NUMBER + 1)]
        length = int(digits) if digits.isdigit() and len(digits) <= LONGEST_NUMBER else 0
        if not len(digits) + 1 < length <= len(data) - at:
            raise Damage("unreadable", "a broken pax header", offset)
        name, _, value = data[at + len(digits) + 1 : at + length - 1].partition(b"=")
        key = name.decode("utf-8", "surrogateescape")
        if key in TOLD:
            found[key] = value.decode("utf-8", "surrogateescape")
        elif key.startswith(SPARSE):
            found[SPARSE] = ""
        at += length
    return found


def _member(info: tarfile.TarInfo, said: dict[str, str], offset: int) -> Member:
    path = said.get(SPARSE + ".name") or said.get("path") or info.name
    digits = said.get("size", "")
    if len(digits) > LONGEST_NUMBER:
        raise Damage("unreadable", f"a size of {len(digits)} digits", offset)
    size = int(digits) if digits.isdecimal() else max(info.size, 0)
    kind = KINDS.get(info.type, "link" if info.type in LINKS else "other")
    if kind == "file" and any(key.startswith(SPARSE) for key in said):
        kind = "other"  # a sparse file's bytes are not what stands in the archive
    return Member(path, 0 if info.type in WITHOUT_BYTES else size, kind, offset)
