r"""An HTTP response as an archive keeps it: status, headers, and its body without what the way put around it.

    got = response(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b...") -> Response(200, {...}, b"\x1f...")
    plain_body(got, limit=8_000_000) -> b"<html>..."

Archives keep bodies as they came (chunked, compressed) or undone already with the headers left as they were, so each
coding is undone only where the body begins as one does. The length that the headers tell is not looked at: the
record's own is what holds. What does not end well raises `Unwell`; nothing grows beyond `limit` bytes.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

import brotli
import zstandard

from pipeline.sources.base import Unwell
from pipeline.sources.decompress import ZSTD_PIECE
from pipeline.sources.headers import Headers, folded

STATUS = re.compile(rb"HTTP/\d(?:\.\d)?[ \t]+(\d{3})(?=\D|$)")
BLANK = re.compile(rb"\r?\n\r?\n")
CHUNK = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r?\n")
HEADERS_AT_MOST = 1 << 18  # bytes of a response's headers
CODINGS_AT_MOST = 16  # a body may say it is packed so many times over
STEP = 1 << 16
ZLIB_PIECE = 1 << 12  # compressed bytes handed over at once: the end of each member copies what is left of them
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Response:
    """A response; its headers' names are in lower case, of one that stands twice the first counts."""

    status: int
    headers: Headers
    body: bytes

    @property
    def type(self) -> str:
        """Of its content, in lower case and without parameters; "" where it tells none."""
        return media_type(self.headers.get("content-type", ""))

    @property
    def charset(self) -> str | None:
        return charset_in(self.headers.get("content-type", ""))


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def charset_in(content_type: str) -> str | None:
    """`text/html; charset="utf-8"` -> utf-8"""
    # possessive: a header of blanks alone would be tried in as many ways as it has pairs of them
    match = re.search(r"charset\s*+=\s*+[\"']?+\s*+([^\s\"';,]+)", content_type, re.I)
    return match[1] if match else None


def response(block: bytes) -> Response:
    """The parts of a response, its body as it stands. Raises Unwell for what is none."""
    status = STATUS.match(block)
    if not status:
        raise Unwell("bad_http", f"no status line: {block[:40]!r}")
    end = BLANK.search(block, 0)
    size = end.start() if end else len(block)
    if size > HEADERS_AT_MOST:
        raise Unwell("bad_http", f"{size} bytes of headers", float(size), float(HEADERS_AT_MOST))
    lines = block[:size].decode("iso-8859-1").split("\n")
    return Response(int(status[1]), folded(lines[1:]), block[end.end() :] if end else b"")


def plain_body(got: Response, limit: int) -> bytes:
    """The body as the page's author wrote it, at most `limit` bytes. Raises Unwell where it is broken or larger."""
    body = got.body
    if "chunked" in got.headers.get("transfer-encoding", "").lower():
        body = _unchunked(body)
    codings = [name.strip().lower() for name in got.headers.get("content-encoding", "").split(",")]
    codings += [c.strip().lower() for c in got.headers.get("transfer-encoding", "").split(",") if "chunked" not in c]
    if len(codings) > CODINGS_AT_MOST:
        raise Unwell("content_encoding", f"packed {len(codings)} times over")
    for coding in reversed(codings):
        body = _undone(coding, body, limit)
    if len(body) > limit:
        raise Unwell("too_large", f"a body of {len(body)} bytes", float(len(body)), float(limit))
    return body


def _unchunked(body: bytes) -> bytes:
    """The chunks joined; a body that does not begin with the size of a chunk is none in chunks."""
    if not (chunk := CHUNK.match(body)):
        return body
    parts: list[bytes] = []
    while chunk:
        size = int(chunk[1], 16)
        begin = chunk.end()
        if size == 0:
            return b"".join(parts)
        if begin + size > len(body):
            raise Unwell("bad_chunks", f"a chunk of {size} bytes, of which {len(body) - begin} are there")
        parts.append(body[begin : begin + size])
        end = begin + size
        end += 2 if body[end : end + 2] == b"\r\n" else 1 if body[end : end + 1] == b"\n" else 0
        chunk = CHUNK.match(body, end)
    raise Unwell("bad_chunks", f"no size of a chunk at byte {end} of the body: {body[end : end + 20]!r}")


