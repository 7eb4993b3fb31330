import datetime
import decimal
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.sources import parquet, tables
from tests.pipeline.sources.making import read, reasons, source, texts

BROKEN = pa.Array.from_buffers(pa.string(), 3, pa.array([b"ok", b"b\xffd", b"ok"], pa.binary()).buffers())


def write(path, columns, **settings):
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **settings)
    return path


def test_rows_come_with_their_language_and_everything_else(tmp_path):
    when = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)
    row = {
        "n": [1],
        "lang": ["sw"],
        "at": [when],
        "raw": [b"\xfe"],
        "price": [decimal.Decimal("1.50")],
        "nan": [float("nan")],
    }
    (record,) = read("parquet", write(tmp_path / "x.parquet", {"text": ["habari"], **row}))
    assert (record.text, record.lang, record.kind) == (b"habari", "sw", "text")
    assert json.loads(record.meta) == {
        "n": 1, "lang": "sw", "at": "2024-05-06 07:08:09.000000Z", "raw": "\\xfe", "price": "1.50", "nan": None,
    }  # fmt: skip


def test_nanoseconds_and_durations_are_kept(tmp_path):
    columns = {"text": ["a"], "at": pa.array([1], pa.timestamp("ns")), "for": pa.array([5], pa.duration("s"))}
    (record,) = read("parquet", write(tmp_path / "x.parquet", columns))
    assert json.loads(record.meta) == {"at": "1970-01-01 00:00:00.000000001", "for": 5}


def struct(**fields: tuple[object, pa.DataType]) -> pa.Array:
    return pa.array(
        [{name: value for name, (value, _) in fields.items()}, None],
        pa.struct([(name, kind) for name, (_, kind) in fields.items()]),
    )


MARS = pa.timestamp("s", "Mars/Olympus")
UNSPELLABLE = {
    "a zone nobody knows": (pa.array([1, 2], MARS), 2),
    "such a zone in a struct": (struct(at=(1, MARS)), 1),
    "a year beyond 9999 in a struct": (struct(at=(400_000_000_000, pa.timestamp("s"))), 1),
    "a day beyond all years in a struct": (struct(at=(2**30, pa.date32())), 1),
    "a span beyond all years in a struct": (struct(of=(2**62, pa.duration("s"))), 1),
}


@pytest.mark.parametrize("name", UNSPELLABLE)
def test_a_value_of_meta_that_cannot_be_spelled_costs_its_row_alone(tmp_path, name):
    column, bad_rows = UNSPELLABLE[name]
    found = read("parquet", write(tmp_path / "x.parquet", {"text": ["a", "b"], "n": [1, 2], "odd": column}))
    assert (texts(found), reasons(found)) == (["a", "b"][bad_rows:], ["unreadable"] * bad_rows)
    assert found[0].detail.startswith("column 'odd': ")


def test_rows_are_spelled_alike_whether_one_of_them_is_unreadable_or_not(tmp_path):
    at = pa.array([400_000_000_000, 1], pa.timestamp("s"))
    odd = struct(at=(400_000_000_000, pa.timestamp("s")))
    path = write(tmp_path / "x.parquet", {"text": ["a", "b"], "at": at, "odd": odd})
    _, record = read("parquet", path)
    (alone,) = read("parquet", write(tmp_path / "y.parquet", {"text": ["b"], "at": at[1:], "odd": odd[1:]}))
    assert record.meta == alone.meta == '{"at":"1970-01-01 00:00:01.000","odd":null}'


def test_lists_in_lists_beyond_what_json_takes_cost_their_row(tmp_path):
    kind: pa.DataType = pa.int64()
    value: object = 1
    for _ in range(500):
        kind, value = pa.list_(kind), [value]
    table = pa.table({"text": ["a", "b"], "odd": pa.array([value, None], kind)})
    bad, record = tables.records(table, 0, tables.Columns("text"))
    assert (bad.reason, record.text) == ("unreadable", b"b")


@pytest.mark.parametrize("names", [["text", "text", "n"], ["text", "n", "n"]])
def test_two_columns_of_one_name_are_refused_by_their_name(tmp_path, names):
    table = pa.Table.from_arrays([pa.array(["a"])] * 3, names)
    with pytest.raises(ConfigError, match=f"two columns are called '{names[1]}'"):
        source("parquet", write(tmp_path / "x.parquet", table)).files()


