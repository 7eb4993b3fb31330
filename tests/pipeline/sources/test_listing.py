import os

import fsspec
import pytest

from pipeline.errors import ConfigError
from pipeline.sources.listing import expand, lang_in, open_bytes
from tests.pipeline.sources.making import forbid


@pytest.fixture
def tree(tmp_path):
    for name in ["b/sw.jsonl", "b/fr.jsonl", "a/x/en.jsonl", "a/en.txt", "b/odd[1].jsonl"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    return tmp_path


def paths(*patterns):
    return [file.path for file in expand([str(p) for p in patterns])]


def test_patterns_match_and_paths_begin_below_the_folder_without_wildcards(tree):
    assert paths(tree / "*/*.jsonl") == ["b/fr.jsonl", "b/odd[1].jsonl", "b/sw.jsonl"]
    assert paths(tree / "b/*.jsonl") == ["fr.jsonl", "odd[1].jsonl", "sw.jsonl"]
    assert paths(tree / "**/*.jsonl")[0] == "a/x/en.jsonl"


def test_a_list_of_patterns_shares_a_folder_and_a_file_stands_once(tree):
    assert paths(tree / "b/*.jsonl", tree / "b/sw.jsonl", tree / "a/en.txt")[0] == "a/en.txt"
    assert len(paths(tree / "b/*.jsonl", tree / "b/sw.jsonl")) == 3


def test_a_name_that_looks_like_a_pattern_is_taken_as_it_is(tree):
    assert paths(tree / "b/odd[1].jsonl") == ["odd[1].jsonl"]
    (tree / "odd[2]").mkdir()
    (tree / "odd[2]/x.txt").touch()
    assert paths(tree / "odd[2]/x.txt") == ["x.txt"]


def test_the_order_in_which_a_folder_lists_its_files_changes_nothing(tree, monkeypatch):
    before = expand([f"{tree}/**/*.jsonl"])
    real = os.scandir

    class Reversed:
        def __init__(self, path="."):
            self.entries = list(real(path))[::-1]

        def __iter__(self):
            return iter(self.entries)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", Reversed)
    assert expand([f"{tree}/**/*.jsonl"]) == before


def test_a_path_is_relative_to_the_current_folder(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert paths("b/sw.jsonl") == ["sw.jsonl"]
    assert expand(["b/sw.jsonl"])[0].url == str(tree / "b/sw.jsonl")


def test_a_pattern_without_a_match_names_the_nearest_folder_and_what_is_in_it(tree):
    with pytest.raises(ConfigError, match="matches no file") as error:
        expand([f"{tree}/b/none/*.jsonl"])
    assert str(tree / "b") in error.value.hint
    assert "fr.jsonl" in error.value.hint


def test_a_folder_is_refused_with_the_pattern_that_was_meant(tree):
    with pytest.raises(ConfigError, match="is a folder") as error:
        expand([f"{tree}/b"])
    assert f"{tree}/b/*" in error.value.hint


def test_an_unreadable_file_is_told_at_once(tree, monkeypatch):
    forbid(tree / "b/sw.jsonl", monkeypatch)
    with pytest.raises(ConfigError, match="may not be read"):
        expand([f"{tree}/b/*.jsonl"])


def test_a_link_that_leads_nowhere_is_told_at_once(tree):
    (tree / "b/lost.jsonl").symlink_to(tree / "gone")
    with pytest.raises(ConfigError, match="leads nowhere"):
        expand([f"{tree}/b/*.jsonl"])


def test_an_unknown_filesystem_is_told():
    with pytest.raises(ConfigError, match="cannot be opened"):
        expand(["nosuch://bucket/x.jsonl"])


@pytest.mark.parametrize(
    ("pattern", "url", "lang"),
    [
        ("/d/{lang}.jsonl.zst", "/d/zh-hans.jsonl.zst", "zh-hans"),
        ("/d/{lang}/*.jsonl", "/d/sw/x.jsonl", "sw"),
        ("/d/**/{lang}-[0-9]*.txt", "/d/a/b/fr-01.txt", "fr"),
        ("/d/{lang}/{lang}.txt", "/d/sw/fr.txt", None),
        ("/d/*.jsonl", "/d/sw.jsonl", None),
    ],
)
def test_the_language_stands_where_the_pattern_says(pattern, url, lang):
    assert lang_in(url, [pattern]) == lang


def test_only_files_whose_languages_agree_match_a_placeholder_that_stands_twice(tree):
    (tree / "sw").mkdir()
    (tree / "sw/sw.txt").write_text("x")
    (tree / "sw/fr.txt").write_text("x")
    assert paths(tree / "{lang}/{lang}.txt") == ["sw/sw.txt"]


def test_files_of_any_fsspec_filesystem_are_found_and_opened():
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/en/a.jsonl", b"hello")
    (found,) = expand(["memory://bucket/{lang}/*.jsonl"])
    assert (found.path, found.size) == ("en/a.jsonl", 5)
    assert lang_in(found.url, ["memory://bucket/{lang}/*.jsonl"]) == "en"
    with open_bytes(found.url) as file:
        assert file.read() == b"hello"
