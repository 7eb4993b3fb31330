"""Kernels over lines equal their plain twins on any text; hand-worked cases; hostile texts take linear time."""

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.text.lines import blank, holding, line_starts, listed, observed, repeated, without
from tests.pipeline.text import lines_twin as twin
from tests.pipeline.text.measures_twin import is_space
from tests.pipeline.text.texts import ANY_TEXT, array

LINE = st.sampled_from(
    ["", " ", "a", " a", "a\u3000", "\u00a0a", "ab", "é", "中文", "a\r", "x{y", "abcdefgh", "abcdefghi"]
)
LINES = st.lists(LINE | ANY_TEXT, max_size=8).map("\n".join)
TEXTS = st.lists(LINES, max_size=5)
FEW = settings(deadline=None, max_examples=150)


def flat(lists: list[list[bool]]) -> list[bool]:
    return [mark for marks in lists for mark in marks]


@FEW
@given(TEXTS, st.integers(1, 9))
def test_repeated_lines_equal_their_twin(texts, min_chars):
    assert repeated(array(texts), min_chars).tolist() == flat([twin.repeated(t, min_chars) for t in texts])


@FEW
@given(TEXTS, st.lists(st.sampled_from(["{", "x{", "中", "ab", "\u00a0"]) | st.text("ab中", min_size=1), min_size=1))
@example(["aab\naab"], ["ab"])
def test_lines_that_hold_a_string_equal_their_twin(texts, strings):
    strings = [s for s in strings if "\n" not in s] or ["x"]
    assert holding(array(texts), tuple(strings)).tolist() == flat([twin.holding(t, strings) for t in texts])


@FEW
@given(TEXTS, st.randoms())
def test_texts_without_lines_equal_their_twin(texts, chance):
    marks = [[chance.random() < 0.4 for _ in text.split("\n")] for text in texts]
    new, counts = without(array(texts), np.array(flat(marks), bool))
    assert new.to_pylist() == [twin.without(t, m) for t, m in zip(texts, marks, strict=True)]
    assert counts.tolist() == [sum(m) for m in marks]


@FEW
@given(TEXTS, st.integers(1, 9), st.lists(st.integers(0, 1), min_size=5, max_size=5))
def test_distinct_lines_are_told_once_with_their_counts(texts, min_chars, groups):
    salts = np.array(groups[: len(texts)], np.uint64)
    expected: dict[tuple[int, str], list[int]] = {}
    for row, text in enumerate(texts):
        for line in text.split("\n"):
            if twin.counts(line, min_chars):
                expected.setdefault((groups[row], twin.trimmed(line)), []).append(row)
    keys, first, documents, times = observed(array(texts), salts, min_chars)
    assert sorted(zip(first, documents, times, strict=True)) == sorted(
        (rows[0], len(set(rows)), len(rows)) for rows in expected.values()
    )
    assert (np.diff(keys.astype(object)) > 0).all()  # sorted, each once


@FEW
@given(TEXTS, st.integers(1, 9))
def test_a_listed_line_is_found_by_the_hash_that_was_observed_and_its_first_is_spared(texts, min_chars):
    salts = np.zeros(len(texts), np.uint64)
    keys, *_ = observed(array(texts), salts, min_chars)
    all_of_them = listed(array(texts), salts, min_chars, keys, np.zeros(len(keys), bool)).tolist()
    assert all_of_them == [twin.counts(line, min_chars) for text in texts for line in text.split("\n")]
    spared = listed(array(texts), salts, min_chars, keys, np.ones(len(keys), bool)).tolist()
    assert spared == twin.repeated("\n".join(texts), min_chars) if texts else spared == []


@FEW
@given(TEXTS, st.randoms())
def test_texts_without_paragraphs_equal_their_twin(texts, chance):
    marks = [[chance.random() < 0.4 for _ in twin.paragraphs(text)] for text in texts]
    new, counts = without(array(texts), np.array(flat(marks), bool), "paragraph")
    assert new.to_pylist() == [twin.without_paragraphs(t, m) for t, m in zip(texts, marks, strict=True)]
    assert counts.tolist() == [sum(m) for m in marks]


@FEW
@given(TEXTS, st.integers(1, 9))
def test_listed_paragraphs_are_those_that_were_observed(texts, min_chars):
    salts = np.zeros(len(texts), np.uint64)
    parts = [part for text in texts for part in twin.paragraphs(text)]
    keys, _, _, times = observed(array(texts), salts, min_chars, "paragraph")
    different = {twin.trimmed(part) for part in parts if twin.counts(part, min_chars)}
    assert (len(keys), times.sum()) == (len(different), sum(twin.counts(part, min_chars) for part in parts))
    found = listed(array(texts), salts, min_chars, keys, np.zeros(len(keys), bool), "paragraph")
    assert found.tolist() == [twin.counts(part, min_chars) for part in parts]


@FEW
@given(TEXTS)
def test_a_text_is_blank_if_all_of_it_is_space(texts):
    assert blank(array(texts)).tolist() == [all(map(is_space, text)) for text in texts]


def test_a_slice_of_an_array_is_read_from_where_it_begins():
    texts = array(["x\nx", "a\nb\na", "c"]).slice(1)
    assert line_starts(texts).tolist() == [0, 3, 4]
    assert without(texts, repeated(texts, 1))[0].to_pylist() == ["a\nb", None]


def test_bytes_that_are_no_utf8_stay_as_they_are():
    data = [b"\x80\x80ab\n\xff\n\x80\x80ab", b"\xe3\x80\n\xe3\x80\na"]
    broken = pa.array(data, pa.large_binary()).view(pa.large_string())
    new, counts = without(broken, repeated(broken, 1))
    assert [n.as_buffer().to_pybytes() for n in new.view(pa.large_binary())] == [b"\x80\x80ab\n\xff", b"\xe3\x80\na"]
    assert counts.tolist() == [1, 1]


HOSTILE = [
    "\n" * 4_000_000,
    "a" * 4_000_000,
    " " * 4_000_000,
    "a\r" * 2_000_000,
    "ab\n" * 1_300_000,
    "\u3000" * 1_300_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=["feeds", "line", "blanks", "returns", "same", "wide"])
def test_no_text_takes_more_than_linear_time(text):
    def all_of(text: str) -> None:
        texts = array([text])
        keys, *_ = observed(texts, np.zeros(1, np.uint64), 1)
        marked = listed(texts, np.zeros(1, np.uint64), 1, keys, np.ones(len(keys), bool))
        without(texts, marked | repeated(texts, 1) | holding(texts, ("aaaaaaaab", "{")))
        blank(texts)
        keys, *_ = observed(texts, np.zeros(1, np.uint64), 1, "paragraph")
        without(
            texts, listed(texts, np.zeros(1, np.uint64), 1, keys, np.zeros(len(keys), bool), "paragraph"), "paragraph"
        )

    all_of(text[:100])  # compiled by now
    begin = time.process_time()
    all_of(text)
    assert time.process_time() - begin < 1  # 4 MB/s, a fraction of what it does here
