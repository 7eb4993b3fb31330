import gzip
import io
import tracemalloc
from random import Random

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.sources.warc_records import BROKEN_AT_MOST, Broken, WarcRecord, records
from tests.pipeline.sources.making import growth
from tests.pipeline.sources.web_making import archive, record, visit

HOW = ["", ".gz", ".zst"]
VISITS = [visit(i) for i in range(6)]


def read(data: bytes, limit: int = 1_000_000, how: str = "") -> list[WarcRecord | Broken]:
    return list(records(io.BytesIO(data), f"x.warc{how}", limit))


def urls(found: list[WarcRecord | Broken]) -> list[int]:
    return [int(r.headers["warc-target-uri"].rpartition("/")[2]) for r in found if isinstance(r, WarcRecord)]


def broken(found: list[WarcRecord | Broken]) -> list[tuple[str, int]]:
    return [(one.reason, one.offset) for one in found if isinstance(one, Broken)]


@pytest.mark.parametrize("how", HOW)
def test_all_records_come_with_the_byte_at_which_they_begin(how):
    data, offsets = archive(VISITS, how)
    found = read(data)
    assert urls(found) == list(range(6))
    assert [r.offset for r in found] == offsets
    assert all(r.block.startswith(b"HTTP/1.1") and r.whole and r.size == len(r.block) for r in found)


@pytest.mark.parametrize("how", HOW)
@settings(max_examples=60, deadline=None)
@given(part=st.floats(0, 1))
def test_an_archive_cut_anywhere_gives_the_records_before_and_says_so(how, part):
    data, offsets = archive(VISITS, how)
    cut = int(len(data) * part)
    found = read(data[:cut])
    ends = [*offsets[1:], len(data)]
    lacking = 0 if how else 4  # of a plain archive's last record the line ends may be missing
    assert urls(found) == [i for i, end in enumerate(ends) if end - lacking <= cut]
    between = any(end - lacking <= cut <= end for end in (0, *ends))
    assert broken(found) == ([] if between else [("truncated", max(o for o in offsets if o <= cut))])


@pytest.mark.parametrize("how", [".gz", ".zst"])
@settings(max_examples=80, deadline=None)
@given(number=st.integers(0, 5), part=st.floats(0, 0.999), flip=st.integers(1, 255))
@example(number=0, part=0.0, flip=0x1F).via("a first byte of gzip that is broken to 0 looks like padding")
@example(number=3, part=0.0, flip=0x28).via("the same of zstd")
@example(number=3, part=0.9765625, flip=1).via("a whole record, but its member goes on and on")
def test_one_broken_byte_costs_one_record_and_never_changes_another(how, number, part, flip):
    data, offsets = archive(VISITS, how)
    ends = [*offsets[1:], len(data)]
    at = offsets[number] + int((ends[number] - offsets[number]) * part)
    data = bytearray(data)
    data[at] ^= flip
    found = read(bytes(data), how=how)
    good = {r.offset: r for r in read(archive(VISITS, how)[0])}
    others = [r for r in found if isinstance(r, WarcRecord) and r.offset != offsets[number]]
    assert [r.offset for r in others] == [o for i, o in enumerate(offsets) if i != number]
    assert all(good[r.offset] == r for r in others)
    here = [one for one in found if one.offset == offsets[number]]
    assert here
    if how == ".gz":  # zstd keeps no checksum unless asked to; what is sound is a name or a time in gzip's own header
        assert all(isinstance(one, Broken) or one == good[one.offset] for one in here)
        assert len(here) == 1 or isinstance(here[-1], Broken)


def test_bytes_that_are_no_member_are_told_and_the_next_member_is_found():
    data, offsets = archive(VISITS)
    found = read(data[: offsets[2]] + b"\x1f\x8b\x08\x00garbage" * 50 + data[offsets[2] :])
    assert urls(found) == list(range(6))
    assert broken(found) == [("unreadable", offsets[2])]


