"""When a run is saved, and how it is asked to stop.

    a step that is due, or a signal  ->  a sealed checkpoint, and the end of the loop if asked

Rank 0 writes; with `run.async_save` the others and the training do not wait for the disk. Never decides what a
checkpoint holds (checkpoint.py) or how it is sealed (seal.py).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import lightning.pytorch as pl

from pretrain import checkpoint, seal
from pretrain.aside import Aside
from pretrain.hooks import Run, Say, StepCallback
from pretrain.module import Pretraining, StepResult
from pretrain.parallel import all_or_none, is_distributed, whole_tensors
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
        self._aside = Aside() if run.config.run.async_save else None
        self._copy: checkpoint.Tensors | None = None  # kept from save to save: its memory is pinned

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        due = self.due(result.step, self.run.config.train.checkpoint_every) or result.stop
        looked = False
        try:
            if due or self.run.exact_at(result.step):  # else nothing looks, and asking would be a wait for the device
                with all_or_none("a look at the model"):
                    self._look(result, module, trainer)
            elif self._aside and trainer.world_size == 1:  # among many an error waits until all are asked
                self._aside.check()
            looked = True
        except KeyboardInterrupt:
            due = False  # a second Ctrl-C: stop at once
            raise
        finally:
            if due and not looked and result.step == self.run.total_steps:
                run = self.run.dir.path
                self.run.say(f"trained to the end, but the last look failed; `pretrain eval {run}` looks again")
            if due and (looked or not is_distributed(module.model)):  # to gather a model all must be well
                with all_or_none("saving"):
                    self._save(module, trainer.is_global_zero)
        if result.stop:
            trainer.should_stop = True

    def _look(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        if self._aside:
            self._aside.check()
        for look in self._looks:
            look.after(result, module, trainer)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self._aside:
            self._aside.wait()

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """What is under way is finished, unless someone cannot wait; the error that is on its way is told, not ours."""
        if self._aside and not isinstance(exception, KeyboardInterrupt):
            self._aside.finish(self.run.say)

    def _save(self, module: Pretraining, writes: bool) -> None:
        run = self.run.dir
        optimizer = module.optimizers().optimizer  # type: ignore[union-attr]
        tensors = (whole_tensors if is_distributed(module.model) else checkpoint.tensors)(module.model, optimizer)
        if not writes:
            return
        run.flush()
        state = self.run.fixed_state | module.state() | {"random": checkpoint.random_states()}
        if self._aside is None:
            self._write(tensors, state)
            return
        self._aside.wait()  # one at a time: the copy is used again
        self._copy = tensors.copied(self._copy)
        self._aside.begin(self._write, self._copy, state)

    def _write(self, tensors: checkpoint.Tensors, state: dict[str, Any]) -> None:
        run, train = self.run.dir, self.run.config.train
        checkpoint.write(run.checkpoints, tensors, state)
        try:
            seal.prune(run.checkpoints, train.keep_last, train.keep_every)
        except OSError as error:  # what is too many is no reason to stop: the next checkpoint tries again
            self.run.say(f"an old checkpoint could not be removed: {error}")
        try:
            self._draw(run)
        except (OSError, ValueError, KeyError) as error:  # a picture is no reason to stop
            self.run.say(f"{run.path / 'loss.svg'} could not be drawn: {error!r}")


class Signals(pl.Callback):
    """SIGTERM, SIGUSR1, SIGUSR2 and Ctrl-C: finish the step, save, stop; a second Ctrl-C stops at once (the last
    checkpoint stands).

    A cluster says by one of the first three that time is over (SLURM: `--signal=USR1@120`, preemption). Lightning's own
    handlers broadcast and save from inside the handler; ours set a flag that travels with the next step.
    """

    NUMBERS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)

    def __init__(self, say: Say) -> None:
        self._say = say
        self._before = {number: signal.getsignal(number) for number in self.NUMBERS}  # before Lightning sets its own

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        assert isinstance(module, Pretraining)

        def handle(number: int, _: FrameType | None) -> None:
            if module.stop_requested and number == signal.SIGINT:
                raise KeyboardInterrupt
            module.stop_requested = True
            self._say(f"{signal.Signals(number).name}: stopping after this step, with a checkpoint")

        for number in self.NUMBERS:
            signal.signal(number, handle)

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt):
            self._say("stopped at once: what was learned since the last checkpoint is lost")
        self._restore()  # Lightning tears nothing down then

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
