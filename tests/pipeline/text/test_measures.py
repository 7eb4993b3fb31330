"""Every measure equals its plain-Python twin on any text, and hand-worked cases on some."""

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.measures import MEASURES, REPETITION_LIMIT, measure
from pipeline.text.sourcecode import CODE
from pipeline.text.wordlists import WordLists
from pipeline.text.words import CHUNK
from tests.pipeline.text import measures_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array

STOPS = {"en": ["a", "b", "the"], "xx": ["é", "中", "ß", "a b", "中国", "𝒳", "ß é ß é", "a a a a a", "..."]}
PROSE = tuple(name for name in MEASURES if name not in CODE)
FLAGGED = {"en": ["B a", "a."], "xx": ["𠀀"]}


def measured(texts, char_size=10, word_size=5, lang="", limit=REPETITION_LIMIT, names=PROSE):
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


def test_runs_of_one_word_are_told_apart_by_the_word():
    assert measured(["a a b b"], 3, 2)[0]["word_repetition"] == 0  # aa, ab, bb: three pairs, none twice


def test_a_word_is_within_the_limit_if_what_ends_it_is():
    # the second a ends with the blank at 3: with 3 characters there is one word, with 4 there are two alike
    assert [measured(["a a c d"], 3, 1, limit=limit)[0]["word_repetition"] for limit in (3, 4)] == [0, 1]


def test_a_language_without_a_list_has_no_stopword_ratio():
    assert measured(["the"], lang="tlh")[0]["stopword_ratio"] is None
    assert measured(["the"], lang="en")[0]["stopword_ratio"] == 1


FLOODS = ("a", "a ", "\n a", "中", "ab1", " ", "😀", "a\u0301\u0301\u0301", "-", "\x00", "\u202e", "A")


def seconds(text: str) -> float:
    begin = time.process_time()
    measured([text], lang="en")
    return time.process_time() - begin


def test_no_text_takes_more_than_linear_time():
    every = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    for part in (*FLOODS, every):
        short, long = (part * (size // len(part) + 1) for size in (100_000, 1_600_000))
        seconds(short[:100_000])  # compiled by now
        assert seconds(long[:1_600_000]) < 1.6, part[:10]  # 1 MB/s: ten times slower than the slowest here


@pytest.mark.torture
@pytest.mark.parametrize("part", FLOODS)
def test_a_line_of_100_megabytes_takes_seconds(part):
    assert seconds(part * (100_000_000 // len(part.encode()))) < 30


def test_a_text_with_every_character_equals_its_twin():
    text = "".join(chr(c) for c in range(0, 0x110000, 7) if not 0xD800 <= c < 0xE000)
    assert measured([text + text[:500]], 3, 2, "xx") == [
        twin.measure(text + text[:500], 3, 2, STOPS["xx"], FLAGGED["xx"], REPETITION_LIMIT)
    ]


def test_bytes_that_are_no_utf8_are_measured_without_reading_beyond_them():
    bad = pa.array([b"ab\xf0\x9f", b"\xff\xfe", b"\xe4\xb8", b"ok"], pa.large_binary())
    sizes = np.full(4, 3, np.int64), np.full(4, 2, np.int64)
    columns = measure(bad, *sizes, ["en"] * 4, WordLists.of(STOPS), ["characters", "bytes"])
    assert columns["characters"].to_pylist() == [4, 2, 2, 2]  # a byte that begins nothing is one U+FFFD


def test_what_is_not_asked_for_changes_nothing():
    text = "The cat, a dog: the CAT a dog. " * 3
    whole = measured([text], 3, 2, "en")[0]
    for name in PROSE:
        assert measured([text], 3, 2, "en", names=[name])[0] == {name: whole[name]}
