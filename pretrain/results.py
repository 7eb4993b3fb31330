"""What a step did, and how the host learns of it: one step late, so that a device never waits for a question.

    numbers on the device  ->  Flight(step, numbers on their way)  ->  StepResult

A flight is landed when the next step is under way; where something looks at the model (a checkpoint, a look), all are
landed first. Never decides anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pretrain.data import StepBatch
from pretrain.guard import LOSS, NORM, NOT_FINITE


@dataclass(frozen=True)
class StepResult:
    """What a step did; `step` counts from 1 here: steps done."""

    step: int
    samples: int  # consumed so far
    batch: int  # samples of this step
    tokens: int  # targets of this step, all ranks
    tokens_by_language: dict[str, int]  # targets consumed so far by all ranks, repetitions counted
    loss: float  # nats a target, mean over the step; NaN or infinite only where the step was skipped
    lr: float
    grad_norm: float  # before clipping; likewise
    stop: bool  # some rank was asked to stop, and this is the last step
    skipped: str = ""  # why nothing was updated; empty: the weights were
    data: StepBatch | None = field(default=None, repr=False, compare=False)  # this rank's rows


@dataclass(frozen=True)
class Flight:
    """A step whose numbers are on their way to the host."""

    step: int
    samples: int
    lr: float
    data: StepBatch
    numbers: Tensor  # (7 + K,) float64 on the CPU, true once `ready` says so
    ready: torch.cuda.Event | None

    @classmethod
    def of(cls, step: int, samples: int, lr: float, data: StepBatch, numbers: Sequence[Tensor]) -> Flight:
        """numbers: loss, grad_norm, tokens, stop, verdict (each ()), limits (2,), consumed (K,), on the device."""
        there = torch.cat([n.detach().reshape(-1).double() for n in numbers])
        if there.device.type != "cuda":
            return cls(step, samples, lr, data, there.cpu(), None)
        here = torch.empty_like(there, device="cpu", pin_memory=True)
        here.copy_(there, non_blocking=True)
        ready = torch.cuda.Event()
        ready.record()
        return cls(step, samples, lr, data, here, ready)

    def land(self, languages: Sequence[str]) -> StepResult:
        """Waits for the numbers if they are not there yet. Whole numbers are exact up to 2^53."""
        if self.ready is not None:
            self.ready.synchronize()
        loss, grad_norm, tokens, stop, verdict, *rest = self.numbers.tolist()
        return StepResult(
            step=self.step,
            samples=self.samples,
            batch=self.data["samples"],
            tokens=int(tokens),
            tokens_by_language=dict(zip(languages, map(int, rest[2:]), strict=True)),
            loss=loss,
            lr=self.lr,
            grad_norm=grad_norm,
            stop=bool(stop),
            skipped=_why(int(verdict), (loss, grad_norm), rest[:2]),
            data=self.data,
        )


def _why(verdict: int, values: Sequence[float], limits: Sequence[float]) -> str:
    """In words; a verdict of 0 has none."""
    named = list(zip(("loss", "grad_norm"), (LOSS, NORM), values, limits, strict=True))
    if verdict & NOT_FINITE:
        return " and ".join(f"{name} is {value}" for name, _, value, _ in named if not math.isfinite(value))
    told = [f"{name} {value:.4g} is above {limit:.4g}" for name, bit, value, limit in named if verdict & bit]
    return " and ".join(told)
