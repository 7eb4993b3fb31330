"""After `normalize` the same text has one spelling; a second time changes nothing; code keeps its layout."""

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.stages.normalize import Normalize
from tests.pipeline.stages.tables import docs, texts_after
from tests.pipeline.text.texts import ANY_TEXT


@settings(deadline=None, max_examples=100)
@given(st.lists(ANY_TEXT, min_size=1, max_size=4), st.sampled_from(["text", "code"]))
def test_normalized_twice_is_normalized_once(texts, kind):
    once = texts_after(Normalize(), docs(texts, kind))
    assert texts_after(Normalize(), docs(once, kind)) == once


@settings(deadline=None, max_examples=100)
@given(ANY_TEXT)
def test_canonically_equal_texts_become_equal(text):
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    assert len(set(texts_after(Normalize(), docs(forms)))) == 1


@settings(deadline=None, max_examples=100)
@given(st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_text_is_null_exactly_where_it_stays_as_it_was(texts):
    outcome = Normalize().apply(docs(texts))
    new = outcome.columns["text"].to_pylist()
    assert all(n is None or n != o for n, o in zip(new, texts, strict=True))
    assert outcome.tallies["changed"] == sum(n is not None for n in new)


def test_what_a_removed_character_brings_together_is_composed():
    assert texts_after(Normalize(), docs(["e\x00\u0301"])) == ["é"]


def test_code_keeps_characters_and_blanks_but_not_line_ends_and_controls():
    text = "if x:\r\n    y = 'e\u0301\u00a0'\x00  \n\n\n\n\n"
    assert texts_after(Normalize(), docs([text], "code")) == ["if x:\n    y = 'e\u0301\u00a0'  \n\n\n\n\n"]


def test_each_rule_can_be_left_out():
    text = "a\r\n\x00b  c e\u0301"
    assert texts_after(Normalize(form=False), docs([text])) == ["a\nb c e\u0301"]
    assert texts_after(Normalize(lines=False, controls=False), docs([text])) == ["a\r\n\x00b c é"]
    assert texts_after(Normalize(blanks=False), docs([text])) == ["a\nb  c é"]


def test_ftfy_repairs_mojibake_in_text_alone():
    stage = Normalize(ftfy=True)
    assert texts_after(stage, docs(["cafÃ©  au lait", "plain"])) == ["café au lait", "plain"]
    assert texts_after(stage, docs(["cafÃ©"], "code")) == ["cafÃ©"]
    assert stage.packages == ("ftfy",)
    assert Normalize().packages == ()
