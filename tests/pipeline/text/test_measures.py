"""Every measure equals its plain-Python twin on any text, and hand-worked cases on some."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.measures import MEASURES, REPETITION_LIMIT, measure
from pipeline.text.wordlists import WordLists
from pipeline.text.words import CHUNK
from tests.pipeline.text import measures_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array

STOPS = {"en": ["a", "b", "the"], "xx": ["é", "中", "ß", "a b", "中国", "𝒳", "ß é ß é", "a a a a a", "..."]}
FLAGGED = {"en": ["B a", "a."], "xx": ["𠀀"]}


def measured(texts, char_size=10, word_size=5, lang="", limit=REPETITION_LIMIT, names=tuple(MEASURES)):
    n = len(texts)
    sizes = np.full(n, char_size, np.int64), np.full(n, word_size, np.int64)
    columns = measure(array(texts), *sizes, [lang] * n, WordLists.of(STOPS), names, limit, WordLists.of(FLAGGED))
    return [
        dict(zip(columns, row, strict=True)) for row in zip(*(c.to_pylist() for c in columns.values()), strict=True)
    ]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(ANY_TEXT, max_size=4),
    st.integers(1, 11),
    st.integers(1, 6),
    st.sampled_from(["", "en", "xx"]),
    st.sampled_from([3, 20, REPETITION_LIMIT]),
)
def test_the_kernel_equals_its_twin_on_any_text(texts, char_size, word_size, lang, limit):
    lists = STOPS.get(lang), FLAGGED.get(lang)
    expected = [twin.measure(text, char_size, word_size, *lists, limit) for text in texts]
    assert measured(texts, char_size, word_size, lang, limit) == expected


@pytest.mark.parametrize("part", ["word ", "x", "中", "a.", "é\n", "\n", " ", "-"])
@pytest.mark.parametrize("length", [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_chunks_join_without_a_seam(part, length):
    text = (part * length)[:length] + "the end"
    assert measured([text], 3, 2, "en") == [twin.measure(text, 3, 2, STOPS["en"], FLAGGED["en"], REPETITION_LIMIT)]


def test_a_long_text_with_many_different_ngrams_is_counted_exactly():
    rng = np.random.default_rng(0)
    text = "".join(map(chr, rng.integers(97, 103, 150_000)))  # 6 letters: 6-grams repeat, 10 parts of 16,384 are needed
    got = measured([text + " " + text[:20_000]], 6, 1)[0]
    assert got["char_repetition"] == twin.top_share(twin.ngrams(text + " " + text[:20_000], 6))


def test_counts_beyond_the_histogram_are_exact():
    few = (
        "".join(a + b for a in "cdefghijkl" for b in "cdefghijkl") * 2
    )  # 100 pairs, of which ten count, with ab and ba
    text = "ab" * 70_000 + few
    assert measured([text], 2)[0]["char_repetition"] == twin.top_share(twin.ngrams(text, 2))


CASES = [
    ("words", "Hello, world! 42 ... don't", 3),  # hello, world, don't; 42 and ... are special characters alone
    ("words", "中国 abc中", 4),  # 中, 国, abc, 中
    ("mean_word_length", "ab (cde)", 2.5),
    ("max_word_length", "ab (cde)", 3),
    ("symbol_ratio", "ab, 1", 3 / 5),  # the comma, the blank, the digit
    ("symbol_ratio", "कि", 0),  # a vowel sign is no symbol
    ("digit_ratio", "1a٣b", 0.5),
    ("alphanumeric_ratio", "x = 1", 2 / 5),
    ("char_repetition", "abababababab", 2 / 3),  # 3 ten-grams, 2 distinct: sqrt(2) -> 1, the one that occurs twice
    ("char_repetition", "abcdefghijk", 0),  # two ten-grams, none repeats
    ("word_repetition", "a b c d e " * 2, 2 / 6),  # 6 five-grams; abcde twice, the other four once
    ("line_repetition", "ab\ncd\n  ab\n\nab", 4 / 8),  # 4 lines of 2 bytes; the second and third ab stood above
    ("lines", "a\n\nb\n", 3),
    ("longest_line", "é\nabc\n", 3),
    ("mean_line", "é\nabc\n", 2),
    ("stopword_ratio", "The cat, a dog", 0.5),  # the, a
]


@pytest.mark.parametrize(("name", "text", "value"), CASES)
def test_hand_worked_cases(name, text, value):
    assert measured([text], lang="en", names=[name])[0][name] == pytest.approx(value, abs=1e-15)


def test_a_language_without_a_list_has_no_stopword_ratio():
    assert measured(["the"], lang="tlh")[0]["stopword_ratio"] is None
    assert measured(["the"], lang="en")[0]["stopword_ratio"] == 1


def test_no_text_takes_more_than_linear_time():
    for part in ("a", "a ", "\n a", "中", "ab1", " "):
        short, long = (part * (size // len(part)) for size in (100_000, 1_600_000))
        measured([short])  # compiled by now
        begin = time.process_time()
        measured([long])
        assert time.process_time() - begin < 1.6, part  # 1 MB/s: ten times slower than the slowest here
