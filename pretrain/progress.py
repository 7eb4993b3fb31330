"""How fast it goes and how long it takes: a bar where there is a terminal, lines where there is none.

    StepResult  ->  "step 40/400  loss 5.123  lr 4.00e-03  52,100 tokens/s  MFU 41.3%  2 skipped  12:30 left",
                    and a line in speed.jsonl

All that the clock and the memory say is here, and goes to a file of its own. Only rank 0 speaks. Seconds are those of
the clock: looks at the model and checkpoints are in them.
"""

from __future__ import annotations

import math
import sys
import time
from dataclasses import asdict, dataclass

import lightning.pytorch as pl
import psutil
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pretrain.hardware import peak_of
from pretrain.hooks import Run, StepCallback
from pretrain.module import Pretraining, StepResult
from pretrain.plan import flops_per_token


@dataclass(frozen=True)
class Pace:
    """What the clock says since the last look, and the memory now."""

    seconds: float
    tokens_per_second: float  # targets, of all devices
    mfu: float | None  # share of the devices' peak in bf16; None where that is not known, as of a CPU
    left: float  # seconds, at the pace of the whole run so far; NaN after the first step
    memory: int  # bytes of this process on the host
    device_memory: int | None  # the most that tensors took on this process's GPU so far


class Speed:
    """A stopwatch. `flops`: of a sample, forward and backward; `peak`: FLOP/s of all devices together; `gpu`: ours."""

    def __init__(self, total_samples: int, flops: float, peak: float | None, gpu: torch.device | None = None) -> None:
        self._total, self._flops, self._peak, self._gpu = total_samples, flops, peak, gpu
        self._first: tuple[float, int] | None = None
        self._last = time.perf_counter()
        self._tokens = self._samples = 0

    def add(self, result: StepResult) -> None:
        self._tokens += result.tokens
        self._samples += result.batch
        if self._first is None:  # the first step warms up: leave it out
            self._first = (time.perf_counter(), result.samples)

    def look(self, result: StepResult) -> Pace:
        now = time.perf_counter()
        seconds = max(1e-9, now - self._last)
        begin, samples = self._first or (now, result.samples)
        done = result.samples - samples
        pace = Pace(
            seconds=seconds,
            tokens_per_second=self._tokens / seconds,
            mfu=self._samples * self._flops / seconds / self._peak if self._peak else None,
            left=(now - begin) / done * (self._total - result.samples) if done else math.nan,
            memory=psutil.Process().memory_info().rss,
            device_memory=torch.cuda.max_memory_allocated(self._gpu) if self._gpu else None,
        )
        self._last, self._tokens, self._samples = now, 0, 0
        return pace


class Tell(StepCallback):
    """A bar where there is a terminal, a line every `log_every` steps where there is none."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._bar: Progress | None = None
        self._speed: Speed

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Pretraining)
        length = self.run.seam.seq_len
        flops = length * sum(flops_per_token(module.model.config, length))
        peak = self._peak(module.device)
        gpu = module.device if module.device.type == "cuda" else None
        self._speed = Speed(self.run.config.train.total_samples, flops, peak and peak * trainer.world_size, gpu)
        if trainer.is_global_zero and sys.stderr.isatty():
            self._bar = _bar()
            self._bar.add_task("training", total=self.run.total_steps, completed=module.step, loss="", speed="")
            self._bar.start()

    def _peak(self, device: torch.device) -> float | None:
        """FLOP/s of one device; None where MFU would mean nothing: other precisions have other peaks."""
        if device.type != "cuda" or self.run.config.run.precision != "bf16-mixed":
            return None
        return peak_of(torch.cuda.get_device_name(device))

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        self._speed.add(result)
        if not trainer.is_global_zero:
            return
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=result.step, loss=f"loss {result.loss:.3f}")
        if self.due(result.step, self.run.config.run.log_every) or result.stop:
            self._look(result, len(module.skipped_steps), trainer)

    def _look(self, result: StepResult, skipped: int, trainer: pl.Trainer) -> None:
        pace = self._speed.look(result)
        numbers = {name: value for name, value in asdict(pace).items() if name != "left"}
        self.run.dir.log("speed.jsonl", {"step": result.step, "samples": result.samples} | numbers)
        for logger in trainer.loggers:
            told = {f"speed/{name}": value for name, value in numbers.items() if value is not None}
            logger.log_metrics(told, step=result.step)
        speed = _told(pace, skipped)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], speed=speed)
            return
        step = f"step {result.step}/{self.run.total_steps}  loss {result.loss:.3f}  lr {result.lr:.2e}"
        self.run.say(f"{step}  {speed}  {_clock(pace.left)} left")

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self._stop()  # Lightning tears nothing down then, and the bar hides the cursor

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _told(pace: Pace, skipped: int) -> str:
    told = [f"{pace.tokens_per_second:,.0f} tokens/s"]
    told += [f"MFU {pace.mfu:.1%}"] if pace.mfu is not None else []
    return "  ".join(told + ([f"{skipped} skipped"] if skipped else []))


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
    if math.isnan(seconds):
        return "?"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
