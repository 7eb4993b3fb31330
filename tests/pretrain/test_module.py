"""One optimizer step: what it divides by, what it follows, what it refuses."""

import json
import shutil

import pytest
import torch

from pretrain import seal
from pretrain.config import Config
from pretrain.data import Steps, tokens_by_language
from pretrain.fit import fit
from pretrain.mixture import plan_mixture
from pretrain.mixture_table import corpus_of
from pretrain.module import Pretraining
from pretrain.results import Flight
from pretrain.seam import Seam
from tests.pretrain import seam as builder


def run(folder, packed, run_settings=None, **train):
    settings = builder.config(folder, packed, **train)
    settings["run"] |= run_settings or {}
    outcome = fit(Config.model_validate(settings), lambda _: None)
    return outcome, lines(folder / "metrics.jsonl")


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def state(outcome):
    return json.loads((outcome.checkpoint / "state.json").read_text())


def test_the_loss_falls(finished):
    metrics = lines(finished.dir / "metrics.jsonl")
    assert metrics[0]["loss"] > 5.5 and metrics[-1]["loss"] < metrics[0]["loss"] - 1.0  # ln(260) = 5.56 at the start


def test_every_step_has_one_line_and_samples_add_up(finished):
    metrics = lines(finished.dir / "metrics.jsonl")
    assert [m["step"] for m in metrics] == list(range(1, 13))
    assert [m["samples"] for m in metrics] == [4 * step for step in range(1, 13)]


def test_the_rate_is_the_one_of_the_samples_before_the_step(finished):
    metrics = lines(finished.dir / "metrics.jsonl")
    assert [m["lr"] for m in metrics[:2]] == [0.0, 1e-2]  # warmup over 4 samples: 0 before the first, whole after it


