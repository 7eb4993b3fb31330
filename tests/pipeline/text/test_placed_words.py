"""Words with their places are those of the twin, and those of shingles."""

from itertools import pairwise

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.text.placed_words import placed_words
from pipeline.text.shingles import shingles
from tests.pipeline.stages.substrings_twin import words
from tests.pipeline.text.texts import ANY_TEXT, array


@given(st.lists(ANY_TEXT, max_size=4))
@example(["a\u00adb 中ß!", "", "\u200d"])
def test_words_stand_where_the_twin_has_them(texts):
    found = placed_words(array(texts))
    expected = [word for text in texts for word in words(text)]
    assert found.offsets.tolist() == np.cumsum([0, *(len(words(text)) for text in texts)]).tolist()
    assert list(zip(found.begins.tolist(), found.ends.tolist(), strict=True)) == [(b, e) for _, b, e in expected]
    hashes, folded = found.hashes.tolist(), [word for word, _, _ in expected]
    assert [hashes.index(h) for h in hashes] == [folded.index(word) for word in folded]


@given(st.lists(ANY_TEXT, max_size=4))
def test_they_are_the_words_that_shingles_are_made_of(texts):
    found = placed_words(array(texts))
    offsets, _ = shingles(array(texts), 1)
    distinct = [len(set(found.hashes[a:b].tolist())) for a, b in pairwise(found.offsets.tolist())]
    assert distinct == np.diff(offsets).tolist()
