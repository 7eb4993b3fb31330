"""Candidates follow the curve that theory gives, and no bucket costs more than a few edges a document."""

from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.lsh import Linked, band_keys, candidate_probability, choose_bands, linked
from pipeline.text.minhash import signatures
from tests.pipeline.minhash_twin import M, mix
from tests.pipeline.test_minhash import pairs_at

ROWS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2**63)), max_size=30)


def columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([k for k, _ in rows], np.uint64), np.array([d for _, d in rows], np.uint64)


def always(a, b):
    return np.ones(len(a))


def star(keys, docs):
    return linked(keys, docs, always, 1, rounds=1)


def as_set(edges: Linked) -> set[tuple[int, int]]:
    listed = list(zip(edges[0].tolist(), edges[1].tolist(), strict=True))
    assert listed == sorted(set(listed))  # sorted, none twice
    return set(listed)


@pytest.mark.parametrize(
    ("jaccard", "bands", "rows", "want"),
    [(0.8, 16, 8, 0.947), (0.8, 9, 13, 0.399), (0.7, 14, 8, 0.565), (0.5, 1, 1, 0.5), (0, 16, 8, 0), (1, 16, 8, 1)],
)
def test_the_curve_is_that_of_the_books(jaccard, bands, rows, want):
    assert candidate_probability(jaccard, bands, rows) == pytest.approx(want, abs=5e-4)


def test_the_most_selective_bands_that_find_enough_are_chosen():
    assert choose_bands(128, 0.8) == (16, 8)  # 9 rows: 14 bands, 1 - (1 - .8^9)^14 = .867 < .9
    assert choose_bands(128, 0.8, recall=0.96) == (18, 7)
    assert choose_bands(64, 0.01, recall=0.999) == (64, 1)  # nothing finds that; the best there is


def test_a_band_key_is_that_of_the_twin():
    rows = np.arange(12, dtype=np.uint32).reshape(2, 6)

    def key(band: int, part: list[int]) -> int:
        h = mix(0x243F6A8885A308D3 + band & M)
        for x in part:
            h = (h ^ x) * 0xD6E8FEB86659FD93 & M
            h ^= h >> 32
        return mix(h)

    assert band_keys(rows, 3, 2).tolist() == [[key(b, r[2 * b : 2 * b + 2].tolist()) for b in range(3)] for r in rows]


def test_equal_bands_share_a_key_only_in_the_same_place():
    keys = band_keys(np.array([[1, 2, 1, 2], [1, 2, 3, 4]], np.uint32), 2, 2)
    assert keys[0, 0] == keys[1, 0] and keys[0, 1] != keys[1, 1] and keys[0, 0] != keys[0, 1]


@pytest.mark.parametrize("share", [0.8, 0.85, 0.9])
def test_real_signatures_become_candidates_as_often_as_the_curve_says(share):
    texts, jaccard = pairs_at(share, 600)
    keys = band_keys(signatures(pa.array(texts))[0], 16, 8)
    met = (keys[::2] == keys[1::2]).any(axis=1).mean()
    want = candidate_probability(jaccard, 16, 8)
    assert abs(met - want) < 4 * (want * (1 - want) / 600) ** 0.5 + 0.005


@given(ROWS)
def test_a_star_ties_each_bucket_to_its_smallest_document(rows):
    buckets = {k: {d for q, d in rows if q == k} for k, _ in rows}
    want = {(min(docs), d) for docs in buckets.values() for d in docs if d != min(docs)}
    assert as_set(star(*columns(rows))) == want


@settings(deadline=None)
@given(ROWS, st.sets(st.integers(0, 2**63)))
def test_linked_keeps_only_what_is_similar_and_is_blind_to_order(rows, dark):
    def similar(a, b):
        assert (a < b).all()
        names = np.array(sorted(dark), np.uint64)  # of a list with numbers beyond 2^63 numpy would make floats
        return np.isin(a, names) == np.isin(b, names)

    edges = as_set(linked(*columns(rows), similar, 1))
    assert edges == as_set(linked(*columns(rows[::-1]), similar, 1))
    assert all((a in dark) == (b in dark) for a, b in edges)


def test_similar_documents_meet_past_a_smaller_stranger():
    keys, docs = np.zeros(3, np.uint64), np.array([1, 5, 9], np.uint64)
    assert as_set(linked(keys, docs, lambda a, b: a > 1, 1)) == {(5, 9)}
    assert as_set(linked(keys, docs, lambda a, b: a > 1, 1, rounds=1)) == set()


def test_with_rounds_enough_linked_has_the_components_of_all_similar_pairs():
    rng = np.random.default_rng(5)
    keys, docs = rng.integers(0, 6, 60).astype(np.uint64), rng.integers(0, 30, 60).astype(np.uint64)
    edges = as_set(linked(keys, docs, lambda a, b: a % 3 == b % 3, 1, rounds=3))
    for key in range(6):
        bucket = sorted(set(docs[keys == key].tolist()))
        for a, b in combinations(bucket, 2):
            assert a % 3 != b % 3 or (a, b) in edges or any((c, b) in edges for c in bucket if c % 3 == a % 3)


def test_a_bucket_of_a_million_gives_a_million_edges_less_one():
    n = 1_000_000
    a, b, *_ = star(np.full(n, 7, np.uint64), np.arange(n, dtype=np.uint64)[::-1])
    assert len(a) == n - 1 and not a.any() and b[0] == 1 and b[-1] == n - 1


def test_a_bucket_of_strangers_is_asked_a_fixed_number_of_times():
    asked = []
    n = 10_000
    linked(
        np.zeros(n, np.uint64),
        np.arange(n, dtype=np.uint64),
        lambda a, b: asked.append(len(a)) or np.zeros(len(a)),
        1,
    )
    assert asked == [n - 1 - i for i in range(8)]


@settings(deadline=None)
@given(st.sets(st.integers(0, 60)), st.integers(1, 9), st.integers(1, 7), st.integers(1, 8))
def test_a_bucket_in_parts_behind_its_leaders_gives_the_edges_of_the_whole(docs, kinds, part, rounds):
    def alike(a, b):
        return a % np.uint64(kinds) == b % np.uint64(kinds)

    docs = np.array(sorted(docs), np.uint64)
    found, leaders = set(), docs[:0]
    for at in range(0, len(docs), part):
        rows = np.concatenate([leaders, docs[at : at + part]])
        edges = linked(np.full(len(rows), 7, np.uint64), rows, alike, 1, rounds)
        found |= as_set(edges)
        leaders = edges.leaders
        assert len(leaders) <= rounds
    assert found == as_set(linked(np.full(len(docs), 7, np.uint64), docs, alike, 1, rounds))


def test_leaders_are_of_the_greatest_key_and_a_document_alone_is_one():
    keys, docs = np.array([3, 3, 9], np.uint64), np.array([1, 2, 8], np.uint64)
    assert linked(keys, docs, always, 1).leaders.tolist() == [8]
    assert linked(keys[:2], docs[:2], always, 1).leaders.tolist() == [1]
    assert linked(keys[:2], docs[:2], always, 2).leaders.tolist() == [1, 2]
    assert linked(keys[:0], docs[:0], always, 1).leaders.tolist() == []
