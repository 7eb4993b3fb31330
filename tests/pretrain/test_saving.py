"""When a run is saved: beside the training or not, on signals, and what stays of it."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import lightning.pytorch as pl
import pytest

from pretrain import checkpoint, looks, seal
from pretrain.aside import Aside
from pretrain.config import Config
from pretrain.errors import ConfigError, RunError
from pretrain.fit import fit
from tests.pretrain import seam as builder


def run(folder, packed, hooks=(), told=None, run_settings=None, **train):
    settings = builder.config(folder, packed, **train)
    settings["run"] |= run_settings or {}
    return fit(Config.model_validate(settings), (told if told is not None else []).append, extra_callbacks=hooks)


def manifests(folder):
    return {path.parent.name: path.read_bytes() for path in sorted(folder.glob("ckpt/step_*/manifest.json"))}


ASIDE = {"async_save": True}


class SlowDisk(pl.Callback):
    """Holds the writing of a checkpoint back until the run is at step `until`; then lets all of them through."""

    def __init__(self, monkeypatch, until):
        self.until, self.gate, self.under_way, self.most = until, threading.Event(), 0, 0
        self.there = []
        real = checkpoint.save_file

        def slow(*arguments):
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            assert self.gate.wait(20)
            real(*arguments)
            self.under_way -= 1

        monkeypatch.setattr(checkpoint, "save_file", slow)

    def on_train_batch_end(self, trainer, module, *_):
        if module.step == self.until:
            self.there = sorted(p.name for p in (Path(trainer.default_root_dir) / "ckpt").iterdir())
            self.gate.set()


def test_a_checkpoint_written_beside_the_training_has_the_bytes_of_its_own_step(packed, tmp_path, monkeypatch):
    train = {"checkpoint_every": 4, "keep_last": 3, "skips": {"window": 4, "sigma": 0.25}}  # skips steps 5 and 7
    run(tmp_path / "a", packed, **train)
    disk = SlowDisk(monkeypatch, until=7)
    run(tmp_path / "b", packed, [disk], run_settings=ASIDE, **train)
    assert disk.there == [".aside-step_000004"]  # three steps on, it is neither done nor half done under its name
    assert disk.most == 1
    assert manifests(tmp_path / "b") == manifests(tmp_path / "a")
    assert list(manifests(tmp_path / "a")) == ["step_000004", "step_000008", "step_000012"]


def test_a_full_disk_beside_the_training_is_told_at_the_next_step_and_what_stood_stands(packed, tmp_path, monkeypatch):
    real, failed = checkpoint.save_file, threading.Event()

    def full(tensors, path, about):
        if "step_000008" not in str(path):
            return real(tensors, path, about)
        failed.set()
        raise OSError(28, "No space left on device")

    class Wait(pl.Callback):
        def on_train_batch_end(self, trainer, module, *_):
            if module.step == 9:
                assert failed.wait(20)
                time.sleep(0.3)  # until the half folder is gone and the error stands

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(RunError, match=r"step_000008 could not be written.*No space left") as told:
        run(tmp_path, packed, [Wait()], run_settings=ASIDE, steps=400, decay_samples=48, checkpoint_every=4)
    assert "make room" in str(told.value)
    assert seal.newest(tmp_path / "ckpt", pytest.fail).name == "step_000004"
    assert [p.name for p in (tmp_path / "ckpt").iterdir()] == ["step_000004"]
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["step"] in (9, 10)  # 12 saves again
    monkeypatch.undo()
    assert run(tmp_path, packed, run_settings=ASIDE, steps=12, decay_samples=48).done


def test_the_error_of_the_last_checkpoint_ends_the_run_too(packed, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(RunError, match="step_000012 could not be written"):
        run(tmp_path, packed, run_settings=ASIDE, checkpoint_every=100)


def test_work_beside_is_one_at_a_time_and_its_error_comes_out_once():
    aside, order = Aside(), []
    aside.begin(order.append, 1)
    aside.begin(order.append, 2)
    aside.wait()
    assert order == [1, 2]

    def fail():
        raise RunError("the disk is full")

    aside.begin(fail)
    with pytest.raises(RunError):
        aside.begin(order.append, 3)
    aside.check()
    aside.wait()
    told = []
    aside.begin(fail)
    aside.finish(told.append)
    assert told == ["the disk is full"] and order == [1, 2]


def test_a_process_that_cannot_wait_does_not_wait_for_the_work_beside_it():
    code = "import time; from pretrain.aside import Aside; Aside().begin(time.sleep, 60)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_an_old_checkpoint_that_cannot_be_removed_is_told_and_no_reason_to_stop(packed, tmp_path, monkeypatch):
    def busy(*_):
        raise OSError(39, "Directory not empty")

    monkeypatch.setattr(seal, "prune", busy)
    told = []
    assert run(tmp_path, packed, told=told).done
    assert any("an old checkpoint could not be removed" in line for line in told)


def test_a_look_that_fails_at_the_end_is_told_with_what_looks_again(packed, tmp_path, monkeypatch):
    def fails(*_, **__):
        raise RunError("no memory")

    monkeypatch.setattr(looks, "evaluate", fails)
    told = []
    with pytest.raises(RunError, match="no memory"):
        run(tmp_path / "r", packed, told=told, validate_every=None)
    assert any(f"`pretrain eval {tmp_path}/r` looks again" in line for line in told)
    assert seal.newest(tmp_path / "r/ckpt", pytest.fail).name == "step_000012"


def test_a_second_ctrl_c_saves_nothing_and_gives_the_terminal_back(packed, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(looks, "evaluate", interrupted)
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    told = []
    with pytest.raises(SystemExit):
        run(tmp_path / "r", packed, told=told, validate_every=4)
    assert seal.names(tmp_path / "r/ckpt") == ["step_000002"]  # step 4 was due, and is not there
    assert any(line.startswith("stopped at once") for line in told)
    shown = sys.stderr.getvalue()
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") > 0  # the cursor: hidden, shown


def test_a_tokenizer_is_copied_whole_or_the_old_one_stays(packed, tmp_path, monkeypatch):
    run(tmp_path / "r", packed, steps=2, decay_samples=48)
    before = (tmp_path / "r/tokenizer.json").read_bytes()

    def full(source, target):
        Path(target).write_bytes(b"{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(RunError, match="cannot be written"):
        run(tmp_path / "r", packed, steps=4, decay_samples=48)
    assert (tmp_path / "r/tokenizer.json").read_bytes() == before


def test_checkpoints_of_each_so_many_steps_are_kept_for_good(packed, tmp_path):
    run(tmp_path, packed, steps=12, checkpoint_every=1, keep_last=2, keep_every=4)
    assert seal.names(tmp_path / "ckpt") == ["step_000004", "step_000008", "step_000011", "step_000012"]


def test_keeping_what_is_never_saved_is_refused():
    with pytest.raises(ValueError, match="keep_every 250 is no multiple of checkpoint_every 100"):
        Config.model_validate(builder.config("r", "p", checkpoint_every=100, keep_every=250))


class Signal(pl.Callback):
    def __init__(self, number, at):
        self.number, self.at = number, at

    def on_train_batch_start(self, trainer, module, *_):
        if module.step == self.at:
            os.kill(os.getpid(), self.number)


SLURM = {"JOB_ID": "7", "JOB_NAME": "bloom", "NTASKS": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2], ids=lambda n: n.name)
def test_a_cluster_s_signal_saves_at_the_step_s_end_and_stops(packed, tmp_path, monkeypatch, number):
    for key, value in SLURM.items():  # Lightning then puts handlers of its own in place, which save and requeue
        monkeypatch.setenv(f"SLURM_{key}", value)
    before, told = signal.getsignal(number), []
    outcome = run(tmp_path, packed, [Signal(number, 5)], told, checkpoint_every=100)
    assert (outcome.step, outcome.done) == (6, False)
    assert seal.newest(tmp_path / "ckpt", pytest.fail) == outcome.checkpoint == tmp_path / "ckpt/step_000006"
    assert f"{number.name}: stopping after this step, with a checkpoint" in told
    assert not list(tmp_path.rglob("*.ckpt")) and signal.getsignal(number) == before
    for key in SLURM:
        monkeypatch.delenv(f"SLURM_{key}")
    assert run(tmp_path, packed, checkpoint_every=100).done


def test_a_damaged_checkpoint_among_the_kept_is_no_reason_to_lose_the_others(packed, tmp_path):
    run(tmp_path, packed, steps=9, decay_samples=48, checkpoint_every=3, keep_every=3)
    (tmp_path / "ckpt/step_000009/model.safetensors").write_bytes(b"")
    told = []
    run(tmp_path, packed, (), told, steps=12, decay_samples=48, checkpoint_every=3, keep_every=3)
    assert any("step_000009 is not whole" in line for line in told)
    assert seal.names(tmp_path / "ckpt") == [f"step_{n:06d}" for n in (3, 6, 9, 12)]


def test_what_cannot_be_is_told_as_a_mistake_of_the_config(packed, tmp_path):
    run(tmp_path, packed, steps=2, decay_samples=48)
    with pytest.raises(ConfigError, match=r"train\.skips\.sigma: 6\.0 in the checkpoint, 3\.0 now"):
        run(tmp_path, packed, decay_samples=48, skips={"sigma": 3.0})
    assert run(tmp_path, packed, decay_samples=48, skips={"most": 99}, keep_every=4).done  # free to change
