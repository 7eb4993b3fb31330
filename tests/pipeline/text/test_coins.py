"""The coins of a column are those of each name alone, whatever the name is."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.digest import coin
from pipeline.text.coins import coins

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@settings(deadline=None)
@given(
    names=st.lists(NAMES, max_size=5),
    before=NAMES,
    seed=st.integers(0, 2**63 - 1),
    kind=st.sampled_from(["", "large_"]),
)
def test_a_coin_is_the_digest_s_of_any_name(names, before, seed, kind):
    array = pa.array(["x", *names], getattr(pa, f"{kind}string")())[1:]
    assert coins(seed, array, before).tolist() == [coin(seed, before + name) for name in names]


@pytest.mark.parametrize("before", ["", "b" * 7, "b" * 128, "b" * 200])
def test_names_at_the_edges_of_a_block(before):
    names = ["a" * size for size in (0, 1, 119, 120, 121, 127, 128, 129, 255, 256, 257, 1000)]
    assert coins(5, pa.array(names), before).tolist() == [coin(5, before + name) for name in names]


def test_coins_of_a_column_in_pieces():
    column = pa.chunked_array([["a", "b"], [], ["c"]])
    assert coins(0, column).tolist() == [coin(0, name) for name in "abc"]
    assert coins(0, pa.chunked_array([], pa.string())).dtype == np.uint64
