"""A run that is killed, stopped or out of disk goes on as if nothing had happened.

Processes come from a fork server that has the imports done, so that a kill falls into training and not into loading.
"""

import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

import pytest

from pretrain import seal
from tests.pretrain import seam as builder

LOGS = ("metrics.jsonl", "validation.jsonl", "samples.jsonl")
EAGER = {"window": 4, "sigma": 0.5, "most": 1000}  # skips many steps, so that its window matters
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["pretrain.fit"])


def train(config: Path, said: Path, file_limit: int | None = None) -> None:
    """What `pretrain fit` does, in a child; its exit code is the command's."""
    from pretrain.config import load_config
    from pretrain.errors import SeedbedError
    from pretrain.fit import fit

    if file_limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    with said.open("a") as file:
        sys.stderr = file
        try:
            outcome = fit(load_config(config), lambda text: print(text, file=file, flush=True))
        except SeedbedError as error:
            print(error, file=file, flush=True)
            sys.exit(error.exit_code)
    sys.exit(0 if outcome.done else 1)


def start(config: Path, file_limit: int | None = None):
    child = CONTEXT.Process(target=train, args=(config, config.with_suffix(".said"), file_limit))
    child.start()
    return child


def finish(config: Path) -> int:
    child = start(config)
    child.join(60)
    return child.exitcode


def config_of(folder: Path, packed: Path, async_save: bool = False, **train) -> Path:
    folder.mkdir()
    settings = builder.config(folder / "run", packed, **({"steps": 40, "sample_every": 10, "skips": EAGER} | train))
    settings["run"]["async_save"] = async_save
    return builder.write_config(folder / "c.yaml", settings)


def sealed(config: Path) -> dict[str, bytes]:
    """The sealed bytes of the last checkpoint, by their sha256, and the logs themselves."""
    run = config.parent / "run"
    newest = seal.newest(run / "ckpt", pytest.fail)
    return {name: (run / name).read_bytes() for name in LOGS} | {"ckpt": (newest / "manifest.json").read_bytes()}


@pytest.fixture(scope="module")
def unbroken(packed, tmp_path_factory):
    config = config_of(tmp_path_factory.mktemp("unbroken") / "a", packed)
    assert finish(config) == 0
    assert (config.parent / "run/metrics.jsonl").read_text().count('"skipped": true') > 3
    return sealed(config)


def kill_at_random(config: Path, chance: random.Random) -> bool:
    """Start the run and kill -9 it after a random number of new lines and a random moment more; whether it lived."""
    metrics = config.parent / "run" / "metrics.jsonl"
    child, until = start(config), lines(metrics) + chance.randint(0, 12)
    while child.is_alive() and lines(metrics) < until:
        time.sleep(0.002)
    time.sleep(chance.random() * 0.03)
    child.kill()
    child.join()
    return child.exitcode == -signal.SIGKILL


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def killed_run_ends_in_the_same_bytes(kills: int, seed: int, config: Path, unbroken: dict[str, bytes]) -> None:
    chance = random.Random(seed)
    assert sum(kill_at_random(config, chance) for _ in range(kills)) > kills // 2  # else little was proven
    assert finish(config) == 0
    assert sealed(config) == unbroken


def test_a_run_killed_three_times_ends_in_the_same_bytes_as_an_unbroken_one(packed, unbroken, tmp_path):
    config = config_of(tmp_path / "a", packed, async_save=True)  # that of the unbroken one was not
    killed_run_ends_in_the_same_bytes(3, time.time_ns(), config, unbroken)


