"""Counting repeats equals counting with a dictionary, whatever the hashes are and however many."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text import repeats
from pipeline.text.compiling import kernel
from pipeline.text.repeats import PART, repeated_share, scratch, top_share
from tests.pipeline.text.measures_twin import repeated_share as repeated_twin
from tests.pipeline.text.measures_twin import top_share as top_twin


@kernel
def shares(hashes, other):
    room = scratch(len(hashes))
    return top_share(hashes, len(hashes), room), repeated_share(other, len(other), room)


@kernel
def left_over(hashes):
    histogram, large = np.zeros(100, np.int64), np.zeros(1, np.int64)
    return repeats._sorted(hashes, histogram, large, (0, 0, 0, 0)), histogram


def check(hashes: np.ndarray) -> None:
    assert shares(hashes.copy(), hashes.copy()) == (top_twin(hashes.tolist()), repeated_twin(hashes.tolist()))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 5) | st.integers(0, 2**64 - 1), max_size=80), st.integers(0, 63))
def test_shares_equal_those_of_a_dictionary(few, shift):
    check(np.array([(n << shift) % 2**64 for n in few], np.uint64))  # high bits alone, low bits alone


@pytest.mark.parametrize("distinct", [1, 1000, 2 * PART])
def test_long_lists_in_parts_are_counted_exactly(distinct):
    rng = np.random.default_rng(1)
    pool = rng.integers(0, 2**64, distinct, np.uint64)
    check(pool[rng.integers(0, distinct, 3 * PART + 17)])


@pytest.mark.parametrize("copies", [255, 256, 257, 65_535, 65_536, 65_537])
def test_counts_are_exact_where_a_byte_and_a_line_of_the_histogram_end(copies):
    check(np.array([5] * copies + [9, 9, 8], np.uint64))


def test_hashes_that_all_share_a_part_are_counted_exactly():
    check(np.arange(2 * PART + 5, dtype=np.uint64) // np.uint64(2))  # high bits zero: one part holds all


def test_what_chosen_hashes_leave_over_is_counted_by_sorting():
    hashes = np.array([7, 3, 7, 0, 3, 7], np.uint64)
    so_far, histogram = left_over(hashes)
    counts = Counter(hashes.tolist())
    assert so_far == (len(counts), 1, 3, 0)  # 0 alone is single; 7 stands three times
    assert histogram[:4].tolist() == [0, 1, 1, 1]
