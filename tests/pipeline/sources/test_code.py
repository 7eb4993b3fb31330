import json
import os

import pytest
from pydantic import ValidationError

from pipeline.errors import ConfigError, InputError
from pipeline.sources import tree
from pipeline.sources.base import Bad, InputFile, Record
from tests.pipeline.sources.making import forbid, read, reasons, source, texts

FILES = {
    "LICENSE": b"Apache License Version 2.0, January 2004",
    "a.py": b"print(1)\n",
    "run": b"#!/usr/bin/env bash\necho\n",
    "notes": b"just words\n",
    "README.md": b"# words",
    "sub/b.h": b"namespace x {}\n",
    "sub/LICENSE.txt": b"This is free and unencumbered software released into the public domain.",
    "sub/c.rs": b"// SPDX-License-Identifier: MIT OR ISC\nfn main() {}\n",
    ".git/hooks/x.py": b"print(2)\n",
    "__pycache__/a.py": b"print(3)\n",
}


def plant(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


@pytest.fixture
def folder(tmp_path):
    return plant(tmp_path / "tree", FILES)


def paths(found):
    return [record.path for record in found if isinstance(record, Record)]


def by_path(found):
    return {item.path: item for item in found}


def test_files_of_known_languages_come_sorted_with_language_and_licence(folder):
    found = read("code", folder)
    assert [(r.path, r.lang, r.kind, json.loads(r.meta)["licence"]) for r in found] == [
        ("a.py", "python", "code", "Apache-2.0"),
        ("run", "shell", "code", "Apache-2.0"),
        ("sub/b.h", "cpp", "code", "Unlicense"),
        ("sub/c.rs", "rust", "code", "MIT OR ISC"),
    ]
    assert [r.row for r in found] == [0, 1, 2, 3]


def test_languages_and_licences_are_filters(folder):
    assert paths(read("code", folder, languages=["rust", "shell"])) == ["run", "sub/c.rs"]
    assert paths(read("code", folder, languages=["cpp"])) == ["sub/b.h"]
    found = read("code", folder, licences=["MIT", "Unlicense"])
    assert paths(found) == ["sub/b.h", "sub/c.rs"]
    assert {(b.path, b.reason, b.counts) for b in found if isinstance(b, Bad)} == {
        ("a.py", "licence", False),
        ("run", "licence", False),
    }


def test_a_c_header_that_is_cpp_is_told_where_only_c_is_wanted(folder):
    (bad,) = read("code", folder, languages=["c"])
    assert (bad.reason, bad.counts) == ("language", False)


def test_an_unknown_language_names_the_nearest():
    with pytest.raises(ValidationError, match="did you mean 'python'"):
        source("code", ".", languages=["pyton"])


def test_the_declared_language_of_the_source_goes_before_what_was_found(folder):
    assert {r.lang for r in read("code", folder, lang="rust")} == {"rust"}


@pytest.mark.parametrize("size", [1, 20, 40, 10_000])
def test_however_a_tree_is_cut_into_runs_the_files_are_the_same(folder, monkeypatch, size):
    whole = [(r.path, r.text, r.meta) for r in read("code", folder)]
    monkeypatch.setattr(tree, "RUN_BYTES", size)
    files = source("code", folder).files()
    assert (len(files) > 1) == (size < 100)
    assert [f.path for f in files] == sorted(f.path for f in files)
    assert [(r.path, r.text, r.meta) for r in read("code", folder)] == whole


def test_a_run_is_all_in_its_name_path_and_size(folder):
    made = source("code", folder, max_bytes=30, seed=3)
    (file,) = made.files()
    plain = InputFile(file.path, file.url, file.size)
    assert list(made.read(plain)) == list(made.read(file)) == read("code", folder, max_bytes=30, seed=3) != []


def test_skip_equals_dropping_the_first_rows(folder):
    everything = read("code", folder)
    assert [read("code", folder, skip=n) for n in range(5)] == [everything[n:] for n in range(5)]


def test_the_order_in_which_folders_list_their_files_changes_nothing(folder, monkeypatch):
    files, found = source("code", folder).files(), read("code", folder)
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: list(real(path))[::-1])
    assert (source("code", folder).files(), read("code", folder)) == (files, found)


