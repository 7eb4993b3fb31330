"""Small web archives for tests, made byte by byte; nothing of anybody's pages."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import zstandard

PROSE = "Kila mtu ana haki ya kuishi, na ya uhuru, na ya kulindwa nafsi yake. " * 3


def page(text: str = PROSE, title: str = "Kichwa", lang: str = "sw") -> bytes:
    head = f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{title}</title></head>'
    return f"{head}<body><nav><a href='/'>Nyumbani</a></nav><article><p>{text}</p></article></body></html>".encode()


def http(body: bytes, *headers: str, status: str = "200 OK", kind: str | None = "text/html") -> bytes:
    lines = [f"HTTP/1.1 {status}", *([f"Content-Type: {kind}"] if kind else []), *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def record(block: bytes, *headers: str, type_: str = "response", length: int | str | None = None) -> bytes:
    kind = {"response": "application/http; msgtype=response", "conversion": "text/plain"}.get(type_, "text/html")
    lines = ["WARC/1.0", f"WARC-Type: {type_}", "WARC-Date: 2024-05-18T01:58:10Z", f"Content-Type: {kind}"]
    lines += ["WARC-Record-ID: <urn:uuid:1>", *headers]
    lines += [f"Content-Length: {len(block) if length is None else length}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + block + b"\r\n\r\n"


def visit(number: int, body: bytes | None = None, **more: str) -> bytes:
    """A response record of page `number`."""
    body = page(f"Ukurasa {number}. {PROSE}") if body is None else body
    return record(http(body, **more), f"WARC-Target-URI: https://example.org/{number}")


def archive(records: Sequence[bytes], how: str = ".gz") -> tuple[bytes, list[int]]:
    """The bytes of an archive, each record a member, and where each begins."""
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[how]
    members = [pack(one) for one in records]
    return b"".join(members), [sum(map(len, members[:i])) for i in range(len(members))]
