"""Windows are held against each other byte by byte: the same as with a dict of them all."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.windows import REPEATED, content_hashes, contents, first_copies, found, occurrences, stretches

CONTENTS = st.lists(st.text("ab", min_size=4, max_size=40).map(str.encode), max_size=8)


def packed(pieces: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    return np.frombuffer(b"".join(pieces), np.uint8), np.cumsum([0, *map(len, pieces)], dtype=np.int64)


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b"", b"abcdefghi", b"abcdefghj"]), max_size=20))
def test_the_first_of_equal_contents_is_found(pieces):
    data, ends = packed(pieces)
    assert first_copies(data, ends[:-1], ends[1:]).tolist() == [pieces.index(piece) for piece in pieces]
    hashes = list(zip(map(len, pieces), content_hashes(data, ends[:-1], ends[1:]).tolist(), strict=True))
    assert [hashes.index(h) for h in hashes] == [pieces.index(piece) for piece in pieces]
    assert contents(data, ends[:-1], ends[1:]).to_pylist() == pieces


@given(st.lists(st.integers(0, 2**64 - 1)), st.sets(st.integers(0, 2**64 - 1)), st.integers(0, 9))
def test_keys_are_found_where_they_are_listed(keys, listed, taken):
    listed = sorted(listed | set(keys[:taken]))
    where = found(np.array(keys, np.uint64), np.array(listed, np.uint64)).tolist()
    assert where == [listed.index(key) if key in listed else -1 for key in keys]


def expected(pieces: list[bytes], keys: list[int], counts: list[int], size: int, width: int) -> list[int]:
    first: dict[tuple[int, bytes], int] = {}
    out: list[int] = []
    for piece, key, count in zip(pieces, keys, counts, strict=True):
        for at in range(0, len(piece) - size * width + 1, width):
            window = (key, piece[at : at + size * width])
            if window in first:
                out[first[window]] += count
            first.setdefault(window, len(out))
            out.append(count if first[window] == len(out) else REPEATED)
    return out


@settings(max_examples=200)
@given(CONTENTS, st.integers(2, 4), st.lists(st.integers(0, 2), min_size=8, max_size=8), st.sampled_from([1, 8]))
def test_windows_are_counted_as_a_dict_counts_them(pieces, size, keys, width):
    pieces = [piece if width == 1 else b"".join(bytes([b] * 8) for b in piece) for piece in pieces]
    keys = sorted(keys[: len(pieces)])
    counts = [1 + 2 * at for at in range(len(pieces))]
    data, starts = packed(pieces)
    totals = occurrences(data, starts, np.array(keys, np.uint64), np.array(counts, np.int64), size, width)
    assert totals.tolist() == expected(pieces, keys, counts, size, width)


def test_neighbours_that_go_are_one_stretch_and_those_that_stay_another():
    totals = np.array([1, 3, 2, -1, -1, 1, -1], np.int64)  # of runs with 5 and 2 windows of 4 units
    row, begin, end, goes = stretches(totals, np.array([0, 5, 7]), np.array([100, 7]), 4)
    assert list(zip(row.tolist(), begin.tolist(), end.tolist(), goes.tolist(), strict=True)) == [
        (0, 101, 106, False),  # windows 1 and 2: units 1 to 5
        (0, 103, 108, True),
        (1, 8, 12, True),
    ]


def test_windows_that_share_a_hash_are_not_taken_for_equal():
    # the word of Thue and Morse and its complement: their polynomials are equal modulo 2^64 whatever the base
    word = bytes(97 + at.bit_count() % 2 for at in range(2048))
    other = bytes(195 - byte for byte in word)
    data, starts = packed([word, other])
    base, wrap = 0x9E3779B97F4A7C15, 1 << 64
    assert len({sum(b * pow(base, at, wrap) for at, b in enumerate(w)) % wrap for w in (word, other)}) == 1
    totals = occurrences(data, starts, np.zeros(2, np.uint64), np.ones(2, np.int64), 2048, 1)
    assert totals.tolist() == [1, 1]
