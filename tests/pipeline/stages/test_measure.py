"""`measure` writes a column for each name, with the n-gram sizes of each document's language."""

import re

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.stages.measure import FAMILIES, NAMES, Measure
from pipeline.stages.shares import PLAIN, SHARES, TOP_GRAMS, UP_TO_ONE
from pipeline.text.measures import MEASURES, USUAL
from pipeline.text.quality import QUALITY
from tests.pipeline.stages.tables import docs
from tests.pipeline.text.texts import ANY_TEXT


def test_it_writes_what_it_says_in_the_types_it_says():
    columns = Measure().apply(docs(["a b", ""])).columns
    assert {name: column.type for name, column in columns.items()} == {name: MEASURES[name] for name in USUAL}
    assert tuple(columns) == Measure().writes


def test_named_measures_alone_are_written_in_one_order():
    assert Measure(names=["bytes", "words"]).writes == ("words", "bytes")
    assert Measure(names=["bytes", "words"]) == Measure(names=["words", "bytes"])


@pytest.mark.parametrize("names", [["wrods"], []])
def test_unknown_and_no_names_are_refused_with_what_there_is(names):
    with pytest.raises(ValidationError, match="there are words, characters"):
        Measure(names=names)


def test_chinese_is_measured_by_three_characters_and_urdu_by_seven_words():
    letters = "a b c d e f a b c d e f"
    table = docs(["abcdabcd", "abcdabcd", letters, letters], lang=["zh-hans", "en", "ur", "en"])
    columns = Measure().apply(table).columns
    # 6 trigrams, abc and bcd twice: sqrt(4) = 2 of them, 4 of 6; no ten-gram
    assert columns["char_repetition"].to_pylist()[:2] == pytest.approx([4 / 6, 0])
    # 6 seven-grams, all different; 8 five-grams, two of them twice
    assert columns["word_repetition"].to_pylist()[2:] == [0, 4 / 8]


def test_stop_words_are_those_of_the_documents_language():
    table = docs(["the", "the", "the"], lang=["en", "fr", "python"])
    assert Measure().apply(table).columns["stopword_ratio"].to_pylist() == [1, 0, None]


def test_a_slice_of_a_table_is_measured_like_the_table():
    table = docs(["one", "two words", "three more words"])
    whole = Measure(names=["words"]).apply(table).columns["words"].to_pylist()
    assert Measure(names=["words"]).apply(table.slice(1)).columns["words"].to_pylist() == whole[1:]


def test_a_family_stands_for_its_measures():
    assert Measure(names=["slimpajama", "words"]).writes == ("words", "bare_characters")
    assert set(Measure(names=["all"]).writes) == set(MEASURES) | set(QUALITY)
    assert Measure(names=["gopher"]).writes == FAMILIES["gopher"]


def test_the_help_names_every_measure_and_every_family():
    help_text = Measure.__doc__
    spelt_out = set(re.findall(r"\w+", help_text)) | {f"duplicate_{n}_grams" for n in range(5, 11)}
    assert not set(FAMILIES) - spelt_out
    assert not set(NAMES) - spelt_out


def test_every_family_writes_what_it_says_in_the_types_it_says():
    table = docs(["a b", ""], lang="en")
    for family in FAMILIES:
        stage = Measure(names=[family])
        columns = stage.apply(table).columns
        assert tuple(columns) == stage.writes
        assert {name: column.type for name, column in columns.items()} == {
            name: {**MEASURES, **QUALITY}[name] for name in stage.writes
        }


def test_every_fraction_is_known_to_be_a_share_or_none():
    fractions = {name for name, kind in {**MEASURES, **QUALITY}.items() if kind == pa.float64()}
    assert fractions | {"lang_score", "perplexity", "contamination"} == SHARES | PLAIN
    assert not SHARES & PLAIN and set(TOP_GRAMS) == SHARES - UP_TO_ONE


@settings(deadline=None, max_examples=60)
@given(st.lists(ANY_TEXT | st.sampled_from(["a a a a a", "x\nx\n\nx"]), min_size=1, max_size=3))
def test_shares_lie_between_0_and_1(texts):
    columns = Measure(names=["all"]).apply(docs(texts, lang="en")).columns
    for name in UP_TO_ONE & columns.keys():
        assert all(value is None or 0 <= value <= 1 for value in columns[name].to_pylist()), name


def test_the_most_frequent_run_may_overlap_itself_and_pass_1():
    (value,) = Measure(names=["top_2_gram"]).apply(docs(["a a a a"], lang="en")).columns["top_2_gram"].to_pylist()
    assert value == pytest.approx(9 / 7)  # `a a` three times, three characters each, of seven


def test_lone_marks_are_no_words_but_are_among_what_is_divided_by():
    columns = Measure(names=["gopher", "fineweb"]).apply(docs(["# - =>\nx"], lang="en")).columns
    found = {name: column[0].as_py() for name, column in columns.items()}
    assert found["gopher_words"] == 1
    divided = ("hashes_per_word", "alphabetic_word_ratio", "feeds_per_word")
    assert [found[name] for name in divided] == [1 / 4, 1 / 4, 1 / 4]
