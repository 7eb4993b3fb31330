import json

import pytest

from tests.pipeline.sources.making import read
from tests.pipeline.sources.web_making import archive, record

TEXT = "Nyumbani\nKila mtu ana haki ya kuishi.\n"
HEADERS = ("WARC-Target-URI: https://example.org/1", "WARC-Identified-Content-Language: swa,eng")
PAGE = record(TEXT.encode(), *HEADERS, type_="conversion")
INFO = record(b"software: x", type_="warcinfo")


@pytest.mark.parametrize("how", ["", ".gz", ".zst"])
def test_a_conversion_is_a_document_and_its_text_is_not_touched(tmp_path, how):
    (tmp_path / f"x.wet{how}").write_bytes(archive([INFO, PAGE], how)[0])
    info, found = read("wet", tmp_path / f"x.wet{how}", lang_from="crawler")
    assert (info.reason, info.counts) == ("warcinfo", False)
    assert (found.row, found.text, found.lang) == (1, TEXT, "swa")
    meta = json.loads(found.meta)
    assert (meta["url"], meta["identified_lang"]) == ("https://example.org/1", "swa,eng")


def test_the_crawlers_language_is_not_believed_unless_asked(tmp_path):
    (tmp_path / "x.wet").write_bytes(PAGE)
    assert read("wet", tmp_path / "x.wet")[0].lang is None


def test_broken_text_too_much_and_too_little_are_told(tmp_path):
    records = [record(t, type_="conversion") for t in (b"ab\xff", b"x" * 21, b"", b"ok")]
    data, offsets = archive(records)
    (tmp_path / "x.wet.gz").write_bytes(data)
    *bad, good = read("wet", tmp_path / "x.wet.gz", max_document=20)
    assert [b.reason for b in bad] == ["invalid_utf8", "too_large", "min_chars"]
    assert [b.offset for b in bad] == offsets[:3]
    assert good.text == "ok"
    assert [b.counts for b in bad] == [True, True, False]
