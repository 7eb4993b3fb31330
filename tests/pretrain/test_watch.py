"""What is logged besides the loss: gradients by layer, tokens by language, speed, memory; and where it goes."""

import csv
import importlib.util
import json
import math
import os
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pretrain import loggers
from pretrain.config import Config
from pretrain.errors import ConfigError
from pretrain.fit import fit
from pretrain.loggers import CsvLogger
from pretrain.model import Bloom, ModelConfig
from pretrain.progress import Speed, _clock, _told
from pretrain.watch import Watch, gradient_norms, layer_of
from tests.pretrain import seam as builder


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def train(folder, packed, steps, **run):
    settings = builder.config(folder, packed, steps=steps, decay_samples=24, clip=0.05)
    settings["run"] |= {"loggers": ["csv"], "watch_every": 2, "log_every": 3} | run
    told = []
    fit(Config.model_validate(settings), told.append)
    return told


@pytest.fixture(scope="module")
def watched(packed, tmp_path_factory):
    """Six steps in one go, and the same after a stop at the third."""
    folder = tmp_path_factory.mktemp("watched")
    told = train(folder / "whole", packed, 6)
    for steps in (3, 6):
        train(folder / "part", packed, steps)
    return SimpleNamespace(whole=folder / "whole", part=folder / "part", told=told)


def test_the_norms_of_the_layers_make_up_the_norm_before_clipping(watched):
    metrics = {line["step"]: line for line in lines(watched.whole / "metrics.jsonl")}
    watch = lines(watched.whole / "watch.jsonl")
    assert [line["step"] for line in watch] == [2, 4, 6]
    for line in watch:
        assert list(line["grad_norm"]) == ["embedding", "h.0", "ln_f"]
        norm = metrics[line["step"]]["grad_norm"]
        assert norm > 0.05  # or nothing was clipped, and nothing shown
        assert math.hypot(*line["grad_norm"].values()) == pytest.approx(norm, rel=1e-4)


def test_the_tokens_of_the_languages_add_up(watched):
    metrics = {line["step"]: line for line in lines(watched.whole / "metrics.jsonl")}
    for line in lines(watched.whole / "watch.jsonl"):
        assert sum(line["tokens_by_language"].values()) == line["tokens"] == metrics[line["step"]]["tokens"]


def test_a_run_that_stopped_writes_the_same_files(watched):
    whole, part = lines(watched.whole / "watch.jsonl"), lines(watched.part / "watch.jsonl")
    assert [line for line in part if line["step"] != 3] == whole  # 3 was the end of the first half
    steady = [[row for row in rows(run) if not row[1].startswith("speed/")] for run in (watched.whole, watched.part)]
    own = [
        row for row in steady[1] if row[0] != "3" or not row[1].startswith(("valid", "bits", "grad_norm/", "tokens/"))
    ]
    assert own == steady[0] and len(own) > 40


def rows(run):
    with (run / "metrics.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_the_csv_holds_every_number_of_the_json_lines(watched):
    head, *found = rows(watched.whole)
    assert head == ["step", "metric", "value"]
    values = {(int(step), name): float(value) for step, name, value in found}
    for line in lines(watched.whole / "metrics.jsonl"):
        assert values[line["step"], "loss"] == line["loss"] and values[line["step"], "tokens"] == line["tokens"]
    (last,) = lines(watched.whole / "validation.jsonl")[-1:]
    assert [values[6, f"valid/{s['language']}"] for s in last["scores"]] == [s["loss"] for s in last["scores"]]
    assert values[4, "grad_norm/h.0"] == lines(watched.whole / "watch.jsonl")[1]["grad_norm"]["h.0"]


def test_speed_and_memory_stand_in_a_file_of_their_own(watched):
    speed = lines(watched.whole / "speed.jsonl")
    assert [line["step"] for line in speed] == [3, 6]
    assert all(line["memory"] > 1e7 and line["tokens_per_second"] > 0 and line["seconds"] > 0 for line in speed)
    assert all(line["mfu"] is None for line in speed)  # of a CPU no peak is known
    clock = {"seconds", "tokens_per_second", "mfu", "memory", "device_memory"}
    assert not clock & set(lines(watched.whole / "metrics.jsonl")[0])
    assert any(line.startswith("step 3/6  loss ") and " tokens/s  " in line for line in watched.told)


def test_in_a_terminal_a_bar_takes_the_place_of_the_lines(packed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    told = train(tmp_path / "r", packed, 2)
    bar = capsys.readouterr().err
    assert "training" in bar and "2/2" in bar and re.search(r"loss \d\.\d{3} .* tokens/s", bar)
    assert not [line for line in told if line.startswith("step ")] and lines(tmp_path / "r" / "speed.jsonl")


def test_an_infinite_norm_divides_nothing_by_zero():
    written, norms = [], {"h.0": torch.tensor(math.nan), "ln_f": torch.tensor(0.0)}  # inf times 0, and 3 times 0
    config = SimpleNamespace(train=SimpleNamespace(clip=1.0))
    watch = Watch(SimpleNamespace(config=config, dir=SimpleNamespace(log=lambda name, line: written.append(line))))
    watch._norms[5] = norms
    result = SimpleNamespace(step=5, samples=20, tokens_by_language={"en": 7}, grad_norm=math.inf)
    watch.after(result, None, SimpleNamespace(is_global_zero=True, loggers=[]))
    assert [line["grad_norm"] for line in written] == [{"ln_f": 0.0}]


def test_the_layers_of_all_parameters_are_embedding_blocks_and_the_last_norm():
    model = Bloom(ModelConfig(320, 16, 11, 2))
    assert {layer_of(name) for name, _ in model.named_parameters()} == {
        "embedding", "ln_f", *(f"h.{i}" for i in range(11))
    }  # fmt: skip
    assert layer_of("model.h.10.mlp.dense_4h_to_h.weight") == "h.10"


def test_a_layer_s_norm_is_that_of_all_its_gradients():
    model = Bloom(ModelConfig(320, 16, 2, 2))
    for p in model.h[1].parameters():
        p.grad = torch.ones_like(p)
    (layer, norm), = gradient_norms(model).items()  # fmt: skip
    assert layer == "h.1" and norm.item() == pytest.approx((12 * 16 * 16 + 13 * 16) ** 0.5)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.text(), st.floats(allow_nan=False, allow_subnormal=False))),
    st.integers(0, 30),
)
def test_a_csv_goes_on_after_its_step_with_whole_lines_only(tmp_path_factory, numbers, step):
    path = tmp_path_factory.mktemp("x") / "m.csv"
    logger = CsvLogger(path, 0)
    for at, name, value in numbers:
        logger.log_metrics({name: value}, at)
    with path.open("a", newline="") as file:
        file.write("3,loss,1.2")  # a crash
    CsvLogger(path, step)
    with path.open(newline="", encoding="utf-8") as file:
        kept = [(int(a), b, float(c)) for a, b, c in list(csv.reader(file))[1:]]
    assert kept == [(at, re.sub("[\r\n]", " ", name), value) for at, name, value in numbers if at <= step]


