"""`dedup_url` keeps the first document of each address; what has no address passes."""

import json

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline.stages.dedup_url import DedupUrl
from tests.pipeline.stages.settling import settled
from tests.pipeline.stages.tables import docs


def gone(metas: list, stage: DedupUrl | None = None) -> list[tuple[int, int]]:
    """(document that goes, its twin)."""
    stage = stage or DedupUrl()
    texts = [m if m is None or isinstance(m, str) else json.dumps(m) for m in metas]
    table = docs(["x"] * len(metas), doc=pa.array(range(len(metas)), pa.uint64()), meta=texts)
    return [(row["doc"], row["twin"]) for row in settled([stage.resolve(stage.observe(table).keys, None).edges])]


def test_the_first_of_an_address_stays():
    page = "http://www.example.org/a?x=1"
    assert gone([{"url": page}, {"url": "http://example.org/b"}, {"source_url": "https://example.org/a/"}]) == [(2, 0)]
    assert gone([{"url": page}, {"url": page[:-1] + "2"}], DedupUrl(query=True)) == []
    assert gone([{"url": page}, {"url": page[:-1] + "2"}], DedupUrl(parameters=["x"])) == []
    assert gone([{"url": page}, {"url": page + "&y"}], DedupUrl(parameters=["x"])) == [(1, 0)]


def test_documents_without_an_address_pass():
    assert (
        gone([None, None, "", "{", "[1]", "7", {}, {}, {"url": None}, {"url": 5}, {"url": " "}, {"url": "http://"}])
        == []
    )


def test_a_mail_address_is_no_twin_of_its_hosts_front_page():
    assert gone([{"url": "http://example.org"}, {"url": "mailto:a@example.org"}, {"url": "mailto:b@example.org"}]) == []


def test_all_of_the_query_and_some_of_it_are_refused_together():
    with pytest.raises(ValidationError, match="leave one of them out"):
        DedupUrl(query=True, parameters=["id"])


def test_a_field_is_named_with_dots_or_as_it_is():
    metas = [{"crawl": {"url": "http://a.org"}}, {"crawl": {"url": "a.org"}, "url": "b.org"}, {"crawl.url": "a.org"}]
    assert gone(metas, DedupUrl(field="crawl.url")) == [(1, 0), (2, 0)]
    assert gone([{"crawl": 5}, {"crawl": {"url": {}}}], DedupUrl(field="crawl.url")) == []
