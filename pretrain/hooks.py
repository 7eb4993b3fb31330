"""What the callbacks of a run share: the run they belong to, and when they act.

    Lightning's hook after a batch  ->  after(StepResult, module, trainer)

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
