import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.sources.making import packed, read, reasons, texts

SPLITS = ["file", "paragraph", "line"]
BYTES = st.lists(st.sampled_from([b"a", b"bcd", b"\n", b"\n\n", b"\r\n", b" ", b"\xff"]), max_size=12).map(b"".join)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")

    def write(data: bytes, name: str = "x.txt"):
        (folder / name).write_bytes(data)
        return folder / name

    return write


@pytest.mark.parametrize(
    ("split", "rows", "expected"),
    [
        ("file", [0], ["One.\nMore.\n\n \nTwo.\n"]),
        ("paragraph", [0, 1], ["One.\nMore.", "Two."]),  # paragraphs are counted
        ("line", [0, 1, 4], ["One.", "More.", "Two."]),  # lines are counted, blank ones too
    ],
)
@pytest.mark.parametrize("how", ["", ".gz", ".zst"])
def test_a_document_is_a_file_a_paragraph_or_a_line(file, split, rows, expected, how):
    found = read("text", file(packed(b"One.\nMore.\n\n \nTwo.\n", how), f"x.txt{how}"), split=split)
    assert [item.row for item in found] == rows
    assert texts(found) == expected


@pytest.mark.parametrize("split", SPLITS)
@given(data=BYTES, skip=st.integers(0, 5))
def test_skip_equals_dropping_the_first_rows(file, split, data, skip):
    path = file(data)
    everything = read("text", path, split=split, max_document=4)
    assert read("text", path, skip=skip, split=split, max_document=4) == [i for i in everything if i.row >= skip]


@pytest.mark.parametrize("split", ["paragraph", "line"])
@given(data=BYTES)
def test_no_character_is_lost_but_blanks(file, split, data):
    data = data.replace(b"\xff", b"")
    assert "".join("".join(texts(read("text", file(data), split=split))).split()) == "".join(data.decode().split())


def test_what_is_no_utf8_is_told_with_its_offset_and_the_rest_is_read(file):
    bad, good = read("text", file(b"ab\xff\nfine"), split="line")
    assert (bad.reason, bad.offset, bad.row) == ("invalid_utf8", 2, 0)
    assert good.text == b"fine"
    assert reasons(read("text", file(b"ab\xff\nfine"))) == ["invalid_utf8"]


@pytest.mark.parametrize("split", SPLITS)
def test_a_document_over_the_limit_is_told_with_its_size(file, split):
    at, over = read("text", file(b"12345"), split=split, max_document=5), b"123456"
    assert texts(at) == ["12345"]
    (bad,) = read("text", file(over), split=split, max_document=5)
    assert (bad.reason, bad.value, bad.limit) == ("too_large", 6, 5)


def test_a_paragraph_of_many_short_lines_is_measured_whole(file):
    bad, good = read("text", file(b"ab\ncd\nef\n\nok\n"), split="paragraph", max_document=7)
    assert (bad.reason, bad.value, bad.offset) == ("too_large", 8, 0)  # "ab\ncd\nef"
    assert (good.text, good.row) == (b"ok", 1)


@pytest.mark.parametrize(
    ("split", "before", "offset"),
    [("line", ["one", "two"], 9), ("paragraph", ["one"], 5), ("file", [], 0)],  # "one\n\n" 5 bytes, "two\n" 4 more
)
def test_a_cut_file_gives_its_complete_documents_and_one_bad(file, split, before, offset):
    compressor = zstandard.ZstdCompressor().compressobj()
    data = compressor.compress(b"one\n\ntwo\nthree") + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    *documents, bad = read("text", file(data, "x.txt.zst"), split=split)
    assert texts(documents) == before
    assert (bad.reason, bad.offset) == ("truncated", offset)


def test_an_empty_file_is_one_empty_document_or_no_line(file):
    assert texts(read("text", file(b""))) == [""]
    assert read("text", file(b""), split="line") == []
    assert texts(read("text", file(b"\n"))) == ["\n"]


def test_a_byte_order_mark_is_no_text_and_nul_is(file):
    assert texts(read("text", file(b"\xef\xbb\xbfa\0b\r\nc\r\n"), split="line")) == ["a\0b", "c"]


def test_the_language_may_stand_in_the_path(tmp_path):
    (tmp_path / "sw").mkdir()
    (tmp_path / "sw/a.txt").write_text("habari")
    (found,) = read("text", tmp_path / "{lang}/*.txt", kind="code")
    assert (found.lang, found.kind) == ("sw", "code")
