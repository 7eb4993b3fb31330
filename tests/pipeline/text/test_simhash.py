"""Fingerprints equal their twin on any text; no pair within the distance is missed; time is linear in any text."""

import random
import time
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.simhash import fingerprints, keys, masks
from tests.pipeline.text import simhash_twin as twin
from tests.pipeline.text.texts import ANY_TEXT, array

FEW = settings(deadline=None, max_examples=200)


def of(texts: list[str], by_words: bool = False, size: int = 6) -> list[int]:
    return fingerprints(array(texts), np.full(len(texts), by_words), size)[0].tolist()


@FEW
@given(st.lists(st.tuples(ANY_TEXT, st.booleans()), max_size=5), st.integers(1, 8))
def test_fingerprints_equal_their_twin(cases, size):
    texts, words = [text for text, _ in cases], np.array([by_words for _, by_words in cases], bool)
    expected = [twin.features(text, by_words, size) for text, by_words in cases]
    found, counts = fingerprints(array(texts), words, size)
    assert counts.tolist() == [len(own) for own in expected]
    assert found.tolist() == [twin.compute(own) for own in expected]


@pytest.mark.parametrize("by_words", [False, True])
def test_chunks_of_a_long_text_are_joined(by_words):
    chance = random.Random(1)
    text = "".join(chance.choices("abcdefg hij, \u00e9\u4e2d\U0001f600", k=15_000))
    assert of([text, "x", text[:4096]], by_words)[::2] == [
        twin.compute(twin.features(part, by_words, 6)) for part in (text, text[:4096])
    ]


def test_case_and_punctuation_do_not_count_and_white_space_does():
    plain, loud, apart = of(["a small green bird sings", "A small, green bird - sings!", "a small green birdsings"])
    assert twin.distance(plain, loud) > 0  # the dash stood between two blanks, and these stay
    assert of(["A small, green bird sings!"]) == [plain]
    assert apart != plain
    assert of(["a small\tgreen\n bird sings"], True) == of(["a small green bird sings"], True)


def test_a_short_text_is_one_feature_and_not_like_all_other_short_ones():
    assert len(set(of(["a", "ab", "abc", "abcdef"]))) == 4
    found, counts = fingerprints(array(["", "...", "!"]), np.zeros(3, bool))
    assert found.tolist() == counts.tolist() == [0, 0, 0]


def test_similar_texts_are_near_and_others_are_not():
    chance = random.Random(2)
    words = ["".join(chance.choices("abcdefghijklmnop", k=chance.randint(2, 9))) for _ in range(500)]
    text = " ".join(chance.choices(words, k=400))
    near, far = text.replace(text.split()[200], "changed", 1), " ".join(chance.choices(words, k=400))
    a, b, c = of([text, near, far])
    assert twin.distance(a, b) <= 4 < 16 <= twin.distance(a, c)


@FEW
@given(
    st.integers(0, 2**64 - 1),
    st.lists(st.integers(0, 63), max_size=6, unique=True),
    st.integers(0, 6),
    st.integers(1, 4),
)
def test_two_fingerprints_within_the_distance_share_a_key(fingerprint, flipped, distance, more):
    other = fingerprint ^ sum(1 << bit for bit in flipped)
    chosen = masks(distance + more, distance)
    assert len(chosen) == comb(distance + more, more)
    a, b = keys(np.array([fingerprint, other], np.uint64), chosen)
    assert [bool(x) for x in a == b] == [(fingerprint ^ other) & int(mask) == 0 for mask in chosen.tolist()]
    if len(flipped) <= distance:
        assert (a == b).any()


@pytest.mark.parametrize(
    "text", ["a " * 1_000_000, "a" * 2_000_000, "." * 2_000_000, "\u3000" * 700_000, "中" * 700_000]
)
@pytest.mark.parametrize("by_words", [False, True])
def test_no_text_takes_more_than_linear_time(text, by_words):
    of(["a"], by_words)  # compiled by now
    begin = time.process_time()
    of([text], by_words)
    assert time.process_time() - begin < 0.5
