import gzip
import json
from hashlib import sha1

import pytest

from pipeline.errors import ConfigError
from pipeline.sources import web
from pipeline.sources.base import Bad, Record
from pipeline.sources.warc import HTML
from tests.pipeline.making import config, go, ledger_of, sealed
from tests.pipeline.sources.making import growth, read, reasons, source, texts
from tests.pipeline.sources.web_making import PROSE, archive, http, page, record, visit

BODY = page()


def of(*records: bytes, how: str = ".gz", **settings):
    """What a warc source reads from these records."""

    def run(folder, skip: int = 0):
        (folder / f"x.warc{how}").write_bytes(archive(records, how)[0])
        return read("warc", folder / f"x.warc{how}", skip, **settings)

    return run


def test_a_page_is_a_document_with_all_that_is_known_of_it(tmp_path):
    (found,) = of(visit(7))(tmp_path)
    assert (found.row, found.kind, found.lang) == (0, "text", None)
    assert found.text.startswith("Ukurasa 7. Kila mtu")
    assert "Nyumbani" not in found.text
    assert json.loads(found.meta) == {
        "url": "https://example.org/7",
        "date": "2024-05-18T01:58:10Z",
        "record_id": "urn:uuid:1",
        "content_type": "text/html",
        "status": 200,
        "title": "Kichwa",
        "html_lang": "sw",
        "encoding": "utf-8",
    }


OTHERS = [
    (record(b"", type_="warcinfo"), "warcinfo"),
    (record(b"", type_="request"), "request"),
    (record(b"", type_="revisit"), "revisit"),
    (record(b"", type_="strange"), "record_type"),
    (record(http(BODY, status="404 Not Found")), "status"),
    (record(http(BODY, kind="application/pdf")), "content_type"),
    (record(http(b"\x89PNG", kind=None)), "content_type"),
    (record(http(page(text=""))), "min_chars"),
]


@pytest.mark.parametrize(("other", "reason"), OTHERS, ids=[reason for _, reason in OTHERS])
def test_what_is_no_document_is_told_and_does_no_damage(tmp_path, other, reason):
    first, second = of(other, visit(1))(tmp_path)
    assert (first.reason, first.row, first.offset, first.counts) == (reason, 0, 0, False)
    assert isinstance(second, Record)


DAMAGED = [
    (record(b"rubbish"), "bad_http"),
    (record(http(b"5\r\nabc", "Transfer-Encoding: chunked")), "bad_chunks"),
    (record(http(gzip.compress(BODY)[:-20], "Content-Encoding: gzip")), "bad_compression"),
    (record(http(gzip.compress(bytes(10_000_000)), "Content-Encoding: gzip")), "too_large"),
    (record(http(bytes(9_000_000))), "too_large"),
    (record(http(b"<div>" * 9000)), "too_deep"),
    (record(http(BODY), length=3), "bad_length"),
]


@pytest.mark.parametrize(("damaged", "reason"), DAMAGED, ids=[str(i) for i in range(len(DAMAGED))])
def test_what_cannot_be_read_goes_to_the_ledger_with_its_offset_and_the_next_is_read(tmp_path, damaged, reason):
    _, offsets = archive([visit(0), damaged, visit(2)])
    before, bad, after = of(visit(0), damaged, visit(2))(tmp_path)
    assert (bad.reason, bad.row, bad.offset, bad.counts) == (reason, 1, offsets[1], True)
    assert [before.row, after.row] == [0, 2]


def test_skip_equals_dropping_the_first_rows(tmp_path):
    run = of(visit(0), *(other for other, _ in OTHERS), *(damaged for damaged, _ in DAMAGED), visit(9))
    everything = run(tmp_path)
    assert len(everything) == len(OTHERS) + len(DAMAGED) + 2  # conservation: each record once
    for skip in range(len(everything) + 1):
        assert run(tmp_path, skip) == everything[skip:]


def test_media_type_and_status_and_kind_of_record_are_as_asked_for(tmp_path):
    plain = record(http("Habari za asubuhi".encode("utf-16"), kind="text/plain"))
    resource = record(BODY, type_="resource")
    missing = record(http(BODY, status="404 Not Found"))
    run = of(plain, resource, missing, visit(3, page(), kind="application/xhtml+xml; charset=utf-8"))
    assert texts(run(tmp_path)) == ["Habari za asubuhi", PROSE.strip()]
    assert reasons(of(plain, types=["text/html"])(tmp_path)) == ["content_type"]
    assert texts(of(resource, records=["resource"])(tmp_path)) == [PROSE.strip()]
    assert texts(of(missing, statuses=[200, 404])(tmp_path)) == [PROSE.strip()]


