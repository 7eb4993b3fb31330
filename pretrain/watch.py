"""What happens inside, at intervals: the gradient's norm of every layer, and the tokens consumed of every language.

    gradients before an optimizer step  ->  {"embedding": 0.4, "h.0": 0.1, ..., "ln_f": 0.02}, in watch.jsonl

Norms are those before clipping. They are computed where the gradients are and read when the step's result is known, so
that no step waits for them. Nothing of the clock is written here.
"""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from pretrain.hooks import Run, StepCallback
from pretrain.module import Pretraining, StepResult
from pretrain.parallel import total_norm


def layer_of(name: str) -> str:
    """The layer that a parameter of Bloom belongs to: `embedding` (the head too, it is tied), `h.0`, ... or `ln_f`."""
    parts = name.removeprefix("model.").split(".")
    return "embedding" if parts[0].startswith("word_embeddings") else ".".join(parts[: 2 if parts[0] == "h" else 1])


def gradient_norms(model: nn.Module) -> dict[str, Tensor]:
    """The 2-norm of the gradient of each layer, scalars where the gradients are; over all devices. All ranks call."""
    layers: dict[str, list[Tensor]] = {}
    for name, p in model.named_parameters():
        if p.grad is not None:
            layers.setdefault(layer_of(name), []).append(p.grad)
    return {layer: total_norm(found) for layer, found in layers.items()}


class Watch(StepCallback):
    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._norms: dict[int, dict[str, Tensor]] = {}  # by the step that is under way

    def on_before_optimizer_step(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(module, Pretraining)
        if self.due(module.step + 1, self.run.config.run.watch_every):
            self._norms[module.step + 1] = gradient_norms(module.model)

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        norms = self._norms.pop(result.step, None)
        if norms is None or not trainer.is_global_zero:
            return
        values = torch.stack([norm.float() for norm in norms.values()]).tolist()
        kept = _kept_of_clipping(result.grad_norm, self.run.config.train.clip)
        told = {layer: value / kept for layer, value in zip(norms, values, strict=True) if math.isfinite(value)}
        line: dict[str, Any] = {"step": result.step, "samples": result.samples}
        line["tokens"] = sum(result.tokens_by_language.values())
        line |= {"grad_norm": told, "tokens_by_language": result.tokens_by_language}
        self.run.dir.log("watch.jsonl", line)
        numbers = {f"grad_norm/{layer}": norm for layer, norm in told.items()}
        numbers |= {f"tokens/{language}": float(count) for language, count in result.tokens_by_language.items()}
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step=result.step)


def _kept_of_clipping(norm: float, clip: float | None) -> float:
    """The factor that clipping multiplied the gradients by, as torch's clip_grad_norm_ does; 1 where it left none."""
    if clip is None or not math.isfinite(norm):  # of an infinite norm it is 0, which what is left cannot be divided by
        return 1.0
    return min(1.0, clip / (norm + 1e-6))