@pytest.mark.torture
@pytest.mark.parametrize("async_save", [False, True])
def test_a_run_killed_twenty_times_ends_in_the_same_bytes_as_an_unbroken_one(async_save, packed, tmp_path):
    whole = config_of(tmp_path / "whole", packed, steps=200)
    assert finish(whole) == 0
    config = config_of(tmp_path / "a", packed, async_save, steps=200)
    killed_run_ends_in_the_same_bytes(20, time.time_ns(), config, sealed(whole))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_asked_to_stop_saves_at_the_step_and_goes_on(number, packed, unbroken, tmp_path):
    config = config_of(tmp_path / "a", packed, checkpoint_every=1000)
    child = start(config)
    while child.is_alive() and lines(config.parent / "run" / "metrics.jsonl") < 5:
        time.sleep(0.005)
    os.kill(child.pid, number)
    child.join(60)
    said = config.with_suffix(".said").read_text()
    assert child.exitcode == 1 and "stopping after this step, with a checkpoint" in said
    step = json.loads((seal.newest(config.parent / "run" / "ckpt", pytest.fail) / "state.json").read_text())["step"]
    assert 5 <= step < 40
    assert finish(config) == 0
    assert f"going on from {config.parent}/run/ckpt/step_{step:06d}" in config.with_suffix(".said").read_text()
    assert sealed(config) == unbroken  # how often it saves is no part of what it learns


def test_a_corrupt_checkpoint_is_passed_over_and_the_run_ends_in_the_same_bytes(packed, unbroken, tmp_path):
    config = config_of(tmp_path / "a", packed, steps=10, decay_samples=160)
    assert finish(config) == 0
    broken = config.parent / "run/ckpt/step_000010/optimizer.safetensors"
    broken.write_bytes(broken.read_bytes()[:-100])
    settings = builder.config(config.parent / "run", packed, steps=40, sample_every=10, skips=EAGER)
    builder.write_config(config, settings)
    assert finish(config) == 0
    assert "step_000010 is not whole" in config.with_suffix(".said").read_text()
    assert "going on from" in config.with_suffix(".said").read_text()
    assert (config.parent / "run/ckpt/damaged-step_000010").is_dir()
    assert sealed(config) == unbroken


def test_a_run_without_a_whole_checkpoint_is_refused_and_keeps_its_logs(packed, tmp_path):
    config = config_of(tmp_path / "a", packed, steps=4, decay_samples=160)
    assert finish(config) == 0
    for state in config.parent.glob("run/ckpt/*/state.json"):
        state.write_text("rubbish")
    before = {name: (config.parent / "run" / name).read_bytes() for name in LOGS}
    assert finish(config) == 1
    assert "is whole, so there is nothing to go on from" in config.with_suffix(".said").read_text()
    assert {name: (config.parent / "run" / name).read_bytes() for name in LOGS} == before


def test_a_finished_run_whose_last_weights_are_damaged_trains_its_last_steps_again(packed, unbroken, tmp_path):
    config = config_of(tmp_path / "a", packed)
    assert finish(config) == 0
    model = config.parent / "run/ckpt/step_000040/model.safetensors"
    model.write_bytes(model.read_bytes()[:-1] + bytes([model.read_bytes()[-1] ^ 1]))  # the size stays
    assert finish(config) == 0
    assert "going on from" in config.with_suffix(".said").read_text()
    assert sealed(config) == unbroken


def test_a_full_disk_leaves_the_former_checkpoint_and_the_run_goes_on(packed, unbroken, tmp_path):
    config = config_of(tmp_path / "a", packed, steps=10, decay_samples=160)
    assert finish(config) == 0
    model = config.parent / "run/ckpt/step_000010/model.safetensors"
    builder.write_config(config, builder.config(config.parent / "run", packed, steps=40, sample_every=10, skips=EAGER))
    child = start(config, file_limit=model.stat().st_size - 1)
    child.join(60)
    said = config.with_suffix(".said").read_text()
    assert child.exitcode == 1 and "step_000012 could not be written" in said and "make room" in said
    assert seal.newest(config.parent / "run/ckpt", pytest.fail).name == "step_000010"
    assert finish(config) == 0
    for name in ("ckpt", "metrics.jsonl"):  # validation.jsonl tells of the first end, too
        assert sealed(config)[name] == unbroken[name]


def test_a_second_run_in_the_same_folder_is_refused_while_the_first_goes_on(packed, tmp_path):
    config = config_of(tmp_path / "a", packed, steps=4000)
    first = start(config)
    while lines(config.parent / "run" / "metrics.jsonl") < 2:
        time.sleep(0.005)
    second = start(config)
    second.join(60)
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    assert second.exitcode == 1
    assert f"belongs to a run that is going on (process {first.pid})" in config.with_suffix(".said").read_text()
