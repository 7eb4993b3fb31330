"""A file as its compressed members, each with the byte at which it begins: how web archives are packed.

    for member in Members(raw, "a.warc.gz"):  Member(offset=0, blocks), Member(offset=412, blocks), ...
        for block in member.blocks: ...       raises `Damage` where the member is broken or cut

Each member of a .warc.gz (frame of a .warc.zst) is a record by itself, so that behind a broken one the next is looked
for: by the bytes a member begins with, and by what it then holds. A plain file is one member. A .warc.zst may begin
with a frame that holds the dictionary of all others. Memory: a block, whatever the file holds.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import zstandard

from pipeline.sources.decompress import BLOCK, FRAME, ZSTD_PIECE, Damage, Feed, compression, promised

PROBE = 512  # compressed bytes that tell whether a member begins here
FARTHEST_BACK = 4 << 20  # bytes before a damage among which the next member may begin
RECORD = (b"WARC/", b"filedesc:", b"http:", b"https:")  # how a record begins, WARC or ARC
BEGINS = {"gzip": re.compile(rb"\x1f\x8b\x08[\x00-\x1f]", re.S), "zstd": re.compile(rb"\x28\xb5\x2f\xfd")}
SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.S)
DICTIONARY = b"\x5d\x2a\x4d\x18"  # the skippable frame that .warc.zst keeps its dictionary in
LARGEST_DICTIONARY = 16 << 20
HEAD = 8  # bytes before what a skippable frame holds: magic and length


class Tape(Feed):
    """A raw file read in blocks, which knows where it stands."""

    def __init__(self, raw: IO[bytes]) -> None:
        super().__init__(raw)
        self._read = 0

    def take(self) -> bytes:
        held = bool(self.back)
        data = super().take()
        self._read += 0 if held else len(data)
        return data

    @property
    def offset(self) -> int:
        """Of the next byte."""
        return self._read - len(self.back)

    def seek(self, offset: int) -> None:
        self.raw.seek(offset)
        self._read, self.back = offset, b""

    @property
    def seekable(self) -> bool:
        """Whether `seek` works: a stream over HTTP says it can be sought, cannot be, and tells no size."""
        return self.raw.seekable() and getattr(self.raw, "size", 0) is not None

    def length(self) -> int:
        """Bytes of the whole file. Where the tape stands is lost: `seek` is to follow."""
        return self.raw.seek(0, os.SEEK_END)

    def exactly(self, count: int) -> bytes:
        """So many bytes, fewer only where the file ends."""
        data = self.peek(count)
        self.back = data[count:]
        return data[:count]


@dataclass(frozen=True, slots=True)
class Member:
    """One compressed member. Its blocks are to be read before the next member is asked for."""

    offset: int
    blocks: Iterator[bytes]
    tape: Tape | None = None  # of a plain file, where it can be sought: it may be read from any byte on


class Members:
    """All members of a file. A member that ends in `Damage` is followed by the next that is whole at its beginning."""

    def __init__(self, raw: IO[bytes], name: str) -> None:
        self._tape = Tape(raw)
        head = self._tape.peek(HEAD + 2)
        self.kind = compression(head) or (None if head.startswith(RECORD) else promised(name))
        self._zstd = zstandard.ZstdDecompressor()
        self._whole = True  # whether the last member ended as it should
        if self.kind not in (None, *BEGINS):
            raise Damage("unreadable", f"{name} is packed with {self.kind}: web archives are .gz or .zst", 0)

    def __iter__(self) -> Iterator[Member]:
        tape = self._tape
        if self.kind is None:
            tape.size = BLOCK
            yield Member(0, iter(tape.take, b""), tape if tape.seekable else None)
            return
        while (begin := self._next()) is not None:
            blocks = self._blocks()
            self._whole = False
            yield Member(begin, blocks)
            if not self._whole:
                stopped = tape.offset
                found = self._search(max(begin + 1, stopped - FARTHEST_BACK))
                if found is None:
                    return
                tape.seek(found)

    def _next(self) -> int | None:
        """Passes over zeros, which some tapes pad with; where the next member begins, None at the end of the file.

        Zeros before bytes that are no member are no padding but part of the damage: a first byte may be broken to 0.
        """
        assert self.kind is not None
        begin = self._tape.offset
        while head := self._tape.take():
            if kept := head.lstrip(b"\0"):
                self._tape.back = kept
                head = self._tape.peek(HEAD)
                member = BEGINS[self.kind].match(head) or (self.kind == "zstd" and SKIPPABLE.match(head))
                return self._tape.offset if member else begin
        return None

    def _blocks(self) -> Iterator[bytes]:
        head = self._tape.peek(PROBE)
        if self.kind == "zstd" and SKIPPABLE.match(head):
            self._skippable()
        elif self.kind == "zstd" and BEGINS["zstd"].match(head):
            yield from self._zstd_frame()
        elif self.kind == "gzip" and compression(head) == "gzip":
            yield from FRAME["gzip"](self._tape)
        else:
            raise Damage("unreadable" if len(head) > HEAD else "truncated", f"bytes that are no {self.kind}")
        self._whole = True

    def _zstd_frame(self) -> Iterator[bytes]:
        inflate = self._zstd.decompressobj()
        while not inflate.eof:
            data = self._tape.take()
            if not data:
                raise Damage("truncated", "the zstd file ends before its end")
            for start in range(0, len(data), ZSTD_PIECE):
                try:
                    yield inflate.decompress(data[start : start + ZSTD_PIECE])
                except zstandard.ZstdError as error:
                    raise Damage("unreadable", f"broken zstd data: {error}") from error
                if inflate.eof:
                    self._tape.back = inflate.unused_data + data[start + ZSTD_PIECE :] + self._tape.back
                    break

    def _skippable(self) -> None:
        """Passes over a frame that holds no data; keeps the dictionary if it is one."""
        head = self._tape.exactly(HEAD)
        size = int.from_bytes(head[4:], "little")
        if head[:4] != DICTIONARY or self._tape.offset != HEAD:
            self._tape.seek(self._behind(size))
            return
        if size > LARGEST_DICTIONARY:
            raise Damage("unreadable", f"a zstd dictionary of {size} bytes")
        self._behind(size)
        held = self._tape.exactly(size)
        try:
            if BEGINS["zstd"].match(held):
                held = zstandard.ZstdDecompressor().decompressobj().decompress(held)
            self._zstd = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(held))
        except zstandard.ZstdError as error:
            raise Damage("unreadable", f"a broken zstd dictionary: {error}") from error

    def _behind(self, size: int) -> int:
        """The byte behind the next `size`. Raises Damage where there are fewer; the tape stays where it is."""
        begin = self._tape.offset
        lacking = begin + size - self._tape.length()
        self._tape.seek(begin)
        if lacking > 0:
            raise Damage("truncated", f"the file ends {lacking} bytes before a frame without data does")
        return begin + size

    def _search(self, since: int) -> int | None:
        """Offset of the first member at or behind `since` that holds a record; None where there is none."""
        assert self.kind is not None
        self._tape.seek(since)
        held, base = b"", since
        while True:
            block = self._tape.take()
            held += block
            for match in BEGINS[self.kind].finditer(held):
                if block and match.start() > len(held) - PROBE:
                    break  # looked at again with more behind it
                if self._holds_record(held[match.start() : match.start() + PROBE]):
                    return base + match.start()
            if not block:
                return None
            keep = min(len(held), PROBE)
            held, base = held[-keep:], base + len(held) - keep

    def _holds_record(self, probe: bytes) -> bool:
        try:
            if self.kind == "gzip":
                return zlib.decompressobj(31).decompress(probe, 16).startswith(RECORD)
            return self._zstd.decompressobj().decompress(probe).startswith(RECORD)
        except (zlib.error, zstandard.ZstdError):
            return False