def test_links_are_told_and_never_followed(folder, tmp_path):
    outside = plant(tmp_path / "outside", {"secret.py": b"secret = 1\n"})
    (folder / "link.py").symlink_to(outside / "secret.py")
    (folder / "linked").symlink_to(outside)
    (folder / "round").symlink_to(folder)
    (folder / "lost.py").symlink_to(outside / "gone")
    found = read("code", folder)
    assert not [t for t in texts(found) if "secret" in t]
    links = [b for b in found if isinstance(b, Bad)]
    assert [b.path for b in links] == ["link.py", "linked", "lost.py", "round"]
    assert {(b.reason, b.counts) for b in links} == {("link", False)}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        ("# coding: latin-1\nx = 'é'\n".encode("latin-1"), "# coding: latin-1\nx = 'é'\n"),
        ("#!/bin/x\n# -*- coding: koi8-r -*-\n'ж'\n".encode("koi8-r"), "#!/bin/x\n# -*- coding: koi8-r -*-\n'ж'\n"),
        ("# coding: latin-1\nx = 'é'\n".encode(), "# coding: latin-1\nx = 'é'\n"),  # UTF-8 first
        (b"\n\n# coding: latin-1\n\xe9", "invalid_utf8"),  # the third line is too late
        (b"x = '\xe9'\n", "invalid_utf8"),  # nothing declared
        (b"# coding: unicode_escape\n\xe9\\ud800", "invalid_utf8"),  # no encoding of plain text
        (b"# coding: nonsense\n\xe9", "invalid_utf8"),
        (b"# coding: cp1252\n\x81", "invalid_utf8"),  # declared, but not that either
        (b"x\0", "binary"),
        (b"", ""),
        (b"x" * 100, "x" * 100),
        (b"x" * 101, "too_large"),
    ],
)
def test_text_is_utf8_or_what_python_declares(tmp_path, data, expected):
    plant(tmp_path, {"x.py": data})
    (found,) = read("code", tmp_path, max_document=100)
    assert (found.reason if isinstance(found, Bad) else texts([found])[0]) == expected
    assert (found.row, found.path) == (0, "x.py")


def test_a_name_that_is_no_utf8_is_told(tmp_path):
    plant(tmp_path, {"a.py": b"1"})
    (tmp_path / os.fsdecode(b"\xff.py")).write_bytes(b"2")
    found = read("code", tmp_path)
    assert (texts(found), reasons(found)) == (["1"], ["invalid_name"])
    assert by_path(found)["\\udcff.py"].row == 1


def test_what_is_left_of_a_cap_is_drawn_by_lot_and_read_in_order(tmp_path):
    plant(tmp_path, {f"{i:03d}.py": b"x" * 10 for i in range(50)})
    some = paths(read("code", tmp_path, max_bytes=200))
    assert len(some) == 20
    assert some == sorted(some) != [f"{i:03d}.py" for i in range(20)]
    assert some != paths(read("code", tmp_path, max_bytes=200, seed=1))
    assert set(some) < set(paths(read("code", tmp_path, max_bytes=300)))  # a higher cap keeps what was taken


def test_a_cap_that_nothing_fits_in_is_told(folder):
    with pytest.raises(ConfigError, match="fits in 2 bytes"):
        source("code", folder, max_bytes=2).files()


def test_a_folder_without_source_code_is_told(tmp_path):
    plant(tmp_path, {"x.txt": b"words"})
    with pytest.raises(ConfigError, match="no source file"):
        source("code", tmp_path).files()


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(ConfigError, match="matches no file"):
        source("code", tmp_path / "none").files()


def test_a_folder_among_other_paths_is_refused(folder):
    with pytest.raises(ConfigError, match="among other paths"):
        source("code", [str(folder), str(folder / "a.py")]).files()


def test_a_file_or_folder_that_may_not_be_read_is_told_at_once(folder, monkeypatch):
    forbid(folder / "a.py", monkeypatch)
    with pytest.raises(ConfigError, match=r"a\.py.* may not be read"):
        source("code", folder).files()


def test_a_file_that_vanished_is_an_input_error(folder):
    made = source("code", folder)
    (file,) = made.files()
    records = made.read(file)
    next(records)
    (folder / "sub/c.rs").unlink()
    with pytest.raises(InputError, match=r"c\.rs"):
        list(records)


def test_the_identity_is_that_of_the_bytes_wherever_they_lie(folder, tmp_path):
    def identity(root):
        return source("code", root).identity(lambda file: open(file.url, "rb").read().hex())

    before = identity(folder)
    assert identity(plant(tmp_path / "elsewhere", FILES)) == before
    plant(folder, {"notes": b"of no known language"})
    assert identity(folder) == before
    plant(folder, {"LICENSE": b"another licence"})
    after = identity(folder)
    assert after != before
    plant(folder, {"a.py": b"print(4)\n"})
    assert identity(folder) != after


def test_the_standard_library_is_there_without_what_was_installed():
    found = [r for r in read("code", "python-stdlib", max_bytes="1MB") if isinstance(r, Record)]
    assert 800_000 < sum(len(r.text) for r in found) <= 1_000_000
    assert not [r.path for r in found if "site-packages" in r.path or "__pycache__" in r.path]
    assert json.loads(by_path(read("code", "python-stdlib"))["json/decoder.py"].meta) == {"licence": "PSF-2.0"}
