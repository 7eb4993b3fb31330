"""Edges join what pairs compared one by one would join, in any bucket; large buckets take linear time."""

import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.hamming import leaders, pairs
from pipeline.text.simhash import keys, masks
from pipeline.text.unionfind import components

U = np.uint64
NEAR = st.lists(st.integers(0, 5), max_size=4).map(lambda bits: sum(1 << 9 * b for b in set(bits)))  # few bits of few
FINGERPRINT = st.sampled_from([0, 2**64 - 1, 0x0123456789ABCDEF]).flatmap(lambda base: NEAR.map(lambda x: base ^ x))


def clusters(a: np.ndarray, b: np.ndarray) -> dict[int, int]:
    members, labels = components(a.astype(np.int64), b.astype(np.int64))
    return dict(zip(members.tolist(), labels.tolist(), strict=True))


def found(values: list[int], short: list[bool], distance: int, sure: int, **more) -> tuple:
    chosen, n = masks(distance + 2, distance), len(values)
    every = np.array(values, U)
    shuffled = np.random.default_rng(1).permutation(n * len(chosen))  # rows come in any order
    columns = keys(every, chosen).ravel(), np.repeat(every, len(chosen)), np.repeat(np.arange(n, dtype=U), len(chosen))
    rows = [column[shuffled] for column in (*columns, np.repeat(np.array(short, bool), len(chosen)))]
    return pairs(*rows, distance, sure, **more)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(FINGERPRINT, st.booleans()), max_size=12),
    st.integers(0, 5),
    st.integers(0, 5),
    st.sampled_from([{}, {"most": 2, "finer": masks(8, 4)}]),
)
def test_clusters_are_those_of_all_pairs(cases, distance, sure, more):
    values, short = [v for v, _ in cases], [s for _, s in cases]
    sure = min(sure, distance)
    if more and distance != 4:
        more = {}
    alike = [
        (i, j)
        for j in range(len(values))
        for i in range(j)
        if (apart := (values[i] ^ values[j]).bit_count()) <= (distance if short[i] and short[j] else sure)
    ]
    a, b, apart = found(values, short, distance, sure, **more)
    expected = np.array(alike, np.int64).reshape(-1, 2)
    assert clusters(a, b) == clusters(expected[:, 0], expected[:, 1])
    assert all((values[i] ^ values[j]).bit_count() == d for i, j, d in zip(a.tolist(), b.tolist(), apart, strict=True))
    assert set(zip(a.tolist(), b.tolist(), strict=True)) <= set(alike)


def test_a_long_document_is_joined_by_fewer_bits_and_a_short_copy_of_it_by_more():
    far = 0b1111  # four bits from 0
    assert found([0, far], [True, False], 4, 3)[0].tolist() == []
    a, b, apart = found([0, far, far], [True, False, True], 4, 3)  # the third is a short copy of the second
    assert list(zip(a.tolist(), b.tolist(), apart.tolist(), strict=True)) == [(0, 2, 4), (1, 2, 0)]


def test_a_million_copies_take_linear_time_and_an_edge_each():
    values = np.zeros(1_000_000, U)
    short = np.ones(1_000_000, bool)
    pairs(values[:9], values[:9], np.arange(9, dtype=U), short[:9], 4, 3)  # compiled by now
    begin = time.process_time()
    a, b, _ = pairs(values, values, np.arange(1_000_000, dtype=U), short, 4, 3)
    assert time.process_time() - begin < 10
    assert len(a) == 999_999 and not a.any() and b[-1] == 999_999


def test_a_large_bucket_of_different_ones_is_parted_and_none_is_missed():
    chance = np.random.default_rng(2)
    others = chance.integers(0, 2**40, 30_000, dtype=np.uint64)
    others[1::2] = others[::2] ^ U(0b10110 << 20)  # each second one is three bits from the one before it
    same = np.full(len(others), 7, U)
    begin = time.process_time()
    docs = np.arange(len(others), dtype=U)
    a, b, _ = pairs(same, others, docs, np.ones(len(others), bool), 4, 3, masks(8, 4), most=1000)
    assert time.process_time() - begin < 10
    of = clusters(a, b)  # some are joined through a third
    assert all(of[i] == of[i + 1] for i in range(0, len(others), 2))
    assert len(set(of.values())) > 14_000


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(FINGERPRINT, st.booleans()), min_size=1, max_size=12), st.integers(0, 12))
def test_a_bucket_in_two_parts_is_joined_by_its_leaders(cases, cut):
    """Where every fingerprint leads, the edges of both parts make the clusters of the whole."""
    values, short = np.array([v for v, _ in cases], U), np.array([s for _, s in cases], bool)
    key, docs = np.full(len(cases), 9, U), np.arange(len(cases), dtype=U)
    whole = pairs(key, values, docs, short, 4, 2)
    lead = leaders(key[:cut], values[:cut], docs[:cut], short[:cut])
    rest = np.append(lead, np.arange(min(cut, len(cases)), len(cases)))
    parts = [pairs(key[own], values[own], docs[own], short[own], 4, 2) for own in (slice(0, cut), rest)]
    a, b = (np.concatenate([part[end] for part in parts]) for end in (0, 1))
    assert clusters(a, b) == clusters(whole[0], whole[1])
