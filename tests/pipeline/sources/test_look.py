"""What the beginning of a file tells of a source that was named wrongly."""

import gzip
import json

import pytest

from pipeline.sources.jsonl import Jsonl
from pipeline.sources.look import HEAD, Look, look
from pipeline.sources.text import Text

RECORDS = [{"id": "7", "content": "a longer text", "about": {"title": "short"}}, {"id": "8", "content": "another"}]
LINES = "\n".join(map(json.dumps, RECORDS))


def seen(tmp_path, data: bytes, kind=Jsonl, name="a.jsonl", **more) -> Look:
    (tmp_path / name).write_bytes(data)
    return look(kind(name="a", path=str(tmp_path / name), **more))


def test_the_field_with_most_text_is_where_the_text_stands(tmp_path):
    found = seen(tmp_path, LINES.encode())
    assert found.text_field == "content"
    assert "its fields are: id, content, about.title; set `text_field: content`" in found.mend
    assert seen(tmp_path, b'{"body": {"text": "abc"}, "n": 3}').text_field == "body.text"


def test_nothing_is_said_of_what_is_well_or_is_not_there(tmp_path):
    assert seen(tmp_path, LINES.encode(), text_field="content") == Look()
    assert seen(tmp_path, gzip.compress(b'{"text": "x"}'), name="a.jsonl.gz") == Look()
    assert seen(tmp_path, ('{"text":  "' + "é" * HEAD).encode()) == Look()  # from byte 11 on: HEAD cuts one in two
    assert look(Jsonl(name="a", path=str(tmp_path / "nowhere"))) == Look()
    assert seen(tmp_path, b"") == seen(tmp_path, b"{", name="b") == Look()


@pytest.mark.parametrize(
    ("data", "kind", "told"),
    [
        (json.dumps(RECORDS).encode(), Jsonl, "one array, not one object a line"),
        (LINES.encode("utf-16"), Jsonl, "UTF-16"),
        (LINES.encode("utf-16-le"), Jsonl, "UTF-16"),
        ("plain".encode("utf-16"), Text, "UTF-16"),
        ("caf\u00e9".encode("cp1252"), Text, "Windows-1252"),
        (b"%PDF-1.7\n\xff", Text, "PDF"),
    ],
)
def test_what_is_no_text_in_utf_8_is_told_with_how_to_convert_it(tmp_path, data, kind, told):
    assert told in seen(tmp_path, data, kind).mend
