"""One optimizer step at a time: BLOOM under Lightning's Trainer, with the step written out.

    StepBatch (this rank's rows of one step)  ->  one update, or none where the guard says so; results in `.news`

Manual optimization: the micro-batches of a step are added up here, so that the loss is divided by the targets of the
whole step on all ranks (not averaged over micro-batches of unequal content), and the learning rate follows the samples
consumed. Nothing in a step waits for the device: what it did is read while the next one is under way (results.py).
Traps of Lightning 2.6 kept out: clipping is torch's own function, because the Trainer's raises under manual
optimization; DDP averages gradients, so the loss is multiplied by the world size; gradients travel with the last
micro-batch only. Never opens a file, never decides when to save.
"""

from __future__ import annotations

import math
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import repeat
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from pretrain import checkpoint
from pretrain.checkpoint import Checkpoint, restore_optimizer
from pretrain.config import Train
from pretrain.data import StepBatch, tokens_by_language
from pretrain.guard import Guard
from pretrain.loss import IGNORE
from pretrain.model import Bloom, decay_groups
from pretrain.parallel import (
    DataRanks,
    check_alike,
    clip_gradients,
    data_ranks,
    distribute,
    gradients_travel,
    is_distributed,
    restore_whole,
)
from pretrain.results import Flight, StepResult

__all__ = ["Pretraining", "StepResult"]

# R rows of this rank, T positions, K languages


