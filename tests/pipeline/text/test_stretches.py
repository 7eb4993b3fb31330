"""Stretches around words equal their twin on any text; a hand-worked case."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.stretches import stretches
from tests.pipeline.minhash_twin import words
from tests.pipeline.text import stretches_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array


def found(text: str, runs: list[tuple[int, int]], around: int) -> list[tuple[int, int]]:
    firsts, lasts = (np.array([run[end] for run in runs], np.int64) for end in (0, 1))
    before = array(["x y", text, "z"])  # as a slice of others
    return list(zip(*(ends.tolist() for ends in stretches(before.slice(1, 1), firsts, lasts, around)), strict=True))


@settings(deadline=None, max_examples=300)
@given(ANY_TEXT, st.lists(st.integers(0, 40), max_size=8, unique=True), st.integers(0, 9))
def test_stretches_equal_their_twin(text, ends, around):
    assert len(twin.word_spans(text)) == len(words(text.encode()))
    ends = sorted(end for end in ends if end < len(twin.word_spans(text)))
    runs = list(zip(ends[::2], ends[1::2], strict=False))
    assert found(text, runs, around) == twin.stretches(text, runs, around)


def test_two_runs_that_come_close_are_one_stretch():
    text = "ä one, two three four five"
    #       bytes: ä 0-2, one 3-6, two 8-11, three 12-17, four 18-22
    assert found(text, [(1, 1)], 0) == [(3, 6)]
    assert found(text, [(1, 1), (3, 3)], 3) == [(0, 20)]  # 3 - 3 characters is byte 0; 12 - 3 is 9; 17 + 3 is 20
    assert found(text, [(1, 1), (3, 3)], 2) == [(0, 8), (10, 19)]  # ä is one character of two bytes
