"""What a cache remembers changes no token: not when it is full, nor when words collide, nor in the next call."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.bpe import SHORT, Merges
from pipeline.text.buffers import buffers
from pipeline.text.encoding import GROUP, Words
from pipeline.text.hashing import BASE, START, STEP
from pipeline.text.inline_keys import INLINE
from pipeline.text.pretokens import CLASSES, pretokens
from pipeline.text.token_cache import CACHED, TokenCache

EOS = 999
LETTERS = "abcde"
PAIRS = [(97, 98), (99, 100), (256, 257), (97, 97), (258, 258), (101, 256), (98, 97)]
MERGES = [(left, right, 256 + i) for i, (left, right) in enumerate(PAIRS)]
LENGTHS = st.sampled_from([1, 2, 3, INLINE - 1, INLINE, INLINE + 1, 16, 24, CACHED, CACHED + 1, SHORT + 40])
WORD = st.builds(lambda seed, n: (seed * n)[:n], st.text(LETTERS, min_size=1, max_size=9), LENGTHS)
TEXTS = st.lists(st.lists(WORD, max_size=12).map(" ".join), max_size=4)


def words(slots: int = 64, ring: int = 256) -> Words:
    return Words(Merges.of(list(range(256)), MERGES), TokenCache.empty(slots, ring))


def encoded(words: Words, texts: list[str] | list[bytes]) -> list[list[int]]:
    edges, ids = words.encode(*buffers(pa.array(texts, pa.large_binary())), EOS)
    return [ids[a:b].tolist() for a, b in pairwise(edges)]


def without_cache(texts: list[str] | list[bytes]) -> list[list[int]]:
    """Piece by piece, by the table alone."""
    offsets, data = buffers(pa.array(texts, pa.large_binary()))
    edges, counts = pretokens(offsets, data)
    token_edges, ids = words().merges.apply(edges, data)
    ends = token_edges[np.concatenate([[0], np.cumsum(counts)])]
    return [[*ids[a:b].tolist(), EOS] for a, b in pairwise(ends)]


@settings(deadline=None, max_examples=40)
@given(
    batches=st.lists(TEXTS, min_size=1, max_size=4), slots=st.sampled_from([4, 16]), ring=st.sampled_from([256, 512])
)
def test_a_cache_that_is_far_too_small_changes_no_token(batches, slots, ring):
    kept = words(slots, ring)
    for texts in batches:
        assert encoded(kept, texts) == without_cache(texts)
        assert encoded(kept, texts) == without_cache(texts)  # now some are remembered


def test_many_words_go_round_the_ring_and_every_slot():
    rng = np.random.default_rng(0)
    texts = [" ".join("".join(rng.choice([*LETTERS], n)) for n in rng.integers(1, 60, 40)) for _ in range(200)]
    small, large = words(64, 256), words(1 << 16, 1 << 16)
    for _ in range(2):
        assert encoded(small, texts) == encoded(large, texts) == without_cache(texts)
    assert small.cache.written[0] > 20 * 256
    assert (small.cache.slots[:, 1] != 0).all()


def test_two_words_of_one_hash_keep_their_own_tokens():
    one, other = colliding()
    assert one != other
    assert _hash(one) == _hash(other)
    both = words()
    for texts in ([one], [other], [one], [other, one]):
        assert encoded(both, texts) == without_cache(texts)


def colliding() -> tuple[bytes, bytes]:
    """Two words of 16 bytes: of two steps of the hash the second word's undoes what the first's made different."""
    rng = np.random.default_rng(1)
    while True:
        first, second, last = (rng.choice([97, 98], 8).astype(np.uint8) for _ in range(3))
        want = _hash(first.tobytes()) ^ _hash(second.tobytes()) ^ int.from_bytes(last.tobytes(), "little")
        other = want.to_bytes(8, "little")
        if first.tobytes() != second.tobytes() and not CLASSES[np.frombuffer(other, np.uint8)].any():
            return first.tobytes() + last.tobytes(), second.tobytes() + other


def _hash(word: bytes) -> int:
    h = int(START)
    for i in range(0, len(word), 8):
        h = (h ^ int.from_bytes(word[i : i + 8], "little")) * int(STEP) % 2**64
        h ^= h >> 32
    return h


@pytest.mark.parametrize("n", [INLINE, INLINE + 1, CACHED, CACHED + 1, SHORT + 1, 5000])
def test_words_at_every_limit_are_merged_and_remembered(n):
    texts = ["ab" * n, ("ba" * n)[:n], "x" + ("ab" * n)[:n] + " " + ("ab" * n)[: n - 1]]
    kept = words()
    for _ in range(2):
        assert encoded(kept, texts) == without_cache(texts)


def test_a_word_that_needs_a_heap_stops_nothing_that_stands_about_it():
    long = "abc" * 2000
    texts = ["ab " * (GROUP + 3) + long + " cd", long, "", long * 3 + " " + long, "ab"]
    assert encoded(words(), texts) == without_cache(texts)


def test_the_last_bytes_of_memory_are_read_as_others():
    for word in ("a", "abab", "ababababab", "ab" * 10):
        data = np.frombuffer(word.encode(), np.uint8)  # nothing may be read behind it
        edges, ids = words().encode(np.array([0, len(data)]), data, EOS)
        assert ids[: edges[1]].tolist() == without_cache([word])[0]


def test_short_words_are_told_apart_by_trailing_zeros():
    texts = ["a", "a\0", "a\0\0", "\0", "\0\0", "abababa\0", "abababa", "abababab\0", "abababab"]
    kept = words()
    for _ in range(2):
        assert encoded(kept, texts) == without_cache(texts)


def test_equal_words_stand_in_one_slot():
    kept = words(1 << 10, 1 << 10)
    encoded(kept, ["ab ab ab", "ab ab"])
    assert np.count_nonzero(kept.cache.slots[:, 1]) == 2  # "ab" and " ab"
    assert int(BASE) % 2 == 1