def test_the_size_of_the_micro_batch_changes_nothing_but_rounding(packed, tmp_path):
    # rows with padding have fewer targets: averaging over micro-batches would weigh them wrongly
    losses = [[m["loss"] for m in run(tmp_path / str(size), packed, micro_batch=size)[1]] for size in (1, 4)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_tokens_are_counted_by_language_and_saved(finished):
    tokens = state(finished.outcome)["tokens_by_language"]
    metrics = lines(finished.dir / "metrics.jsonl")
    assert sum(tokens.values()) == metrics[-1]["tokens"]
    # 48 samples of 43 rows: one epoch, 24 * 16 - 8 and so on, and five rows more
    assert tokens["en"] >= 24 * 16 - 8 and tokens["py"] >= 7 * 16 - 8 and tokens["sw"] >= 12 * 16 - 8
    assert 43 * 16 - 24 + 5 * 8 <= metrics[-1]["tokens"] <= 43 * 16 - 24 + 5 * 16


def test_a_ramp_grows_the_batches(packed, tmp_path):
    _, metrics = run(tmp_path / "r", packed, batch_ramp={"start": 1, "increment": 1, "samples": 9}, steps=8)
    # three increments over 9 samples: 1 until 3, 2 until 6 (7 with whole batches), 3 until 9 (10), then 4
    assert [m["batch"] for m in metrics] == [1, 1, 1, 2, 2, 3, 4, 4]


def test_stated_weights_leave_the_other_languages_out(packed, tmp_path):
    settings = builder.config(tmp_path / "r", packed, steps=3)
    settings["data"]["mixture"] = {"weights": {"sw": 3.0, "py": 1.0}}
    outcome = fit(Config.model_validate(settings), lambda _: None)
    assert set(state(outcome)["tokens_by_language"]) == {"py", "sw"}


def test_a_run_with_stages_and_caps_counts_its_tokens_alike_after_any_resume(packed, tmp_path):
    mixture = {"stages": [{"until": 15, "temperature": 3.0}, {"weights": {"sw": 1.0, "py": 1.0}, "max_epochs": 1.7}]}

    def train(folder, steps):
        settings = builder.config(folder, packed, steps=steps, decay_samples=99)
        settings["data"]["mixture"] = mixture | {"over_samples": 32}  # 8 steps of 4
        config = Config.model_validate(settings)
        return config, state(fit(config, lambda _: None))

    config, whole = train(tmp_path / "whole", 8)
    for steps in (2, 5, 8):
        _, part = train(tmp_path / "part", steps)
    assert part == whole
    seam = Seam.open(packed)
    order = plan_mixture(config.data.mixture, corpus_of(seam), 32).order(42)
    data = Steps(seam, order, config.train.batches(), (0, 8))
    counted = sum(tokens_by_language(data[i], 3) for i in range(8))  # a function of the samples alone
    assert whole["tokens_by_language"] == dict(zip(order.rows, counted.tolist(), strict=True))
    assert [stage["begin"] for stage in whole["stages"]] == [0, 15]


def test_a_checkpoint_from_before_there_were_stages_is_gone_on_from(packed, tmp_path):
    run(tmp_path / "new", packed, steps=8, decay_samples=99)
    outcome, _ = run(tmp_path / "old", packed, steps=4, decay_samples=99)
    before = state(outcome)
    before["weights"] = before.pop("stages")[0]["weights"]
    before["config"]["data"]["mixture"] = {"temperature": 1.0, "weights": None}

    def fill(folder):
        for name in ("model.safetensors", "optimizer.safetensors"):
            shutil.copyfile(outcome.checkpoint / name, folder / name)
        (folder / "state.json").write_text(json.dumps(before))

    seal.write(outcome.checkpoint.parent, outcome.checkpoint.name, fill)
    assert run(tmp_path / "old", packed, steps=8, decay_samples=99)[1] == lines(tmp_path / "new" / "metrics.jsonl")


def test_bf16_mixed_learns_too(packed, tmp_path):
    outcome, metrics = run(tmp_path / "r", packed, {"precision": "bf16-mixed"}, steps=8)
    assert metrics[-1]["loss"] < metrics[0]["loss"] - 0.3
    weights = (outcome.checkpoint / "model.safetensors").read_bytes()
    assert b'"dtype":"F32"' in weights and b'"BF16"' not in weights  # the masters stay fp32


def test_a_run_goes_from_one_process_to_two_and_back_with_the_same_samples(packed, tmp_path):
    skips = {"window": 4, "sigma": 0.25}  # skips four of twelve, none within 0.5 % of a limit: the ranks have to agree
    common = {"skips": skips, "decay_samples": 48, "checkpoint_every": 100}
    run(tmp_path / "alone", packed, **common)
    alone = lines(tmp_path / "alone/metrics.jsonl")
    run(tmp_path / "r", packed, steps=3, **common)
    settings = builder.config(tmp_path / "r", packed, micro_batch=1, steps=9, **common)  # two micro-batches a rank
    settings["run"] |= {"devices": 2, "strategy": "ddp", "accelerator": "cpu"}
    done = builder.pretrain("fit", builder.write_config(tmp_path / "c.yaml", settings))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("step 9/9") == 1  # only one of them speaks
    run(tmp_path / "r", packed, steps=12, **common)
    ours = lines(tmp_path / "r/metrics.jsonl")
    for key in ("step", "samples", "tokens", "lr", "skipped"):
        assert [m[key] for m in ours] == [m[key] for m in alone]
    for key in ("loss", "grad_norm"):
        assert [m[key] for m in ours] == pytest.approx([m[key] for m in alone], rel=1e-4)
    theirs = {skip["step"]: skip for skip in lines(tmp_path / "alone/skips.jsonl")}
    named = [(skip, theirs[skip["step"]]) for skip in lines(tmp_path / "r/skips.jsonl") if 3 < skip["step"] <= 9]
    assert named  # else the ranks had nothing to agree on
    for here, there in named:  # the three worst of four rows alone; of two ranks, all of their two
        assert len(here["rows"]) == 4 and all(any(a["row"] == b["row"] for b in here["rows"]) for a in there["rows"])


def test_embeddings_are_decayed_and_biases_are_not(packed, tmp_path, monkeypatch):
    seen = {}
    real = torch.optim.AdamW.__init__

    def spy(self, groups, **settings):
        seen.update({name: g["weight_decay"] for g in groups for name, _ in g["params"]} | settings)
        real(self, groups, **settings)

    monkeypatch.setattr(torch.optim.AdamW, "__init__", spy)
    run(tmp_path / "r", packed, steps=1, weight_decay=0.25, betas=[0.8, 0.9], warmup_samples=0)
    assert seen["word_embeddings.weight"] == 0.25 and seen["ln_f.weight"] == 0.0
    assert seen["betas"] == (0.8, 0.9)


def breaks(*_args, **_kwargs):
    raise ValueError("a look that fails")


@pytest.mark.parametrize("look", ["evaluate", "complete"])
def test_a_step_is_sealed_though_a_look_at_it_fails(packed, tmp_path, monkeypatch, look):
    monkeypatch.setattr(f"pretrain.looks.{look}", breaks)
    with pytest.raises(ValueError, match="a look that fails"):
        run(tmp_path / "r", packed, steps=4)
    assert seal.newest(tmp_path / "r/ckpt", pytest.fail).name == "step_000004"


def test_a_curve_that_cannot_be_drawn_is_told_and_stops_nothing(packed, tmp_path, monkeypatch):
    monkeypatch.setattr("pretrain.curve.draw", breaks)
    told = []
    outcome = fit(Config.model_validate(builder.config(tmp_path / "r", packed, steps=4)), told.append)
    assert outcome.done and any("loss.svg could not be drawn" in line for line in told)


def test_an_error_that_is_not_of_the_run_folder_is_not_laid_on_it(packed, tmp_path, monkeypatch):
    def lost(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("pretrain.seam.Shards.copy", lost)
    with pytest.raises(OSError, match="Input/output error"):
        run(tmp_path / "r", packed, steps=4)


READS = ("item", "tolist", "cpu", "numpy", "__bool__", "__int__", "__float__", "__index__")


def test_a_step_asks_the_device_nothing_until_its_numbers_are_on_their_way(packed, tmp_path, monkeypatch):
    step, of, watching, steps = Pretraining.training_step, Flight.of, pytest.MonkeyPatch(), []

    def asked(*_, **__):
        raise AssertionError("the step waits for the device to answer")

    def watched(module, batch, index):
        for name in READS:
            watching.setattr(torch.Tensor, name, asked)
        step(module, batch, index)
        steps.append(module.step)

    def sent_off(*numbers):
        watching.undo()
        return of(*numbers)

    monkeypatch.setattr(Pretraining, "training_step", watched)
    monkeypatch.setattr(Flight, "of", sent_off)
    try:
        run(tmp_path / "r", packed, steps=4, micro_batch=1)
    finally:
        watching.undo()
    assert steps == [1, 2, 3, 4]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_step_on_a_gpu_never_waits_for_it(packed, tmp_path, monkeypatch):
    step, depart = Pretraining.training_step, Pretraining._depart

    def strict(module, batch, index):
        torch.cuda.set_sync_debug_mode("error")
        try:
            step(module, batch, index)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    def answered(module, flight):
        torch.cuda.set_sync_debug_mode("default")
        depart(module, flight)

    monkeypatch.setattr(Pretraining, "training_step", strict)
    monkeypatch.setattr(Pretraining, "_depart", answered)
    assert run(tmp_path / "r", packed, {"accelerator": "gpu", "precision": "bf16-mixed"}, steps=5)[0].done
