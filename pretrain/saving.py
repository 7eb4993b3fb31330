"""When a run is saved, and how it is asked to stop.

    a step that is due, or a signal  ->  a sealed checkpoint, and the end of the loop if asked

Rank 0 writes, all ranks wait. Never decides what a checkpoint holds (checkpoint.py) or how it is sealed (seal.py).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import lightning.pytorch as pl

from pretrain import checkpoint, seal
from pretrain.hooks import Run, Say, StepCallback
from pretrain.module import Pretraining, StepResult
from pretrain.parallel import is_distributed, whole_tensors
from pretrain.rundir import RunDir


class Checkpointing(StepCallback):
    """Look, then seal a checkpoint at intervals, at the end, and when asked to stop; then stop, if asked.

    The looks come first, so that a run killed between the two looks again; where one fails, the step is sealed all the
    same before the error goes on its way.
    """

    def __init__(self, run: Run, looks: Sequence[StepCallback], draw: Callable[[RunDir], object]) -> None:
        """`draw`: makes pictures of the logs, after each checkpoint."""
        super().__init__(run)
        self._looks = looks
        self._draw = draw

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        due = self.due(result.step, self.run.config.train.checkpoint_every) or result.stop
        try:
            for look in self._looks:
                look.after(result, module, trainer)
        finally:
            if due:
                self._save(module, trainer.is_global_zero)
        if due:
            trainer.strategy.barrier()
        if result.stop:
            trainer.should_stop = True

    def _save(self, module: Pretraining, writes: bool) -> None:
        run = self.run.dir
        optimizer = module.optimizers().optimizer  # type: ignore[union-attr]
        tensors = whole_tensors(module.model, optimizer) if is_distributed(module.model) else None
        if not writes:
            return
        run.flush()
        tensors = tensors or checkpoint.tensors(module.model, optimizer)
        checkpoint.save(run.checkpoints, *tensors, self._state(module))
        seal.prune(run.checkpoints, self.run.config.train.keep_last)
        try:
            self._draw(run)
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
