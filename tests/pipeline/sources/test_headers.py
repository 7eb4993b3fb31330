import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.headers import arc_headers, folded
from tests.pipeline.sources.making import growth

ARC = re.compile(rb"((?:filedesc|https?|ftp|dns):\S*.*?) (\S+) (\d{8,17}) (\S+) (-?\w+)\r?\n", re.S)  # the twin
PARTS = [b"http:", b"dns:a", b" ", b" ", b"20140216", b"1", b"-7", b"text/html", b"\t", b"\r", b"\n", b"\xff"]
LINES = st.lists(st.sampled_from(PARTS), max_size=12).map(b"".join)
SCHEMES = st.sampled_from([b"http:", b"https:", b"ftp:", b"dns:", b"filedesc:", b"gopher:", b"xhttp:", b"http"])
GOOD = st.tuples(SCHEMES, LINES, st.just(b" b 20140216050221 c 12"), LINES, st.just(b"\r\n")).map(b"".join)


@given(LINES | GOOD)
def test_a_line_of_arc_is_one_by_its_last_four_parts(line):
    found, twin = arc_headers(line), ARC.fullmatch(line)
    assert (found is None) == (twin is None)
    if found and twin:
        told = (found["warc-target-uri"], found["warc-ip-address"], found["content-length"])
        assert told == tuple(twin[i].decode("utf-8", "replace") for i in (1, 2, 5))


def test_the_date_and_the_kind_of_a_line_of_arc():
    line = b"http://a.org/ 1.2.3.4 20140216050221 text/html 7\n"
    assert (arc_headers(line) or {})["warc-date"] == "2014-02-16T05:02:21Z"
    assert [(arc_headers(line.replace(b"http:", s)) or {})["warc-type"] for s in (b"filedesc:", b"dns:", b"ftp:")] == [
        "warcinfo", "resource", "response",
    ]  # fmt: skip


@pytest.mark.parametrize("part", [b"a", b"a 12345678 b", b" "])
def test_a_line_that_is_nearly_one_costs_no_more_than_its_bytes(part):
    assert growth(lambda one: [arc_headers(one) for _ in range(1000)], lambda n: b"http:" + part * n + b"\n", 2000) < 3


@pytest.mark.parametrize(
    ("lines", "headers"),
    [
        (["A: one", "\ttwo", "  three", "B:4"], {"a": "one two three", "b": "4"}),
        (["a: one", "A: two", " three"], {"a": "one"}),  # what goes on with the second belongs to none
        ([" a: one", "", "no colon"], {"a": "one", "": "", "no colon": ""}),
        ([], {}),
    ],
)
def test_headers_go_on_in_lines_that_begin_blank_and_count_once(lines, headers):
    assert folded(lines) == headers


def test_a_header_that_goes_on_costs_no_more_than_its_lines():
    assert growth(folded, lambda n: ["a:", *[" bcd"] * n], 40_000) < 3
