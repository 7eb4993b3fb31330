"""Jaccard similarities are those of Python's sets, and a long set costs its short partner nothing."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.jaccard import estimated, exact, in_bytes

SETS = st.lists(st.sets(st.integers(0, 40)) | st.sets(st.integers(0, 2**64 - 1)), min_size=2, max_size=6)


def packed(sets: list[set[int]]) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.cumsum([0, *map(len, sets)])
    return offsets, np.array([x for s in sets for x in sorted(s)], np.uint64)


@settings(deadline=None)
@given(SETS)
def test_exact_is_intersection_over_union_of_sets(sets):
    a, b = (x.ravel() for x in np.indices((len(sets), len(sets))))
    want = [len(sets[i] & sets[j]) / max(1, len(sets[i] | sets[j])) for i, j in zip(a, b, strict=True)]
    assert exact(*packed(sets), a, b).tolist() == want


def test_a_case_worked_by_hand():
    # {1 2 3} and {2 3 4}: two common of four; {1 2 3} and {}: nothing common
    assert exact(*packed([{1, 2, 3}, {2, 3, 4}, set()]), np.array([0, 0, 2]), np.array([1, 2, 2])).tolist() == [
        0.5,
        0,
        0,
    ]


@settings(deadline=None)
@given(st.sets(st.integers(0, 5000)), st.integers(1, 7))
def test_a_short_set_is_found_in_a_long_one(short, every):
    long = set(range(0, 5000, every))
    got = exact(*packed([short, long]), np.array([0, 1]), np.array([1, 0]))
    assert got.tolist() == [len(short & long) / len(short | long)] * 2


def test_a_long_set_in_a_star_is_not_read_for_each_short_one():
    n, long = 20_000, 2_000_000
    offsets = np.r_[0, long, long + np.arange(1, n + 1)]
    hashes = np.r_[np.arange(long), np.arange(n) * 100].astype(np.uint64)
    a, b = np.zeros(n, np.int64), np.arange(1, n + 1)
    exact(offsets, hashes, a[:1], b[:1])
    start = time.perf_counter()
    got = exact(offsets, hashes, a, b)
    assert time.perf_counter() - start < 2  # 20,000 readings of 2 million take minutes
    assert (got == 1 / long).all()


def test_estimated_is_the_share_of_equal_columns():
    rows = np.array([[1, 2, 3, 4], [1, 2, 0, 0], [4, 3, 2, 1]], np.uint32)
    assert estimated(rows, np.array([0, 0, 1]), np.array([1, 2, 1])).tolist() == [0.5, 0.0, 1.0]


@pytest.mark.parametrize("jaccard", [0.0, 0.3, 0.8, 1.0])
def test_bytes_of_signatures_estimate_as_the_signatures_do(jaccard):
    rng = np.random.default_rng(5)
    one = rng.integers(0, 2**32, (1, 200_000), np.uint32)
    other = np.where(rng.random(one.shape) < jaccard, one, rng.integers(0, 2**32, one.shape, np.uint32))
    pair = np.concatenate([one, other])
    whole = estimated(pair, np.array([0]), np.array([1]))
    assert abs(estimated(in_bytes(pair), np.array([0]), np.array([1])) - whole) < 0.001


def test_a_byte_of_a_column_depends_on_all_of_its_bits():
    values = np.uint32(1) << np.arange(32, dtype=np.uint32)
    assert len(np.unique(in_bytes(values[:8]))) == len(np.unique(in_bytes(values[-8:]))) == 8
    assert (in_bytes(values ^ np.uint32(0x5A5A5A5A)) != in_bytes(np.array([0x5A5A5A5A], np.uint32))).sum() > 25
