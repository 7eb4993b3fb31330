"""Is this step's loss or gradient norm one to learn from? Judged on the device, without the host waiting for it.

    loss (), grad_norm ()  ->  verdict (): 0, or a sum of NOT_FINITE, LOSS and NORM; limits (2,)

What is not finite never passes. Neither does what is above the mean of the last `window` steps by more than `sigma`
standard deviations, once half of the window is there (as OLMo-core's SkipStepOptimizer has it, with 128 and 6). Every
finite value enters the window, that of a skipped step too: so a level that stays is let through after four steps,
however high it is. Never touches a weight: the optimizer reads the verdict where it lies.
"""

from __future__ import annotations

import torch
from torch import Tensor

NOT_FINITE, LOSS, NORM = 1, 2, 4

# W steps of the window; of two, the first is the loss and the second the gradient's norm

_FLAT = 1e-4  # of the mean: the least deviation reckoned with, else rounding on a flat curve would be a spike


class Guard:
    """The window, on one device; every rank has the same, as what it judges is the sum over all."""

    def __init__(self, window: int, sigma: float | None, device: torch.device) -> None:
        """`sigma` None: only what is not finite is refused."""
        self._sigma = sigma
        self._values = torch.full((2, window), torch.nan, device=device)  # (2, W) fp32; NaN where there is none

    def judge(self, step: int, loss: Tensor, grad_norm: Tensor) -> tuple[Tensor, Tensor]:
        """(verdict () int64, limits (2,) fp32); then the two values are part of the window, in the place of `step`."""
        latest = torch.stack([loss, grad_norm]).float()  # (2,)
        limits, finite = self._limits(), latest.isfinite()
        high = finite & (latest > limits)
        self._values[:, step % self._values.shape[1]] = torch.where(finite, latest, torch.nan)
        return NOT_FINITE * (~finite).any() + LOSS * high[0] + NORM * high[1], limits

    def _limits(self) -> Tensor:
        """(2,): mean + sigma * standard deviation of what is finite; infinite while that is too little."""
        if self._sigma is None:
            return torch.full_like(self._values[:, 0], torch.inf)
        there = ~self._values.isnan()  # (2, W)
        count = there.sum(1)
        mean = self._values.nansum(1) / count.clamp(min=1)
        apart = torch.where(there, self._values - mean[:, None], 0.0)
        deviation = (apart.square().sum(1) / (count - 1).clamp(min=1)).sqrt()
        limits = mean + self._sigma * torch.maximum(deviation, _FLAT * mean.abs())
        return torch.where(count >= max(2, self._values.shape[1] // 2), limits, torch.inf)

    @property
    def window(self) -> Tensor:
        """(2, W) fp32 on the CPU, a copy: what a checkpoint holds of it."""
        return self._values.to("cpu", copy=True)

    @window.setter
    def window(self, values: Tensor) -> None:
        self._values.copy_(values)