TEXT_TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
def test_any_type_of_text_is_read(tmp_path, kind):
    values = (
        pa.array(["a", "ß😀", None]).cast(kind)
        if not pa.types.is_dictionary(kind)
        else pa.array(["a", "ß😀", None]).dictionary_encode()
    )
    found = read("parquet", write(tmp_path / "x.parquet", {"text": values}))
    assert texts(found) == ["a", "ß😀"]
    assert reasons(found) == ["missing_text"]


def test_text_in_a_struct_is_taken_out_of_it(tmp_path):
    path = write(tmp_path / "x.parquet", {"body": [{"text": "a", "n": 1}, None], "meta": [{"lang": "ki"}] * 2})
    record, bad = read("parquet", path, text_field="body.text")
    assert (record.text, record.lang, json.loads(record.meta)["body"]) == (b"a", "ki", {"n": 1})
    assert bad.reason == "missing_text"


def test_a_column_whose_name_holds_a_dot_is_found(tmp_path):
    assert texts(read("parquet", write(tmp_path / "x.parquet", {"a.b": ["x"]}), text_field="a.b")) == ["x"]


def test_invalid_utf8_in_the_text_or_beside_it_is_told_for_its_row_alone(tmp_path):
    found = read("parquet", write(tmp_path / "x.parquet", {"text": BROKEN}))
    assert (texts(found), reasons(found)) == (["ok", "ok"], ["invalid_utf8"])
    found = read("parquet", write(tmp_path / "y.parquet", {"text": ["1", "2", "3"], "title": BROKEN}))
    assert (texts(found), reasons(found)) == (["1", "3"], ["invalid_utf8"])
    assert "title" in next(b.detail for b in found if b.row == 1)


def test_a_document_over_the_limit_is_told(tmp_path):
    path = write(tmp_path / "x.parquet", {"text": ["12345", "123456", "1"]})
    found = read("parquet", path, max_document=5)
    assert texts(found) == ["12345", "1"]
    assert [(b.value, b.limit) for b in found if b.row == 1] == [(6, 5)]


@given(skip=st.integers(0, 14), group=st.integers(1, 5), batch=st.integers(1, 3))
def test_skip_equals_dropping_the_first_rows_however_batches_fall(tmp_path_factory, skip, group, batch):
    path = tmp_path_factory.mktemp("p") / "x.parquet"
    write(path, {"text": [str(i) if i % 3 else None for i in range(13)]}, row_group_size=group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "BATCH_ROWS", batch)
        everything = read("parquet", path)
        behind = read("parquet", path, skip=skip)
    assert [item.row for item in everything] == list(range(13))
    assert behind == everything[skip:]
    assert texts(everything) == [str(i) for i in range(13) if i % 3]


def test_a_missing_column_names_those_that_exist(tmp_path):
    path = write(tmp_path / "x.parquet", {"content": ["a"], "id": [1]})
    with pytest.raises(ConfigError, match="no column 'text'") as error:
        source("parquet", path).files()
    assert "content (string), id (int64)" in error.value.hint
    with pytest.raises(ConfigError, match="'id' is int64, not text"):
        source("parquet", path, text_field="id").files()


@pytest.mark.parametrize("left", [0, 3, 500])
def test_a_cut_file_is_one_bad_and_the_next_file_is_read(tmp_path, left):
    data = write(tmp_path / "a.parquet", {"text": [str(i) for i in range(1000)]}).read_bytes()
    (tmp_path / "a.parquet").write_bytes(data[:left])
    write(tmp_path / "b.parquet", {"text": ["b"]})
    found = read("parquet", tmp_path / "*.parquet")
    assert (reasons(found), texts(found)) == (["unreadable"], ["b"])


def test_a_broken_row_group_is_one_bad_with_the_rows_lost_and_the_next_group_is_read(tmp_path):
    words = [f"word {i * 7919 % 1000}" for i in range(300)]
    path = write(tmp_path / "x.parquet", {"text": words}, row_group_size=100, compression="zstd", use_dictionary=False)
    about = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    middle = about.data_page_offset + about.total_compressed_size // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    found = read("parquet", path)
    assert texts(found) == words[:100] + words[200:]
    assert [(b.reason, b.row, b.value) for b in found if b.row == 100] == [("unreadable", 100, 100)]
    assert [item.row for item in read("parquet", path, skip=150)] == list(range(200, 300))


def test_no_rows_are_no_documents(tmp_path):
    assert read("parquet", write(tmp_path / "x.parquet", {"text": pa.array([], pa.string())})) == []
