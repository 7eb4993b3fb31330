"""One optimizer step at a time: BLOOM under Lightning's Trainer, with the step written out.

    StepBatch (this rank's rows of one step)  ->  one update, and a StepResult in `.last`

Manual optimization: the micro-batches of a step are added up here, so that the loss is divided by the targets of the
whole step on all ranks (not averaged over micro-batches of unequal content), and the learning rate follows the samples
consumed. Traps of Lightning 2.6 kept out: clipping is torch's own function, because the Trainer's raises under manual
optimization; DDP averages gradients, so the loss is multiplied by the world size; gradients travel with the last
micro-batch only. Never opens a file, never decides when to save.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import lightning.pytorch as pl
import torch
import torch.distributed
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from pretrain.checkpoint import Checkpoint, restore_optimizer
from pretrain.config import Train
from pretrain.data import StepBatch, tokens_by_language
from pretrain.errors import RunError
from pretrain.model import Bloom, decay_groups

# R rows of this rank, T positions, K languages


@dataclass(frozen=True)
class StepResult:
    """What a step did; `step` counts from 1 here: steps done."""

    step: int
    samples: int  # consumed so far
    batch: int  # samples of this step
    tokens: int  # targets of this step, all ranks
    loss: float  # nats a target, mean over the step
    lr: float
    grad_norm: float  # before clipping
    stop: bool  # some rank was asked to stop


class Pretraining(pl.LightningModule):
    """`languages` are the names in the order of the loader's indices; `documents` names the documents of a row."""

    automatic_optimization = False
    last: StepResult

    def __init__(
        self,
        model: Bloom,
        settings: Train,
        languages: list[str],
        documents: Callable[[str, int], list[str]] | None = None,
        resume: Checkpoint | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.settings = settings
        self.languages = languages
        self.stop_requested = False
        self._documents = documents
        self._resume = resume
        self._rate = settings.learning_rate()
        state = resume.state if resume else {}
        self.step: int = state.get("step", 0)
        self.consumed_samples: int = state.get("consumed_samples", 0)
        tokens = state.get("tokens_by_language", {})
        self._tokens = torch.tensor([tokens.get(language, 0) for language in languages], dtype=torch.int64)  # (K,)

    @property
    def tokens_by_language(self) -> dict[str, int]:
        """Targets consumed by all ranks, repetitions counted."""
        return dict(zip(self.languages, self._tokens.tolist(), strict=True))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = decay_groups(self.model, self.settings.weight_decay)
        s = self.settings
        optimizer = torch.optim.AdamW(groups, lr=s.lr, betas=s.betas, eps=s.eps, fused=True)
        if self._resume is not None:
            restore_optimizer(self.model, optimizer, self._resume.optimizer())
            self._resume = None  # its tensors are in the optimizer now
        return optimizer

    def training_step(self, batch: StepBatch, batch_idx: int) -> None:
        optimizer = self.optimizers()
        lr = self._rate.at(self.consumed_samples)
        for group in optimizer.param_groups:  # type: ignore[union-attr]
            group["lr"] = lr
        counts, stop = self._count(batch)
        tokens = max(1, int(counts.sum()))
        loss = self._backward(batch, tokens)
        clip = self.settings.clip or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        loss, grad_norm = torch.stack([loss, norm.to(loss)]).tolist()  # the one wait for the device in a step
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            raise RunError(*self._not_finite(batch, loss, grad_norm))
        optimizer.step()  # type: ignore[union-attr]
        optimizer.zero_grad()  # type: ignore[union-attr]
        self.step += 1
        self.consumed_samples += batch["samples"]
        self._tokens += counts
        self.last = StepResult(self.step, self.consumed_samples, batch["samples"], tokens, loss, lr, grad_norm, stop)

    def _count(self, batch: StepBatch) -> tuple[Tensor, bool]:
        """(K,) targets by language of the step on all ranks, and whether any rank was asked to stop: one message."""
        counts = tokens_by_language(batch, len(self.languages))
        message = torch.cat([counts, torch.tensor([int(self.stop_requested)])])  # (K + 1,)
        message = self._sum_over_ranks(message)
        return message[:-1], bool(message[-1])

    def _backward(self, batch: StepBatch, tokens: int) -> Tensor:
        """Add up the gradients of the step's mean loss; returns it, a scalar."""
        size = self.settings.micro_batch
        starts = batch["starts"].split(size) if "starts" in batch else repeat(None)
        pieces = list(zip(batch["ids"].split(size), batch["targets"].split(size), starts, strict=False))
        total = torch.zeros((), device=self.device)
        for i, (ids, targets, begins) in enumerate(pieces):
            with self._gradients_travel(i == len(pieces) - 1):
                loss = self.model.loss(ids.long(), targets.long(), begins, self.settings.z_loss) / tokens
                self.manual_backward(loss * self.trainer.world_size)
            total += loss.detach()
        return self._sum_over_ranks(total)

    def _sum_over_ranks(self, value: Tensor) -> Tensor:
        if self.trainer.world_size == 1:
            return value
        there = value.to(self.device)
        torch.distributed.all_reduce(there)
        return there.to(value.device)

    @contextmanager
    def _gradients_travel(self, travel: bool) -> Iterator[None]:
        wrapped = self.trainer.strategy.model
        if isinstance(wrapped, DistributedDataParallel) and not travel:
            with wrapped.no_sync():
                yield
        else:
            yield

    def _not_finite(self, batch: StepBatch, loss: float, grad_norm: float) -> tuple[str, str]:
        """(message, hint) that names the documents at fault on this rank.

        Where no single row is, all of them are named if there is one rank only; else the fault is another rank's.
        """
        guilty = [row for i, row in enumerate(batch["rows"]) if not self._row_is_finite(batch, i)]
        what = f"step {self.step + 1}: the loss is {loss}, the gradient's norm {grad_norm}"
        sound = "nothing was updated and the last checkpoint is sound"
        if not guilty and self.trainer.world_size > 1:
            rank = self.trainer.global_rank
            return (
                f"{what}; each row of rank {rank} is finite by itself",
                f"{sound}: look at what another rank tells; if none names a row, lower train.lr",
            )
        guilty = guilty or batch["rows"]
        told = [f"{language} row {row}: {', '.join(self._names(language, row))}" for language, row in guilty[:8]]
        if len(guilty) > 8:
            told.append(f"and {len(guilty) - 8} rows more")
        return (
            "\n  ".join([f"{what}, on these rows and documents:", *told]),
            f"{sound}: lower train.lr, or look at these documents",
        )

    @torch.no_grad()
    def _row_is_finite(self, batch: StepBatch, i: int) -> bool:
        losses = self.model.token_losses(batch["ids"][i : i + 1].long(), batch["targets"][i : i + 1].long())
        return bool(losses.isfinite().all())

    def _names(self, language: str, row: int) -> list[str]:
        return self._documents(language, row) if self._documents else []

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        raise AssertionError("checkpoints are written by pretrain.checkpoint, never by Lightning's pickle")
