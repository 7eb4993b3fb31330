"""The page holds together, asks nobody for anything, and no text of the corpus breaks out of it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.report import gather
from pipeline.report.page import render_page
from tests.pipeline.report.conftest import Made

HOSTILE = [
    "</script><script>alert(1)</script>",
    "</style></svg></title><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)" x=\'',
    "]]> --> <!-- {{ 7 * 7 }} {% raw %}",
    "\u202egnp.exe\u2066\u0000\x1b[31m\x9b1m\u2028\ufeff\uffff",
    "&lt;b&gt; &amp;amp; \\u003cscript\\u003e",
]
VOID = {"meta", "input", "br", "link", "img"}


class Read(HTMLParser):
    """Elements with their attributes, in order; the words between them; what was left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements, self.open, self.words = [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.words += data


def run_of(workdir: Path, text: str) -> Made:
    """A run in which `text` stands wherever the corpus has a say."""
    made = Made(workdir)
    bad = [{"id": f"s/{text}", "reason": "invalid_json", "file": text, "offset": 3, "excerpt": text}]
    made.source(
        "s", [("a", text, text), (f"b{text}", text, text), ("c", "sw", text), ("d", "py", text, "code")], bad=bad
    )
    made.stage("keep", {f"b{text}": (text, 1.0, 2.0, text)})
    cluster = {"size": 2, "documents": [{"id": text, "excerpt": text}]}
    about = {"settings": {"threshold": 0.7, "bands": 2, "rows": 2}, "curve": [[0.0, 0.0], [1.0, 1.0]]}
    about |= {"sizes": [[2, 1]], "clusters": [cluster], "pairs": [[text, "s", 2]]}
    made.stage("dedup_near", kind="corpus", about=about)
    made.tail({text: 40_000, "sw": 30_000, "py": 20_000}, words={text: 9, "sw": 8, "py": 7})
    return made


def page_of(workdir: Path, text: str) -> str:
    return render_page(gather(run_of(workdir, text).steps))


def as_long_as(text: str) -> str:
    """Harmless text of as many bytes: the histograms of its lengths are the same."""
    return "z" * len(text.encode())


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(tag, tuple(attributes)) for tag, attributes in Read(page).elements]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_adds_no_element_and_no_attribute(tmp_path, text):
    harmless, page = page_of(tmp_path / "h", as_long_as(text)), page_of(tmp_path / "x", text)
    assert shape(page) == shape(harmless)
    assert "onerror" not in str(shape(page)) and len(shape(page)) > 300  # else the line above compared nothing


@pytest.mark.parametrize("text", HOSTILE[:4])
def test_hostile_text_can_be_read_as_it_was(tmp_path, text):
    assert text in Read(page_of(tmp_path, text)).words


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# "?" makes it no code of a language, which would be shown by its name
@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).map(lambda t: "zz?" + t))
def test_no_text_at_all_adds_an_element_or_leaves_a_sign_that_acts(tmp_path_factory, text):
    page = page_of(tmp_path_factory.mktemp("run"), text)
    assert shape(page) == shape(page_of(tmp_path_factory.mktemp("run"), as_long_as(text)))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]", page)


def test_every_element_is_closed_and_every_id_stands_once(tmp_path):
    page = Read(page_of(tmp_path, "zz"))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    targets = [a["href"][1:] for t, a in page.elements if t == "a"] + [a["for"] for t, a in page.elements if "for" in a]
    assert page.open == []
    assert len(ids) == len(set(ids)) and targets
    assert set(targets) <= set(ids)


def test_the_page_asks_the_network_for_nothing(tmp_path):
    page = page_of(tmp_path, "zz")
    assert "http:" not in page and "https:" not in page and "@import" not in page
    assert re.findall(r"url\(([^)]*)\)", page) == ["#hatch"]
    assert not [a for _, a in Read(page).elements if "src" in a]


def test_the_policy_allows_the_one_script_by_its_hash_and_nothing_else(tmp_path):
    page = page_of(tmp_path, HOSTILE[0])
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'" in page


def test_every_picture_says_what_it_shows(tmp_path):
    pictures = [a for tag, a in Read(page_of(tmp_path, "zz")).elements if tag == "svg" and a.get("role") == "img"]
    assert len(pictures) > 8
    assert all(attributes["aria-label"].strip() for attributes in pictures)


def test_a_language_can_be_followed_through_all_pictures(tmp_path):
    rows = [tag for tag, a in Read(page_of(tmp_path, "zz")).elements if a.get("data-lang") == "sw"]
    assert rows.count("g") >= 6  # three views of the mix, the temperatures, two of fertility
    assert {"tr", "figure"} <= set(rows)


def test_two_pages_of_equal_reports_are_equal(tmp_path):
    report = gather(run_of(tmp_path, "zz").steps)
    assert render_page(report) == render_page(report)
