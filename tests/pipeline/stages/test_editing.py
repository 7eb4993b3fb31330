"""Row-wise editing stages: what they write and count, what they leave alone, what becomes of emptied documents."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.stages import STAGES
from tests.pipeline.stages.tables import docs, texts_after
from tests.pipeline.text.texts import ANY_TEXT

# name -> (settings, a text, what it becomes, column, pieces taken out)
EDITS = {
    "drop_lines": ({}, "if x {\ntext\n}", "text", "dropped_lines", 2),
    "drop_words": ({}, "see http://a.b now", "see now", "dropped_words", 1),
    "html_leftovers": ({}, "a<br>b &lt; <b>c</b>", "a\nb < c", "html_leftovers", 4),
    "c4_lines": (
        {"ended": False},
        "Home\nsee the page below\nuse cookies if asked",
        "see the page below",
        "c4_lines",
        2,
    ),
    "drop_trailer": (
        {"min_lines": 1},
        "that is the end of it\nSmith, J. 1999",
        "that is the end of it",
        "trailer_lines",
        1,
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_written_and_counted_and_the_rest_is_left_alone(name):
    given_, text, expected, column, pieces = EDITS[name]
    stage = STAGES[name](**given_)
    outcome = stage.apply(docs(["nothing in it", text, ""], lang="en"))
    assert outcome.columns["text"].to_pylist() == [None, expected, None]
    assert outcome.columns[column].to_pylist() == [0, pieces, 0]
    assert stage.writes == (column,)
    assert outcome.tallies["bytes"] == len(text) - len(expected)
    assert pieces in (
        outcome.tallies.get("lines"),
        outcome.tallies.get("words"),
        sum(outcome.tallies.values()) - outcome.tallies["bytes"],
    )
    assert outcome.dropped.num_rows == 0


@pytest.mark.parametrize("name", EDITS)
def test_code_is_never_touched(name):
    given_, text, *_ = EDITS[name]
    outcome = STAGES[name](**given_).apply(docs([text], kind="code", lang="en"))
    assert outcome.columns["text"].null_count == 1 and not any(outcome.tallies.values())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("drop_lines", " \n{}\n{}\n\t"),
        ("drop_words", "http://a.b\n\n//a//b"),
        ("html_leftovers", "<p>&nbsp;"),
        ("c4_lines", "Home\nMenu"),
    ],
)
def test_a_document_of_which_nothing_is_left_goes_to_the_ledger_with_its_text(name, text):
    outcome = STAGES[name]().apply(docs(["  \n", text]))
    (row,) = outcome.dropped.to_pylist()  # what was blank before passes
    assert (row["row"], row["reason"], row["value"]) == (1, "emptied", 2)
    assert outcome.columns["text"].to_pylist() == [None, None]


@settings(deadline=None, max_examples=60)
@given(st.lists(ANY_TEXT, min_size=1, max_size=3), st.sampled_from(["drop_lines", "drop_words"]))
def test_what_went_once_is_gone(texts, name):
    stage = STAGES[name]()
    once = texts_after(stage, docs(texts))
    assert texts_after(stage, docs(once)) == once


def test_repeated_lines_go_only_where_asked_and_are_counted_apart():
    table = docs(["a\nb {\n a\n\n\na"])
    assert texts_after(STAGES["drop_lines"](), table) == ["a\n a\n\n\na"]
    stage = STAGES["drop_lines"](repeated=True)
    assert texts_after(stage, table) == ["a\n\n"]
    assert stage.apply(table).tallies == {"lines": 3, "repeated": 2, "bytes": 9}


def test_each_language_has_its_own_limits():
    table = docs(["x" * 26 + " y"] * 3, lang=["en", "fr", "und"])
    assert texts_after(STAGES["drop_words"](), table) == ["y", *table.column("text").to_pylist()[1:]]
    stage = STAGES["drop_words"](max_word_length=25, lang={"eng": 26, "fr": 25})
    assert texts_after(stage, table)[0] != "y" and texts_after(stage, table)[1:] == ["y", "y"]
    ends = docs(["a word of the end\nthe xylophone zzz"] * 2, lang=["en", "fr"])
    stage = STAGES["drop_trailer"](min_lines=1, lang={"eng": 0.4, "fr": None})  # 3 of 5 words, and 1 of 3
    assert texts_after(stage, ends) == ["a word of the end", ends.column("text")[1].as_py()]
    unknown = docs(["le mot de la fin du texte\nzzz yyy"], lang="ar")  # a stop list, but no share
    assert STAGES["drop_trailer"](min_lines=1).apply(unknown).columns["text"].null_count == 1
    elsewhere = STAGES["drop_trailer"](min_lines=1, share=0.2)
    assert elsewhere.apply(docs(["و ب\nzzz yyy"], lang="ar")).columns["trailer_lines"].to_pylist() == [1]


def test_a_language_named_leaves_the_others_their_limits_and_null_takes_one_away():
    table = docs(["x" * 30 + " y"] * 3, lang=["en", "pt", "und"])
    stage = STAGES["drop_words"](lang={"eng": 40}, max_word_length=20)
    assert texts_after(stage, table) == ["x" * 30 + " y", "y", "y"]
    stage = STAGES["drop_words"](lang={"pt": None}, max_word_length=20)
    assert texts_after(stage, table) == ["y", "x" * 30 + " y", "y"]
    ends = docs(["a word of the end\nzzz yyy", "le mot de la fin\nzzz yyy"], lang=["en", "fr"])
    stage = STAGES["drop_trailer"](min_lines=1, share=0.2, lang={"eng": None})
    assert stage.apply(ends).columns["trailer_lines"].to_pylist() == [0, 1]
    assert STAGES["drop_trailer"](**stage.model_dump(mode="json")) == stage


@pytest.mark.parametrize("name", ["drop_words", "drop_trailer"])
@pytest.mark.parametrize(("lang", "said"), [({"englsh": 1}, "mean 'en'"), ({"en": 1, "eng": 1}, "'en' is named twice")])
def test_a_language_that_is_none_or_named_twice_is_refused(name, lang, said):
    with pytest.raises(ValidationError, match=said):
        STAGES[name](lang=lang)


@pytest.mark.parametrize(
    ("name", "settings_"),
    [
        ("html_leftovers", {"tags": False, "blocks": False, "entities": False}),
        ("drop_lines", {"holding": []}),
        ("drop_lines", {"holding": [""]}),
        ("drop_lines", {"holding": ["a\nb"]}),
        ("drop_words", {"holding": ["a b"]}),
        ("drop_words", {"lang": {"en": 0}}),
        ("drop_words", {"lang": ["en"]}),
        ("drop_words", {"lang": 3}),
        ("drop_trailer", {"lang": {"en": 2}}),
    ],
)
def test_settings_that_cannot_be_are_refused(name, settings_):
    with pytest.raises(ValidationError):
        STAGES[name](**settings_)
