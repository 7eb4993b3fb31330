"""Every language's code, from any of the standards' spellings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.codes import nearest, rows, tag
from pipeline.text.languages import LANGUAGES, canonical


def test_the_table_has_the_languages_of_iso_639_3():
    assert len({row.iso3 for row in rows().values()}) == 7867  # as many lines as SIL's table, a code each
    assert len({row.iso1 for row in rows().values() if row.iso1}) == 184  # 183 of ISO 639-1, and the withdrawn sh


def test_all_codes_of_a_language_give_one_tag():
    checked = 0
    for row in rows().values():
        if row.iso1 and row.bibliographic:
            assert tag(row.iso1) == tag(row.iso3) == tag(row.bibliographic) == row.iso1
            checked += 1
    assert checked >= 20  # ISO 639-2 has twenty languages with two codes


def test_the_46_have_the_names_of_the_table():
    assert {code for code in LANGUAGES if tag(code.split("-")[0]) != code.split("-")[0]} == set()


@given(st.sampled_from(sorted(rows())), st.sampled_from(["", "-Latn", "_US", "-Arab-IR", "-x-a1"]))
def test_a_tag_is_its_own_tag(code, rest):
    once = tag(code + rest)
    assert once is None or tag(once) == once
    assert canonical(canonical(code + rest)) == canonical(code + rest)


@given(st.text())
def test_any_text_has_a_tag_or_none_and_a_canonical_spelling(text):
    assert tag(text) is None or tag(text.swapcase()) == tag(text) or not text.isascii()
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize(
    ("spelled", "code"),
    [
        ("english", "en"), ("englsh", "en"), ("eng_latin1", "en"), ("swaa", "sw"), ("yorb", "yo"), ("kinya", "rw"),
        ("french", "fr"), ("en/us", "en"), ("xx", None), ("", None), ("zzzzzz", None), ("pythn", "python"),
    ],
)  # fmt: skip
def test_the_nearest_code_is_hinted(spelled, code):
    assert nearest(spelled, ("python", "rust")) == code
