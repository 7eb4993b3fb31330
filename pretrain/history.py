"""What the logs of a run tell, as series over the tokens consumed: what `pretrain plot` draws.

    runs/demo/bloom-tiny  ->  History(name, settings, loss, learning rate, scores by language, speed, samples, ...)

Reads a run that is going on as well as one that is done. Never writes, never draws.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pretrain.chart import Point
from pretrain.errors import InputError
from pretrain.rundir import RunDir, flat

Lines = list[dict[str, Any]]
TOTAL = "all"  # the score of all languages together


_LOGS: dict[str, dict[str, type]] = {  # in the order of History's fields
    "metrics.jsonl": {"tokens": int},
    "validation.jsonl": {"scores": list},
    "watch.jsonl": {"tokens": int, "grad_norm": dict, "tokens_by_language": dict},
    "speed.jsonl": {},
    "samples.jsonl": {"prompt": str, "text": str},
    "skips.jsonl": {},
}


@dataclass(frozen=True)
class History:
    """A run's logs. x is always tokens consumed."""

    name: str
    settings: dict[str, Any]  # of run.json, flat: "train.lr": 0.004
    metrics: Lines
    validation: Lines
    watch: Lines
    speed: Lines
    samples: Lines
    skips: Lines

    def metric(self, name: str) -> list[Point]:
        """Of every step: loss, lr, grad_norm, batch."""
        return [(line["tokens"], line[name]) for line in self.metrics if line.get(name) is not None]

    def score(self, language: str, name: str) -> list[Point]:
        """loss or bits_per_byte of a language at every look at the holdout."""
        found = []
        for line in self.validation:
            here = next((score for score in line["scores"] if score["language"] == language), None)
            if here is not None and here[name] is not None and math.isfinite(here[name]):
                found.append((self.tokens_at(line["step"]), here[name]))
        return found

    def pace(self, name: str) -> list[Point]:
        """tokens_per_second, mfu, memory or device_memory."""
        return [(self.tokens_at(line["step"]), line[name]) for line in self.speed if line.get(name) is not None]

    def layer(self, name: str) -> list[Point]:
        """The gradient's norm of a layer."""
        return [(line["tokens"], line["grad_norm"][name]) for line in self.watch if name in line["grad_norm"]]

    def tokens_of(self, language: str) -> list[Point]:
        """Tokens consumed of a language."""
        return [(line["tokens"], line["tokens_by_language"].get(language, 0)) for line in self.watch]

    @property
    def layers(self) -> list[str]:
        return list(self.watch[-1]["grad_norm"]) if self.watch else []

    @property
    def consumed(self) -> dict[str, int]:
        """Tokens of each language at the last look, the most first."""
        last = self.watch[-1]["tokens_by_language"] if self.watch else {}
        return dict(sorted(last.items(), key=lambda item: -item[1]))

    @property
    def languages(self) -> list[str]:
        """That are scored, the total left out."""
        last = self.validation[-1]["scores"] if self.validation else []
        return [score["language"] for score in last if score["language"] != TOTAL]

    @property
    def steps(self) -> int:
        return self.metrics[-1]["step"] if self.metrics else 0

    @property
    def tokens(self) -> int:
        return self.metrics[-1]["tokens"] if self.metrics else 0

    @property
    def loss(self) -> float | None:
        """Training loss, mean over the last twentieth of the steps."""
        found = [y for _, y in self.metric("loss")]
        last = found[-max(1, len(found) // 20) :]
        return sum(last) / len(last) if last else None

    def last(self, points: Sequence[Point]) -> float | None:
        return points[-1][1] if points else None

    def middle(self, name: str) -> float | None:
        """The median of tokens_per_second or mfu; the first, which warms up, left out where there are more."""
        found = [y for _, y in self.pace(name)]
        return median(found[1:] or found) if found else None

    def tokens_at(self, step: int) -> float:
        """Tokens consumed after a step; those of the last logged one if it is not there yet."""
        at = bisect_right(self.metrics, step, key=lambda line: line["step"]) - 1
        return float(self.metrics[at]["tokens"]) if at >= 0 else 0.0


def read(paths: Sequence[Path]) -> list[History]:
    """Raises InputError for a folder that is no run's, or whose logs hold what no run writes."""
    short = _short_names(paths)
    return [_read(path, name) for path, name in zip(paths, short, strict=True)]


def _read(path: Path, name: str) -> History:
    run = RunDir(path)
    settings = dict(flat(run.about().get("config", {})))
    return History(name, settings, *(_log(run, file, keys) for file, keys in _LOGS.items()))


def _log(run: RunDir, name: str, keys: dict[str, type]) -> Lines:
    """The lines of a log, with what they must have, so that whoever draws need not doubt them. Raises InputError."""
    lines = run.lines(name)
    for number, line in enumerate(lines, 1):
        wrong = [key for key, kind in ({"step": int} | keys).items() if not isinstance(line.get(key), kind)]
        if wrong:
            raise InputError(
                f"{run.path / name}, line {number}: {', '.join(wrong)} is not what a run writes there",
                hint="give the folder of a run as it was written",
            )
    return lines


def _short_names(paths: Sequence[Path]) -> list[str]:
    """The last parts of the paths: as many as tell them apart."""
    whole = [path.resolve().parts for path in paths]
    for count in range(1, max(map(len, whole), default=1) + 1):
        names = ["/".join(parts[-count:]) for parts in whole]
        if len(set(names)) == len(set(whole)):
            return names
    return ["/".join(parts) for parts in whole]


def apart(runs: Sequence[History]) -> list[tuple[str, list[Any]]]:
    """(setting, its value in each run) of those that differ; the folder always does and is left out."""
    keys = dict.fromkeys(key for run in runs for key in run.settings if key != "run.dir")
    rows = [(key, [run.settings.get(key) for run in runs]) for key in keys]
    return [(key, values) for key, values in rows if any(value != values[0] for value in values)]
