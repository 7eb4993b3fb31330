"""A step that would do harm teaches nothing, is told with its documents, and stops the run when there are too many."""

import json
import math
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch

from pretrain import seal
from pretrain.checkpoint import load
from pretrain.config import Config
from pretrain.errors import RunError
from pretrain.fit import fit
from pretrain.model import Bloom
from pretrain.seam import Seam
from pretrain.skips import _check_weights
from tests.pretrain import seam as builder

EAGER = {"window": 4, "sigma": 0.5, "most": 100}  # skips about every third step of a small run


def run(folder, packed, hooks=(), told=None, **train):
    config = Config.model_validate(builder.config(folder, packed, **train))
    return fit(config, (told if told is not None else []).append, extra_callbacks=hooks)


def lines(folder, name="metrics.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


@pytest.fixture
def poisoned(packed, monkeypatch):
    """Row 3 of Swahili has no finite loss."""
    bad = torch.from_numpy(Seam.open(packed).shards("train", "sw").tokens(3)[:-1].copy())
    whole, each = Bloom.loss, Bloom.token_losses

    def poison(ids):
        return torch.where((ids == bad).all(1), math.nan, 1.0)  # (B,)

    monkeypatch.setattr(Bloom, "loss", lambda self, ids, *rest: whole(self, ids, *rest) * poison(ids).sum())
    monkeypatch.setattr(Bloom, "token_losses", lambda self, ids, *rest: each(self, ids, *rest) * poison(ids)[:, None])
    return packed


def test_a_row_without_a_finite_loss_teaches_nothing_and_its_documents_are_named(poisoned, tmp_path):
    told = []
    run(tmp_path, poisoned, told=told, checkpoint_every=1, keep_last=12)
    skips, metrics = lines(tmp_path, "skips.jsonl"), lines(tmp_path)
    assert [skip["step"] for skip in skips] == [m["step"] for m in metrics if m["skipped"]] != []
    assert skips[0]["rows"] == [{"language": "sw", "row": 3, "loss": None, "documents": ["test/train/sw#3"]}]
    assert skips[0]["why"] == "loss is nan and grad_norm is nan"
    step = skips[0]["step"]
    assert metrics[step - 1]["loss"] is None and metrics[step]["loss"] > 0
    assert metrics[step]["samples"] == 4 * (step + 1)  # its samples are consumed
    before, after = (load(tmp_path / f"ckpt/step_{n:06d}") for n in (step - 1, step))
    for tensors in (
        lambda c: c.model(),
        lambda c: {f"{k}{n}": t for k, m in c.optimizer().items() for n, t in m.items()},
    ):
        a, b = tensors(before), tensors(after)
        assert a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
    assert any(f"step {step} was skipped: loss is nan" in line for line in told)


def test_one_skip_more_than_there_may_be_stops_the_run_with_a_report(poisoned, tmp_path):
    with pytest.raises(
        RunError, match=r"1 of the last 128 steps.*most is 0\n.*loss is nan.*\n.*test/train/sw#3"
    ) as told:
        run(tmp_path, poisoned, skips={"most": 0}, checkpoint_every=1)
    assert "the last checkpoint is sound" in str(told.value)
    last = load(seal.newest(tmp_path / "ckpt", pytest.fail))
    assert all(tensor.isfinite().all() for tensor in last.model().values())
    assert lines(tmp_path)[-1]["step"] == last.state["step"]  # the step that stopped it is neither logged nor saved


def test_only_skips_of_the_window_count_and_only_more_than_most_stop(packed, tmp_path):
    run(tmp_path / "a", packed, steps=30, skips=EAGER)
    skipped = [m["step"] for m in lines(tmp_path / "a") if m["skipped"]]
    most = max(sum(step - 4 < s <= step for s in skipped) for step in skipped)  # of any four steps
    assert 1 < most < len(skipped)
    assert run(tmp_path / "b", packed, steps=30, skips=EAGER | {"most": most}).done
    with pytest.raises(RunError, match=f"{most} of the last 4 steps were skipped.*most is {most - 1}"):
        run(tmp_path / "c", packed, steps=30, skips=EAGER | {"most": most - 1})


class Break(pl.Callback):
    def __init__(self, at):
        self.at = at

    def on_train_batch_start(self, trainer, module, *_):
        if module.step == self.at:
            module.model.h[0].mlp.dense_h_to_4h.weight.data[1, 2] = math.nan


@pytest.mark.parametrize("lag", [0, 1])
def test_weights_that_are_broken_are_named_instead_of_rows(packed, tmp_path, lag):
    with pytest.raises(
        RunError, match=r"step 6: .*no row is to blame:\n  h\.0\.mlp\.dense_h_to_4h\.weight: 1 of 1,024"
    ) as told:
        run(tmp_path, packed, [Break(5), Late(lag)])
    assert "test/train" not in str(told.value) and "same command again" in str(told.value)
    assert seal.newest(tmp_path / "ckpt", pytest.fail).name == "step_000004"
    assert run(tmp_path, packed).done


def test_weights_that_are_broken_on_another_rank_stop_this_one_too(monkeypatch):
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda counts, op: counts[1].fill_(2))
    with pytest.raises(RunError, match=r"step 6: loss is nan, because .*\n  bias: 2 of 4 values"):
        _check_weights(torch.nn.Linear(3, 4), SimpleNamespace(step=6, skipped="loss is nan"), world=2)


