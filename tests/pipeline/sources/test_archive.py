import gzip
import io
import json
import lzma
import os
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.archive import unsafe
from pipeline.sources.base import Bad, Record
from tests.pipeline.sources.making import read, reasons, source, texts

FILES = {
    "p/a.py": b"print(1)\n",
    "p/notes.txt": b"words",
    "p/run": b"#!/bin/sh\necho\n",
    "p/sub/b.go": b"package b\n",
    "p/LICENSE": b"Apache License Version 2.0",  # behind what it covers
}
EXPECTED = [("p/a.py", "python"), ("p/run", "shell"), ("p/sub/b.go", "go")]
PACK = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tar.zst": zstandard.ZstdCompressor().compress,
    ".tar.xz": lzma.compress,
}


def tar(files, *special: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in special:
            archive.addfile(info)
    return out.getvalue()


def zipped(files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def packed(files, suffix: str) -> bytes:
    return zipped(files) if suffix == ".zip" else PACK[suffix](tar(files))


@pytest.mark.parametrize("suffix", [*PACK, ".zip"])
def test_every_kind_of_archive_gives_the_same_documents(tmp_path, suffix):
    path = tmp_path / f"src{suffix}"
    path.write_bytes(packed(FILES, suffix))
    found = read("code", path)
    assert [(r.path, r.lang) for r in found] == [(f"src{suffix}/{p}", lang) for p, lang in EXPECTED]
    assert texts(found) == [FILES[p].decode() for p, _ in EXPECTED]
    assert [r.row for r in found] == [0, 2, 3]  # entries of no known language are counted
    assert {json.loads(r.meta)["licence"] for r in found} == {"Apache-2.0"}


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_skip_equals_dropping_the_first_rows(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_bytes(packed(FILES, suffix))
    everything = read("code", tmp_path / f"x{suffix}")
    for skip in range(6):
        assert read("code", tmp_path / f"x{suffix}", skip=skip) == [i for i in everything if i.row >= skip]


TRAVERSAL = ["/etc/evil.py", "../evil.py", "a/../../evil.py", "..\\evil.py", "C:\\evil.py", "C:evil.py", "a/.."]


@pytest.mark.parametrize("suffix", [".tar", ".zip"])
def test_a_name_that_leads_out_is_told_and_nothing_is_written(tmp_path, monkeypatch, suffix):
    work = tmp_path / "work/deep"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    path = work / f"x{suffix}"
    path.write_bytes(packed({**dict.fromkeys(TRAVERSAL, b"evil = 1\n"), "good.py": b"good = 1\n"}, suffix))
    before = sorted(tmp_path.rglob("*"))
    found = read("code", path)
    assert texts(found) == ["good = 1\n"]
    assert reasons(found) == ["unsafe_path"] * len(TRAVERSAL)
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/etc/evil.py").exists()


@pytest.mark.parametrize("path", ["a/b.py", "..a/b..py", "a/...", "./a", "ab:c.py"])
def test_odd_names_that_stay_inside_are_safe(path):
    assert not unsafe(path)


def test_links_and_devices_are_told_and_do_no_damage(tmp_path):
    special = []
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
        info = tarfile.TarInfo("x.py")
        info.type, info.linkname = kind, "/etc/passwd"
        special.append(info)
    (tmp_path / "x.tar").write_bytes(tar({"a.py": b"1"}, *special))
    found = read("code", tmp_path / "x.tar")
    assert (texts(found), reasons(found)) == (["1"], ["link"] * 3)
    assert not any(b.counts for b in found if isinstance(b, Bad))


def test_a_link_in_a_zip_is_told(tmp_path):
    info = zipfile.ZipInfo("x.py")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert reasons(read("code", tmp_path / "x.zip")) == ["link"]


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.zst"])
def test_a_cut_archive_gives_the_files_before_and_one_bad(tmp_path, suffix):
    files = {f"{i:03d}.py": os.urandom(3000).hex().encode() for i in range(100)}  # several blocks even if compressed
    data = packed(files, suffix)
    (tmp_path / f"x{suffix}").write_bytes(data[: len(data) // 2])
    *records, bad = read("code", tmp_path / f"x{suffix}")
    assert 20 < len(records) < 60
    assert texts(records) == [files[name].decode() for name in sorted(files)][: len(records)]
    assert bad.reason == "truncated"
    assert bad.counts


@pytest.mark.parametrize("left", [0, 10, 100])
def test_a_cut_zip_is_one_bad(tmp_path, left):
    (tmp_path / "x.zip").write_bytes(zipped(FILES)[:left])
    (bad,) = read("code", tmp_path / "x.zip")
    assert bad.reason == "truncated"


def test_a_broken_file_in_a_zip_is_told_and_the_others_are_read(tmp_path):
    data = bytearray(zipped({"a.py": b"first = 1\n" * 9, "b.py": b"second = 2\n"}))
    data[data.index(b"a.py") + 6] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(data)
    found = read("code", tmp_path / "x.zip")
    assert (texts(found), reasons(found)) == (["second = 2\n"], ["unreadable"])


def flagged(name: bytes, broken: bytes, count: int) -> bytes:
    """A zip of which a name says it is UTF-8 and is not: in its own header (1), or in the directory too (2)."""
    data = zipped({"é.py": b"first = 1\n", "b.py": b"second = 2\n"})  # a name beyond ASCII sets the flag
    own, directory = data.index(name), data.rindex(name)
    assert own < directory
    data = data[:own] + broken + data[own + len(name) :]
    return data if count == 1 else data[:directory] + broken + data[directory + len(name) :]


def test_a_name_in_a_zip_that_is_not_the_utf_8_it_says_is_told(tmp_path):
    (tmp_path / "own.zip").write_bytes(flagged("é".encode(), b"\xff\xfe", 1))
    found = read("code", tmp_path / "own.zip")
    assert (texts(found), reasons(found)) == (["second = 2\n"], ["unreadable"])
    (tmp_path / "all.zip").write_bytes(flagged("é".encode(), b"\xff\xfe", 2))
    (bad,) = read("code", tmp_path / "all.zip")
    assert (bad.reason, bad.breaks_off) == ("unreadable", True)
    assert "utf-8" in bad.detail


def test_an_offset_of_64_bits_in_a_zip_is_told(tmp_path):
    data = bytearray(zipped({"a.py": b"a", "b.py": b"b"}))
    entry = data.index(b"PK\x01\x02")
    data[entry + 42 : entry + 46] = b"\xff" * 4  # it stands in an extra field
    data[entry + 30 : entry + 32] = (12).to_bytes(2, "little")
    at = entry + 46 + len("a.py")
    data[at:at] = b"\1\0\x08\0" + b"\xff" * 8
    end = data.index(b"PK\x05\x06")
    data[end + 12 : end + 16] = (int.from_bytes(data[end + 12 : end + 16], "little") + 12).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(data)
    found = read("code", tmp_path / "x.zip")
    assert (texts(found), reasons(found)) == (["b"], ["unreadable"])


def test_an_empty_name_in_a_zip_is_told(tmp_path):
    data = bytearray(zipped({"a.py": b"first = 1\n", "b.py": b"second = 2\n"}))
    data[data.rindex(b"a.py")] = 0  # a name ends at NUL
    (tmp_path / "x.zip").write_bytes(data)
    found = read("code", tmp_path / "x.zip")
    assert (texts(found), reasons(found)) == (["second = 2\n"], ["unsafe_path"])


@given(flips=st.dictionaries(st.integers(0, 700), st.integers(0, 255), min_size=1, max_size=4))
def test_bytes_of_a_zip_may_be_anything(tmp_path_factory, flips):
    data = bytearray(
        zipped({"é.py": b"first = 1\n", "LICENSE": b"MIT", "b.py": b"second = 2\n", "run": b"#!/bin/sh\n"})
    )
    for at, byte in flips.items():
        data[at % len(data)] = byte
    path = tmp_path_factory.mktemp("z") / "x.zip"
    path.write_bytes(data)
    assert all(isinstance(one, Record | Bad) for one in read("code", path))
    assert all(isinstance(one, Record | Bad) for one in read("code", path, max_bytes=100))


def broken_first(files: dict[str, bytes]) -> bytes:
    """A zip whose first entry cannot be unpacked."""
    data = bytearray(zipped(files))
    data[data.index(next(iter(files)).encode()) + len(next(iter(files))) + 2] ^= 0xFF
    return bytes(data)


def test_a_broken_licence_in_a_zip_hides_none_behind_it(tmp_path):
    apache = {"b/LICENSE": FILES["p/LICENSE"], "b/x.py": b"x = 1\n"}
    (tmp_path / "x.zip").write_bytes(broken_first({"a/LICENSE": b"Permission is hereby granted " * 9, **apache}))
    assert texts(read("code", tmp_path / "x.zip", licences=["Apache-2.0"])) == ["x = 1\n"]


def test_a_broken_entry_in_a_zip_takes_nothing_from_the_lot_of_those_behind_it(tmp_path):
    five = {f"{i}.py": b"x = 1\n" for i in range(5)}
    (tmp_path / "x.zip").write_bytes(broken_first({"run": b"#!/bin/sh\n" * 9, **five}))
    found = read("code", tmp_path / "x.zip", max_bytes=1000)
    assert (len(texts(found)), reasons(found)) == (5, ["unreadable"])


def test_what_is_no_archive_is_told(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"no tar at all " * 100)
    assert reasons(read("code", tmp_path / "x.tar")) == ["unreadable"]


def test_a_name_that_comes_twice_is_told_and_the_first_stays(tmp_path):
    twice = tar({"a.py": b"first"})[:1024] + tar({"./a.py": b"second", "b.py": b"third"})
    (tmp_path / "x.tar").write_bytes(twice)
    found = read("code", tmp_path / "x.tar")
    assert (texts(found), reasons(found)) == (["first", "third"], ["duplicate_name"])


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
def test_a_bomb_in_an_archive_does_not_fill_the_memory(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_bytes(packed({"bomb.py": bytes(200_000_000), "a.py": b"1"}, suffix))
    tracemalloc.start()
    found = read("code", tmp_path / f"x{suffix}", max_document="1MB")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (texts(found), reasons(found)) == (["1"], ["too_large"])
    assert [b.value for b in found if isinstance(b, Bad)] == [200_000_000]
    assert peak < 30_000_000


def test_a_cap_draws_over_all_archives(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.tar").write_bytes(tar({f"{i}.py": b"x" * 10 for i in range(20)}))
    found = read("code", tmp_path / "*.tar", max_bytes=200)
    assert len(found) == 20
    assert {r.path[:5] for r in found if isinstance(r, Record)} == {"a.tar", "b.tar"}
    assert len(source("code", tmp_path / "*.tar", max_bytes=200).identity(lambda file: file.url)) == 2
