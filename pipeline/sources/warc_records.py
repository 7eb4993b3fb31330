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
from dataclasses import dataclass
from typing import IO

from pipeline.sources.decompress import Damage
from pipeline.sources.lines import excerpt
from pipeline.sources.members import Members

HEADERS_AT_MOST = 1 << 16  # bytes of a record's headers
BROKEN_AT_MOST = 1000  # records of one file
WARC = re.compile(rb"WARC/\d+\.\d+\r?\n")
NEXT = re.compile(rb"\r?\n\r?\n(?=WARC/\d+\.\d+\r?\n)")
ARC = re.compile(rb"((?:filedesc|https?|ftp|dns):\S*.*?) (\S+) (\d{8,17}) (\S+) (-?\w+)\r?\n", re.S)
ARC_TYPES = {b"filedesc": "warcinfo", b"dns": "resource"}  # all others are responses

Headers = dict[str, str]  # names in lower case


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

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held, self._at = b"", 0
        self.position = 0  # bytes passed

    def _fill(self) -> bool:
        block = next(filter(None, self._blocks), b"")  # a piece of compressed data may give nothing yet
        self._held, self._at = self._held[self._at :] + block, 0
        return bool(block)

    def peek(self, count: int) -> bytes:
        """The next bytes, left where they are; fewer only at the end."""
        while len(self._held) - self._at < count and self._fill():
            pass
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
        left = count
        while left and (len(self._held) > self._at or self._fill()):
            step = min(left, len(self._held) - self._at)
            self._pass(step)
            left -= step
        return count - left

    def line(self) -> bytes:
        """Up to the next line feed, at most HEADERS_AT_MOST bytes; b"" at the end."""
        searched = 0
        while True:
            found = self._held.find(b"\n", self._at + searched, self._at + HEADERS_AT_MOST)
            searched = len(self._held) - self._at
            if found >= 0:
                return self.take(found + 1 - self._at)
            if searched >= HEADERS_AT_MOST or not self._fill():
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
    for member in members:
        inside = Inside(member.blocks)
        reader = _Reader(inside, member.offset, members.kind is not None, limit)
        try:
            yield from reader.records()
        except Damage as damage:
            yield Broken(reader.offset, damage.reason, damage.detail, last=damage.reason == "truncated")


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
                    headers = self._headers()
                elif match := ARC.fullmatch(line):
                    headers = _arc_headers(match)
                else:
                    raise _Bad("bad_record", f"begins with {excerpt(line)!r}, not with WARC/1.0")
                record = self._record(headers, arc=line[:5] != b"WARC/")
            except _Bad as bad:
                yield Broken(self.offset, bad.reason, bad.detail, bad.value, bad.limit)
                if not bad.found_next:
                    self._find_next()
                continue
            yield record

    def _headers(self) -> Headers:
        """Names in lower case; of a name that stands twice the first value. Lines that begin blank go on."""
        headers: Headers = {}
        name, begin = "", self.inside.position
        while line := self._checked_line().rstrip(b"\r\n"):
            if self.inside.position - begin > HEADERS_AT_MOST:
                raise _Bad("bad_record", f"more than {HEADERS_AT_MOST} bytes of headers")
            text = line.decode("utf-8", "replace")
            if line[:1] in b" \t":
                headers[name] = f"{headers.get(name, '')} {text.strip()}"
                continue
            name, _, value = text.partition(":")
            name = name.strip().lower()
            headers.setdefault(name, value.strip())
        return headers

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
        size = int(declared[:19])
        block = self.inside.take(size if size <= self.limit + HEADERS_AT_MOST else HEADERS_AT_MOST)
        got = len(block) + self.inside.skip(size - len(block))
        ends = self._ends(arc)
        self.inside.peek(1)  # reads on to the member's checksum, if this was its last record
        if got < size or not ends:
            raise self._misjudged(size, got, block)
        return WarcRecord(self.offset, headers.get("warc-type", "").lower(), headers, size, block)

    def _ends(self, arc: bool) -> bool:
        """Whether what ends a record stands here; passes over it. The last record of a file may lack it."""
        mark = self.inside.peek(4)
        if not mark or mark == b"\r\n\r\n":
            self.inside.take(4)
            return True
        return not mark.strip(b"\r\n") or mark.startswith(b"\n\n") or (arc and mark.startswith((b"\n", b"\r\n")))

    def _misjudged(self, size: int, got: int, block: bytes) -> Exception:
        """The block does not end where its header says. If it was too long, the next record stands inside it."""
        detail = f"the record does not end after the {size} bytes its header tells"
        if found := NEXT.search(block):
            self.inside.give_back(block[found.end() :])
            return _Bad("bad_length", detail, float(found.start()), float(size), found_next=True)
        if got < size and not self.packed:
            return Damage("truncated", f"the file ends {size - got} bytes before the record does")
        return _Bad("bad_length", detail, float(got) if got < size else None, float(size))

    def _find_next(self) -> None:
        """Passes over all lines up to one that a record begins with, behind a blank line."""
        blank = True  # what could not be read may have been the line before
        while line := self.inside.line():
            if blank and (WARC.fullmatch(line) or ARC.fullmatch(line)):
                self.inside.give_back(line)
                return
            blank = not line.strip(b"\r\n")


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


def _arc_headers(match: re.Match[bytes]) -> Headers:
    """A line of ARC 1 (`URL IP date type length`) as the WARC headers it stands for."""
    url, address, date, kind, length = match.groups()
    told = {
        "warc-type": ARC_TYPES.get(url.partition(b":")[0], "response"),
        "warc-target-uri": url.decode("utf-8", "replace"),
        "warc-ip-address": address.decode("utf-8", "replace"),
        "warc-date": _arc_date(date.decode()),
        "content-length": length.decode("utf-8", "replace"),
    }
    kind = b"application/http" if told["warc-type"] == "response" else kind
    return {**told, "content-type": kind.decode("utf-8", "replace")}


def _arc_date(digits: str) -> str:
    """20140216050221 -> 2014-02-16T05:02:21Z; what has not 14 digits stays as it is."""
    d = digits
    return f"{d[:4]}-{d[4:6]}-{d[6:8]}T{d[8:10]}:{d[10:12]}:{d[12:14]}Z" if len(d) == 14 else digits