class Pretraining(pl.LightningModule):
    """`languages` are the names in the order of the loader's indices."""

    automatic_optimization = False

    def __init__(
        self,
        model: Bloom,
        settings: Train,
        languages: list[str],
        resume: Checkpoint | None = None,
        exact_at: Callable[[int], bool] = lambda step: True,
    ) -> None:
        """`exact_at(step)`: whether the step's result is wanted before the next begins; it has to be where the model is
        looked at, and all ranks have to be told the same."""
        super().__init__()
        self.model = model
        self.settings = settings
        self.languages = languages
        self.stop_requested = False
        self.news: list[StepResult] = []  # of the steps that became known at the end of this one: none, one or more
        self.lag: int | None = None  # steps that a result may be late; None: 1 on a GPU, 0 where nothing is won by it
        self._exact_at = exact_at
        self._flights: deque[Flight] = deque()
        self._rate = settings.learning_rate()
        self._resume = resume
        state = resume.state if resume else {}
        self.step: int = state.get("step", 0)
        self.consumed_samples: int = state.get("consumed_samples", 0)
        self.skipped_steps: list[int] = list(state.get("skipped_steps", []))  # that are known
        tokens = state.get("tokens_by_language", {})
        self.tokens_by_language = {x: int(tokens.get(x, 0)) for x in languages}  # of the last step that is known
        self.tokens_by_language |= tokens  # also of languages that this corpus has not, and another run's had

    @property
    def ranks(self) -> DataRanks:
        return data_ranks(self.trainer)

    def configure_model(self) -> None:
        if isinstance(self.trainer.strategy, ModelParallelStrategy):
            distribute(self.model, self.trainer.strategy.device_mesh)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = decay_groups(self.model, self.settings.weight_decay)
        s = self.settings
        optimizer = torch.optim.AdamW(groups, lr=s.lr, betas=s.betas, eps=s.eps, fused=True)
        if self._resume is not None:
            restore = restore_whole if is_distributed(self.model) else restore_optimizer
            restore(self.model, optimizer, self._resume.optimizer())
        return optimizer

    def on_train_start(self) -> None:
        skips = self.settings.skips
        self._guard = Guard(skips.window, skips.sigma, self.device)
        if self._resume is not None and "guard" in self._resume.state:
            window = checkpoint.guard_window(self._resume.state["guard"])
            if window.shape == self._guard.window.shape:  # a branch may want another: it begins empty
                self._guard.window = window
        begun = f"{self.step} {self._resume.state if self._resume else None}"
        check_alike(zlib.crc32(begun.encode()), "the checkpoint to begin with", self.device)
        self._resume = None  # its tensors are in the optimizer now
        tokens = torch.tensor([self.tokens_by_language[x] for x in self.languages], dtype=torch.int64)
        self._consumed = tokens.to(self.device)  # (K,)
        if self.lag is None:
            self.lag = 1 if self.device.type == "cuda" else 0

    def training_step(self, batch: StepBatch, batch_idx: int) -> None:
        optimizer = self._optimizer()
        lr = self._rate.at(self.consumed_samples)
        for group in optimizer.param_groups:
            group["lr"] = lr
        message = self._count(batch)  # (K + 1,)
        counts, stop = message[:-1], message[-1]
        tokens = counts.sum().clamp(min=1)
        loss = self._backward(batch, tokens)
        norm = clip_gradients(self.model.parameters(), self.settings.clip or math.inf)
        loss, norm = self._over_ranks(loss, norm)
        verdict, limits = self._guard.judge(self.step, loss, norm)
        optimizer.found_inf = (verdict > 0).float()  # type: ignore[attr-defined]  # 1: the kernel leaves all as it is
        self.optimizers().step()  # type: ignore[union-attr]
        optimizer.zero_grad()
        self._consumed += counts
        self.step += 1
        self.consumed_samples += batch["samples"]
        numbers = [loss, norm, tokens, stop, verdict, limits, self._consumed]
        self._depart(Flight.of(self.step, self.consumed_samples, lr, batch, numbers))

    def _optimizer(self) -> torch.optim.Optimizer:
        return self.optimizers().optimizer  # type: ignore[union-attr]

    def _count(self, batch: StepBatch) -> Tensor:
        """(K + 1,) int64 on the device: targets by language of the step on all ranks; how many were asked to stop."""
        counts = tokens_by_language(batch, len(self.languages))
        message = torch.cat([counts, torch.tensor([int(self.stop_requested) * self.ranks.copies])])
        if self.device.type == "cuda":
            message = message.pin_memory()
        return self.ranks.add_up(message.to(self.device, non_blocking=True))

    def _backward(self, batch: StepBatch, tokens: Tensor) -> Tensor:
        """Add up the gradients of the step's mean loss; returns this rank's part of it, a scalar."""
        pieces = self._pieces(batch)
        total = torch.zeros((), device=self.device)
        for i, piece in enumerate(pieces):
            with self._gradients_travel(i == len(pieces) - 1):
                loss = self.model.loss(*piece, self.settings.z_loss) / tokens
                self.manual_backward(loss * self.ranks.size)
            total += loss.detach()
        return total

    def _pieces(self, batch: StepBatch) -> list[tuple[Tensor, Tensor, Tensor | None]]:
        """(ids, targets, starts) of each micro-batch, as the model's losses take them; ids and targets int64.

        As many on every rank, because sharded parameters are gathered by all: a rank that has a row less than others
        may end with a row that has nothing to predict.
        """
        size, most = self.settings.micro_batch, -(-batch["samples"] // self.ranks.size)  # rows of the rank with most
        ids, targets, starts = batch["ids"].long(), batch["targets"].long(), batch.get("starts")
        if -(-most // size) > -(-len(ids) // size):
            ids, targets = torch.cat([ids, ids[:1]]), torch.cat([targets, torch.full_like(targets[:1], IGNORE)])
            starts = None if starts is None else torch.cat([starts, starts[:1]])
        begins = repeat(None) if starts is None else starts.split(size)
        return list(zip(ids.split(size), targets.split(size), begins, strict=False))

    def _over_ranks(self, loss: Tensor, norm: Tensor) -> tuple[Tensor, Tensor]:
        """The step's loss, and the gradient's norm: the mean over ranks, so that all decide alike to the last bit."""
        both = self.ranks.add_up(torch.stack([loss, norm.to(loss) / self.ranks.size]))
        return both[0], both[1]

    def _depart(self, flight: Flight) -> None:
        """Send this step's numbers off and make known what has arrived; all of them where the model is looked at."""
        self._flights.append(flight)
        asked = self.stop_requested and self.trainer.world_size == 1  # among many, the message decides
        news = self._land(0 if asked or self._exact_at(self.step) else self.lag or 0)
        stop = asked or any(result.stop for result in news)
        if stop:
            news += self._land(0)
        self.news = [replace(result, stop=stop and result.step == self.step) for result in news]

    def _land(self, late: int) -> list[StepResult]:
        landed = []
        while len(self._flights) > late:
            result = self._flights.popleft().land(self.languages)
            self.tokens_by_language = self.tokens_by_language | result.tokens_by_language
            result = replace(result, tokens_by_language=self.tokens_by_language)
            if result.skipped:
                self.skipped_steps.append(result.step)
            landed.append(result)
        return landed

    def state(self) -> dict[str, Any]:
        """What a checkpoint has to know to go on, besides weights and moments. Every step has to be known."""
        assert not self._flights
        return {
            "step": self.step,
            "consumed_samples": self.consumed_samples,
            "tokens_by_language": self.tokens_by_language,
            "skipped_steps": list(self.skipped_steps),  # a copy: it may be written while the next steps are skipped
            "guard": checkpoint.guard_text(self._guard.window),
        }

    @torch.no_grad()
    def row_losses(self, batch: StepBatch) -> list[float]:
        """The mean loss of each row of this rank, nats a target: for the one who asks which row is at fault."""
        with self.trainer.precision_plugin.val_step_context():
            losses = [self.model.token_losses(*piece).sum(1) for piece in self._pieces(batch)]  # (size,) each
        tokens = torch.from_numpy(batch["tokens"]).clamp(min=1)  # (R,)
        return (torch.cat(losses)[: len(tokens)].cpu() / tokens).tolist()

    @contextmanager
    def _gradients_travel(self, travel: bool) -> Iterator[None]:
        wrapped = self.trainer.strategy.model
        if isinstance(wrapped, DistributedDataParallel) and not travel:
            with wrapped.no_sync():
                yield
        else:
            gradients_travel(self.model, travel)
            yield

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        raise AssertionError("checkpoints are written by pretrain.checkpoint, never by Lightning's pickle")
