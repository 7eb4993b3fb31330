"""Runs of windows equal their plain twin, and overlook no two equal windows, on any text in linear time."""

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.buffers import buffers
from pipeline.text.winnow import gram, runs
from tests.pipeline.text import winnow_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, REPEATED, array

FEW_LETTERS = st.text("ab", max_size=80)
TEXTS = st.lists(FEW_LETTERS | REPEATED | ANY_TEXT, max_size=5)


def listed(texts: list[str], size: int) -> list[list[tuple[int, int, int, int]]]:
    """The runs of each text."""
    offsets, data = buffers(array(texts))
    out: list[list[tuple[int, int, int, int]]] = [[] for _ in texts]
    for begin, *more in zip(*(column.tolist() for column in runs(data, offsets, size)), strict=True):
        text = int(np.searchsorted(offsets, begin, side="right")) - 1
        out[text].append((begin - int(offsets[text]), *more))
    return out


@settings(max_examples=200)
@given(TEXTS, st.integers(2, 12))
def test_runs_equal_their_twin(texts, size):
    expected = [twin.runs(list(t.encode()), size) if len(t.encode()) >= size else [] for t in texts]
    assert listed(texts, size) == expected


@settings(max_examples=200)
@given(TEXTS, st.integers(2, 12))
def test_a_content_that_stands_twice_stands_under_one_key_that_is_told_twice(texts, size):
    places: dict[bytes, list[int]] = {}
    told: dict[int, int] = {}
    for text, found in zip(texts, listed(texts, size), strict=True):
        windows = sum(count for _, count, _, _ in found)
        assert windows == max(0, len(text.encode()) - size + 1)  # each window is in one run
        for begin, count, key, times in found:
            told[key] = told.get(key, 0) + times
            for at in range(begin, begin + count):
                places.setdefault(text.encode()[at : at + size], []).append(key)
    for keys in places.values():
        assert len(set(keys)) == 1
        assert len(keys) == 1 or told[keys[0]] >= 2


def test_hashes_of_words_are_units_as_bytes_are():
    units = [7, 2**64 - 1, 3, 7, 2**64 - 1, 3, 9]
    found = runs(np.array(units, np.uint64), np.array([0, 7]), 3)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == twin.runs(units, 3)


def test_there_are_as_few_runs_as_winnowing_promises():
    data = np.frombuffer(random.Random(1).randbytes(200_000), np.uint8)
    begins, *_ = runs(data, np.array([0, len(data)]), 50)
    assert abs(len(begins) / len(data) - 2 / (50 - gram(50) + 2)) < 0.005


@pytest.mark.parametrize("text", ["a" * 3_000_000, "ab" * 1_500_000, "abcdefghijk" * 300_000, "\n" * 3_000_000])
def test_text_of_a_short_period_is_few_runs_in_linear_time(text):
    runs(*buffers(array(["compiled by now" * 9]))[::-1], 50)
    begin = time.process_time()
    begins, *_ = runs(*buffers(array([text]))[::-1], 50)
    assert time.process_time() - begin < 0.5  # 6 MB/s, a fraction of what it does
    assert len(begins) < len(text) / 100


def test_more_runs_than_chance_has_are_all_there():
    texts = ["abc"] * 5000  # a run a document, and three bytes
    assert len(runs(*buffers(array(texts))[::-1], 3)[0]) == 5000
