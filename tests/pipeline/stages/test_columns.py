"""What a stage says of the columns that it writes: which of them hold numbers, which a bound can judge."""

import pyarrow as pa
import pytest

from pipeline.stages import STAGES
from pipeline.stages.base import CorpusStage, RowStage, Stage
from tests.pipeline.making import write_jsonl
from tests.pipeline.stages.tables import docs

TEXT = "Everyone has the right to life, liberty and security of person, and to an address: a@b.org. " * 3


def made(name: str, folder) -> Stage:
    """A stage by name with as little said as will do."""
    item = {"jsonl": {"name": "e", "path": str(write_jsonl(folder / "e.jsonl", [TEXT]))}}
    settings = {
        "decontaminate": {"against": [item], "action": "cut"},
        "keep": {"bounds": {"words": [0, None]}},
        "normalize": {"ftfy": "encoding"},
    }
    return STAGES[name](**settings.get(name, {}))


def is_number(values: pa.Array) -> bool:
    return pa.types.is_integer(values.type) or pa.types.is_floating(values.type)


ROW_WISE = sorted(name for name, stage in STAGES.items() if issubclass(stage, RowStage) and name != "perplexity")


@pytest.mark.parametrize("name", ROW_WISE)
def test_the_numbers_of_a_stage_are_the_columns_of_numbers_that_it_makes(name, tmp_path):
    stage = made(name, tmp_path)
    columns = stage.apply(docs([TEXT, "x"], lang="en", words=[50, 1])).columns
    found = {column: is_number(values) for column, values in columns.items() if column in stage.writes}
    assert set(found) == set(stage.writes)
    assert {column for column, numbers in found.items() if numbers} == set(stage.numbers)


def test_a_mark_is_no_number():
    for stage in (stage(action="mark") for stage in STAGES.values() if issubclass(stage, CorpusStage)):
        assert (stage.writes, stage.numbers) == (("cluster",), ())
