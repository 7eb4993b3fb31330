"""Every measure of Gopher, C4, FineWeb and SlimPajama equals its plain-Python twin on any text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.quality import FAMILIES, LIMIT, QUALITY, quality
from pipeline.text.stoplists import StopLists
from tests.pipeline.text import quality_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array

STOPS = {"en": ["a", "b", "the"], "xx": ["é", "中", "ß", "not met"]}
# what the filters tell apart, and chance seldom makes: few words and lines, so that they repeat
PARTS = ["a", "b", "ab", "A. ", "the ", " ", "\n", "\n\n", "- ", "• ", "...", "…", "#", "{", "42 ", "Lorem ipsum ",
         "Ab. Ba! ", "«So?» he ", "中。", "\r\n", "\u2028", "x" * 31, "İ", ") ", "۔", "«", "\x1f"]  # fmt: skip
MADE = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)


def measured(texts, lang="", names=tuple(QUALITY), limit=LIMIT):
    columns = quality(array(texts), [lang] * len(texts), StopLists.of(STOPS), names, limit)
    return [
        dict(zip(columns, row, strict=True)) for row in zip(*(c.to_pylist() for c in columns.values()), strict=True)
    ]


@settings(deadline=None, max_examples=150)
@given(st.lists(ANY_TEXT | MADE, max_size=4), st.sampled_from(["", "en", "xx"]))
def test_the_kernel_equals_its_twin_on_any_text(texts, lang):
    stops = set(STOPS[lang]) if lang else None
    assert measured(texts, lang) == [twin.quality(text, stops) for text in texts]


@settings(deadline=None, max_examples=30)
@given(st.lists(MADE, max_size=3), st.sampled_from(sorted(FAMILIES)))
def test_a_family_alone_has_the_numbers_that_it_has_among_all(texts, family):
    expected = [{name: numbers[name] for name in FAMILIES[family]} for numbers in measured(texts)]
    assert measured(texts, names=FAMILIES[family]) == expected


GRAMS = [name for name in QUALITY if "gram" in name]
FILLED = ["filled_lines", "ended_line_ratio", "short_line_ratio", "duplicate_filled_characters"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["a", "b", "ab", "a-b", "42"]), min_size=1, max_size=40), st.integers(1, 39))
def test_ngrams_are_those_of_the_first_words_up_to_the_limit(words, limit):
    read = "".join(word + " " for word in words[:limit])
    text = read + " ".join(words[limit:])
    assert measured([text], names=GRAMS, limit=limit) == measured([read], names=GRAMS)
    assert measured([text], limit=limit)[0]["gopher_words"] == len(words)  # counts are never cut short


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from(["a", "a.", "b" * 31, "  "]), min_size=1, max_size=20), st.integers(1, 19))
def test_lines_are_the_first_ones_up_to_the_limit(lines, limit):
    read = "".join(line + "\n" for line in lines[:limit])
    text = read + "\n".join(lines[limit:])
    assert measured([text], names=FILLED, limit=limit) == measured([read], names=FILLED)


def test_paragraphs_are_the_first_ones_up_to_the_limit():
    got = measured(["ab\n\nab\n\n\ncd\n\nab"], limit=2)[0]
    assert got["paragraphs"] == 2
    assert got["duplicate_paragraph_ratio"] == 1 / 2
    assert got["duplicate_paragraph_characters"] == 2 / 9  # the third begins behind nine characters


CASES = [
    ("gopher_words", "One - two, 42 ...", 3),  # one, two, 42; the dash and the points are symbols
    ("gopher_mean_word_length", "One - two, 4242", 10 / 3),
    ("hashes_per_word", "## a b", 2 / 3),  # words: ##, a, b
    ("ellipses_per_word", "a.... b… c", 2 / 3),  # four points hold one ellipsis
    ("bullet_line_ratio", "- a\n  • b\nc\n\n", 2 / 4),
    ("ellipsis_line_ratio", "a ... \nb…\nc..", 2 / 3),
    ("alphabetic_word_ratio", "a 1 - b", 2 / 4),
    ("gopher_stop_words", "The cat and the dog.", 2),  # the, and
    ("stop_words_met", "The a cat", 2),  # the list of the test: a, b, the
    ("paragraphs", "\n\na\nb\n\n\nc\n", 2),
    ("duplicate_paragraph_ratio", "ab\n\ncd\n\nab", 1 / 3),
    ("duplicate_paragraph_characters", "ab\n\ncd\n\nab", 2 / 10),
    ("duplicate_line_ratio", "\nab\nab\n\n", 2 / 4),  # empty, ab, ab, empty: line feeds in a row are one
    ("duplicate_line_characters", "ab\nab\nc", 2 / 7),
    ("top_2_gram", "a b a b c", 2 * 3 / 9),  # "a b" twice, three characters
    ("top_2_gram", "aa b c", 4 / 6),  # all once: the first
    ("duplicate_5_grams", "a b c d e a b c d e", 5 / 19),
    ("duplicate_5_grams", "ab c d e f a bc d e f", 6 / 21),  # written without spaces both are abcdef
    ("filled_lines", "a\n \nb", 2),
    ("ended_line_ratio", "a.\nb\nc।\nd. ", 2 / 4),  # white space behind the mark counts
    ("short_line_ratio", "x" * 30 + "\n" + "x" * 31, 1 / 2),
    ("duplicate_filled_characters", "ab\nab\n\n", 2 / 4),
    ("feeds_per_word", "a\nb\n", 2 / 2),
    ("curly_brackets", "{\n{{ lorem ipsum\n{", 1),
    ("lorem_ipsum", "Lorem Ipsum, LOREM IPSUM lorem  ipsum", 2),
    ("sentences", 'J. Smith met Dr. No. "Why?" he asked! 3.5 times.', 4),  # ... Dr. | No. | ... asked! | 3.5 times.
    ("sentences", "यह है। वह है॥ 我来了。你呢？好\n...", 5),
    ("bare_characters", "  A, b -  c!\n", 5),  # a b c
    ("bare_characters", "İ", 2),  # its lower case is an i and a dot above
]


@pytest.mark.parametrize(("name", "text", "value"), CASES)
def test_hand_worked_cases(name, text, value):
    assert measured([text], "en", [name])[0][name] == pytest.approx(value, abs=1e-15)


def test_a_text_longer_than_a_window_has_the_words_that_it_has_in_parts():
    for part in ("word, ", "中", "x", "42 ", ". ", "a\n\n"):
        text = (part * 5000)[:5000] + " the end of it"
        expected = twin.gopher_quality(text, set(STOPS["en"])) | twin.gopher_repetition(text)
        assert measured([text], "en", list(expected)) == [expected], part


def test_tables_are_empty_again_when_their_stamps_run_out():
    long = "\n\n".join(map(str, range(500)))
    texts = array([long, *["x"] * 65_534, long])  # a set each: the last one has the stamp of the first
    again = quality(texts, ["en"] * len(texts), StopLists.of({}), ["duplicate_paragraph_ratio"])
    assert not any(again["duplicate_paragraph_ratio"].to_pylist())


def test_no_text_takes_more_than_linear_time():
    for part in ("a", "a ", "\n a", "中", "ab1", " ", "\n", "{ps", "...", "lorem ipsum ", "é́"):
        short, long = (part * (size // len(part)) for size in (100_000, 1_600_000))
        measured([short])  # compiled by now
        begin = time.process_time()
        measured([long])
        assert time.process_time() - begin < 1.6, part  # 1 MB/s: ten times slower than the slowest here
