"""What the cells of train_560m share: two shapes, synthetic rows, a clock on the device, and the rows they write.

    Rows(path).add("step, ...", 118_000.0, "tokens/s", mfu=0.47)  ->  one JSON object a line, there when it is said

Rows are flushed one by one, so a cell that dies later has still told what it knew. Imports torch and those parts of
`pretrain` that import torch only: a machine without Lightning, pyarrow or pydantic measures all but the Trainer.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pretrain.model import ModelConfig

Json = dict[str, Any]
Mark = Callable[[str], None]  # says that a phase of the step is over
GIB = 1 << 30


@dataclass(frozen=True)
class Shape:
    """A BLOOM and the rows it reads."""

    vocab: int
    hidden: int
    layers: int
    heads: int
    seq: int

    @property
    def config(self) -> ModelConfig:
        return ModelConfig(self.vocab, self.hidden, self.layers, self.heads)


FULL = Shape(250_880, 1024, 24, 16, 2048)  # bloom-560m
SMALL = Shape(512, 64, 2, 4, 64)  # so that every cell runs anywhere, in seconds


class Rows:
    """What a cell found, appended to a file and kept in `.found`."""

    def __init__(self, path: Path | None = None, **about: Any) -> None:
        self.path = path
        self.about = about  # stands in every row
        self.found: list[Json] = []

    def add(
        self, work: str, value: float | None, unit: str, who: str = "seedbed", higher: bool = True, **about: Any
    ) -> None:
        """A row; value None with `failed` says why there is no number."""
        row = {"work": work, "who": who, "value": value, "unit": unit, "higher_is_better": higher}
        self.found.append(row | {"about": self.about | about})
        if self.path:
            with self.path.open("a") as file:
                file.write(json.dumps(self.found[-1]) + "\n")


def device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def sync() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def bf16(where: torch.device) -> AbstractContextManager[None]:
    """Matrix products in bf16, as run.precision bf16-mixed has them."""
    return torch.autocast(where.type, torch.bfloat16)


def batch(shape: Shape, rows: int, where: torch.device, seed: int = 0) -> tuple[Tensor, Tensor]:
    """ids and targets, each (rows, seq) int64: few tokens often and many rarely, as in text, so that the embedding's
    gradient meets as many repetitions."""
    random = torch.Generator(where).manual_seed(seed)
    uniform = torch.rand(rows, shape.seq + 1, generator=random, device=where, dtype=torch.float64)
    tokens = (shape.vocab**uniform).long().clamp(max=shape.vocab) - 1  # P(token) ~ 1 / (token + 1)
    return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


class Marks:
    """Moments on the device's own clock, so that nothing waits in between."""

    def __init__(self) -> None:
        self._moments: list[tuple[str, Any]] = []
        self("")

    def __call__(self, name: str) -> None:
        moment: Any = time.perf_counter()
        if torch.cuda.is_available():
            moment = torch.cuda.Event(enable_timing=True)
            moment.record()
        self._moments.append((name, moment))

    def milliseconds(self) -> dict[str, float]:
        """Of each phase, summed where it came more than once. Only after `sync`."""
        spent: dict[str, float] = {}
        for (_, a), (name, b) in zip(self._moments, self._moments[1:], strict=False):
            took = a.elapsed_time(b) if torch.cuda.is_available() else 1e3 * (b - a)
            spent[name] = spent.get(name, 0.0) + took
        return spent


@dataclass(frozen=True)
class Timing:
    """Medians over the rounds, in milliseconds by the device's clock."""

    first_seconds: float  # of the first call by the wall: compilation, handles, allocation
    milliseconds: float
    phases: dict[str, float]
    wall: float  # of a round by the wall, all of them end to end: more than `milliseconds` if the host is late
    rounds: int
    peak: int  # bytes allocated at most, 0 on a CPU


def measure(call: Callable[[Mark], Any], seconds: float = 2.5, warmup: int = 2) -> Timing:
    """Call it once (compilation), `warmup` times more, then for about so many seconds, 5 to 30 times."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    took = [_wall(call) for _ in range(1 + warmup)]
    small = not torch.cuda.is_available()
    rounds = 2 if small else max(5, min(30, int(seconds / max(took[-1], 1e-4))))
    marks = []
    begin = time.perf_counter()
    for _ in range(rounds):
        marks.append(Marks())
        call(marks[-1])
        marks[-1]("end")
    sync()
    wall = 1e3 * (time.perf_counter() - begin) / rounds
    phases = [mark.milliseconds() for mark in marks]
    middle = {name: statistics.median(p[name] for p in phases) for name in phases[0]}
    peak = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    return Timing(took[0], statistics.median(sum(p.values()) for p in phases), middle, wall, rounds, peak)


def _wall(call: Callable[[Mark], Any]) -> float:
    sync()
    begin = time.perf_counter()
    call(lambda _: None)
    sync()
    return time.perf_counter() - begin


def forget() -> None:
    """Give the memory of what nobody holds back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def said(error: BaseException) -> str:
    """The first line of what an error says, with its name."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:300]
