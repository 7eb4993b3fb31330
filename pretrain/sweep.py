"""Many small runs of one config: each learning rate, shape and length, each in a folder of its own.

    Config, rates, shapes, steps  ->  [Trial(name, Config), ...]  ->  [Result(trial, loss, ...), ...]  ->  the best rate

A trial is a config that `pretrain fit` trains, goes on with and finds finished like any other: that is how a sweep
resumes. What fails is told, and the others go on. Reads the logs of the runs, never their weights. Imports no torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from pretrain.config import Config
from pretrain.errors import ConfigError
from pretrain.history import TOTAL, History


class Shape(NamedTuple):
    """Of a model: 3x128x8."""

    layers: int
    width: int
    heads: int

    def __str__(self) -> str:
        return f"{self.layers}x{self.width}x{self.heads}"


@dataclass(frozen=True)
class Trial:
    """One run of a sweep."""

    name: str
    shape: Shape
    steps: int
    config: Config


@dataclass(frozen=True)
class Result:
    """What came out of it; without a loss, why."""

    trial: Trial
    tokens: int
    loss: float | None  # on the holdout, or of training where there is none; nats a token
    bits_per_byte: float | None
    failed: str = ""

    @property
    def rate(self) -> float:
        return self.trial.config.train.lr


@dataclass(frozen=True)
class Best:
    """The best learning rate that a sweep can tell of."""

    rate: float  # the lowest point of the parabola; of those tried, where there is none
    tried: float  # the best of those tried
    loss: float  # of that one
    why: str  # how it was found, or why no more can be told


def parse_shape(text: str) -> Shape:
    """`3x128x8`: layers, width, heads. Raises ConfigError."""
    if not (found := re.fullmatch(r"(\d+)x(\d+)x(\d+)", text.strip())):
        raise ConfigError(f"sweep: {text!r} is no shape", hint="write layers x width x heads, as 3x128x8")
    return Shape(*map(int, found.groups()))


def trials(
    config: Config, rates: Sequence[float], shapes: Sequence[Shape], steps: Sequence[int], folder: Path
) -> list[Trial]:
    """Every combination, in the order given; what is not given stays as the config has it.

    `min_lr` keeps its share of `lr`. With other `steps` the decay ends where training does. Raises ConfigError.
    """
    own = Shape(config.model.num_layers, config.model.hidden_size, config.model.num_heads)
    found = {}
    lengths: Sequence[int | None] = steps or [None]
    for shape, length, rate in product(shapes or [own], lengths, rates or [config.train.lr]):
        name = "_".join([*([str(shape)] * bool(shapes)), *([f"steps_{length}"] * bool(steps)), f"lr_{rate}"])
        found[name] = _trial(config, name, shape, length, rate, folder / name)
    return list(found.values())


def _trial(config: Config, name: str, shape: Shape, length: int | None, rate: float, folder: Path) -> Trial:
    plain = config.model_dump(mode="json", exclude_unset=True)
    plain["run"]["dir"] = str(folder)
    plain["model"] |= {"num_layers": shape.layers, "hidden_size": shape.width, "num_heads": shape.heads}
    plain["train"] |= {"lr": rate, "sample_prompts": []}
    if "min_lr" in plain["train"]:
        plain["train"]["min_lr"] *= rate / config.train.lr
    if length is not None:
        for key in ("samples", "decay_samples", "cooldown_samples"):
            plain["train"].pop(key, None)
        plain["train"]["steps"] = length
    try:
        made = Config.model_validate(plain)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"sweep: {name} cannot be: {told}", hint="leave it out, or change the config") from None
    return Trial(name, shape, made.train.total_steps, made)


def result(trial: Trial, run: History | None, holdout: bool, failed: str = "") -> Result:
    """From the logs of a run. `holdout`: the corpus has rows to validate on."""
    if run is None:
        return Result(trial, 0, None, None, failed or "not begun")
    loss = run.last(run.score(TOTAL, "loss")) if holdout else run.loss
    if not failed and run.steps < trial.steps:
        failed = f"stopped at step {run.steps} of {trial.steps}"
    if not failed and (loss is None or not math.isfinite(loss)):
        failed = "has no loss"
    bits = run.last(run.score(TOTAL, "bits_per_byte"))
    return Result(trial, run.tokens, None if failed else loss, None if failed else bits, failed)


def best_rate(points: Iterable[tuple[float, float]]) -> Best | None:
    """(rate, loss), ...: the lowest point of the parabola over ln(rate) through the three lowest losses.

    Worked: losses 3, 2, 3 at 1e-3, 1e-2, 1e-1 have it at 1e-2; 4, 2, 3 at e^-1, 1, e at e^(1/6), for the parabola
    2 - x/2 + 3/2 x^2 is lowest at x = 1/6. None without any point.
    """
    ordered = sorted(points, key=lambda point: point[1])
    if not ordered:
        return None
    (tried, loss), rates = ordered[0], [rate for rate, _ in ordered]
    if len(ordered) < 3:
        return Best(tried, tried, loss, f"the lowest of {len(ordered)}: a parabola wants three rates")
    if tried in (min(rates), max(rates)):
        end, other = ("lowest", "lower") if tried == min(rates) else ("highest", "higher")
        return Best(tried, tried, loss, f"the {end} of those tried: try {other} ones")
    x, y = np.log([rate for rate, _ in ordered[:3]]), np.array([value for _, value in ordered[:3]])
    a, b, _ = np.polyfit(x - x[0], y, 2)
    lowest = math.exp(x[0] - b / (2 * a)) if a > 0 else math.nan
    if not min(rates[:3]) <= lowest <= max(rates[:3]):
        return Best(tried, tried, loss, "the lowest of those tried: the three best lie on no valley")
    return Best(lowest, tried, loss, "by the parabola through the three lowest")


def run_all(
    chosen: Sequence[Trial],
    train: Callable[[Trial], str],
    look: Callable[[Trial, str], Result],
    say: Callable[[str], None],
) -> list[Result]:
    """Train one after the other. `train` tells why a run failed, or nothing; what it raises ends the sweep."""
    results = []
    for i, trial in enumerate(chosen, 1):
        say(f"{trial.name} ({i} of {len(chosen)})")
        results.append(look(trial, train(trial)))
        if results[-1].failed:
            say(f"{trial.name} {results[-1].failed}; the others go on")
    return results


def groups(results: Sequence[Result]) -> dict[tuple[Shape, int], list[Result]]:
    """By shape and steps, those with a loss only: what differs within one is the rate."""
    found: dict[tuple[Shape, int], list[Result]] = {}
    for it in results:
        if it.loss is not None:
            found.setdefault((it.trial.shape, it.trial.steps), []).append(it)
    return found


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    return [
        {
            "name": it.trial.name,
            "shape": str(it.trial.shape),
            "steps": it.trial.steps,
            "lr": it.rate,
            "tokens": it.tokens,
            "loss": it.loss,
            "bits_per_byte": it.bits_per_byte,
            "failed": it.failed,
        }
        for it in results
    ]
