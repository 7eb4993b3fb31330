"""Words that go and trailers equal their plain twins on any text; hand-worked cases; hostile texts are linear."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.lines import without
from pipeline.text.stoplists import StopLists
from pipeline.text.trailer import trailers
from pipeline.text.unwanted_words import without_words
from tests.pipeline.text import words_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array

ROOTS = ("http", "www", ".com", "href", "//")
PIECE = st.sampled_from(
    ["a", "http://x.y", "(www.a.b)", "//", ".com", "x.com", "-----", "中", "é" * 3, " ", "  ", "\n", "\u3000", "。"]
)
TEXTS = st.lists(st.lists(PIECE, max_size=10).map("".join) | ANY_TEXT, max_size=4)


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.sampled_from([(), ("a",), ("é中",), ROOTS]), st.integers(0, 4))
def test_texts_without_words_equal_their_twin(texts, strings, most):
    new, counts = without_words(array(texts), strings, np.full(len(texts), most, np.int64))
    expected = [twin.without_words(text, list(strings), most) for text in texts]
    assert list(zip(new.to_pylist(), counts.tolist(), strict=True)) == expected


CASES = [
    ("see http://a.b for more", "see for more"),
    ("http://a.b says so", "says so"),
    ("  http://a.b http://c.d says so", "  says so"),
    ("end http://a.b ", "end "),
    ("one\n http://a.b \ntwo", "one\ntwo"),  # its line goes with it
    ("one\nhttp://a.b", "one"),
    ("http://a.b", ""),
    ("请看http://a.b谢谢", "请看谢谢"),  # a character of Han ends a word
    ("(see example.com), there", "(see there"),  # as ROOTS has it: the word, and what it wears
    ("a // b .com c", None),  # bare, there is nothing left to hold the string
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_words_that_hold_a_string(text, expected):
    assert without_words(array([text]), ROOTS, np.zeros(1, np.int64))[0].to_pylist() == [expected]


def test_length_is_measured_without_special_characters_at_the_ends():
    text = "abcd (abcd) abcde ab-cd ------ -- भाषा 中文中文中文"
    assert without_words(array([text]), (), np.array([4]))[0].to_pylist() == ["abcd (abcd) -- भाषा 中文中文中文"]


STOPS = StopLists.of({"xx": ["the", "of", "é", "中", "a"]})
LINES = st.lists(
    st.sampled_from(["the", "of", "É", "A.", "a", "中", "x", "(The)", "1999", " ", "\n", "é-é", "-"]), max_size=12
).map(" ".join)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(LINES | ANY_TEXT, max_size=4),
    st.sampled_from([0, 0.3, 0.5]),
    st.integers(1, 3),
    st.sampled_from(["xx", "yy"]),
)
def test_trailers_equal_their_twin(texts, share, min_lines, lang):
    stops = {"the", "of", "é", "中", "a"} if lang == "xx" else None
    found = trailers(array(texts), np.full(len(texts), share), min_lines, [lang] * len(texts), STOPS)
    assert found.tolist() == [mark for text in texts for mark in twin.trailer(text, stops, share, min_lines)]


REFERENCES = "The end of the story.\n\nReferences\n\n[1] Smith, J. 1999. Physics.\n[2] Lee. The Physics. 2001."


@pytest.mark.parametrize(
    ("text", "share", "min_lines", "expected"),
    [
        (REFERENCES, 0.4, 1, "The end of the story."),  # 3 of 5 words; the last line has 1 of 3: numbers are none
        (REFERENCES, 0.4, 4, None),  # three lines with words stand behind
        (REFERENCES, 0.6, 1, None),  # 3 of 5 is not more than 0.6: no line is running text
        ("the x\nx", 0.5, 1, None),
        ("the x\nx", 0.49, 1, "the x"),
        ("the a x\nA. Lee, (A) Ho", 0.1, 1, "the a x"),  # initials are no stop words
        ("of\n\n\n", 0.1, 1, None),  # empty lines alone are no trailer
    ],
)  # fmt: skip
def test_a_trailer_is_what_stands_behind_the_last_line_of_running_text(text, share, min_lines, expected):
    marked = trailers(array([text]), np.array([share]), min_lines, ["xx"], STOPS)
    assert without(array([text]), marked)[0].to_pylist() == [expected]


HOSTILE = [
    "\n" * 2_000_000,
    "a" * 2_000_000,
    " " * 2_000_000,
    "-" * 2_000_000,
    "http " * 400_000,
    "ht" * 1_000_000,
    "中" * 700_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=["feeds", "line", "blanks", "dashes", "words", "almost", "han"])
def test_no_text_takes_more_than_linear_time(text):
    def both(text: str) -> None:
        without_words(array([text]), ROOTS, np.array([20]))
        trailers(array([text]), np.array([0.1]), 1, ["xx"], STOPS)

    both(text[:100])  # compiled by now
    begin = time.process_time()
    both(text)
    assert time.process_time() - begin < 1  # 2 MB/s, a fraction of what it does here
