import gzip
import json

import pytest

from pipeline.errors import ConfigError
from tests.pipeline.sources.making import read, source, texts
from tests.pipeline.sources.web_making import PROSE, page


def put(folder, names, data=None):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(page() if data is None else data)


def test_a_folder_gives_its_html_files_by_their_paths_below_it(tmp_path):
    put(tmp_path, ["b/z.html", "b/a.HTM", "c.xhtml", "b/notes.txt", "b/x.js"])
    made = source("html", tmp_path)
    assert [file.path for file in made.files()] == ["b/a.HTM", "b/z.html", "c.xhtml"]
    assert texts(read("html", tmp_path)) == [PROSE.strip()] * 3


def test_paths_stay_when_files_are_added_elsewhere_in_the_folder(tmp_path):
    put(tmp_path, ["deep/down/a.html"])
    before = source("html", tmp_path).files()
    put(tmp_path, ["b.html"])
    assert [file.path for file in before] == ["deep/down/a.html"]
    assert before[0] in source("html", tmp_path).files()


def test_patterns_say_the_language_and_files_may_be_packed(tmp_path):
    put(tmp_path, ["sw/a.html.gz"], gzip.compress(page()))
    (found,) = read("html", tmp_path / "{lang}/*.html.gz")
    assert (found.lang, found.row, found.text) == ("sw", 0, PROSE.strip())
    assert json.loads(found.meta) == {"title": "Kichwa", "html_lang": "sw", "encoding": "utf-8"}
    assert read("html", tmp_path / "sw/*.gz", lang_from="html")[0].lang == "sw"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<div>" * 9000, "too_deep"),
        (b"x" * 5001, "too_large"),
        (b"<p>", "min_chars"),
        (b"\xff\x81" * 99, "invalid_encoding"),
    ],
)
def test_a_page_that_cannot_be_read_is_told(tmp_path, data, reason):
    put(tmp_path, ["a.html"], data[:50_000])
    (bad,) = read("html", tmp_path, max_document=5000 if reason == "too_large" else "8MB")
    assert bad.reason == reason
    assert read("html", tmp_path, skip=1) == []


def test_a_cut_file_is_told(tmp_path):
    put(tmp_path, ["a.html.gz"], gzip.compress(page())[:-9])
    (bad,) = read("html", tmp_path / "*.gz")
    assert bad.reason == "truncated"


def test_a_folder_without_pages_or_among_others_is_refused(tmp_path):
    put(tmp_path, ["a.txt"])
    with pytest.raises(ConfigError, match="holds no file"):
        source("html", tmp_path).files()
    with pytest.raises(ConfigError, match="among other paths"):
        source("html", [str(tmp_path), str(tmp_path / "a.txt")]).files()
