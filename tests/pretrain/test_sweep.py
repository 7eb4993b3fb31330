"""A sweep: which runs it makes, what it tells of them, and that it goes on where it stopped."""

import json
import math
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pretrain import child
from pretrain.child import Ended
from pretrain.config import Config, load_config
from pretrain.errors import ConfigError, SeedbedError
from pretrain.sweep import Shape, best_rate, parse_shape, trials
from tests.pretrain import seam as builder


def config(tmp_path, packed="p", **train):
    return Config.model_validate(builder.config(tmp_path / "base", packed, **train))


def test_every_combination_is_a_run_with_a_folder_of_its_own(tmp_path):
    made = trials(config(tmp_path), [1e-3, 2e-3], [Shape(1, 16, 2), Shape(2, 32, 4)], [5, 10], tmp_path)
    assert len(made) == 8 == len({t.config.run.dir for t in made})
    last = made[-1]
    assert last.name == "2x32x4_steps_10_lr_0.002" and last.config.run.dir == tmp_path / last.name
    assert (last.config.model.hidden_size, last.config.train.lr, last.steps) == (32, 2e-3, 10)
    assert last.config.train.total_steps == 10 and last.config.train.learning_rate().decay_samples == 40


def test_what_is_not_given_stays_as_the_config_has_it(tmp_path):
    base = config(tmp_path, min_lr=1e-3, samples=30, steps=None, decay_samples=20)
    (trial,) = trials(base, [5e-3], [], [], tmp_path)
    assert trial.name == "lr_0.005" and trial.config.train.decay_samples == 20
    assert trial.config.train.min_lr == pytest.approx(5e-4)  # a tenth of the rate, as before
    unchanged = {"lr", "min_lr", "sample_prompts"}
    assert trial.config.train.model_dump(exclude=unchanged) == base.train.model_dump(exclude=unchanged)
    (trial,) = trials(base, [], [], [7], tmp_path)
    assert trial.config.train.samples is None and trial.config.train.decay_samples is None and trial.steps == 7


def test_a_trial_is_written_as_a_config_that_reads_as_it_was(tmp_path):
    base = config(tmp_path, batch_ramp={"start": 2, "increment": 1, "samples": 8}, schedule="wsd", cooldown_samples=8)
    for trial in trials(base, [1e-3], [Shape(1, 8, 1)], [], tmp_path):
        file = tmp_path / "t.yaml"
        file.write_text(yaml.safe_dump(trial.config.model_dump(mode="json", exclude_unset=True)))
        assert load_config(file) == trial.config


def test_a_run_that_cannot_be_is_told_by_its_name(tmp_path):
    with pytest.raises(ConfigError, match=r"steps_1_lr_0.01 cannot be: train: .*warmup_samples 4 is not before"):
        trials(config(tmp_path), [], [], [1], tmp_path)
    for text in ("3x128", "a", "3x128x8x1", "-1x2x3"):
        with pytest.raises(ConfigError, match="is no shape"):
            parse_shape(text)
    assert parse_shape(" 3x128x8 ") == Shape(3, 128, 8)


@pytest.mark.parametrize(
    ("points", "rate", "why"),
    [
        ([(1e-3, 3), (1e-2, 2), (1e-1, 3)], 1e-2, "parabola"),
        # through (-1, 4), (0, 2), (1, 3) in ln(rate): 2 - x/2 + 3/2 x^2, lowest at x = 1/6
        ([(math.exp(-1), 4), (1, 2), (math.exp(1), 3)], math.exp(1 / 6), "parabola"),
        ([(1e-3, 1), (1e-2, 2), (1e-1, 3)], 1e-3, "lowest of those tried: try lower"),
        ([(1e-3, 3), (1e-2, 2), (1e-1, 1)], 1e-1, "highest of those tried: try higher"),
        ([(1e-3, 3), (1e-2, 2)], 1e-2, "wants three"),
        ([(1, 5), (2, 1), (4, 4.9), (8, 1.1), (16, 1.2)], 2, "no valley"),
    ],
)
def test_the_best_rate_is_the_lowest_point_of_the_parabola_or_says_why_not(points, rate, why):
    for order in (points, points[::-1]):
        best = best_rate(order)
        assert best.rate == pytest.approx(rate) and why in best.why
        assert best.loss == min(loss for _, loss in points)


def test_without_any_loss_there_is_no_best_rate():
    assert best_rate([]) is None


@given(st.dictionaries(st.floats(1e-6, 1), st.floats(0, 12, allow_subnormal=False), min_size=1, max_size=8))
def test_the_best_rate_lies_within_those_tried(losses):
    best = best_rate(losses.items())
    assert min(losses) <= best.rate * (1 + 1e-9) and best.rate <= max(losses) * (1 + 1e-9)
    assert losses[best.tried] == min(losses.values())


@pytest.fixture
def trained(monkeypatch):
    """Runs are trained in this process; the list holds those that really were."""
    from pretrain.fit import fit

    names = []

    def train(file: Path, tell) -> Ended:
        names.append(file.stem)
        try:
            fit(load_config(file), tell)
        except SeedbedError as error:
            return Ended(error.exit_code, False, f"error: {error}")
        return Ended(0, False, "")

    monkeypatch.setattr("pretrain.child.fit", train)
    return names


