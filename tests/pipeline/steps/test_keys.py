"""Keys come together by key, sorted, in lots of a bounded size, whatever the shards hold."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.steps.keys import WHOLE, KeyFiles
from pipeline.store import files
from pipeline.store.files import write_table

FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEY = st.sampled_from([0, 1, 7, 2**63, 2**63 + 1, 2**64 - 1]) | st.integers(0, 2**64 - 1)
SHARDS = st.lists(st.lists(KEY, max_size=12), min_size=1, max_size=4)


def written(folder, shards: list[list[int]]) -> KeyFiles:
    """Documents are numbered through; each has one key."""
    paths, doc = [], 0
    for at, keys in enumerate(shards):
        rows = sorted(zip(keys, range(doc, doc + len(keys)), strict=True))
        doc += len(keys)
        columns = [pa.array([row[i] for row in rows], pa.uint64()) for i in range(2)]
        paths.append(folder / f"{at}.arrow")
        write_table(paths[-1], pa.table(columns, names=["key", "doc"]))
    return KeyFiles(paths)


def rows(tables) -> list[tuple[int, int]]:
    return [(row["key"], row["doc"]) for table in tables for row in table.to_pylist()]


@FEW
@given(SHARDS, st.integers(1, 9), st.lists(KEY.filter(bool), max_size=3, unique=True))
def test_lots_hold_every_row_once_sorted_and_no_more_than_asked(tmp_path_factory, shards, most, cuts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "_flush", lambda path: None)
        keys = written(tmp_path_factory.mktemp("k"), shards)
    bounds = [0, *sorted(cuts), WHOLE]
    lots = [lot for low, high in pairwise(bounds) for lot in keys.between(low, high, most)]
    every = sorted((key, doc) for doc, key in enumerate(key for shard in shards for key in shard))
    assert rows(lots) == every
    assert all(0 < lot.num_rows <= most for lot in lots)
    for lot, after in pairwise(lots):  # a key is divided only if it has too many rows for one lot
        key = lot.column("key")[-1].as_py()
        assert key != after.column("key")[0].as_py() or sum(k == key for k, _ in every) > most


def test_a_key_in_more_rows_than_a_lot_comes_in_the_order_of_its_documents(tmp_path):
    keys = written(tmp_path, [[5] * 10 + [6], [5] * 3, [4, 5, 5]])
    lots = list(keys.between(0, WHOLE, 4))
    assert [lot.num_rows for lot in lots] == [1, 4, 4, 2, 3, 2, 1]
    assert [doc for key, doc in rows(lots) if key == 5] == [*range(10), 11, 12, 13, 15, 16]


def test_an_empty_range_and_an_empty_corpus_have_no_lots(tmp_path):
    assert not list(written(tmp_path, [[5]]).between(6, 9, 4))
    assert not list(KeyFiles([]).between(0, WHOLE, 4))
    assert np.array_equal(KeyFiles([])._places([0, WHOLE]), np.empty((0, 2)))


def test_documents_of_each_file_are_numbered_from_its_base(tmp_path):
    paths = [tmp_path / f"{at}.arrow" for at in range(3)]
    for path in paths:
        write_table(path, pa.table({"key": pa.array([5, 7], pa.uint64()), "doc": pa.array([0, 1], pa.uint64())}))
    lots = KeyFiles(paths, [0, 10, 20]).between(0, WHOLE, 100)
    assert rows(lots) == [(5, 0), (5, 10), (5, 20), (7, 1), (7, 11), (7, 21)]
