"""Editing a page as C4 does equals its plain-Python twin on any text, and hand-worked cases on some."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.c4 import CITATIONS, ENDS, EVIDENCE, POLICIES, REASONS, SCRIPTS, c4_lines
from tests.pipeline.text import c4_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array

ALL = CITATIONS | ENDS | SCRIPTS | POLICIES | EVIDENCE
PARTS = ["a ", "bc ", "\n", "\n",
         "\r\n", "\x1c", "...", ".", "!", '"', "[1]", "[", "]", "٣", "[edit]", "[citation needed]",
         "{", "JavaScript ", "java", "script", "Lorem", " ipsum ", "use cooKies ", "Terms of use", "é中 ", "x" * 9,
         "\u3000", "İ"]  # fmt: skip
MADE = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)


def edited(text, rules=ALL, fewest=3, longest=1000):
    texts, pieces, counts = c4_lines(array([text]), rules, fewest, longest)
    assert pieces.tolist() == [sum(counts.values()) - counts["lines_kept"]]
    return text if texts[0].as_py() is None else texts[0].as_py(), counts


@settings(deadline=None, max_examples=200)
@given(ANY_TEXT | MADE, st.integers(0, 31), st.integers(0, 4), st.sampled_from([1, 5, 1000]))
def test_the_kernel_equals_its_twin_on_any_text(text, rules, fewest, longest):
    on = {"citations": CITATIONS, "ended": ENDS, "javascript": SCRIPTS, "policy": POLICIES, "evidence": EVIDENCE}
    switches = {name: bool(rules & bit) for name, bit in on.items()}
    expected, reasons = twin.c4_lines(text, fewest=fewest, longest=longest, **switches)
    found, counts = edited(text, rules, fewest, longest)
    assert found == expected
    assert {reason: counts[reason] for reason in REASONS} == {reason: Counter(reasons)[reason] for reason in REASONS}
    assert counts["lines_kept"] == Counter(reasons)[""]


CASES = [
    ("Home\nThis line has five words.\n  Menu | Login", "This line has five words."),
    ("This goes on and on...", ""),  # an ellipsis ends no sentence
    ("He said so.[1] Yes [edit] it[citation needed] was.", "He said so. Yes  it was."),
    ("One two three.[12a]", ""),  # [12a] is no citation, so the line does not end in a mark
    ("Please turn on JavaScript now.\nWe use cookies on it.\nOne two three.", "One two three."),
    (
        "if (x) { use cookies } or not.",
        "if (x) { use cookies } or not.",
    ),  # the bracket is evidence against the document
    ("Lorem ipsum and javascript.", "Lorem ipsum and javascript."),  # so is the phrase
    ("x" * 1001 + " two three.\n" + "x" * 1000 + " two three.", "x" * 1000 + " two three."),
]


@pytest.mark.parametrize(("text", "stays"), CASES)
def test_hand_worked_cases(text, stays):
    assert edited(text)[0] == stays


def test_a_text_that_stays_is_no_new_text():
    texts, counts, _ = c4_lines(array(["One two three.\nFour five six!", " One two three."]), ALL)
    assert texts.to_pylist() == [None, "One two three."] and counts.tolist() == [0, 0]


def test_what_went_is_counted_for_each_text():
    _, counts, _ = c4_lines(array(["Home\nOne two three.[1][edit]\nx", "One two three.", "Home"]), ALL)
    assert counts.tolist() == [4, 0, 1]  # two lines and two marks; none; one line