def _undone(coding: str, body: bytes, limit: int) -> bytes:
    if coding in ("gzip", "x-gzip"):
        return _inflated(body, 31, limit) if body.startswith(GZIP) else body
    if coding == "deflate":
        return _deflated(body, limit)
    if coding == "br":
        return body if _is_markup(body) else _unbrotlied(body, limit)
    if coding == "zstd":
        return _unzstd(body, limit) if body.startswith(ZSTD) else body
    if coding in ("", "identity", "none", "utf-8"):
        return body
    raise Unwell("content_encoding", f"packed as {coding[:40]!r}, which is not known here")


def _is_markup(body: bytes) -> bool:
    """Whether it is readable as it is. No brotli stream of a page begins with `<`, blanks before it or not."""
    return body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _inflated(body: bytes, wbits: int, limit: int) -> bytes:
    """Members of gzip behind each other count as one, as browsers have it; what stands behind them does not."""
    members: list[bytes] = []
    size = at = 0
    while not members or body.startswith(GZIP, at):
        try:
            member, at = _inflated_member(body, at, wbits, size, limit)
        except zlib.error as error:
            if members:
                break
            raise Unwell("bad_compression", f"broken gzip or deflate data: {error}") from error
        members.append(member)
        size += len(member)
    return b"".join(members)


def _inflated_member(body: bytes, at: int, wbits: int, size: int, limit: int) -> tuple[bytes, int]:
    """The member that begins at byte `at`, and where it ends; `size` bytes came before it."""
    inflate, view, parts = zlib.decompressobj(wbits), memoryview(body), []
    while not inflate.eof:
        if at >= len(body):
            raise Unwell("bad_compression", f"the compressed body is cut; {size} bytes could be read")
        piece = view[at : at + ZLIB_PIECE]
        parts.append(inflate.decompress(piece, limit + 1 - size))
        at += len(piece)
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
    return b"".join(parts), at - len(inflate.unused_data)


def _too_large(limit: int) -> Unwell:
    return Unwell("too_large", f"a body that grows beyond {limit} bytes when unpacked", float(limit + 1), float(limit))


def _deflated(body: bytes, limit: int) -> bytes:
    """With zlib's header as the standard has it, or without, as many servers have it."""
    if not body or _is_markup(body):
        return body
    try:
        return _inflated(body, 15, limit)
    except Unwell as unwell:
        if unwell.reason == "too_large":
            raise
        return _inflated(body, -15, limit)


def _unbrotlied(body: bytes, limit: int) -> bytes:
    inflate, parts, size = brotli.Decompressor(), [], 0
    try:
        parts.append(inflate.process(body, output_buffer_limit=STEP))
        size = len(parts[-1])
        while not inflate.is_finished() and size <= limit:
            more = inflate.process(b"", output_buffer_limit=STEP)
            if not more and inflate.can_accept_more_data():
                raise Unwell("bad_compression", f"the compressed body is cut; {size} bytes could be read")
            parts.append(more)
            size += len(more)
    except brotli.error as error:
        raise Unwell("bad_compression", f"broken brotli data: {error}") from error
    if size > limit:
        raise _too_large(limit)
    return b"".join(parts)


def _unzstd(body: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    size = at = 0
    unpacker = zstandard.ZstdDecompressor()  # one for all frames: an empty frame takes less than making it
    while body.startswith(ZSTD, at):
        inflate = unpacker.decompressobj()
        while not inflate.eof:
            if at >= len(body):
                raise Unwell("bad_compression", f"the compressed body is cut; {size} bytes could be read")
            piece = body[at : at + ZSTD_PIECE]
            try:
                parts.append(inflate.decompress(piece))
            except zstandard.ZstdError as error:
                raise Unwell("bad_compression", f"broken zstd data: {error}") from error
            at += len(piece)
            size += len(parts[-1])
            if size > limit:
                raise _too_large(limit)
        at -= len(inflate.unused_data)
    return b"".join(parts)