def test_zeros_between_members_are_padding():
    data, offsets = archive(VISITS)
    found = read(data[: offsets[2]] + bytes(5000) + data[offsets[2] :] + bytes(700))
    assert (urls(found), broken(found)) == (list(range(6)), [])


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("length", [10, 10_000, "x", -1, ""])
def test_a_wrong_length_costs_one_record(how, length):
    block = b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 300
    wrong = record(block, "WARC-Target-URI: https://example.org/9", length=length)
    data, offsets = archive([*VISITS[:2], wrong, *VISITS[2:]], how)
    found = read(data)
    assert urls(found) == list(range(6))
    assert broken(found)[0] == ("bad_length", offsets[2])
    assert len(found) == 7


def skippable(size: int, held: bytes = b"", magic: int = 0x50) -> bytes:
    return bytes([magic]) + b"\x2a\x4d\x18" + size.to_bytes(4, "little") + held


@pytest.mark.parametrize("magic", [0x50, 0x5D])
def test_a_frame_without_data_that_claims_more_than_there_is_costs_no_record(magic):
    data, offsets = archive(VISITS, ".zst")
    assert urls(read(data[: offsets[1]] + skippable(3, b"abc", 0x51) + data[offsets[1] :])) == list(range(6))
    at = 0 if magic == 0x5D else offsets[1]  # a dictionary stands first
    found = read(data[:at] + skippable(15_000_000, b"", magic) + data[at:])
    assert (urls(found), broken(found)) == (list(range(6)), [("truncated", at)])
    assert not any(one.last for one in found if isinstance(one, Broken))


def test_an_archive_cut_within_a_frame_without_data_says_so():
    data, _ = archive(VISITS, ".zst")
    assert broken(read(data + skippable(3, b"abc"))) == []
    *found, cut = read(data + skippable(3, b"ab"))
    assert urls(found) == list(range(6))
    assert (cut.reason, cut.offset, cut.last) == ("truncated", len(data), True)


MANY = [
    record(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 300, f"WARC-Target-URI: https://example.org/{i}") for i in range(600)
]


@pytest.mark.parametrize("too_much", [70_000, 150_000, 10**7, 10**15])  # the archive has 300 kB
@pytest.mark.parametrize("size", [300, 100_000])
def test_a_length_too_large_costs_no_other_record_of_a_plain_archive(too_much, size):
    wrong = record(bytes(size), "WARC-Target-URI: https://example.org/9", length=size + too_much)
    data, offsets = archive([MANY[0], wrong, *MANY[1:]], "")
    found = read(data, limit=1000)
    assert urls(found) == list(range(600))
    assert broken(found) == [("bad_length", offsets[1])]
    there, told = next((one.value, one.limit) for one in found if isinstance(one, Broken))
    assert told == size + too_much
    assert 0 <= there - size <= (0 if size == 300 else 4)  # found line by line, the line ends between two count too


class Stream(io.BytesIO):
    """Bytes that come by once, as a server without ranges sends them; such a file says that it can be sought."""

    size = None

    def seek(self, *_: int) -> int:
        raise ValueError("it cannot be sought")


def test_a_plain_archive_that_comes_as_a_stream_is_read_to_its_end():
    data, offsets = archive([VISITS[0], record(bytes(300_000)), VISITS[1], record(bytes(300_000), length=10**6)], "")
    found = list(records(Stream(data), "x.warc", 1000))
    assert [one.offset for one in found] == offsets
    assert [getattr(one, "reason", None) for one in found] == [None, None, None, "truncated"]


def test_a_plain_archive_cut_within_a_large_record_says_that_the_file_ends():
    data, offsets = archive([VISITS[0], record(bytes(300_000))], "")
    *found, cut = read(data[:-100_000], limit=1000)
    assert urls(found) == [0]
    assert (cut.reason, cut.offset, cut.last) == ("truncated", offsets[1], True)
    assert "ends 99996 bytes before" in cut.detail  # the record's two line ends are not of its block


def test_wrong_lengths_cost_no_more_than_their_bytes():
    wrong = record(b"a" * 1000, length=10**12)
    assert growth(lambda data: read(data, limit=1000), lambda n: wrong * n + b"x" * 4_000_000, 200) < 3


