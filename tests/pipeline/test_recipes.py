"""The recipes that ship load and run, and their filters drop each for the reason that its authors give."""

from pathlib import Path

import pytest

from pipeline.config import load
from pipeline.stages.keep import Keep
from pipeline.text.quality import FAMILIES
from tests.pipeline.making import go, ledger_of

ROOT = Path(__file__).parents[2]
RECIPES = ["gopher", "c4", "fineweb", "slimpajama"]


def recipe(name):
    return load(ROOT / "configs" / f"{name}.yaml", {"workers": 1})


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs_on_a_few_documents(name, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    made = recipe(name)
    few = made.sources[0].model_copy(update={"path": (str(ROOT / "data/udhr/en.jsonl.zst"),)})
    settings = made.run.model_copy(update={"workdir": tmp_path / "run"})
    result = go(made.model_copy(update={"run": settings, "sources": (few,)}))
    reasons = {r for step in result.steps if step.kind == "row" for r in ledger_of(step).column("reason").to_pylist()}
    assert reasons <= {"language", "lang_score", *(n for names in FAMILIES.values() for n in names)}
    assert reasons  # articles of the Declaration are short: some go


@pytest.mark.parametrize("name", RECIPES)
def test_every_measure_of_a_recipes_family_is_judged_by(name):
    bound = {measure for stage in recipe(name).stages if isinstance(stage, Keep) for measure in stage.needs}
    judged_elsewhere = {"fineweb": {"stop_words_met"}}.get(name, set())
    families = {"fineweb": ["gopher", "c4", "fineweb"]}.get(name, [name])
    assert {measure for family in families for measure in FAMILIES[family]} - bound == judged_elsewhere
