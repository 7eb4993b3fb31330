"""Fingerprints are equal exactly where the texts are, what is ignored aside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.exact import BLOCK, IGNORED, fingerprints
from tests.pipeline.text.measures_twin import is_space, is_special
from tests.pipeline.text.texts import ANY_TEXT, array

DROPPED = {
    "nothing": lambda c: False,
    "whitespace": is_space,
    "whitespace_and_digits_punctuation": lambda c: is_space(c) or is_special(c),
}


def twin(text: str, ignore: str) -> tuple[bool, str]:
    """What is compared: what is left, or the whole text where nothing is."""
    left = "".join(c for c in text if not DROPPED[ignore](c))
    return (True, left) if left else (False, text)


def prints(texts: list[str], ignore: str) -> list[tuple[int, int]]:
    return list(zip(*(a.tolist() for a in fingerprints(array(texts), ignore)), strict=True))


@settings(deadline=None, max_examples=60)
@given(st.lists(ANY_TEXT | st.text("a \n1.", max_size=6), max_size=8), st.sampled_from(sorted(IGNORED)))
def test_two_texts_have_one_fingerprint_exactly_if_their_twins_are_equal(texts, ignore):
    made, twins = prints(texts, ignore), [twin(text, ignore) for text in texts]
    assert [[a == b for b in made] for a in made] == [[a == b for b in twins] for a in twins]


@pytest.mark.parametrize("length", [BLOCK - 9, BLOCK - 1, BLOCK, BLOCK + 3, 3 * BLOCK])
@pytest.mark.parametrize("ignore", ["nothing", "whitespace"])
def test_where_a_block_ends_does_not_count(length, ignore):
    rng = np.random.default_rng(length)
    text = "".join(rng.choice(list("aé中𠀀"), length))
    spaced = "".join(c + " " * int(n) for c, n in zip(text, rng.integers(0, 3, length), strict=True))
    same = prints([text], ignore) == prints([spaced], ignore)
    assert same == (ignore == "whitespace")


def test_zeros_at_the_end_count():
    assert len(set(prints(["a", "a\0", "a\0\0", "\0a", ""], "nothing"))) == 5


def test_fingerprints_are_pinned():
    expected = [(937864326520828664, 2439590813344147902), (736475956726642553, 708266310450484056)]
    assert prints(["seedbed", ""], "whitespace") == expected
