"""`measure` writes a column for each name, with the n-gram sizes of each document's language."""

import re

import pytest
from pydantic import ValidationError

from pipeline.stages.measure import FAMILIES, NAMES, Measure
from pipeline.text.measures import MEASURES, USUAL
from pipeline.text.quality import QUALITY
from tests.pipeline.stages.tables import docs


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
