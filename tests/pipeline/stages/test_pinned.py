"""What the stages make of the Declaration of Human Rights is pinned: a change of bytes is a decision."""

import hashlib
import io
import json
from pathlib import Path

import pytest
import zstandard

from pipeline.stages import STAGES
from tests.pipeline.stages.tables import docs

UDHR = Path(__file__).parents[3] / "data" / "udhr"
PINNED = {"normalize": "d6378785e3d85c42", "measure": "c8c78c5b18e2d5c0", "redact": "ce1f3b77d754c01f"}


@pytest.fixture(scope="module")
def declaration():
    texts, langs = [], []
    for path in sorted(UDHR.glob("*.jsonl.zst")):
        with zstandard.open(path, "rb") as file:
            found = [json.loads(line)["text"] for line in io.TextIOWrapper(file, encoding="utf-8")]
        texts += found
        langs += [path.name.split(".")[0]] * len(found)
    assert len(set(langs)) == 42
    return docs(texts, lang=langs)


@pytest.mark.parametrize("name", ["normalize", "measure", "redact"])
def test_the_bytes_that_a_stage_makes_are_pinned(name, declaration):
    columns = STAGES[name]().apply(declaration).columns
    made = json.dumps({column: values.to_pylist() for column, values in columns.items()}, ensure_ascii=False)
    assert hashlib.sha256(made.encode()).hexdigest()[:16] == PINNED[name]
