import bz2
import gzip
import io
import lzma
import random
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.decompress import BLOCK, Damage, compression, stream

PACK = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}
SKIPPABLE = (0x184D2A50).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"hello"


def unpacked(data: bytes, name: str = "x") -> tuple[bytes, str | None]:
    """What comes out, and the reason why it ends early."""
    out = []
    try:
        out.extend(stream(io.BytesIO(data), name))
    except Damage as damage:
        return b"".join(out), damage.reason
    return b"".join(out), None


@pytest.mark.parametrize("kind", PACK)
@given(parts=st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_streams_behind_each_other_are_read_as_one(kind, parts):
    assert unpacked(b"".join(map(PACK[kind], parts))) == (b"".join(parts), None)


@pytest.mark.parametrize("kind", PACK)
@given(data=st.binary(min_size=20, max_size=2000), cut=st.floats(0, 0.999))
def test_a_cut_file_gives_a_beginning_of_its_bytes_and_says_it_is_cut(kind, data, cut):
    whole = PACK[kind](data)
    part = whole[: max(10, int(cut * len(whole)))]  # of fewer bytes nobody can tell what file it was
    assert compression(part) == kind
    got, reason = unpacked(part)
    assert reason == "truncated"
    assert data.startswith(got)


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_file_cut_behind_its_data_gives_all_of_them(kind):
    data = b"line\n" * 100_000
    compress = zstandard.ZstdCompressor(write_checksum=True).compress if kind == "zstd" else PACK[kind]
    assert unpacked(compress(data)[:-2]) == (data, "truncated")


@pytest.mark.parametrize("kind", ["gzip", "xz", "bzip2"])
def test_flipped_bits_are_told(kind):
    whole = bytearray(PACK[kind](bytes(range(256)) * 40))
    whole[len(whole) // 2] ^= 0x10
    assert unpacked(bytes(whole))[1] == "unreadable"


def test_a_frame_that_ends_in_the_middle_of_a_piece_loses_nothing():
    parts = [random.Random(i).randbytes(5000) for i in range(3)]  # does not compress, so a frame is longer than a piece
    assert unpacked(b"".join(map(PACK["zstd"], parts))) == (b"".join(parts), None)


def test_a_cut_gzip_file_gives_every_byte_that_can_be_had():
    whole = gzip.compress(bytes(BLOCK) + b"tail" * 1000)  # cut near its end, a block is full while zlib holds more
    for cut in range(len(whole) - 80, len(whole) - 8):
        assert unpacked(whole[:cut])[0] == zlib.decompressobj(31).decompress(whole[:cut])


def test_zeros_behind_the_end_are_padding_but_other_bytes_are_told():
    assert unpacked(gzip.compress(b"a") + bytes(3_000_000)) == (b"a", None)
    assert unpacked(gzip.compress(b"a") + bytes(7) + gzip.compress(b"b")) == (b"ab", None)
    assert unpacked(gzip.compress(b"a") + b"and more") == (b"a", "unreadable")


def test_skippable_frames_are_skipped():
    assert unpacked(SKIPPABLE + PACK["zstd"](b"a") + SKIPPABLE + PACK["zstd"](b"b")) == (b"ab", None)


def test_a_file_is_what_its_bytes_say_not_what_its_name_says():
    assert unpacked(b"plain", "x.gz") == (b"plain", None)
    assert unpacked(PACK["zstd"](b"a"), "x.txt") == (b"a", None)


@pytest.mark.parametrize(("name", "reason"), [("x.gz", "truncated"), ("x.zst", "truncated"), ("x.jsonl", None)])
def test_an_empty_file_is_cut_only_if_its_name_promises_more(name, reason):
    assert unpacked(b"", name) == (b"", reason)


@pytest.mark.parametrize(("kind", "most"), [("gzip", 15_000_000), ("zstd", 80_000_000)])
def test_a_bomb_does_not_fill_the_memory(kind, most):
    size = 300_000_000
    compress = zstandard.ZstdCompressor().compressobj() if kind == "zstd" else None
    pieces = [compress.compress(bytes(10_000_000)) for _ in range(30)] + [compress.flush()] if compress else []
    bomb = b"".join(pieces) if pieces else gzip.compress(bytes(size), 1)
    tracemalloc.start()
    seen = sum(len(block) for block in stream(io.BytesIO(bomb), "x"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == size
    assert peak < most
