"""What the callbacks of a run share: the run they belong to, and when they act.

    Lightning's hook after a batch  ->  after(StepResult, module, trainer), once for each step, in their order

A result may come a step late (module.py). Where `Run.exact_at` says that something looks at the model, it does not:
whoever looks at the model at intervals of its own is named there.

Knows no callback. Never writes a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl

from pretrain.config import Config
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

    def due(self, step: int, every: int | None) -> bool:
        return step == self.total_steps or (every is not None and step % every == 0)

    def exact_at(self, step: int) -> bool:
        """Whether something looks at the model after this step, so that its result has to be known by then."""
        train = self.config.train
        return any(
            self.due(step, every) for every in (train.checkpoint_every, train.validate_every, train.sample_every)
        )


class StepCallback(pl.Callback):
    """Acts when a step is done: `after` gets its result."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(module, Pretraining)
        for result in module.news:
            self.after(result, module, trainer)

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        raise NotImplementedError

    def due(self, step: int, every: int | None) -> bool:
        return self.run.due(step, every)
