"""What is done between optimizer steps: look, write down, save, stop.

    Lightning's hooks  ->  lines in the run's logs, checkpoints, a progress bar or lines on stderr

The order in which they stand in `callbacks()` is the order of things at a step's end: measure, write, then seal what
was written (also where a look at the model failed: what was learned is safe), then tell. Rank 0 writes; all ranks
measure. Never changes a weight or draws from a global generator.
"""

from __future__ import annotations

from pathlib import Path

import lightning.pytorch as pl

from pretrain import curve, seal
from pretrain.hooks import Run
from pretrain.looks import Metrics, Samples, Validation
from pretrain.progress import Tell
from pretrain.rundir import RunDir
from pretrain.saving import Checkpointing, Signals
from pretrain.skips import Skips
from pretrain.watch import Watch


def callbacks(run: Run) -> list[pl.Callback]:
    looks = [Validation(run), Samples(run)]
    return [Signals(run.say), Skips(run), Metrics(run), Watch(run), Checkpointing(run, looks, draw_curve), Tell(run)]


def draw_curve(run: RunDir) -> Path:
    """Write loss.svg from the logs; returns its path."""
    train = [(line["samples"], line["loss"]) for line in run.lines("metrics.jsonl") if line["loss"] is not None]
    totals = [(line["samples"], line["scores"][-1]["loss"]) for line in run.lines("validation.jsonl")]
    valid = [(samples, loss) for samples, loss in totals if loss is not None]
    seal.write_text(run.path / "loss.svg", curve.draw(train, valid, run.path.name))
    return run.path / "loss.svg"
