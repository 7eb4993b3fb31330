"""Components are those of a graph library, whatever the order and direction of the edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.text.unionfind import components

EDGES = st.lists(st.tuples(st.integers(0, 2**64 - 1) | st.integers(0, 20), st.integers(0, 20)), max_size=40)


def arrays(edges: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([a for a, _ in edges], np.uint64), np.array([b for _, b in edges], np.uint64)


def as_dict(found: tuple[np.ndarray, np.ndarray]) -> dict[int, int]:
    return dict(zip(found[0].tolist(), found[1].tolist(), strict=True))


@settings(deadline=None)
@given(EDGES)
def test_labels_are_the_smallest_members_of_scipys_components(edges):
    names = sorted({x for edge in edges for x in edge})
    a, b = ([names.index(edge[end]) for edge in edges] for end in (0, 1))
    _, parts = connected_components(coo_array((np.ones(len(edges)), (a, b)), shape=(max(1, len(names)),) * 2), False)
    smallest = {part: min(n for n, p in zip(names, parts, strict=False) if p == part) for part in parts[: len(names)]}
    assert as_dict(components(*arrays(edges))) == {n: smallest[p] for n, p in zip(names, parts, strict=False)}


@settings(deadline=None)
@given(EDGES, st.randoms())
def test_order_and_direction_do_not_count(edges, random):
    turned = [edge[::-1] if random.random() < 0.5 else edge for edge in random.sample(edges, len(edges))]
    assert as_dict(components(*arrays(turned))) == as_dict(components(*arrays(edges)))


@settings(deadline=None)
@given(EDGES, EDGES)
def test_parts_reduced_one_by_one_join_to_the_whole(one, other):
    stars = [components(*arrays(part)) for part in (one, other)]
    members, labels = (np.concatenate(x) for x in zip(*stars, strict=True))
    assert as_dict(components(labels, members)) == as_dict(components(*arrays(one + other)))


@pytest.mark.parametrize("order", ["up", "down", "mixed"])
def test_a_chain_of_a_million_is_one_component(order):
    a = np.arange(1_000_000)
    a = {"up": a, "down": a[::-1], "mixed": np.random.default_rng(1).permutation(a)}[order]
    members, labels = components(a, a + 1)
    assert len(members) == 1_000_001 and not labels.any()
