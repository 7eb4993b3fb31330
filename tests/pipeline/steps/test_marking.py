"""`action: mark` is the same for every stage that finds duplicates: nothing goes, and each cluster has a name."""

import json

import pytest

from pipeline.stages import STAGES
from pipeline.stages.base import CLUSTER, CorpusStage
from tests.pipeline.making import config, go, kept_after, ledger_of
from tests.pipeline.test_dedup_near import prose

CORPUS_STAGES = sorted(name for name, stage in STAGES.items() if issubclass(stage, CorpusStage))


def documents(folder):
    """Three documents, of which the first and the last are one by text and by address."""
    (folder / "in").mkdir()
    told = [{"text": " ".join(prose(seed)), "url": f"https://e.org/{seed}", "lang": "en"} for seed in (1, 2, 1)]
    (folder / "in" / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in told))
    return [{"jsonl": {"name": "src", "path": str(folder / "in" / "a.jsonl")}}]


@pytest.mark.parametrize("name", CORPUS_STAGES)
def test_a_stage_that_marks_drops_nothing_and_writes_the_first_of_each_cluster(tmp_path, name):
    result = go(config(tmp_path, stages=[{name: {"action": "mark"}}], sources=documents(tmp_path)))
    assert ledger_of(result.steps[-1]).num_rows == 0
    assert kept_after(result, 1).column(CLUSTER).to_pylist() == ["src/a.jsonl#0", None, "src/a.jsonl#0"]
    assert result.steps[-1].step.manifest()["tallies"] == {"marked": 2}


@pytest.mark.parametrize("name", CORPUS_STAGES)
def test_the_same_stage_without_a_mark_drops_the_second(tmp_path, name):
    result = go(config(tmp_path, stages=[name], sources=documents(tmp_path)))
    assert ledger_of(result.steps[-1]).column("id").to_pylist() == ["src/a.jsonl#2"]