def test_small_blocks_cost_no_more_than_their_bytes():
    def frame(n: int) -> bytes:
        pack = zstandard.ZstdCompressor(level=1).compressobj()
        big = record(Random(0).randbytes(500 * n))  # no block of which can be packed
        flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
        return (
            b"".join(pack.compress(big[i : i + 500]) + pack.flush(flush) for i in range(0, len(big), 500))
            + pack.flush()
        )

    assert growth(lambda data: read(data, limit=10**9), frame, 4000) < 3


def test_a_plain_archive_goes_on_behind_what_is_no_record():
    data, offsets = archive(VISITS, "")
    found = read(data[: offsets[3]] + b"rubbish\nWARC/ is not enough\n\r\n" + data[offsets[3] :])
    assert urls(found) == list(range(6))
    assert broken(found) == [("bad_record", offsets[3])]


def test_an_archive_packed_as_one_member_is_read_like_one_that_is_not():
    plain = b"".join(VISITS)
    found = read(gzip.compress(plain))
    assert urls(found) == list(range(6))
    assert {r.offset for r in found} == {0}  # where its member begins


LARGE = zstandard.ZstdCompressionDict(Random(0).randbytes(200_000))  # larger than what is read at once


@pytest.mark.parametrize("made", [zstandard.train_dictionary(2000, [visit(i) for i in range(200)]), LARGE])
def test_a_dictionary_in_the_first_frame_unpacks_all_others(made):
    pack = zstandard.ZstdCompressor(dict_data=made).compress
    for held in (made.as_bytes(), zstandard.compress(made.as_bytes())):
        first = b"\x5d\x2a\x4d\x18" + len(held).to_bytes(4, "little") + held
        found = read(first + b"".join(pack(one) for one in VISITS))
        assert (urls(found), broken(found)) == (list(range(6)), [])


ARC = (
    b"filedesc://x.arc 0.0.0.0 20140216050221 text/plain 75\n1 0 Test\nURL IP-address Archive-date Content-type "
    b"Archive-length\n\n"
)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_arc_is_read_as_the_warc_it_stands_for(pack):
    block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>a"
    head = ARC.replace(b" 75\n", b" %d\n" % len(ARC.partition(b" 75\n")[2]))
    line = b"http://example.org/a b 1.2.3.4 20140216050221 text/html %d\n" % len(block)
    first, second = read(pack(head + b"\n" + line + block + b"\n"))
    assert (first.type, second.type) == ("warcinfo", "response")
    assert second.headers["warc-date"] == "2014-02-16T05:02:21Z"
    assert second.headers["warc-target-uri"] == "http://example.org/a b"
    assert second.block == block


def test_headers_may_end_in_line_feeds_go_on_and_stand_twice():
    data = b"WARC/1.1\nWARC-Type: response\nA: one\n\ttwo\na: three\nno colon\nContent-Length: 2\n\nab\n\n"
    (found,) = read(data)
    assert (found.headers["a"], found.block) == ("one two", b"ab")


def test_headers_without_end_are_refused_and_the_next_record_is_found():
    data = b"WARC/1.0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n" + VISITS[1]
    found = read(data)
    assert urls(found) == [1]
    assert broken(found)[0] == ("bad_record", 0)


def test_a_hostile_archive_is_given_up_and_the_cost_is_bounded():
    found = read(archive([b"WARC/1.0\r\nContent-Length: x\r\n\r\n"] * (BROKEN_AT_MOST + 50))[0])
    assert len(found) == BROKEN_AT_MOST + 1
    assert "given up" in found[-1].detail


def test_of_a_record_of_200_mb_only_the_beginning_is_held():
    big = record(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(200_000_000), "WARC-Target-URI: https://example.org/0")
    data = gzip.compress(big, 1) + gzip.compress(visit(1))
    del big
    tracemalloc.start()
    first, second = read(data, limit=8_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (first.size, first.whole, len(first.block)) == (200_000_019, False, 65536)
    assert second.whole
    assert peak < 20_000_000


def test_a_file_packed_otherwise_is_told():
    import bz2

    (found,) = read(bz2.compress(VISITS[0]))
    assert found.reason == "unreadable"
    assert read(b"") == []
