"""What is done between optimizer steps: look, write down, save, stop.

    Lightning's hooks  ->  lines in the run's logs, checkpoints, a progress bar or lines on stderr

The order in which they stand in `callbacks()` is the order of things at a step's end: measure, write, then seal what
was written (also where a look at the model failed: what was learned is safe), then tell. Rank 0 writes; all ranks
measure. Never changes a weight or draws from a global generator.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import lightning.pytorch as pl

from pretrain import checkpoint, curve, seal
from pretrain.hooks import Run, Say, StepCallback
from pretrain.looks import Metrics, Samples, Validation
from pretrain.module import Pretraining, StepResult
from pretrain.progress import Tell
from pretrain.rundir import RunDir


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


def callbacks(run: Run) -> list[pl.Callback]:
    looks = [Validation(run), Samples(run)]
    return [Signals(run.say), Metrics(run), Checkpointing(run, looks), Tell(run)]


def draw_curve(run: RunDir, title: str) -> Path:
    """Write loss.svg from the logs; returns its path."""
    train = [(line["samples"], line["loss"]) for line in run.lines("metrics.jsonl")]
    valid = [(line["samples"], line["scores"][-1]["loss"]) for line in run.lines("validation.jsonl")]
    seal.write_text(run.path / "loss.svg", curve.draw(train, valid, title))
    return run.path / "loss.svg"
