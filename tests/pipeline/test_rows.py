"""Rows read by position are those of the table, and a file that was cut short is told by name."""

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError
from pipeline.store import numbered
from pipeline.store import rows as rows_module
from pipeline.store.files import write_table
from pipeline.store.layers import Shard
from pipeline.store.numbered import NumberedRows
from pipeline.store.ranges import rows_between
from pipeline.store.rows import RowFile, RowFiles

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
COLUMNS = {
    "doc": st.integers(0, 2**64 - 1),
    "similarity": st.floats(0, 1),
    "signature": st.binary(min_size=5, max_size=5),
    "id": st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    "first": st.booleans(),
    "shingles": st.lists(st.integers(0, 2**64 - 1), max_size=4),
    "tokens": st.lists(st.integers(0, 2**31 - 1), max_size=4),
}
SCHEMA = pa.schema(
    [
        pa.field("doc", pa.uint64(), nullable=False),
        ("similarity", pa.float64()),
        ("signature", pa.binary(5)),
        ("id", pa.string()),
        ("first", pa.bool_()),
        ("shingles", pa.large_list(pa.uint64())),
        ("tokens", pa.list_(pa.int32())),
    ]
)
ROWS = st.lists(st.fixed_dictionaries(COLUMNS), max_size=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rows")


@FEW
@given(ROWS, st.data())
def test_rows_taken_are_those_of_the_table(folder, rows, data):
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    write_table(folder / "t.arrow", table)
    some = np.array(sorted(data.draw(st.sets(st.integers(0, len(rows) - 1)) if rows else st.just(set()))), np.int64)
    with RowFile(folder / "t.arrow") as file:
        assert file.take(some).equals(table.take(pa.array(some)))
        assert file.slice(0, len(rows)).equals(table)
    with RowFile(folder / "t.arrow", ["id"]) as file:
        assert file.take(some).column_names == ["id"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([["a"], ["b"]], pa.list_(pa.string())),
        ([[True], []], pa.list_(pa.bool_())),
        ([[1, None], []], pa.list_(pa.int32())),
        ([[1, 2], [3, 4]], pa.list_(pa.int32(), 2)),
        ([{"x": 1}, {"x": 2}], pa.struct([("x", pa.int8())])),
        (["a", "b"], pa.dictionary(pa.int8(), pa.string())),
        (["a", "b"], pa.string_view()),
    ],
)
def test_columns_whose_rows_have_no_place_of_their_own_are_refused(tmp_path, values, kind):
    write_table(tmp_path / "t.arrow", pa.table({"x": pa.array(values, kind)}))
    with pytest.raises(InputError, match=r"t\.arrow.*cannot be read by their place"):
        RowFile(tmp_path / "t.arrow")


def test_rows_far_apart_and_near_are_the_same_rows(tmp_path):
    table = pa.table({"doc": np.arange(100_000, dtype=np.uint64), "s": pa.array([f"row {i}" for i in range(100_000)])})
    write_table(tmp_path / "t.arrow", table)
    rows = np.unique(np.random.default_rng(3).geometric(0.004, 1500).cumsum() % 100_000)
    with RowFile(tmp_path / "t.arrow") as file:
        assert file.take(rows).equals(table.take(pa.array(rows)))


def test_a_file_cut_short_behind_its_head_is_told_when_its_rows_are_read(tmp_path):
    path = tmp_path / "t.arrow"
    write_table(path, pa.table({"doc": np.arange(1000, dtype=np.uint64)}))
    with RowFile(path) as file:
        path.write_bytes(path.read_bytes()[:4000])
        assert file.slice(0, 10).num_rows == 10
        with pytest.raises(InputError, match=r"t\.arrow was cut short.*byte 4000"):
            file.slice(0, 1000)
        with pytest.raises(InputError, match=r"t\.arrow was cut short: nothing at byte 8192"):
            file.take(np.array([990]))  # nothing of what is asked for is there
        with pytest.raises(InputError, match=r"cannot read .*t\.arrow"):
            file.search("doc", np.array([3], np.uint64))
    with pytest.raises(InputError, match=r"cannot read .*t\.arrow"):
        RowFile(path)


