"""Spans joined and taken away from each other are what sets of their places say."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.text.cuts import less, sorted_spans, union, whole_characters
from tests.pipeline.text.texts import ANY_TEXT, array

SPAN = st.tuples(st.integers(0, 2), st.integers(0, 20), st.integers(1, 8)).map(lambda s: (s[0], s[1], s[1] + s[2]))
SPANS = st.lists(SPAN, max_size=12)


def array_of(spans) -> np.ndarray:
    return sorted_spans(*np.array(spans, np.int64).reshape(-1, 3).T)


def places(spans) -> set[tuple[int, int]]:
    return {(row, at) for row, begin, end in spans for at in range(begin, end)}


def assert_proper(spans: list[list[int]]) -> None:
    """In order, disjoint and not empty."""
    assert all(begin < end for _, begin, end in spans)
    assert all((a[0], a[2]) <= (b[0], b[1]) for a, b in pairwise(spans))


@given(SPANS)
def test_a_union_covers_what_any_span_covers_in_as_few_as_can_be(spans):
    joined = union(array_of(spans)).tolist()
    assert_proper(joined)
    assert places(joined) == places(spans)
    assert all((a[0], a[2]) != (b[0], b[1]) for a, b in pairwise(joined))


@given(SPANS, SPANS)
def test_spans_less_others_cover_what_only_they_cover(spans, spared):
    left = less(union(array_of(spans)), union(array_of(spared))).tolist()
    assert_proper(left)
    assert places(left) == places(spans) - places(spared)


@given(
    st.lists(ANY_TEXT, min_size=1, max_size=3), st.lists(st.tuples(st.integers(0, 2), st.integers(0, 99)), max_size=6)
)
def test_a_span_is_drawn_in_to_whole_characters_and_no_further(texts, ends):
    sizes = [len(text.encode()) for text in texts]
    spans = [(r % len(texts), at % (sizes[r % len(texts)] or 1), sizes[r % len(texts)] - at % 5) for r, at in ends]
    spans = union(array_of([span for span in spans if 0 <= span[1] < span[2]])).tolist()
    expected = []
    for row, begin, end in spans:
        at, inside = 0, []
        for char in texts[row]:
            if begin <= at and at + len(char.encode()) <= end:
                inside.append((at, at + len(char.encode())))
            at += len(char.encode())
        expected += [[row, inside[0][0], inside[-1][1]]] if inside else []
    assert whole_characters(array(texts), array_of(spans)).tolist() == expected


def test_a_slice_is_read_from_where_it_begins():
    texts = pa.array(["xx", "中国"], pa.large_string()).slice(1)
    assert whole_characters(texts, array_of([(0, 1, 6)])).tolist() == [[0, 3, 6]]