class Late(pl.Callback):
    """Results are as late as they are on a GPU."""

    def __init__(self, steps=1):
        self.steps = steps
        self.seen = []

    def setup(self, trainer, module, stage):
        module.lag = self.steps

    def on_train_batch_end(self, trainer, module, *_):
        self.seen.append([(result.step, module.step) for result in module.news])


def test_results_that_come_a_step_late_change_no_byte(packed, tmp_path):
    late = Late()
    for name, hooks in (("a", []), ("b", [late])):
        run(tmp_path / name, packed, hooks, skips=EAGER, checkpoint_every=5, validate_every=4)
    assert sum(m["skipped"] for m in lines(tmp_path / "a")) > 1
    for name in ("metrics.jsonl", "validation.jsonl", "samples.jsonl", "ckpt/step_000012/manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    # exact at 4 and 8 (a look), 5 and 10 (a checkpoint) and the end; late else
    assert late.seen[:6] == [[], [(1, 2)], [(2, 3)], [(3, 4), (4, 4)], [(5, 5)], []]


def test_a_stop_is_saved_at_the_step_where_it_becomes_known_though_results_are_late(packed, tmp_path):
    class Stop(pl.Callback):
        def on_train_batch_start(self, trainer, module, *_):
            module.stop_requested |= module.step == 6

    outcome = run(tmp_path, packed, [Late(), Stop()], checkpoint_every=100, validate_every=None)
    assert outcome.step == 7 and outcome.checkpoint.name == "step_000007"
    assert [m["step"] for m in lines(tmp_path)] == list(range(1, 8))


def test_a_run_that_goes_on_has_the_guard_s_window_and_its_count(packed, tmp_path):
    run(tmp_path / "whole", packed, skips=EAGER, steps=14)
    for steps in (3, 9, 14):
        outcome = run(tmp_path / "part", packed, skips=EAGER, steps=steps, decay_samples=56)
    assert lines(tmp_path / "whole") == lines(tmp_path / "part")
    skipped = [m["step"] for m in lines(tmp_path / "part") if m["skipped"]]
    assert skipped and load(outcome.checkpoint).state["skipped_steps"] == skipped


def test_a_checkpoint_of_a_time_before_there_was_a_guard_is_gone_on_from(packed, tmp_path):
    outcome = run(tmp_path, packed, steps=4, decay_samples=48)
    state = load(outcome.checkpoint).state
    del state["guard"], state["skipped_steps"], state["config"]["train"]["skips"]
    model, optimizer = ((outcome.checkpoint / f"{name}.safetensors").read_bytes() for name in ("model", "optimizer"))

    def fill(folder):
        (folder / "model.safetensors").write_bytes(model)
        (folder / "optimizer.safetensors").write_bytes(optimizer)
        (folder / "state.json").write_text(json.dumps(state))

    seal.write(tmp_path / "ckpt", "step_000004", fill)
    assert run(tmp_path, packed, decay_samples=48).done