def test_a_page_without_a_content_type_is_told_by_its_first_bytes(tmp_path):
    assert texts(of(record(http(BODY, kind=None)))(tmp_path)) == [PROSE.strip()]


@pytest.mark.parametrize(
    ("body", "is_one"),
    [
        (b"\xef\xbb\xbf <!-- a --> <!---->\n<!-- b --> <!DOCTYPE html>", True),
        (b"<!--[if gt IE 8]><!--> <html>", True),
        (b"<!-- <html>", False),
        (b"<!-- a --> words", False),
    ],
)
def test_comments_may_stand_before_a_page(body, is_one):
    assert bool(HTML.match(body)) == is_one


def test_many_comments_cost_no_more_than_their_bytes():
    assert growth(lambda body: [HTML.match(body) for _ in range(2000)], lambda n: b"<!---->" * n, 8) < 3


def test_the_language_comes_from_the_config_the_path_or_the_page_if_asked(tmp_path):
    (tmp_path / "fr").mkdir()
    (tmp_path / "fr/x.warc").write_bytes(visit(0))
    where = tmp_path / "fr/x.warc"
    langs = [
        read("warc", where)[0].lang,
        read("warc", where, lang_from="html")[0].lang,
        read("warc", tmp_path / "{lang}/*.warc", lang_from="html")[0].lang,
        read("warc", where, lang="wo", lang_from="html")[0].lang,
    ]
    assert langs == [None, "sw", "fr", "wo"]


@pytest.mark.parametrize(
    ("meta", "kept"),
    [
        (["url"], {"url": "https://example.org/0"}),
        ({"url": "source_url", "title": "name"}, {"source_url": "https://example.org/0", "name": "Kichwa"}),
        ([], None),
    ],
)
def test_meta_has_the_fields_asked_for_under_the_names_asked_for(tmp_path, meta, kept):
    (found,) = of(visit(0), meta=meta)(tmp_path)
    assert json.loads(found.meta or "null") == kept


def test_a_text_of_just_min_chars_stays_and_a_shorter_one_goes(tmp_path):
    body = page(text="a" * 50)
    assert texts(of(visit(0, body), min_chars=50)(tmp_path)) == ["a" * 50]
    (bad,) = of(visit(0, body), min_chars=51)(tmp_path)
    assert (bad.reason, bad.value, bad.limit) == ("min_chars", 50, 51)


def test_a_wrong_digest_is_told_if_asked_for(tmp_path):
    block = http(BODY)
    good = record(block, f"WARC-Block-Digest: sha1:{sha1(block).hexdigest()}")
    wrong = record(block, f"WARC-Block-Digest: sha1:{sha1(b'').hexdigest()}")
    assert [type(r) for r in of(good, wrong)(tmp_path)] == [Record, Record]
    assert [type(r) for r in of(good, wrong, digests=True)(tmp_path)] == [Record, Bad]


def test_without_its_libraries_the_config_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "x.warc").write_bytes(visit(0))
    monkeypatch.setattr(web, "EXTRACTION", {"no_such_module": "no-such-package"})
    with pytest.raises(ConfigError, match="no-such-package") as error:
        source("warc", tmp_path / "x.warc").files()
    assert error.value.hint == "pip install 'seedbed[web]'"


def test_ids_stay_when_archives_are_added_and_every_record_is_accounted_for(tmp_path):
    records = [visit(i) if i % 3 else record(b"", type_="request") for i in range(30)]
    (tmp_path / "b.warc.gz").write_bytes(archive(records)[0])
    made = config(tmp_path, sources=[{"warc": {"name": "w", "path": f"{tmp_path}/*.warc.gz"}}], stages=["dedup_exact"])
    first = go(made)
    ids = set(ledger_of(first.steps[0]).column("id").to_pylist())
    manifest = first.steps[0].step.manifest()
    kept = sum(cell["documents"] for cell in manifest["kept"])
    assert (kept, len(ids)) == (20, 10)
    assert manifest["about"]["harmless"] == ["request"]
    (tmp_path / "a.warc.gz").write_bytes(archive([visit(99)])[0])
    again = set(ledger_of(go(made).steps[0]).column("id").to_pylist())
    assert ids <= again


def test_the_number_of_workers_changes_no_byte(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.warc.gz").write_bytes(archive([visit(ord(name) * 100 + i) for i in range(20)])[0])
    sources = [{"warc": {"name": "w", "path": f"{tmp_path}/*.warc.gz"}}]
    runs = [go(config(tmp_path, f"run{n}", [], sources=sources, shard_size="2KB", run={"workers": n})) for n in (1, 2)]
    assert sealed(runs[0]) == sealed(runs[1])
