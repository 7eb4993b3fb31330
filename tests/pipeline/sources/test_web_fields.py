"""Each source of web pages promises the fields that it has, keeps them, and refuses the others."""

import json

import pytest
from pydantic import ValidationError

from pipeline.sources import SOURCES
from pipeline.sources.web import FIELDS, WebText
from tests.pipeline.sources.making import read
from tests.pipeline.sources.web_making import page, record, visit

WEB = {name: model for name, model in SOURCES.items() if issubclass(model, WebText)}
TEXT = record(b"text", "WARC-Target-URI: http://a.org", "WARC-Identified-Content-Language: swa", type_="conversion")
FILES = {"warc": visit(1), "wet": TEXT, "html": page()}


@pytest.mark.parametrize("name", WEB)
def test_the_help_names_the_fields_that_a_source_has_and_no_other(name, tmp_path):
    said = WEB[name].model_fields["meta"].description.rpartition("all: ")[2].split(", ")
    assert tuple(said) == WEB[name].known
    (tmp_path / f"a.{name}").write_bytes(FILES[name])
    (found,) = read(name, tmp_path / f"a.{name}")
    kept = set(json.loads(found.meta))
    assert kept and kept <= set(said)
    assert set(said) - kept <= {"truncated", "replaced"}  # told where it was so


@pytest.mark.parametrize("name", WEB)
def test_a_field_that_a_source_never_has_is_refused(name):
    (field, *_) = sorted(set(FIELDS) - set(WEB[name].known))
    with pytest.raises(ValidationError, match=f"a `{name}` source knows no '{field}'"):
        WEB[name](name="x", path="x", meta=[field])


@pytest.mark.parametrize("strange", [[], {}, 7, None])
def test_a_list_of_what_are_no_names_is_refused(strange):
    with pytest.raises(ValidationError, match="is no name of a field"):
        WEB["html"](name="x", path="x", meta=["title", strange])