def test_a_file_that_was_made_again_is_not_read_by_the_layout_it_had(tmp_path):
    path = tmp_path / "t.arrow"
    for names in (["a"], ["far", "longer", "than", "before"]):
        write_table(path, pa.table({"n" * len(names): np.arange(9), "name": (names * 9)[:9]}))
        with RowFile(path, ["name"]) as file:
            assert file.slice(0, len(names)).column("name").to_pylist() == names


@FEW
@given(st.lists(ROWS, min_size=1, max_size=4), st.data())
def test_rows_of_many_files_are_those_of_their_tables(folder, tables, data):
    made = [pa.Table.from_pylist(rows, schema=SCHEMA) for rows in tables]
    paths = [folder / f"many{at}.arrow" for at in range(len(made))]
    for path, table in zip(paths, made, strict=True):
        write_table(path, table)
    places = [(at, row) for at, table in enumerate(made) for row in range(table.num_rows)]
    some = sorted(data.draw(st.sets(st.sampled_from(places)) if places else st.just(set())))
    which, rows = np.array(some, np.int64).reshape(-1, 2).T
    with RowFiles(paths) as files:
        wanted = [made[at].slice(row, 1).to_pylist()[0] for at, row in some]
        assert files.take(which, rows).to_pylist() == wanted
        lengths = [len(r["id"].encode()) + 8 * len(r["shingles"]) + 4 * len(r["tokens"]) for r in wanted]
        assert files.sizes(which, rows).tolist() == lengths


def test_rows_of_a_range_come_file_by_file_in_tables_of_a_size(tmp_path):
    for name, docs in (("a", [1, 2, 5, 9]), ("b", []), ("c", [2, 3, 4, 6])):
        write_table(tmp_path / name, pa.table({"doc": pa.array(docs, pa.uint64()), "x": pa.array(docs, pa.int32())}))
    for column in ("doc", "x"):
        tables = rows_between([tmp_path / name for name in "abc"], 2, 6, 2, [column])
        assert [table.to_pydict() for table in tables] == [{column: some} for some in ([2, 5], [2, 3], [4])]


@pytest.mark.parametrize("docs", [[10, 12, 12], [12, 11, 14], [9, 11, 14], [10, 11, 20]])
def test_documents_that_are_not_those_of_their_shard_are_told(tmp_path, docs):
    write_table(tmp_path / "t.arrow", pa.table({"doc": pa.array(docs, pa.uint64()), "name": ["a", "b", "c"]}))
    rows = NumberedRows([Shard("0", "", 10, 10, 0)], [tmp_path / "t.arrow"])
    with rows, pytest.raises(InputError, match="not those of its shard"):
        rows.take(np.array([11], np.uint64))


