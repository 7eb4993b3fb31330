"""The merge kernel does what the table of merges says, in the order in which they were learned."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.bpe import SHORT, Merges, _merge_long, _packed
from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel

A, B, C = 97, 98, 99
WORDS = st.lists(st.text("abc", max_size=SHORT + 9), max_size=5)
# any table over a, b, c: each merge takes two symbols that are there by then
TABLES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=8).map(
    lambda draws: [
        (left, right, 256 + i)
        for i, (x, y) in enumerate(draws)
        for left, right in [(symbol(x % (3 + i)), symbol(y % (3 + i)))]
    ]
)


def symbol(i: int) -> int:
    return (A, B, C)[i] if i < 3 else 256 + i - 3


def once(merges: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    return list({(left, right): (left, right, merged) for left, right, merged in merges}.values())


def by_hand(word: str, merges: list[tuple[int, int, int]]) -> list[int]:
    """The definition: again and again, the earliest merge that fits, at its leftmost place."""
    ids = list(word.encode())
    while True:
        fits = [(rank, i) for i, two in enumerate(pairwise(ids)) for rank, m in enumerate(merges) if m[:2] == two]
        if not fits:
            return ids
        rank, i = min(fits)
        ids[i : i + 2] = [merges[rank][2]]


def apply(words: list[str], merges: list[tuple[int, int, int]]) -> list[list[int]]:
    edges, ids = Merges.of(list(range(256)), merges).apply(*buffers(pa.array(words, pa.large_string())))
    return [ids[a:b].tolist() for a, b in pairwise(edges)]


@settings(deadline=None)  # the first call may compile
@given(words=WORDS, merges=TABLES.map(once))
def test_any_table_merges_any_word_as_its_definition_says(words, merges):
    want = [by_hand(word, merges) for word in words]
    assert apply(words, merges) == want
    table = Merges.of(list(range(256)), merges)
    assert [by_heap(word, table) for word in words] == want


def by_heap(word: str, merges: Merges) -> list[int]:
    """As long words are merged, whatever the length of this one."""
    cells = np.frombuffer(word.encode(), np.uint8).astype(np.int32)
    return cells[: merge_long(cells, *merges.arrays, np.zeros(2 * len(cells), np.uint64))].tolist()


@kernel
def merge_long(cells, of_bytes, seen, table, made, ids, heap):
    _merge_long(cells, 0, len(cells), seen, table, made, heap)
    return _packed(cells, 0, len(cells), ids)


def test_the_leftmost_of_equal_merges_comes_first():
    assert apply(["aaa", "aaaa"], [(A, A, 256)]) == [[256, A], [256, 256]]


def test_an_earlier_merge_takes_from_a_later_one():
    # bc is learned first, so ab finds no b
    assert apply(["abc"], [(B, C, 256), (A, B, 257)]) == [[A, 256]]


def test_a_pair_that_changed_waits_for_its_own_turn():
    # bc first; then ab is no more, and what took its place, a and bc, comes after bc and d
    merges = [(B, C, 256), (A, B, 257), (256, 100, 258), (A, 256, 259)]
    assert apply(["abcd"], merges) == [[A, 258]]
    assert by_heap("abcd", Merges.of(list(range(256)), merges)) == [A, 258]


def test_a_word_of_a_megabyte_is_merged():
    ids = apply(["ab" * 500_000], [(A, B, 256), (256, 256, 257)])
    assert ids == [[257] * 250_000]
