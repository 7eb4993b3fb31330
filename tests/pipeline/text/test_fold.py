"""Folding layout equals its plain-Python twin on any text, and done twice is done once."""

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.fold import ALL_LINES, BLANKS, CHANGED, CONTROLS, FORM, LINES, LOOK, fold
from tests.pipeline.text.texts import ANY_TEXT, array

PROSE = LINES | ALL_LINES | CONTROLS | BLANKS | FORM
BLANK = "\t\ufffc" + "".join(chr(c) for c in range(0x10000) if unicodedata.category(chr(c)) == "Zs")


def twin(text: str, rules: int) -> str:
    if rules & LINES:
        text = re.sub("\r\n|\r|[\x0b\x0c\x85\u2028\u2029]" if rules & ALL_LINES else "\r\n|\r", "\n", text)
    if rules & CONTROLS:
        text = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff]", "", text)
    if rules & BLANKS:
        text = re.sub(f"[{BLANK}]+", lambda run: "\t" if "\t" in run[0] else " ", text)
        text = re.sub("[\t ]+(?=\n)", "", text)
        text = re.sub("\n{4,}", "\n\n\n", text).strip("\n\t ")
    return text


def folded(texts: list[str], rules: int) -> list[str]:
    new, answers = fold(array(texts), np.full(len(texts), rules, np.uint8))
    assert [value is not None for value in new.to_pylist()] == (answers & CHANGED > 0).tolist()
    return [old if value is None else value for old, value in zip(texts, new.to_pylist(), strict=True)]


RULES = st.sampled_from([PROSE, LINES | CONTROLS, BLANKS, CONTROLS | BLANKS, LINES, 0, LINES | BLANKS])


@settings(deadline=None, max_examples=100)
@given(st.lists(ANY_TEXT, max_size=5), RULES)
def test_the_kernel_equals_its_twin_on_any_text(texts, rules):
    assert folded(texts, rules) == [twin(text, rules) for text in texts]


# long runs that stay as they are, in ASCII and beyond, and what breaks them off at any of eight bytes
RUNS = st.lists(
    st.sampled_from(
        [
            "word",
            "a b c d",
            " ",
            "  ",
            "\n",
            "\t",
            "\r",
            "\x7f",
            "é",
            "слово за словом",
            "文",
            "\u3000",
            "e\u0301",
            "😀",
        ]
    ),
    max_size=30,
).map("".join)


@settings(deadline=None, max_examples=300)
@given(st.lists(RUNS, max_size=3), RULES)
def test_runs_that_stay_end_where_a_rule_begins(texts, rules):
    assert folded(texts, rules) == [twin(text, rules) for text in texts]


@settings(deadline=None, max_examples=300)
@given(RUNS)
def test_marks_are_seen_behind_any_run(text):
    _, answers = fold(array([text]), np.array([PROSE], np.uint8))
    assert bool(answers[0] & LOOK) == ("\u0301" in twin(text, PROSE))


@settings(deadline=None)
@given(ANY_TEXT, RULES)
def test_only_a_text_that_is_other_afterwards_counts_as_changed(text, rules):
    _, answers = fold(array([text]), np.array([rules], np.uint8))
    assert bool(answers[0] & CHANGED) == (twin(text, rules) != text)


@settings(deadline=None)
@given(ANY_TEXT)
def test_folded_twice_is_folded_once(text):
    once = folded([text], PROSE)
    assert folded(once, PROSE) == once


@settings(deadline=None, max_examples=100)
@given(ANY_TEXT)
def test_a_text_that_is_not_in_nfc_is_always_looked_at(text):
    _, answers = fold(array([text]), np.array([PROSE], np.uint8))
    assert answers[0] & LOOK or unicodedata.is_normalized("NFC", twin(text, PROSE))


def test_every_character_that_nfc_changes_is_looked_at():
    chars = [
        chr(c) for c in (*range(0xD800), *range(0xE000, 0x30000)) if unicodedata.normalize("NFC", chr(c)) != chr(c)
    ]
    _, answers = fold(array(chars), np.full(len(chars), FORM, np.uint8))
    assert len(chars) > 1000
    assert (answers & LOOK > 0).all()


def test_marks_out_of_order_are_looked_at():
    _, answers = fold(array(["א\u05b0\u05b1", "א\u05b1\u05b0"]), np.full(2, FORM, np.uint8))  # classes 10 and 11
    assert answers.tolist() == [0, LOOK]


def test_plain_text_is_not_looked_at():
    _, answers = fold(array(["plain", "déjà vu", "ελληνικά", "中文", "한글", "हिन्दी"]), np.full(6, PROSE, np.uint8))
    assert not answers.any()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a \t b", "a\tb"),
        ("a\u00a0\u3000b", "a b"),
        ("  a  \n   b ", "a\n b"),
        ("a\n\n\n\n\nb", "a\n\n\nb"),
        ("\ufeffa\x00b\x92", "ab"),
    ],
)
def test_hand_worked_cases(text, expected):
    assert folded([text], PROSE) == [expected]
