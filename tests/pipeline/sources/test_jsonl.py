import json
import tracemalloc

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, InputError
from pipeline.sources.base import Bad, Record
from pipeline.sources.jsonl import DEEPEST
from tests.pipeline.sources.making import packed, read, reasons, source, texts

ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=30)  # all of Unicode but lone surrogates
VALUES = st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | ANY_TEXT, st.lists, max_leaves=4)
LONG = b'{"text": "long enough to be refused"}'
LINES = st.sampled_from([b'{"text": "a"}', b"", b"{", b'{"text": 1}', b"\xff", LONG])


@given(text=ANY_TEXT, rest=st.dictionaries(ANY_TEXT.filter(lambda k: k != "text"), VALUES, max_size=3))
def test_text_and_everything_else_come_as_they_stand(tmp_path_factory, text, rest):
    path = tmp_path_factory.mktemp("j") / "x.jsonl"
    path.write_bytes(orjson.dumps({"text": text, **rest}))
    (record,) = read("jsonl", path)
    assert record.text == text
    assert json.loads(record.meta or "{}") == rest


@pytest.mark.parametrize("how", ["", ".gz", ".zst"])
def test_compression_changes_nothing(tmp_path, how):
    path = tmp_path / f"x.jsonl{how}"
    path.write_bytes(packed(b'{"text": "a"}\n{"text": "b"}', how))
    assert texts(read("jsonl", path)) == ["a", "b"]


@given(lines=st.lists(LINES, max_size=8), skip=st.integers(0, 9))
def test_skip_equals_dropping_the_first_rows(tmp_path_factory, lines, skip):
    path = tmp_path_factory.mktemp("j") / "x.jsonl"
    path.write_bytes(b"\n".join(lines))
    everything = read("jsonl", path, max_document=20)
    assert read("jsonl", path, skip=skip, max_document=20) == [item for item in everything if item.row >= skip]
    assert len(everything) == sum(line != b"" for line in lines)  # conservation: each line that is not blank, once


def test_an_offset_counts_what_stands_before_the_line_s_text(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'\xef\xbb\xbf {"text": "\xff"}\r\n\t{"text": "\xff"}')
    assert [path.read_bytes()[bad.offset] for bad in read("jsonl", path)] == [0xFF, 0xFF]


BAD_LINES = [
    (b'{"text": "a"', "invalid_json", 2),
    (b"[1, 2", "invalid_json", 2),
    (b"[" * 100_000, "invalid_json", 2),  # too deep
    (b'{"text": "\\ud800' + b"[" * 3000, "invalid_json", 2),
    (b'{"text": "a", "n": ' + b"[" * 1000 + b"]" * 1000 + b"}", "invalid_json", 2),  # read, but not to be written
    (b'{"text": "a", "n": ' + b"[" * DEEPEST + b"]" * DEEPEST + b"}", "invalid_json", 2),  # and the object around it
    (b'{"text": "a", "n": [NaN, ' + b"[" * 3000 + b"]" * 3000 + b"]}", "invalid_json", 2),
    (b'{"text": "a", "n": [NaN' + b', {"m": [0' * DEEPEST + b"]}" * DEEPEST + b"]}", "invalid_json", 2),
    (b'{"title": "a"}', "missing_text", 2),
    (b'{"text": null}', "missing_text", 2),
    (b'{"text": ["a"]}', "missing_text", 2),
    (b'"text"', "missing_text", 2),
    (b'{"text": "\xff"}', "invalid_utf8", 12),  # 2 bytes of the line before, 10 before the byte itself
    (b'{"text": "\xed\xa0\x80"}', "invalid_utf8", 12),  # a surrogate spelled in UTF-8
    (b'{"text": "' + b"x" * 1000 + b'"}', "too_large", 2),
]


@pytest.mark.parametrize(("line", "reason", "offset"), BAD_LINES)
def test_a_bad_line_goes_to_the_ledger_with_its_offset_and_the_next_is_read(tmp_path, line, reason, offset):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b" \n" + line + b'\n{"text": "next"}\n')
    bad, record = read("jsonl", path, max_document=500 if reason == "too_large" else 64_000_000)
    assert (bad.row, bad.reason, bad.offset) == (1, reason, offset)
    assert len(bad.detail) < 200
    assert (record.row, record.text) == (2, "next")


@pytest.mark.parametrize("also", [b"1", b"NaN", b"100000000000000000000000"])
def test_what_is_nested_just_as_deep_as_may_be_passes(tmp_path, also):
    path = tmp_path / "x.jsonl"
    deep = b"[" * (DEEPEST - 1) + also + b"]" * (DEEPEST - 1)
    path.write_bytes(b'{"text": "a", "n": ' + deep + b"}")
    (record,) = read("jsonl", path)
    assert record.meta.count("[") == DEEPEST - 1


def test_a_line_of_just_the_limit_passes_and_one_more_byte_does_not(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"text": "1234"}\n{"text": "12345"}')  # 16 and 17 bytes
    record, bad = read("jsonl", path, max_document=16)
    assert record.text == "1234"
    assert (bad.reason, bad.value, bad.limit) == ("too_large", 17, 16)


