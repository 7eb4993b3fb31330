r"""Records of a web archive (WARC 0.17 to 1.1, ARC 1), one after another, whatever its compression.

    for one in records(raw, "a.warc.gz", limit=8_000_000):
        WarcRecord(offset=412, type="response", headers={"warc-target-uri": ...}, size=9134, block=b"HTTP/1.1 200...")
        Broken(offset=9712, reason="bad_length", detail="...")        the record there cannot be trusted

Together they are all that stands in the file. `offset` is a byte of the file as it lies (of a compressed one the
beginning of the member), as indexes of archives count. Of a block beyond `limit` only the beginning is held. Behind a
broken record the next is looked for; after BROKEN_AT_MOST the file is given up, so that none costs more than linear
time. A record is handed on only when its end was seen, the member's checksum included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import IO

from pipeline.sources.decompress import Damage
from pipeline.sources.headers import Headers, arc_headers, folded
from pipeline.sources.lines import excerpt
from pipeline.sources.members import Member, Members

HEADERS_AT_MOST = 1 << 16  # bytes of a record's headers
BROKEN_AT_MOST = 1000  # records of one file
WARC = re.compile(rb"WARC/\d+\.\d+\r?\n")
NEXT = re.compile(rb"\r?\n\r?\n(?=WARC/\d+\.\d+\r?\n)")


@dataclass(frozen=True, slots=True)
class WarcRecord:
    """One record."""

    offset: int
    type: str  # response, resource, request, conversion, ...
    headers: Headers
    size: int  # bytes of the block
    block: bytes  # all of it, or the first HEADERS_AT_MOST bytes of one that is too large

    @property
    def whole(self) -> bool:
        return len(self.block) == self.size


@dataclass(frozen=True, slots=True)
class Broken:
    """Where a record should stand that cannot be read."""

    offset: int
    reason: str  # truncated, unreadable, bad_record, bad_length
    detail: str
    value: float | None = None  # bytes there are
    limit: float | None = None  # bytes there should be
    last: bool = False  # nothing behind it is read


class Inside:
    """The bytes inside a member, read by line and by count."""

    def __init__(self, member: Member) -> None:
        self._blocks, self._tape = member.blocks, member.tape
        self._held, self._at = b"", 0
        self.position = 0  # bytes passed

    def _fill(self, count: int) -> bool:
        """Holds `count` bytes, or all up to the end; whether it got any."""
        pieces = [self._held[self._at :]]
        size = before = len(pieces[0])
        # a piece of compressed data may give nothing yet
        while size < count and (block := next(filter(None, self._blocks), b"")):
            pieces.append(block)
            size += len(block)
        self._held, self._at = b"".join(pieces), 0
        return size > before

    def peek(self, count: int) -> bytes:
        """The next bytes, left where they are; fewer only at the end."""
        if len(self._held) - self._at < count:
            self._fill(count)
        return self._held[self._at : self._at + count]

    def take(self, count: int) -> bytes:
        data = self.peek(count)
        self._pass(len(data))
        return data

    def _pass(self, count: int) -> None:
        self._at += count
        self.position += count

    def skip(self, count: int) -> int:
        """Passes over so many bytes without holding them; how many there were."""
        if self._tape and count > len(self._held) - self._at:
            begin = self.position
            self.go(min(begin + count, self._tape.length()))
            return self.position - begin
        left = count
        while left and (len(self._held) > self._at or self._fill(1)):
            step = min(left, len(self._held) - self._at)
            self._pass(step)
            left -= step
        return count - left

    @property
    def seekable(self) -> bool:
        return self._tape is not None

    def go(self, position: int) -> None:
        """Goes to any byte of a file that is `seekable`."""
        assert self._tape is not None
        self._tape.seek(position)
        self._blocks = iter(self._tape.take, b"")  # anew: the one before may have come to its end
        self._held, self._at, self.position = b"", 0, position

    def line(self) -> bytes:
        """Up to the next line feed, at most HEADERS_AT_MOST bytes; b"" at the end."""
        searched = 0
        while True:
            found = self._held.find(b"\n", self._at + searched, self._at + HEADERS_AT_MOST)
            searched = len(self._held) - self._at
            if found >= 0:
                return self.take(found + 1 - self._at)
            if searched >= HEADERS_AT_MOST or not self._fill(searched + 1):
                return self.take(HEADERS_AT_MOST)

    def give_back(self, data: bytes) -> None:
        """Takes back what was read last."""
        self._held, self._at = data + self._held[self._at :], 0
        self.position -= len(data)


def records(raw: IO[bytes], name: str, limit: int) -> Iterator[WarcRecord | Broken]:
    """All records in the order of the file. Raises InputError where the disk or network fails."""
    broken = 0
    for one in _all(raw, name, limit):
        yield one
        broken += isinstance(one, Broken)
        if broken == BROKEN_AT_MOST:
            yield Broken(
                one.offset, "unreadable", f"given up after {broken} broken records: the rest is not read", last=True
            )
            return


def _all(raw: IO[bytes], name: str, limit: int) -> Iterator[WarcRecord | Broken]:
    try:
        members = Members(raw, name)
    except Damage as damage:
        yield Broken(0, damage.reason, damage.detail, last=True)
        return
    cut: Broken | None = None  # told when it is known whether anything stands behind it
    for member in members:
        if cut:
            yield replace(cut, last=False)
            cut = None
        reader = _Reader(Inside(member), member.offset, members.kind is not None, limit)
        try:
            yield from reader.records()
        except Damage as damage:
            broken = Broken(reader.offset, damage.reason, damage.detail, last=damage.reason == "truncated")
            if broken.last:
                cut = broken
            else:
                yield broken
    if cut:
        yield cut


class _Reader:
    """Records of one member."""

    def __init__(self, inside: Inside, base: int, packed: bool, limit: int) -> None:
        self.inside, self.base, self.packed, self.limit = inside, base, packed, limit
        self.offset = base  # of the record that is being read

    def records(self) -> Iterator[WarcRecord | Broken]:
        while line := self.inside.line():
            if not line.strip(b"\r\n"):
                continue
            self.offset = self.base if self.packed else self.inside.position - len(line)
            try:
                self._check_end(line)
                if WARC.fullmatch(line):
                    record = self._record(folded(self._header_lines()), arc=False)
                elif headers := arc_headers(line):
                    record = self._record(headers, arc=True)
                else:
                    raise _Bad("bad_record", f"begins with {excerpt(line)!r}, not with WARC/1.0")
            except _Bad as bad:
                yield Broken(self.offset, bad.reason, bad.detail, bad.value, bad.limit)
                if not bad.found_next:
                    self._find_next()
                continue
            yield record

    def _header_lines(self) -> Iterator[str]:
        begin = self.inside.position
        while line := self._checked_line().rstrip(b"\r\n"):
            if self.inside.position - begin > HEADERS_AT_MOST:
                raise _Bad("bad_record", f"more than {HEADERS_AT_MOST} bytes of headers")
            yield line.decode("utf-8", "replace")

    def _checked_line(self) -> bytes:
        line = self.inside.line()
        self._check_end(line)
        return line

    def _check_end(self, line: bytes) -> None:
        """Raises where the file, or the member, ends within a line of headers."""
        if line.endswith(b"\n") or len(line) == HEADERS_AT_MOST:
            return
        if self.packed:
            raise _Bad("bad_record", "it ends within its headers")
        raise Damage("truncated", "the file ends within the headers of a record")

    def _record(self, headers: Headers, arc: bool) -> WarcRecord:
        declared = headers.get("content-length", "")
        if not (declared.isascii() and declared.isdigit()):
            raise _Bad("bad_length", f"Content-Length is {excerpt(declared)!r}")
        size, begin = int(declared[:19]), self.inside.position
        block = self.inside.take(size if size <= self.limit + HEADERS_AT_MOST else HEADERS_AT_MOST)
        got = len(block) + self.inside.skip(size - len(block))
        ends = self._ends(arc)
        self.inside.peek(1)  # reads on to the member's checksum, if this was its last record
        if got < size or not ends:
            raise self._misjudged(size, got, block, begin)
        return WarcRecord(self.offset, headers.get("warc-type", "").lower(), headers, size, block)

    def _ends(self, arc: bool) -> bool:
        """Whether what ends a record stands here; passes over it. The last record of a file may lack it."""
        mark = self.inside.peek(4)
        if not mark or mark == b"\r\n\r\n":
            self.inside.take(4)
            return True
        return not mark.strip(b"\r\n") or mark.startswith(b"\n\n") or (arc and mark.startswith((b"\n", b"\r\n")))

    def _misjudged(self, size: int, got: int, block: bytes, begin: int) -> Exception:
        """The block does not end where its header says. If it was too long, the next record stands inside it."""
        detail = f"the record does not end after the {size} bytes its header tells"
        may_return = self.inside.seekable and len(block) < got
        if found := NEXT.search(block):
            if may_return:
                self.inside.go(begin + found.end())
            else:
                self.inside.give_back(block[found.end() :])
            return _Bad("bad_length", detail, float(found.start()), float(size), found_next=True)
        if may_return:
            return self._passed_over(size, got, detail, begin)
        if got < size and not self.packed:
            return _cut(size, got)
        return _Bad("bad_length", detail, float(got) if got < size else None, float(size))

    def _passed_over(self, size: int, got: int, detail: str, begin: int) -> Exception:
        """The same of a block that is not held: the next record is looked for line by line."""
        self.inside.go(begin)
        self._find_next()
        if self.inside.peek(1):
            return _Bad("bad_length", detail, float(self.inside.position - begin), float(size), found_next=True)
        return _cut(size, got) if got < size else _Bad("bad_length", detail, None, float(size))

    def _find_next(self) -> None:
        """Passes over all lines up to one that a record begins with, behind a blank line."""
        blank = True  # what could not be read may have been the line before
        while line := self.inside.line():
            if blank and (WARC.fullmatch(line) or arc_headers(line)):
                self.inside.give_back(line)
                return
            blank = not line.strip(b"\r\n")


def _cut(size: int, got: int) -> Damage:
    return Damage("truncated", f"the file ends {size - got} bytes before the record does")


class _Bad(Exception):  # noqa: N818 (not an error: the ledger gets it)
    """A record that cannot be trusted; `found_next` where the reader stands at the next one already."""

    def __init__(
        self,
        reason: str,
        detail: str,
        value: float | None = None,
        limit: float | None = None,
        found_next: bool = False,
    ) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail, self.value, self.limit, self.found_next = reason, detail, value, limit, found_next
