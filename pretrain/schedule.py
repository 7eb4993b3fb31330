"""When: the batch size and the learning rate of an optimizer step, all counted in samples as BLOOM did.

    consumed samples  ->  batch size of the next step, learning rate of the next step
    step              ->  samples consumed before it, and back

Pure arithmetic, so a run goes on from one integer. Source: Megatron-DeepSpeed, megatron/microbatches.py (the ramp) and
megatron/learning_rates.py (the rate). Never holds state, never knows about devices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Shape = Literal["cosine", "constant", "wsd"]


@dataclass(frozen=True)
class Ramp:
    """The batch grows from `start` by `increment` at equal distances, and is whole after `samples` samples."""

    start: int
    increment: int
    samples: int


@dataclass(frozen=True)
class Plateau:
    """Steps of one batch size: from this step and sample on."""

    step: int
    sample: int
    batch: int


@dataclass(frozen=True)
class Batches:
    """How many samples each optimizer step takes. (global_batch - ramp.start) is a multiple of ramp.increment."""

    global_batch: int
    ramp: Ramp | None = None

    def size(self, consumed: int) -> int:
        """The batch of the step that begins after `consumed` samples.

        bloom-560m, 192 + 32 to 256 over 9,765,625: 192 at 0, 224 at 4,882,813 (half way), 256 at 9,765,625.
        """
        if self.ramp is None or consumed >= self.ramp.samples:
            return self.global_batch
        return self.ramp.start + consumed * self._increments // self.ramp.samples * self.ramp.increment

    def first_sample(self, step: int) -> int:
        """Samples consumed before `step` (0 is the first step)."""
        plateau = next(p for p in reversed(self._plateaus) if p.step <= step)
        return plateau.sample + (step - plateau.step) * plateau.batch

    def steps(self, samples: int) -> int:
        """The fewest steps that consume at least `samples`."""
        plateau = next(p for p in reversed(self._plateaus) if p.sample <= samples)
        return plateau.step + -(-(samples - plateau.sample) // plateau.batch)

    @property
    def _increments(self) -> int:
        assert self.ramp is not None
        return (self.global_batch - self.ramp.start) // self.ramp.increment

    @cached_property
    def _plateaus(self) -> list[Plateau]:
        return list(self._climb())

    def _climb(self) -> Iterator[Plateau]:
        step = sample = 0
        if self.ramp is not None:
            for i in range(1, self._increments + 1):
                end = -(-i * self.ramp.samples // self._increments)  # the first sample of the next size
                if sample >= end:  # a large batch may jump over a short plateau
                    continue
                batch = self.size(sample)
                yield Plateau(step, sample, batch)
                steps = -(-(end - sample) // batch)
                step, sample = step + steps, sample + steps * batch
        yield Plateau(step, sample, self.global_batch)


@dataclass(frozen=True)
class LearningRate:
    """Linear warmup from 0, then by shape, as a function of the samples consumed before the step.

    cosine    half a cosine from `lr` to `min_lr` at `decay_samples`, `min_lr` after it
    wsd       `lr`, and over the last `cooldown_samples` before `decay_samples` a line to `min_lr`
    constant  `lr`
    """

    lr: float
    min_lr: float
    warmup_samples: int
    decay_samples: int
    cooldown_samples: int = 0
    shape: Shape = "cosine"

    def at(self, consumed: int) -> float:
        """bloom-560m (3e-4, 1e-5, 183,105, 200M): 0 at 0, 3e-4 at 183,105, 1.55e-4 half way, 1e-5 from 200M on."""
        if self.warmup_samples > 0 and consumed <= self.warmup_samples:
            return self.lr * consumed / self.warmup_samples
        if self.shape == "constant":
            return self.lr
        if consumed >= self.decay_samples:
            return self.min_lr
        return self.min_lr + (self.lr - self.min_lr) * self._share(consumed)

    def _share(self, consumed: int) -> float:
        """How much of lr - min_lr is left, in [0, 1]."""
        if self.shape == "cosine":
            done = (consumed - self.warmup_samples) / (self.decay_samples - self.warmup_samples)
            return 0.5 * (math.cos(math.pi * done) + 1.0)
        return min(1.0, (self.decay_samples - consumed) / max(1, self.cooldown_samples))