@pytest.mark.parametrize("bound", [1, 100])
def test_numbered_rows_find_documents_in_files_that_lack_some(tmp_path, monkeypatch, bound):
    monkeypatch.setattr(rows_module, "OPEN", bound)
    monkeypatch.setattr(numbered, "HELD", bound)
    shards, paths, there = [], [], []
    for at in range(4):
        docs = [100 * at + i for i in range(100) if (i * 7 + at) % 3]
        there += docs
        shards.append(Shard(str(at), "", 100 * at, 100, 0))
        paths.append(tmp_path / f"{at}.arrow")
        write_table(paths[-1], pa.table({"doc": pa.array(docs, pa.uint64()), "name": [f"n{d}" for d in docs]}))
    wanted = np.random.default_rng(2).choice(there, 60).astype(np.uint64)
    before = len(list(Path("/dev/fd").iterdir()))
    with NumberedRows(shards, paths) as rows:
        assert rows.take(wanted).column("name").to_pylist() == [f"n{d}" for d in wanted]
        assert rows.sizes(wanted).tolist() == [len(f"n{d}") for d in wanted]
        assert len(rows._rows._open) <= bound and rows._held <= 100
        assert len(list(Path("/dev/fd").iterdir())) == before + min(bound, 4)
        with pytest.raises(AssertionError, match="unknown document"):
            rows.take(np.array([next(d for d in range(400) if d not in there)], np.uint64))
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_rows_that_lie_apart_take_little_more_memory_than_they_have(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "ALONG", 100_000)
    table = pa.table({"signature": pa.array([bytes([i % 251]) * 128 for i in range(40_000)], pa.binary(128))})
    write_table(tmp_path / "t.arrow", table)
    rows = np.arange(0, 40_000, 16)
    with RowFile(tmp_path / "t.arrow") as file:
        file.take(rows[:2])  # its layout is known
        tracemalloc.start()
        found = file.take(rows)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert found.equals(table.take(pa.array(rows)))
    with RowFiles([tmp_path / "t.arrow"] * 3) as files:
        assert files.take(np.repeat([0, 1, 2], len(rows)), np.tile(rows, 3)).equals(pa.concat_tables([found] * 3))
    assert peak < 2.5 * 128 * len(rows) + 100_000 + 500_000  # the rows twice; all 40,000 are 5 MB


@FEW
@given(st.integers(0, 1500), st.integers(0, 255))
def test_a_damaged_head_or_a_damaged_offset_is_told_by_name_or_changes_nothing_but_values(folder, at, byte):
    path = folder / f"{at}-{byte}.arrow"
    rows = [
        {"doc": i, "similarity": 0.5, "signature": b"12345", "id": "ab" * i, "first": True, "shingles": [i] * 3}
        for i in range(9)
    ]
    write_table(path, pa.Table.from_pylist(rows, schema=SCHEMA))
    content = bytearray(path.read_bytes())
    content[at] = byte
    path.unlink()
    path.write_bytes(content)
    try:
        with RowFile(path, SCHEMA.names) as file:
            assert file.take(np.array([1, 3, 8])).num_rows == 3
    except InputError as error:
        assert path.name in error.message


def test_files_with_a_row_for_each_document_stand_beside_those_with_some_and_those_with_none(tmp_path):
    """Indexes number their rows from 0, whatever stands before them; shards of which nothing is there share a base."""
    shards = [Shard(str(base), "", base, count, 0) for base, count in ((0, 3), (3, 0), (3, 4), (7, 3))]
    said = [[0, 1, 2], [], [4, 6], [0, 1, 2]]  # in `doc`; of the third shard two documents are there
    paths = [tmp_path / f"{at}.arrow" for at in range(4)]
    for path, docs in zip(paths, said, strict=True):
        names = [f"{path.stem} {doc}" for doc in docs]
        write_table(path, pa.table({"name": names, "doc": pa.array(docs, pa.uint64())}))
    with NumberedRows(shards, paths) as rows:
        found = rows.take(np.array([9, 4, 0, 6, 2, 7, 4], np.uint64)).column("name").to_pylist()
        assert found == ["3 2", "2 4", "0 0", "2 6", "0 2", "3 0", "2 4"]
        assert rows.take(np.zeros(0, np.uint64)).num_rows == 0 == len(rows.sizes(np.zeros(0, np.uint64)))


def test_files_without_the_column_of_documents_are_read_by_place_though_they_end_early(tmp_path):
    shards = [Shard("a", "", 0, 2, 0), Shard("b", "", 2, 100, 0)]
    write_table(tmp_path / "a", pa.table({"id": ["a0", "a1"]}))
    write_table(tmp_path / "b", pa.table({"text": ["long"] * 70, "id": [f"b{i}" for i in range(70)]}))
    with NumberedRows(shards, [tmp_path / "a", tmp_path / "b"], ["id"]) as rows:
        assert rows.take(np.array([71, 1, 2], np.uint64)).column("id").to_pylist() == ["b69", "a1", "b0"]
