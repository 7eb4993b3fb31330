"""Looks at the model at intervals: how it scores by language, what it writes.

    Pretraining, Run  ->  lines in metrics.jsonl, validation.jsonl, samples.jsonl, and the same to the loggers

All ranks measure, rank 0 writes. Nothing of the clock is written here, so that a run that was interrupted writes the
same files. Never changes a weight or draws from a global generator.
"""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
from tokenizers import Tokenizer

from pretrain.evaluate import evaluate
from pretrain.generate import complete
from pretrain.hooks import Run, StepCallback
from pretrain.module import Pretraining, StepResult
from pretrain.parallel import is_distributed


class Metrics(StepCallback):
    """A line a step. Nothing of the clock in it, so that a run that was interrupted writes the same file."""

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        line: dict[str, float | None] = {
            "step": result.step,
            "samples": result.samples,
            "tokens": sum(result.tokens_by_language.values()),
            "batch": result.batch,
            "loss": _finite(result.loss),
            "lr": result.lr,
            "grad_norm": _finite(result.grad_norm),
            "skipped": bool(result.skipped),
        }
        if trainer.is_global_zero:
            self.run.dir.log("metrics.jsonl", line)
        told = {key: value for key in ("loss", "lr", "grad_norm", "tokens") if (value := line[key]) is not None}
        for logger in trainer.loggers:
            logger.log_metrics(told, step=result.step)


class Validation(StepCallback):
    """Loss and bits per byte by language, at intervals and at the end."""

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        train = self.run.config.train
        if not self.due(result.step, train.validate_every) or not self.run.seam.languages("valid"):
            return
        with trainer.precision_plugin.val_step_context():
            scores = evaluate(
                module.model,
                self.run.seam,
                max_rows=train.validate_rows,
                batch=train.micro_batch,
                document_mask=train.document_mask,
                rank=module.ranks.rank,
                world=module.ranks.size,
                add_up=lambda sums: module.ranks.add_up(sums.to(module.device)).cpu(),
            )
        if trainer.is_global_zero:
            line = {"step": result.step, "samples": result.samples, "scores": [score.to_dict() for score in scores]}
            self.run.dir.log("validation.jsonl", line)
        for logger in trainer.loggers:
            for score in scores:
                values = {f"valid/{score.language}": score.loss, f"bits_per_byte/{score.language}": score.bits_per_byte}
                logger.log_metrics(values, step=result.step)


class Samples(StepCallback):
    """What the model writes after each prompt, at intervals and at the end."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._tokenizer: Any = Tokenizer.from_file(str(run.seam.tokenizer))

    def after(self, result: StepResult, module: Pretraining, trainer: pl.Trainer) -> None:
        train = self.run.config.train
        whole = not is_distributed(module.model)  # else all ranks must call it, and each gets the same text
        if not self.due(result.step, train.sample_every) or (whole and not trainer.is_global_zero):
            return
        for i, prompt in enumerate(train.sample_prompts):
            with trainer.precision_plugin.val_step_context():
                text = complete(module.model, self._tokenizer, prompt, train.sample_tokens, seed=train.seed + i)
            if trainer.is_global_zero:
                self.run.dir.log("samples.jsonl", {"step": result.step, "prompt": prompt, "text": text})


def _finite(value: float) -> float | None:
    """JSON has no NaN."""
    return value if math.isfinite(value) else None