@pytest.mark.parametrize("how", [".gz", ".zst"])
def test_a_cut_file_gives_its_complete_lines_and_one_bad(tmp_path, how):
    lines = [orjson.dumps({"text": f"document {i} {i * 7919 % 997}"}) for i in range(10_000)]  # three zstd blocks
    path = tmp_path / f"x.jsonl{how}"
    path.write_bytes(packed(b"\n".join(lines), how)[:-40])
    *records, last = read("jsonl", path)
    assert len(records) > 0
    assert [r.text for r in records] == [orjson.loads(line)["text"] for line in lines[: len(records)]]
    assert isinstance(last, Bad)
    assert (last.reason, last.row) == ("truncated", len(records))
    assert read("jsonl", path, skip=last.row) == [last]
    assert read("jsonl", path, skip=last.row + 1) == []
    assert last.offset == sum(len(line) + 1 for line in lines[: len(records)])


@pytest.mark.parametrize(
    ("line", "text", "meta"),
    [
        (b'{"text": "a\\ud800b"}', "a\ufffdb", None),  # JSON allows the escape, Unicode does not
        (b'{"text": "\\ud83d\\ude00"}', "😀", None),  # a pair is a character
        (b'{"text": "a", "k\\udfff": "\\udfff"}', "a", {"k\ufffd": "\ufffd"}),
        (b'{"text": "a", "n": NaN, "m": [-Infinity]}', "a", {"n": None, "m": [None]}),
        (
            b'{"text": "a", "n": 123456789012345678901234567890, "x": NaN}',
            "a",
            {"n": 123456789012345678901234567890, "x": None},
        ),
        (b'{"text": "nul \\u0000"}', "nul \0", None),
        (b'\xef\xbb\xbf{"text": "after a byte order mark"}', "after a byte order mark", None),
        (b'{"text": "a"}\r', "a", None),
        (b'{"text": ""}', "", None),
    ],
)
def test_what_json_allows_is_read(tmp_path, line, text, meta):
    path = tmp_path / "x.jsonl"
    path.write_bytes(line + b"\n")
    (record,) = read("jsonl", path)
    assert record.text == text
    assert json.loads(record.meta or "null") == meta


LINE = {"body": {"text": "a", "n": 1}, "lang": "fr", "meta": {"lang": "sw"}, "l": {"code": "ig"}}


@pytest.mark.parametrize(
    ("settings", "line", "lang"),
    [
        ({}, LINE, "fr"),
        ({}, {k: v for k, v in LINE.items() if k != "lang"}, "sw"),
        ({"lang_field": "l.code"}, LINE, "ig"),
        ({"lang_field": "none"}, LINE, None),
        ({"lang": "wo"}, LINE, "wo"),
    ],
)
def test_the_language_comes_from_the_config_else_from_the_line(tmp_path, settings, line, lang):
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(line))
    (record,) = read("jsonl", path, text_field="body.text", **settings)
    assert (record.text, record.lang) == ("a", lang)
    assert json.loads(record.meta)["body"] == {"n": 1}  # all but the text


def test_the_language_in_the_path_goes_before_that_in_the_line(tmp_path):
    (tmp_path / "ki.jsonl").write_text('{"text": "a", "lang": "fr"}')
    (record,) = read("jsonl", tmp_path / "{lang}.jsonl")
    assert record.lang == "ki"


def test_the_language_in_the_path_is_part_of_the_identity(tmp_path):
    (tmp_path / "ki.jsonl").write_text("{}")
    with_lang, without = (source("jsonl", tmp_path / p).identity(lambda f: "0") for p in ("{lang}.jsonl", "*.jsonl"))
    assert with_lang != without


def test_an_empty_file_holds_nothing(tmp_path):
    (tmp_path / "x.jsonl").touch()
    assert read("jsonl", tmp_path / "x.jsonl") == []


def test_a_missing_file_is_told_before_anything_starts(tmp_path):
    with pytest.raises(ConfigError, match="matches no file"):
        source("jsonl", tmp_path / "none.jsonl").files()


def test_a_file_that_vanished_since_is_an_input_error(tmp_path):
    path = tmp_path / "x.jsonl"
    path.touch()
    made = source("jsonl", path)
    (file,) = made.files()
    path.unlink()
    with pytest.raises(InputError, match="cannot be opened"):
        list(made.read(file))


def test_a_document_of_200_mb_is_told_and_never_held(tmp_path):
    path = tmp_path / "x.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "')
        for _ in range(200):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n{"text": "small"}\n')
    tracemalloc.start()
    bad, record = read("jsonl", path, max_document="8MB")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (bad.reason, bad.value) == ("too_large", 200_000_012)
    assert record.text == "small"
    assert peak < 40_000_000


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=pytest.mark.torture)])
def test_many_empty_documents_are_all_there_and_none_is_held(tmp_path, count):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"text": ""}\n' * count)
    made = source("jsonl", path)
    tracemalloc.start()
    seen = sum(isinstance(r, Record) and r.text == "" for file in made.files() for r in made.read(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == count
    assert peak < 30_000_000


def test_files_come_in_one_order(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": name}))
    patterns = [str(tmp_path / f"{name}.jsonl") for name in ("c", "a", "b")]
    assert texts(read("jsonl", patterns)) == texts(read("jsonl", tmp_path / "*.jsonl")) == ["a", "b", "c"]
    assert not reasons(read("jsonl", patterns))
