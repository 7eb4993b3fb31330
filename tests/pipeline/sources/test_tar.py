import io
import tarfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.decompress import Damage
from pipeline.sources.tar import LONGEST_FOR_ALL, Reader, members
from tests.pipeline.sources.making import growth

FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=150)


def tar(files, kind="pax") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=FORMATS[kind]) as archive:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def blocks(data: bytes, size: int = 700) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def read(data: bytes) -> tuple[list[tuple[str, bytes]], str | None]:
    found, reader = [], Reader(blocks(data))
    try:
        for member in members(reader):
            found.append((member.path, reader.take(member.size)))
    except Damage as damage:
        return found, damage.reason
    return found, None


@pytest.mark.parametrize("kind", ["pax", "gnu"])
@given(files=st.lists(st.tuples(NAMES, st.binary(max_size=1100)), max_size=4))
def test_names_and_bytes_are_those_that_tarfile_wrote(kind, files):
    files = [(name.rstrip("/"), data) for name, data in files]
    assert read(tar(files, kind)) == (files, None)


@given(cut=st.integers(0, 5000))
def test_an_archive_cut_anywhere_gives_the_members_before_and_says_so(cut):
    files = [("a", b"1" * 600), ("b", b""), ("c", b"2" * 512)]
    ends = [512 + 600, 1536 + 512, 2048 + 512 + 512]  # header and bytes; a's bytes are padded to 1536
    found, reason = read(tar(files)[:cut])
    assert found == [file for file, end in zip(files, ends, strict=True) if end <= cut]
    assert reason == ("truncated" if cut < 3072 + 512 else None)  # one block of zeros is an end mark


def test_a_wrong_checksum_is_told():
    data = bytearray(tar([("a", b"x"), ("b", b"y")]))
    data[1024] ^= 1  # the first byte of the second name
    assert read(bytes(data)) == ([("a", b"x")], "unreadable")


def test_members_that_nobody_reads_are_passed_over():
    assert [m.path for m in members(Reader(blocks(tar([("a", b"x" * 5000), ("b", b"")]))))] == ["a", "b"]


def test_links_and_devices_are_told_from_files():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind in (
            tarfile.SYMTYPE,
            tarfile.LNKTYPE,
            tarfile.CHRTYPE,
            tarfile.FIFOTYPE,
            tarfile.DIRTYPE,
            tarfile.REGTYPE,
        ):
            info = tarfile.TarInfo("x")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    kinds = [m.kind for m in members(Reader(blocks(out.getvalue())))]
    assert kinds == ["link", "link", "other", "other", "folder", "file"]


def test_the_map_of_a_sparse_file_is_passed_over():
    info = tarfile.TarInfo("holes")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[482] = 1  # a block of the map follows the header
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)
    data = bytes(header) + b"\1" * 504 + bytes(8) + b"\2" * 512 + tar([("a", b"x")])
    assert [(m.path, m.kind, m.offset) for m in members(Reader(blocks(data)))] == [
        ("holes", "other", 1024),
        ("a", "file", 2048),
    ]


def test_a_header_that_claims_gigabytes_is_refused():
    info = tarfile.TarInfo("long")
    info.type, info.size = b"x", 4 << 30
    assert read(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)) == ([], "unreadable")


def test_a_broken_pax_record_is_told():
    info = tarfile.TarInfo("pax")
    info.type, info.size = b"x", 12
    assert read(info.tobuf() + b"99 path=oops".ljust(512, b"\0") + bytes(1024)) == ([], "unreadable")


def pax(*records: bytes, kind: bytes = b"x") -> bytes:
    """A pax header of these records, each with its length before it."""
    data = b"".join(b"%d %s\n" % (size_of(record), record) for record in records)
    info = tarfile.TarInfo("pax")
    info.type, info.size = kind, len(data)
    return info.tobuf() + data + bytes(-len(data) % 512)


def size_of(record: bytes) -> int:
    """Of a record with its length, which counts its own digits."""
    size = len(record) + 2
    while len(str(size)) + len(record) + 2 != size:
        size += 1
    return size


@pytest.mark.parametrize("digits", [21, 400, 5000])
def test_a_number_in_a_pax_header_has_few_digits(digits):
    after = tar([("a", b"x")])
    assert read(pax(b"size=" + b"9" * digits) + after) == ([], "unreadable")
    assert read(pax(b"size=" + b"0" * 19 + b"1", b"path=b") + after) == ([("b", b"x")], None)
    info = tarfile.TarInfo("pax")
    info.type, info.size = b"x", digits + 10
    assert read(info.tobuf() + (b"9" * digits + b" path=oop").ljust(-(-info.size // 512) * 512, b"\0")) == (
        [],
        "unreadable",
    )


def test_the_records_of_a_pax_header_cost_no_more_than_their_bytes():
    assert growth(read, lambda n: pax(*[b"a=b"] * n, b"path=c") + tar([("a", b"x")]), 70_000) < 3


@pytest.mark.parametrize("kind", [b"x", b"g"])
def test_of_many_pax_headers_only_what_counts_is_held(kind):
    value = b"v" * 1000
    data = b"".join(pax(b"key%d=" % i + value, b"path=c", kind=kind) for i in range(2000)) + tar([("a", b"x")])
    reader = Reader(blocks(data))
    tracemalloc.start()
    assert [member.path for member in members(reader)] == ["c"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000  # all values together are 2 MB


def test_what_is_said_of_all_members_is_short():
    after = tar([("a", b"x"), ("b", b"y")])
    name = b"n" * LONGEST_FOR_ALL
    assert read(pax(b"path=" + name, kind=b"g") + after) == ([(name.decode(), b"x"), (name.decode(), b"y")], None)
    assert read(pax(b"path=n" + name, kind=b"g") + after) == ([], "unreadable")
    assert read(pax(b"path=n" + name) + after) == ([("n" + name.decode(), b"x"), ("b", b"y")], None)


@pytest.mark.parametrize(("said", "name"), [(b"GNU.sparse.name=holes", "holes"), (b"GNU.sparse.size=9", "a")])
def test_a_file_with_holes_is_told_by_any_word_of_them(said, name):
    data = pax(said) + tar([("a", b"x")])
    assert [(m.path, m.kind) for m in members(Reader(blocks(data)))] == [(name, "other")]
