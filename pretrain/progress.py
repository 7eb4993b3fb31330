"""How fast it goes and how long it takes: a bar where there is a terminal, lines where there is none.

    StepResult  ->  "step 40/400  loss 5.123  lr 4.00e-03  2,100 tokens/s  0:12:30 left", and a line in speed.jsonl

All that the clock says is here, and goes to a file of its own. Only rank 0 speaks.
"""

from __future__ import annotations

import sys
import time

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pretrain.hooks import Run, StepCallback
from pretrain.module import Pretraining, StepResult


class Speed:
    """Tokens a second since the last look, and seconds left at the pace of the whole run so far."""

    def __init__(self, total_samples: int) -> None:
        self._total = total_samples
        self._first: tuple[float, int] | None = None
        self._last = time.perf_counter()
        self._tokens = 0

    def add(self, result: StepResult) -> None:
        self._tokens += result.tokens
        if self._first is None:  # the first step warms up: leave it out
            self._first = (time.perf_counter(), result.samples)

    def look(self, result: StepResult) -> tuple[float, float]:
        now = time.perf_counter()
        rate = self._tokens / max(1e-9, now - self._last)
        self._last, self._tokens = now, 0
        begin, samples = self._first or (now, result.samples)
        done = result.samples - samples
        left = (now - begin) / done * (self._total - result.samples) if done else float("nan")
        return rate, left


class Tell(StepCallback):
    """A bar where there is a terminal, a line every `log_every` steps where there is none."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._speed = Speed(run.config.train.total_samples)
        self._bar: Progress | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Pretraining)
        self._speed = Speed(self.run.config.train.total_samples)
        if trainer.is_global_zero and sys.stderr.isatty():
            self._bar = _bar()
            self._bar.add_task("training", total=self.run.total_steps, completed=module.step, loss="", speed="")
            self._bar.start()

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        self._speed.add(result)
        every = self.run.config.run.log_every
        if not trainer.is_global_zero:
            return
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=result.step, loss=f"loss {result.loss:.3f}")
        if self.due(result.step, every) or result.stop:
            self._look(result)

    def _look(self, result: StepResult) -> None:
        rate, left = self._speed.look(result)
        self.run.dir.log("speed.jsonl", {"step": result.step, "tokens_per_second": round(rate)})
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], speed=f"{rate:,.0f} tokens/s")
            return
        told = f"step {result.step}/{self.run.total_steps}  loss {result.loss:.3f}  lr {result.lr:.2e}"
        self.run.say(f"{told}  {rate:,.0f} tokens/s  {_clock(left)} left")

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _clock(seconds: float) -> str:
    if seconds != seconds:
        return "?"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
