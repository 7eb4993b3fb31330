"""What is done between optimizer steps: look, write down, save, stop.

    Lightning's hooks  ->  lines in the run's logs, checkpoints, a progress bar or lines on stderr

The order in which they stand in `callbacks()` is the order of things at a step's end: measure, write, then seal what
was written (also where a look at the model failed: what was learned is safe), then tell. Rank 0 writes; all ranks
measure. Never changes a weight or draws from a global generator.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from tokenizers import Tokenizer
from torch import Tensor

from pretrain import checkpoint, curve, seal
from pretrain.config import Config
from pretrain.evaluate import evaluate
from pretrain.generate import complete
from pretrain.module import Pretraining, StepResult
from pretrain.rundir import RunDir
from pretrain.seam import Seam

Say = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """What all of them need."""

    config: Config
    dir: RunDir
    seam: Seam
    fixed_state: dict[str, Any]  # of every checkpoint of this run: config, data, model, how it was computed
    say: Say

    @property
    def total_steps(self) -> int:
        return self.config.train.total_steps


class StepCallback(pl.Callback):
    """Acts when a step is done: `after` gets its result."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(module, Pretraining)
        self.after(module.last, module, trainer)

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        raise NotImplementedError

    def due(self, step: int, every: int | None) -> bool:
        return step == self.run.total_steps or (every is not None and step % every == 0)


class Metrics(StepCallback):
    """A line a step. Nothing of the clock in it, so that a run that was interrupted writes the same file."""

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        line = {
            "step": result.step,
            "samples": result.samples,
            "tokens": int(sum(module.tokens_by_language.values())),
            "batch": result.batch,
            "loss": result.loss,
            "lr": result.lr,
            "grad_norm": result.grad_norm,
        }
        if trainer.is_global_zero:
            self.run.dir.log("metrics.jsonl", line)
        for logger in trainer.loggers:
            logger.log_metrics({key: line[key] for key in ("loss", "lr", "grad_norm", "tokens")}, step=result.step)


class Validation(StepCallback):
    """Loss and bits per byte by language, at intervals and at the end."""

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        train = self.run.config.train
        if not self.due(result.step, train.validate_every) or not self.run.seam.languages("valid"):
            return
        with trainer.precision_plugin.val_step_context():
            scores = evaluate(
                module.model,
                self.run.seam,
                max_rows=train.validate_rows,
                batch=train.micro_batch,
                document_mask=train.document_mask,
                rank=trainer.global_rank,
                world=trainer.world_size,
                add_up=lambda sums: _add_up(sums, trainer, module.device),
            )
        if trainer.is_global_zero:
            line = {"step": result.step, "samples": result.samples, "scores": [score.to_dict() for score in scores]}
            self.run.dir.log("validation.jsonl", line)
        for logger in trainer.loggers:
            for score in scores:
                values = {f"valid/{score.language}": score.loss, f"bits_per_byte/{score.language}": score.bits_per_byte}
                logger.log_metrics(values, step=result.step)


class Samples(StepCallback):
    """What the model writes after each prompt, at intervals and at the end."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._tokenizer: Any = Tokenizer.from_file(str(run.seam.tokenizer))

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        train = self.run.config.train
        if not trainer.is_global_zero or not self.due(result.step, train.sample_every):
            return
        for i, prompt in enumerate(train.sample_prompts):
            with trainer.precision_plugin.val_step_context():
                text = complete(module.model, self._tokenizer, prompt, train.sample_tokens, seed=train.seed + i)
            self.run.dir.log("samples.jsonl", {"step": result.step, "prompt": prompt, "text": text})


class Checkpointing(StepCallback):
    """Look, then seal a checkpoint at intervals, at the end, and when asked to stop; then stop, if asked.

    The looks come first, so that a run killed between the two looks again; where one fails, the step is sealed all the
    same before the error goes on its way.
    """

    def __init__(self, run: Run, looks: Sequence[StepCallback]) -> None:
        super().__init__(run)
        self._looks = looks

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        due = self.due(result.step, self.run.config.train.checkpoint_every) or result.stop
        try:
            for look in self._looks:
                look.after(result, module, trainer)
        finally:
            if due and trainer.is_global_zero:
                self._save(module)
        if due:
            trainer.strategy.barrier()
        if result.stop:
            trainer.should_stop = True

    def _save(self, module: Pretraining) -> None:
        run = self.run.dir
        run.flush()
        optimizer = module.optimizers().optimizer  # type: ignore[union-attr]
        checkpoint.save(run.checkpoints, module.model, optimizer, self._state(module))
        seal.prune(run.checkpoints, self.run.config.train.keep_last)
        try:
            draw_curve(run, str(run.path.name))
        except (OSError, ValueError, KeyError) as error:  # a picture is no reason to stop
            self.run.say(f"{run.path / 'loss.svg'} could not be drawn: {error!r}")

    def _state(self, module: Pretraining) -> dict[str, Any]:
        return self.run.fixed_state | {
            "step": module.step,
            "consumed_samples": module.consumed_samples,
            "tokens_by_language": module.tokens_by_language,
            "random": checkpoint.random_states(),
        }


class Signals(pl.Callback):
    """SIGTERM and Ctrl-C: finish the step, save, stop; a second Ctrl-C stops at once (the last checkpoint stands).

    Lightning's own handlers broadcast from inside the handler; ours set a flag that travels with the next step.
    """

    def __init__(self, say: Say) -> None:
        self._say = say
        self._before: dict[int, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Pretraining)

        def handle(number: int, _: FrameType | None) -> None:
            if module.stop_requested and number == signal.SIGINT:
                raise KeyboardInterrupt
            module.stop_requested = True
            self._say(f"{signal.Signals(number).name}: stopping after this step, with a checkpoint")

        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, handle)

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


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


def callbacks(run: Run) -> list[pl.Callback]:
    looks = [Validation(run), Samples(run)]
    return [Signals(run.say), Metrics(run), Checkpointing(run, looks), Tell(run)]


def draw_curve(run: RunDir, title: str) -> Path:
    """Write loss.svg from the logs; returns its path."""
    train = [(line["samples"], line["loss"]) for line in run.lines("metrics.jsonl")]
    valid = [(line["samples"], line["scores"][-1]["loss"]) for line in run.lines("validation.jsonl")]
    seal.write_text(run.path / "loss.svg", curve.draw(train, valid, title))
    return run.path / "loss.svg"


def _add_up(sums: Tensor, trainer: pl.Trainer, device: torch.device) -> Tensor:
    if trainer.world_size == 1:
        return sums
    there = sums.to(device)
    torch.distributed.all_reduce(there)
    return there.cpu()


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
