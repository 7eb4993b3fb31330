"""Keys of pieces: equal for equal bytes, wherever they lie, and spread evenly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.piece_keys import piece_keys

MASK = 2**64 - 1


def keys_of(pieces: list[bytes], before: bytes = b"") -> list[int]:
    edges = np.cumsum([len(before), *map(len, pieces)])
    return piece_keys(edges, np.frombuffer(before + b"".join(pieces), np.uint8)).tolist()


def twin(piece: bytes) -> int:
    """Eight bytes a step, the rest in one; then the finisher of SplitMix64."""
    h = 0x243F6A8885A308D3 ^ len(piece)
    whole = len(piece) // 8 * 8
    for at in range(0, whole, 8):
        h = ((h ^ int.from_bytes(piece[at : at + 8], "little")) * 0xD6E8FEB86659FD93) & MASK
        h ^= h >> 32
    h = ((h ^ int.from_bytes(piece[whole:], "big")) * 0xD6E8FEB86659FD93) & MASK
    h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & MASK
    return h ^ (h >> 31)


@settings(deadline=None)
@given(pieces=st.lists(st.binary(max_size=40), max_size=8), before=st.binary(max_size=9))
def test_a_key_is_that_of_plain_python_wherever_the_piece_lies(pieces, before):
    assert keys_of(pieces, before) == [twin(piece) for piece in pieces]


def test_keys_fill_their_range_evenly():
    keys = np.array(keys_of([b"%d" % i for i in range(40_000)]), np.uint64)
    assert len(set(keys.tolist())) == 40_000
    counts = np.bincount((keys >> np.uint64(60)).astype(int), minlength=16)
    assert abs(counts - 2500).max() < 250  # five standard deviations of 48