def test_a_sweep_trains_all_tells_the_best_and_goes_on(packed, tmp_path, pretrain, trained):
    base = builder.write_config(tmp_path / "c.yaml", builder.config(tmp_path / "base", packed, steps=3))
    asked = ("sweep", base, "--lr", "1e-3,3e-2", "--shape", "1x16x2, 1x8x1")
    code, out, err = pretrain(*asked)
    folder = tmp_path / "base-sweep"
    names = ["1x16x2_lr_0.001", "1x16x2_lr_0.03", "1x8x1_lr_0.001", "1x8x1_lr_0.03"]
    assert code == 0 and trained == names and err.count(" of 4)") == 4
    rows = json.loads((folder / "sweep.json").read_text())
    assert [row["name"] for row in rows] == names and not any(row["failed"] for row in rows)
    scores = json.loads((folder / names[1] / "validation.jsonl").read_text().splitlines()[-1])["scores"]
    assert (rows[1]["loss"], rows[1]["bits_per_byte"]) == (scores[-1]["loss"], scores[-1]["bits_per_byte"])
    assert "1x16x2, 3 steps: best rate 0.03, the lowest of 2: a parabola wants three" in out
    page = (folder / "sweep.html").read_text()
    assert 'aria-label="loss by learning rate"' in page and "1x8x1, 3 steps" in page

    code, out, _ = pretrain(*asked[:4], "--shape", "1x16x2", "--json")  # what is finished is not trained again
    assert code == 0 and trained == names and [row["name"] for row in json.loads(out)] == names[:2]
    code, _, err = pretrain(*asked, "--law")
    assert code == 1 and "a law wants 4 runs" in err and trained == names


def test_a_run_that_fails_is_told_and_the_others_go_on(packed, tmp_path, pretrain, monkeypatch, trained):
    base = builder.write_config(
        tmp_path / "c.yaml", builder.config(tmp_path / "base", packed, steps=2, warmup_samples=0)
    )
    real = child.fit
    broken = lambda file, tell: Ended(1, False, "error: out of luck") if "0.02" in file.stem else real(file, tell)  # noqa: E731
    monkeypatch.setattr("pretrain.child.fit", broken)
    code, out, err = pretrain("sweep", base, "--lr", "0.01,0.02")
    assert code == 0 and "lr_0.02 failed: out of luck; the others go on" in err and "out of luck" in out
    assert pretrain("sweep", base, "--lr", "0.02")[0] == 1  # none is left
    stopped = lambda file, tell: Ended(1, True, "")  # noqa: E731
    monkeypatch.setattr("pretrain.child.fit", stopped)
    code, _, err = pretrain("sweep", base, "--lr", "0.03")
    assert code == 1 and "run the same command again to go on" in err


@pytest.mark.parametrize(("option", "text"), [("--lr", "1e-3,x"), ("--lr", "0"), ("--steps", "1.5"), ("--lr", "inf")])
def test_what_is_no_number_is_refused(packed, tmp_path, pretrain, option, text):
    base = builder.write_config(tmp_path / "c.yaml", builder.config(tmp_path / "base", packed))
    code, _, err = pretrain("sweep", base, option, text)
    assert code == 2 and "is no positive number" in err and not (tmp_path / "base-sweep").exists()


def test_the_law_is_told_with_what_it_says_of_the_config(packed, tmp_path):
    from pretrain.sweep import Result
    from pretrain.sweep_report import law_lines

    base = config(tmp_path, packed, steps=400)
    made = trials(base, [1e-3], [Shape(1, width, 1) for width in (8, 16, 32, 64)], [20], tmp_path)
    losses = [2 + 3 * (320 * w + 12 * w * w + 13 * w + 4 * w) ** -0.2 for w in (8, 16, 32, 64)]
    law, told = law_lines([Result(t, 1000, loss, None) for t, loss in zip(made, losses, strict=True)], base)
    assert law.startswith("L = 2.000 + 3 / N^0.200   (N parameters, D tokens; off by 0.00% through 4 runs)")
    assert told.startswith("1x16x2, 400 steps, as in the config: ")


def test_a_child_that_is_asked_to_stop_ends_in_its_own_way(tmp_path, monkeypatch):
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', file=sys.stderr), sys.exit(1)))\n"
        "print('step 1', file=sys.stderr, flush=True)\n"
        "time.sleep(60)\n"
    )
    monkeypatch.setattr(child, "command", lambda config: [sys.executable, "-c", script])
    told = []

    def tell(line):
        told.append(line)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()

    before, began = signal.getsignal(signal.SIGTERM), time.monotonic()
    ended = child.fit(tmp_path, lambda line: tell(line) if line == "step 1" else told.append(line))
    assert (ended.code, ended.stopped, told) == (1, True, ["step 1", "saved"]) and time.monotonic() - began < 50
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_child_that_fails_is_told_with_its_last_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(child, "command", lambda config: [sys.executable, "-c", "raise SystemExit('no luck')"])
    assert child.fit(tmp_path, lambda line: None) == Ended(1, False, "no luck")
    whys = [Ended(1, False, said).why for said in ("", "a\nb", "step 1\nerror: no room\n  hint: make some")]
    assert whys == ["exit code 1", "b", "no room"]
    monkeypatch.undo()
    assert child.command(Path("c.yaml"))[1:] == ["-m", "pretrain.cli", "fit", "c.yaml"]
