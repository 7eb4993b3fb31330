"""Where a run begins: with another run's checkpoint, with an exported model, and with neither where it does not fit."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from pretrain.config import Config
from pretrain.errors import ConfigError, InputError
from pretrain.fit import fit
from tests.pretrain import seam as builder


def run(folder, data, begin_with, told=None, model=None, **train):
    settings = builder.config(folder, data, begin_with=str(begin_with), **train)
    settings["model"] |= model or {}
    return fit(Config.model_validate(settings), (told if told is not None else []).append)


def lines(folder, name="metrics.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def test_the_same_config_from_a_checkpoint_of_another_run_ends_in_its_bytes(finished, packed, tmp_path):
    told = []
    run(tmp_path / "r", packed, finished.dir / "ckpt/step_000010", told)
    for name in ("model.safetensors", "optimizer.safetensors"):
        ours, theirs = (folder / "ckpt/step_000012" / name for folder in (tmp_path / "r", finished.dir))
        assert ours.read_bytes() == theirs.read_bytes()
    assert lines(tmp_path / "r") == lines(finished.dir)[10:]
    begun = next(i for i, line in enumerate(told) if line.startswith("beginning with"))
    assert told[begun].endswith("step_000010 (step 10, 40 samples)") and not told[begun + 1].startswith("  train")


def test_a_branch_has_a_schedule_of_its_own_and_the_samples_and_weights_of_the_other(finished, packed, tmp_path):
    told = []
    cooldown = {"schedule": "wsd", "cooldown_samples": 8, "steps": 14}
    run(tmp_path / "r", packed, finished.dir / "ckpt/step_000010", told, **cooldown)
    theirs, ours = lines(finished.dir)[10:], lines(tmp_path / "r")
    assert [line["samples"] for line in ours] == [44, 48, 52, 56]
    assert ours[0]["loss"] == theirs[0]["loss"] and ours[1]["loss"] != theirs[1]["loss"]  # before, after its own rate
    assert [line["lr"] for line in ours] == pytest.approx([1e-2, 1e-2, 1e-2, 5e-3])
    assert "  train.schedule: 'cosine' there, 'wsd' here" in told
    state = json.loads((tmp_path / "r/ckpt/step_000014/state.json").read_text())
    assert sum(state["tokens_by_language"].values()) == ours[-1]["tokens"] > theirs[-1]["tokens"]


def test_a_branch_goes_on_from_its_own_checkpoint_also_where_the_other_is_gone(finished, packed, tmp_path):
    shutil.copytree(finished.dir, tmp_path / "other")
    begun = tmp_path / "other/ckpt/step_000010"
    whole, part = ({"steps": steps, "decay_samples": 56} for steps in (14, 12))
    run(tmp_path / "whole", packed, begun, **whole)
    run(tmp_path / "part", packed, begun, **part)
    shutil.rmtree(tmp_path / "other")
    told = []
    run(tmp_path / "part", packed, begun, told, **whole)
    assert any(line.startswith("going on from") and "step_000012" in line for line in told)
    weights = [(tmp_path / x / "ckpt/step_000014/model.safetensors").read_bytes() for x in ("whole", "part")]
    assert weights[0] == weights[1]


def test_a_run_s_folder_stands_for_its_newest_checkpoint(finished, packed, tmp_path):
    run(tmp_path / "r", packed, finished.dir, steps=13)
    assert [line["step"] for line in lines(tmp_path / "r")] == [13]


def test_an_exported_model_gives_its_weights_at_step_0(finished, pretrain, packed, tmp_path):
    assert pretrain("export", finished.dir, "--out", tmp_path / "export")[0] == 0
    told = []
    run(tmp_path / "r", packed, tmp_path / "export", told, steps=1, warmup_samples=3)  # the rate of step 1 is 0
    assert f"beginning with the weights of {tmp_path}/export, at step 0" in told
    ours = load_file(tmp_path / "r/ckpt/step_000001/model.safetensors")
    theirs = load_file(finished.dir / "ckpt/step_000012/model.safetensors")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs) and len(ours) == len(theirs)
    assert lines(tmp_path / "r")[0]["samples"] == 4
    assert not any("has no tokenizer.json" in line for line in told)
    (tmp_path / "export/tokenizer.json").unlink()
    run(tmp_path / "r2", packed, tmp_path / "export", told, steps=1, warmup_samples=3)
    assert any("has no tokenizer.json" in line for line in told)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": {"num_heads": 4}}, "is another model: num_heads 2 there, 4 here"),
        ({"global_batch": 8}, "had 40 samples at step 10, this run has 80"),
        ({"steps": 10}, "is at step 10, where this run of 10 steps ends"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_before_anything_is_written(
    finished, packed, tmp_path, change, words
):
    with pytest.raises(ConfigError, match=words):
        run(tmp_path / "r", packed, finished.dir / "ckpt/step_000010", **change)
    assert not (tmp_path / "r/run.json").exists()


def test_other_weights_drawn_at_random_are_the_same_model(finished, packed, tmp_path):
    run(tmp_path / "r", packed, finished.dir, steps=13, model={"init_std": 0.5})


def test_rows_of_the_embedding_that_differ_are_told_with_the_key_that_mends_it(finished, packed, tmp_path):
    settings = builder.config(tmp_path / "r", packed, begin_with=str(finished.dir))
    settings["data"]["pad_vocab_to"] = 384
    with pytest.raises(ConfigError, match=r"vocab_size 320 there, 384 here\n.*data.pad_vocab_to: 320"):
        fit(Config.model_validate(settings), lambda _: None)


def test_a_model_of_another_tokenizer_is_refused(finished, packed, tmp_path):
    other = builder.build(tmp_path / "packed")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    (other / "tokenizer.json").write_text(json.dumps(tokenizer, indent=1))
    builder.seal(other, json.loads((other / "manifest.json").read_text())["splits"], 16)
    with pytest.raises(InputError, match=r"packed with another tokenizer\.json"):
        run(tmp_path / "r", other, finished.dir)


def test_a_checkpoint_outside_of_its_run_is_taken_for_its_own_corpus_only(finished, packed, tmp_path):
    alone = shutil.copytree(finished.dir / "ckpt/step_000010", tmp_path / "somewhere/kept")
    run(tmp_path / "r", packed, alone, steps=11)
    other = builder.build(tmp_path / "packed", {"en": 30})
    with pytest.raises(InputError, match="nothing tells which tokenizer"):
        run(tmp_path / "r2", other, alone, steps=11)


def test_the_window_of_another_guard_begins_empty(finished, packed, tmp_path):
    settings = builder.config(tmp_path / "r", packed, begin_with=str(finished.dir), steps=14, skips={"window": 8})
    assert fit(Config.model_validate(settings), lambda _: None).done


def test_what_was_read_in_languages_that_this_corpus_lacks_still_counts(finished, packed, tmp_path):
    other = builder.build(tmp_path / "packed", {"en": 30})
    run(tmp_path / "r", other, finished.dir, steps=14)
    before, after = (
        json.loads((folder / step / "state.json").read_text())["tokens_by_language"]
        for folder, step in ((finished.dir / "ckpt", "step_000012"), (tmp_path / "r/ckpt", "step_000014"))
    )
    assert after["sw"] == before["sw"] > 0 and after["py"] == before["py"] > 0 and after["en"] > before["en"]
    assert lines(tmp_path / "r")[-1]["tokens"] == sum(after.values())


def test_what_a_model_began_with_is_on_record_and_in_its_card(finished, pretrain, packed, tmp_path):
    pretrain("export", finished.dir, "--out", tmp_path / "first")
    run(tmp_path / "a", packed, tmp_path / "first", steps=2)
    run(tmp_path / "b", packed, tmp_path / "a", steps=3)
    run(tmp_path / "b", packed, tmp_path / "a", steps=4, decay_samples=12)  # goes on: the record stays
    origin = json.loads((tmp_path / "b/ckpt/step_000004/state.json").read_text())["begun_with"]
    assert (origin["step"], origin["path"], origin["before"]["step"]) == (2, str(tmp_path / "a"), None)
    pretrain("export", tmp_path / "b", "--out", tmp_path / "second")
    card = (tmp_path / "second/README.md").read_text()
    assert f"another run's checkpoint, `{tmp_path}/a` (step 2, {origin['sha256'][:16]})" in card
    assert f"began with the weights of `{tmp_path}/first` (model.safetensors " in card
    assert "began with" not in (tmp_path / "first/README.md").read_text()


def test_lines_of_an_attempt_that_left_no_checkpoint_are_forgotten(finished, packed, tmp_path):
    (tmp_path / "r").mkdir()
    (tmp_path / "r/metrics.jsonl").write_text('{"step": 9, "loss": 1.0}\n{"step": 11, "loss": 1.0}\n')
    run(tmp_path / "r", packed, finished.dir / "ckpt/step_000010")
    assert [line["step"] for line in lines(tmp_path / "r")] == [11, 12]


def test_what_is_no_model_is_told(packed, tmp_path):
    with pytest.raises(ConfigError, match="none does not exist"):
        run(tmp_path / "r", packed, tmp_path / "none")
    with pytest.raises(ConfigError, match="holds no model"):
        run(tmp_path / "r", packed, packed)
