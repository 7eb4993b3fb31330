"""The index and the scan equal their plain twin on any text; hand-worked cases; no text takes more than linear time."""

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.contamination import Index, Rule, hits, hits_in, index_of
from tests.pipeline.text import contamination_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array

FEW = settings(deadline=None, max_examples=200)
WORD = st.sampled_from(
    ["a", "b", "A", "b,", "c!", "中", "国", "中国", "ไ", "é", "É", "12", "\u00ad", "a\u00adb", "-", "𠀀"]
)
SENTENCE = st.lists(WORD, max_size=14).map(" ".join)
RULES = st.builds(
    Rule,
    words=st.integers(1, 5),
    characters=st.integers(1, 6),
    shortest=st.integers(1, 5),
    shortest_characters=st.integers(1, 6),
    common=st.integers(1, 3),
)


def found(texts: list[str], index: Index) -> list[list[tuple[int, int]]]:
    """(place, entry) of the hits in each text."""
    table = array(texts)
    out = []
    for row, count in enumerate(hits(table, index).tolist()):
        places, entries = hits_in(table.slice(row, 1), index, count)
        out.append(list(zip(places.tolist(), entries.tolist(), strict=True)))
    return out


def holders(index: Index, entry: int) -> list[int]:
    return index.items[index.starts[entry] : index.starts[entry + 1]].tolist()


@FEW
@given(st.lists(SENTENCE | ANY_TEXT, max_size=6), st.lists(SENTENCE | ANY_TEXT, max_size=4), RULES)
def test_hits_equal_their_twin(items, texts, rule):
    texts = [*texts, *items, " ".join(items)]
    index, expected = index_of(array(items), rule), twin.counted(items, rule)
    assert index.grams.tolist() == [len(own) for own in expected]
    for text, own in zip(texts, found(texts, index), strict=True):
        right = twin.hits(text, expected)
        assert [place for place, _ in own] == [place for place, _ in right]
        assert [index.sizes[entry] for _, entry in own] == [len(gram) for _, gram in right]
        assert [holders(index, entry) for _, entry in own] == [
            [i for i, held in enumerate(expected) if gram in held] for _, gram in right
        ]


USUAL = Rule(words=13, characters=26, shortest=8, shortest_characters=16, common=10)
TALE = "The quick brown fox jumps over the lazy dog and then it sleeps again until morning"  # 16 words


def test_thirteen_words_in_a_row_are_a_hit_and_twelve_are_none():
    index = index_of(array([TALE]), USUAL)
    assert index.grams.tolist() == [4]  # 16 - 13 + 1
    words = TALE.split()
    assert hits(array([" ".join(words[2:15]), " ".join(words[2:14])]), index).tolist() == [1, 0]
    loud = "<p>" + "...\n".join(words[:13]).upper() + "</p>"  # case, punctuation and layout do not count
    ((place, _),) = found([loud], index)[0]
    assert place == 1  # the word p is before it


def test_an_item_that_is_shorter_is_compared_whole_down_to_the_shortest():
    eight, seven = " ".join(TALE.split()[:8]), " ".join(TALE.split()[:7])
    index = index_of(array([eight, seven, ""]), USUAL)
    assert index.grams.tolist() == [1, 0, 0]
    assert hits(array([TALE, eight, seven]), index).tolist() == [1, 1, 0]


def test_characters_of_a_script_without_spaces_are_counted_by_themselves():
    item = "".join(map(chr, range(0x4E00, 0x4E00 + 27)))  # 27 different ones: two runs of 26
    index = index_of(array([item]), USUAL)
    assert index.grams.tolist() == [2]
    assert hits(array([item[:26], item[:25], " ".join(item)]), index).tolist() == [1, 0, 2]


def test_what_many_items_hold_counts_in_none():
    rule = Rule(3, 6, 3, 6, common=2)
    items = ["answer the question a", "answer the question b", "answer the question c"]
    index = index_of(array(items), rule)
    assert index.grams.tolist() == [1, 1, 1]
    assert hits(array(["answer the question", "the question b"]), index).tolist() == [0, 1]


def test_hits_across_the_blocks_of_a_long_text_are_found():
    words = [f"w{i}" for i in range(30_000)]  # 180 KB: a dozen blocks
    index = index_of(array([" ".join(words)]), USUAL)
    (own,) = found([" ".join(words)], index)
    assert [place for place, _ in own] == list(range(30_000 - 12))
    assert len({entry for _, entry in own}) == 30_000 - 12


def test_no_items_and_no_texts_pass():
    index = index_of(array([]), USUAL)
    assert hits(array([TALE, ""]), index).tolist() == [0, 0]
    assert hits(array([]), index_of(array([TALE]), USUAL)).tolist() == []


def test_a_slice_is_read_from_where_it_begins_and_chunks_are_joined():
    index = index_of(pa.chunked_array([array(["x", TALE]).slice(1), array([""])]), USUAL)
    assert hits(array([TALE, "x", TALE]).slice(1), index).tolist() == [0, 4]


@pytest.mark.parametrize("text", ["a " * 1_000_000, "中" * 700_000, "\u00ad" * 1_000_000, "a" * 2_000_000])
def test_no_text_takes_more_than_linear_time(text):
    index = index_of(array(["a " * 13, "中" * 27, *(f"a a a a a a a {'a ' * i}b" for i in range(12))]), USUAL)
    hits(array(["a"]), index)  # compiled by now
    begin = time.process_time()
    count = hits(array([text]), index)
    assert len(hits_in(array([text]), index, int(count[0]))[0]) == count[0]
    assert time.process_time() - begin < 1


def test_the_same_n_gram_twice_in_an_item_counts_once():
    index = index_of(array(["a b a b a b"]), Rule(2, 2, 2, 2, 10))
    assert index.grams.tolist() == [2]
    assert hits(array(["a b a"]), index).tolist() == [2]
    assert np.diff(index.starts).tolist() == [1, 1]
