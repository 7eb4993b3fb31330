"""What is compiled before the work, and in which order."""

from pipeline.stages import STAGES
from pipeline.steps import warm


def test_the_longest_is_compiled_first_and_a_stage_that_stands_twice_once(tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "COMPILED", tmp_path)
    stages = [STAGES[name].model_validate({}) for name in ("dedup_exact", "normalize", "measure", "redact", "measure")]
    named = [task.arguments["stage"]["name"] for task in warm.tasks(stages, encode=False)]
    assert named == ["redact", "measure", "normalize", "dedup_exact"]


def test_what_was_compiled_before_an_interruption_is_not_compiled_again(tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "COMPILED", tmp_path)
    stages = [STAGES[name].model_validate({}) for name in ("normalize", "dedup_exact")]
    slow, quick = warm.tasks(stages, encode=False)
    warm.warm_stage(**quick.arguments)
    assert warm.tasks(stages, encode=False) == [slow]


def test_what_a_run_packs_with_is_compiled_with_the_rest_and_once(tmp_path, monkeypatch):
    monkeypatch.setattr(warm, "COMPILED", tmp_path)
    (task,) = warm.tasks([], encode=False, pack=True)
    assert task.function.endswith(":warm_packer")
    warm.warm_packer()
    assert warm.tasks([], encode=False, pack=True) == []
