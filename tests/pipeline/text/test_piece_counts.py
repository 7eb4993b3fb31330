"""Pieces are counted as the library cuts them, whatever the texts, their order and how they are dealt out."""

import re
import tracemalloc
from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from pipeline.text.piece_counts import (
    FEWEST,
    SPECIALS,
    PieceCounts,
    bytes_to_count,
    bytes_to_merge,
    count_pieces,
    merge_counts,
)
from pipeline.tokenizer import PATTERN
from tests.pipeline.text.texts import ANY_TEXT, array

ORACLE = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False)
SPECIAL = re.compile("|".join(map(re.escape, SPECIALS)))
PARTS = st.sampled_from([*SPECIALS, "<", "s>", "/", " ", "a", "。"]) | ANY_TEXT
WITH_SPECIALS = st.lists(PARTS, max_size=6).map("".join)
COUNTS = st.dictionaries(st.binary(min_size=1, max_size=5), st.integers(1, 2**40), max_size=9)


def expected(texts: list[str]) -> dict[bytes, int]:
    parts = [part for text in texts for part in SPECIAL.split(text) if part]
    return Counter(piece.encode() for part in parts for piece, _ in ORACLE.pre_tokenize_str(part))


@settings(deadline=None)  # the first call may compile
@given(texts=st.lists(WITH_SPECIALS, max_size=5))
def test_pieces_are_counted_as_the_library_cuts_them(texts):
    found = list(count_pieces(array(texts)))
    assert dict(found) == expected(texts)
    assert [piece for piece, _ in found] == sorted(expected(texts))


@settings(deadline=None)
@given(texts=st.lists(WITH_SPECIALS, max_size=5), cuts=st.lists(st.integers(0, 5), max_size=3))
def test_neither_the_order_of_texts_nor_their_dealing_out_matters(texts, cuts):
    edges = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    parts = [count_pieces(array(texts[a:b][::-1])) for a, b in pairwise(edges)]
    assert list(merge_counts(parts[::-1])) == list(count_pieces(array(texts)))


@settings(deadline=None)
@given(parts=st.lists(COUNTS, max_size=5), bound=st.binary(max_size=3))
def test_counts_are_added_up_range_by_range_as_well(parts, bound):
    lists = [PieceCounts.of(part) for part in parts]
    total = sum((Counter(part) for part in parts), Counter())
    assert list(merge_counts(lists)) == sorted(total.items())
    below, above = ([part.between(*ends) for part in lists] for ends in [(b"", bound), (bound, None)])
    assert [*merge_counts(below), *merge_counts(above)] == sorted(total.items())


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("</s></s>", {}),
        ("a</s> b<pad>", {b"a": 1, b" b": 1}),
        ("<<s>s>", {b"<": 1, b"s>": 1}),  # what is left on either side is not looked at again
        ("a <s> b", {b"a": 1, b" ": 1, b" b": 1}),  # the blank before it ends a text, so it goes with no run
        ("<unk", {b"<unk": 1}),
        ("xxxxxxx</s>xxxxxxxx", {b"xxxxxxx": 1, b"xxxxxxxx": 1}),  # across eight bytes at once
    ],
)
def test_special_tokens_are_taken_out(text, counts):
    assert dict(count_pieces(array([text]))) == counts == expected([text])


def test_of_special_tokens_at_one_place_the_one_named_first_goes():
    assert dict(count_pieces(array(["xabc b"]), ["ab", "abc", "b"])) == {b"x": 1, b"c": 1, b" ": 1}
    assert dict(count_pieces(array(["a</s>"]), [])) == {b"a</s>": 1}


def test_more_pieces_than_the_first_table_holds_are_counted():
    words = [f" {i}" for i in range(3 * FEWEST)]
    found = dict(count_pieces(array(["".join(words), "".join(words[::2])])))
    assert found == {word.encode(): 1 + (i % 2 == 0) for i, word in enumerate(words)}


@pytest.mark.parametrize("length", [7, 8, 15, 16, 17, 31, 100_000])
def test_long_pieces_that_differ_in_one_byte_are_told_apart(length):
    one, other = "x" * (length - 1) + "y", "x" * (length - 1) + "z"
    assert dict(count_pieces(array([one, other, one]))) == {one.encode(): 2, other.encode(): 1}


def test_nulls_slices_and_dictionaries_are_counted_as_their_texts():
    texts = pa.array(["no", "a b", None, "a", "no"], pa.string())
    for some in (texts[1:4], texts[1:4].dictionary_encode(), pa.chunked_array([texts[1:2], texts[2:4]])):
        assert dict(count_pieces(some)) == {b"a": 2, b" b": 1}


def test_counts_pass_what_32_bits_hold():
    merged = merge_counts([PieceCounts.of({b"a": 2**40, b"b": 2**62 - 1}), PieceCounts.of({b"a": 1, b"b": 1})])
    assert list(merged) == [(b"a", 2**40 + 1), (b"b", 2**62)]


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{i:x}." for i in range(60_000)),  # all distinct
        "".join(chr(0x4E00 + i % 20_000) + "." for i in range(60_000)),
        "x" * 300_000,
        ("x" * 40 + ".") * 5_000,
    ],
)
def test_memory_stays_below_what_is_told(text):
    texts = array([text])
    count_pieces(texts)
    tracemalloc.start()
    found = count_pieces(texts)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    merged = merge_counts([found, found])
    more = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert used < bytes_to_count(len(text.encode()), len(found)) <= bytes_to_count(len(text.encode()))
    assert more < bytes_to_merge(2 * len(found.data), 2 * len(found))
    assert np.array_equal(merged.counts, 2 * found.counts)
