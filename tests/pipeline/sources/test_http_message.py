import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.base import Unwell
from pipeline.sources.http_message import CODINGS_AT_MOST, HEADERS_AT_MOST, charset_in, plain_body, response
from tests.pipeline.sources.making import growth
from tests.pipeline.sources.web_making import http

LIMIT = 100_000
HTML = b"<!doctype html><p>" + b"Watu wote wamezaliwa huru. " * 40
RAW = zlib.compressobj(wbits=-15)
DEFLATED = RAW.compress(HTML) + RAW.flush()
CODINGS = [
    ("gzip", gzip.compress(HTML)),
    ("x-gzip", gzip.compress(HTML[:50]) + gzip.compress(HTML[50:])),
    ("deflate", zlib.compress(HTML)),
    ("deflate", DEFLATED),  # without zlib's header, as many servers send it
    ("br", brotli.compress(HTML)),
    ("zstd", zstandard.compress(HTML)),
    ("gzip, br", brotli.compress(gzip.compress(HTML))),
    ("identity", HTML),
]


def body(block: bytes, limit: int = LIMIT) -> bytes:
    return plain_body(response(block), limit)


def chunked(data: bytes, size: int) -> bytes:
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(("coding", "packed"), CODINGS)
def test_every_coding_is_undone_whether_chunked_or_not(coding, packed):
    header = f"Content-Encoding: {coding}"
    assert body(http(packed, header)) == HTML
    assert body(http(chunked(packed, 97), header, "Transfer-Encoding: chunked")) == HTML


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "identity"])
def test_a_body_that_was_undone_already_is_taken_as_it_is(coding):
    assert body(http(HTML, f"Content-Encoding: {coding}", "Transfer-Encoding: chunked")) == HTML


@given(data=st.binary(max_size=300), size=st.integers(1, 50))
def test_chunks_are_joined_whatever_they_hold(data, size):
    assert body(http(chunked(data, size), "Transfer-Encoding: chunked")) == data


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_told_and_never_unpacked(coding):
    zeros = bytes(50_000_000)
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}
    packed = brotli.compress(zeros, quality=1) if coding == "br" else pack[coding](zeros)
    with pytest.raises(Unwell) as told:
        body(http(packed, f"Content-Encoding: {coding}"))
    assert (told.value.reason, told.value.limit) == ("too_large", LIMIT)


@pytest.mark.parametrize(("coding", "packed"), [c for c in CODINGS if c[0] not in ("identity", "x-gzip", "gzip, br")])
def test_a_cut_body_is_told(coding, packed):
    with pytest.raises(Unwell) as told:
        body(http(packed[: len(packed) // 2], f"Content-Encoding: {coding}"))
    assert told.value.reason == "bad_compression"


@pytest.mark.parametrize(
    "chunks",
    [b"5\r\nabc", b"3\r\nabc\r\nzz\r\n", b"3\r\nabc\r\n", b"ffffffffffffffff\r\nabc", b"3\r\nabcdef\r\n0\r\n\r\n"],
)
def test_broken_chunks_are_told(chunks):
    with pytest.raises(Unwell) as told:
        body(http(chunks, "Transfer-Encoding: chunked"))
    assert told.value.reason == "bad_chunks"


def test_just_the_limit_passes_and_one_byte_more_does_not():
    packed = gzip.compress(bytes(LIMIT))
    assert len(body(http(packed, "Content-Encoding: gzip"))) == LIMIT
    for header in ("Content-Encoding: gzip", "X: y"):
        with pytest.raises(Unwell, match="too_large"):
            body(http(gzip.compress(bytes(LIMIT + 1)) if "gzip" in header else bytes(LIMIT + 1), header))


def test_an_unknown_coding_is_told():
    with pytest.raises(Unwell, match="sdch"):
        body(http(HTML, "Content-Encoding: sdch"))


@pytest.mark.parametrize("block", [b"", b"<html>", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n"])
def test_what_is_no_response_is_told(block):
    with pytest.raises(Unwell) as told:
        response(block)
    assert told.value.reason == "bad_http"


@pytest.mark.parametrize(
    ("value", "charset"),
    [
        ("text/html; charset=utf-8", "utf-8"),
        ('text/html;charset="windows-1251"; x=y', "windows-1251"),
        ("text/html; Charset = 'big5'", "big5"),
        ("text/html", None),
        ("text/html; charset=", None),
    ],
)
def test_the_charset_stands_in_the_content_type(value, charset):
    assert charset_in(value) == charset
    got = response(f"HTTP/1.0 200\r\nContent-Type: {value}\r\ncontent-type: text/plain\r\n\r\n".encode())
    assert (got.charset, got.type, got.status, got.body) == (charset, "text/html", 200, b"")


def test_headers_of_just_the_limit_pass_and_one_byte_more_does_not():
    head = b"HTTP/1.1 200 OK\r\nX: "
    block = head + b"y" * (HEADERS_AT_MOST - len(head))
    assert response(block + b"\r\n\r\nz").body == b"z"
    with pytest.raises(Unwell) as told:
        response(block + b"y\r\n\r\nz")
    assert (told.value.reason, told.value.value, told.value.limit) == ("bad_http", HEADERS_AT_MOST + 1, HEADERS_AT_MOST)


def test_a_body_may_not_be_packed_times_without_end():
    few, many = (", ".join(["identity"] * n) for n in (CODINGS_AT_MOST - 1, CODINGS_AT_MOST))  # and a coding of the way
    assert body(http(b"a", f"Content-Encoding: {few}")) == b"a"
    with pytest.raises(Unwell, match="17 times"):
        body(http(b"a", f"Content-Encoding: {many}"))


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_many_members_cost_no_more_than_their_bytes(coding):
    pack = {"gzip": gzip.compress, "zstd": zstandard.compress}[coding]
    assert (
        body(http(pack(b"a") * 3000 + pack(b"b") + pack(b"") * 2, f"Content-Encoding: {coding}")) == b"a" * 3000 + b"b"
    )
    make = {"gzip": lambda n: pack(b"") * n, "zstd": lambda n: pack(b"") * 2 * n}[coding]
    assert growth(body, lambda n: http(make(n), f"Content-Encoding: {coding}"), 30_000) < 3


def test_many_members_are_not_unpacked_beyond_the_limit():
    with pytest.raises(Unwell, match="grows beyond"):
        body(http(gzip.compress(bytes(LIMIT // 2)) * 3, "Content-Encoding: gzip"))


@given(
    texts=st.lists(st.binary(max_size=9000), min_size=1, max_size=4),
    tail=st.sampled_from([b"", b"x", b"\x1f\x8bxxxxxxxx"]),
)
def test_what_stands_behind_the_last_member_of_gzip_is_passed_over(texts, tail):
    packed = b"".join(gzip.compress(text, 0) for text in texts)  # stored, so that members end anywhere in a piece
    assert body(http(packed + tail, "Content-Encoding: gzip")) == b"".join(texts)


def test_a_member_that_breaks_is_left_out_whole():
    second = gzip.compress(bytes(range(256)) * 200, 0)
    packed = gzip.compress(b"first") + second[:-8] + b"wrong sum"[:8]
    assert body(http(packed, "Content-Encoding: gzip")) == b"first"


def test_a_charset_of_blanks_costs_no_more_than_its_bytes():
    assert growth(charset_in, lambda n: "charset=" + " " * n + ";", 1_000_000) < 3
    assert charset_in('charset=" utf-8"') == "utf-8"