@pytest.mark.parametrize(
    ("name", "extra"), [("wandb", "wandb"), ("wandb-online", "wandb"), ("tensorboard", "pretrain")]
)
def test_a_package_that_was_asked_for_and_is_missing_is_told_before_anything_is_written(
    packed, tmp_path, monkeypatch, name, extra
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    settings = builder.config(tmp_path / "r", packed)
    settings["run"]["loggers"] = [name]
    with pytest.raises(ConfigError, match=f"{name} needs the package") as told:
        fit(Config.model_validate(settings), print)
    assert f"pip install 'seedbed[{extra}]'" in told.value.hint and not (tmp_path / "r").exists()


def config_with(folder, names):
    settings = builder.config(folder, "p")
    settings["run"]["loggers"] = names
    return Config.model_validate(settings)


def test_nothing_said_is_tensorboard_where_it_is_installed(tmp_path, monkeypatch):
    there = {"tensorboard"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: module if module in there else None)
    assert loggers.names(config_with(tmp_path, None)) == ("tensorboard",)
    there.clear()
    assert loggers.names(config_with(tmp_path, None)) == loggers.names(config_with(tmp_path, [])) == ()


@pytest.mark.parametrize(("name", "mode"), [("wandb", "offline"), ("wandb-online", "online")])
def test_weights_and_biases_is_offline_unless_it_is_asked_for_online(tmp_path, monkeypatch, name, mode):
    made = {}
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: module)
    monkeypatch.setattr("lightning.pytorch.loggers.WandbLogger", lambda **settings: made.update(settings))
    for variable, value in (("WANDB_MODE", "online"), ("WANDB_ERROR_REPORTING", None), ("WANDB_PROJECT", None)):
        monkeypatch.delenv(variable, raising=False)
        if value:
            monkeypatch.setenv(variable, value)
    loggers.loggers(config_with(tmp_path / "mine", [name]), 0)
    assert made["offline"] is (mode == "offline") and os.environ["WANDB_MODE"] == mode
    assert (made["name"], made["project"], made["save_dir"]) == ("mine", "seedbed", (tmp_path / "mine").resolve())
    assert os.environ.get("WANDB_ERROR_REPORTING") == ("false" if mode == "offline" else None)
    again = dict(made)
    loggers.loggers(config_with(tmp_path / "mine", [name]), 5)
    assert made["id"] == again["id"]  # the same run of theirs goes on


def test_mfu_is_the_flops_of_the_samples_over_the_peak(monkeypatch):
    clock = iter([0.0, 1.0, 5.0, 5.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    speed = Speed(total_samples=100, flops=2e12, peak=10e12)
    step = SimpleNamespace(tokens=60, batch=8, samples=8)
    speed.add(step)
    pace = speed.look(SimpleNamespace(samples=28))
    # 8 samples of 2e12 in 5 s are 3.2e12 of 10e12 FLOP/s; 20 samples since the first step took 4 s, and 72 are left
    assert (pace.mfu, pace.tokens_per_second, pace.left) == (pytest.approx(0.32), 12.0, pytest.approx(72 / 20 * 4))
    assert _told(pace, 3) == "12 tokens/s  MFU 32.0%  3 skipped"
    assert (_clock(pace.left), _clock(math.nan), _clock(3661)) == ("0:14", "?", "1:01:01")
