"""The whole optimizer step of ours, in each way it can be run, and written the naive way.

    Ours(micro_batch=16).row(FULL, rows)  ->  "step, sdpa, compile by block, compiled loss, micro-batch 16"  tokens/s

A step is what `pretrain.module` does: for each micro-batch forward, loss and backward under autocast, then the clipped
norm, fused AdamW and no gradients left. Nothing waits for the device inside it. Synthetic rows, the same for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from train_560m_base import GIB, Mark, Rows, Shape, Timing, batch, bf16, device, forget, measure, said
from train_560m_floor import PEAK_FLOPS, flops_a_token

from pretrain.attention import BACKENDS
from pretrain.loss import chunked_cross_entropy
from pretrain.model import Bloom, decay_groups

Loss = Callable[[Tensor, Tensor], Tensor]  # ids, targets -> their mean loss
KERNELS = ("flash", "mem_efficient", "cudnn", "math")


@dataclass(frozen=True)
class Ours:
    """One way to run our model."""

    backend: str = "sdpa"
    compile: str = "block"  # block, whole, none
    fused: bool = True  # the loss compiled too
    micro_batch: int = 16
    accumulate: int = 1  # micro-batches in a step
    kernel: str = ""  # the only one that `sdpa` may take; empty: torch chooses

    @property
    def name(self) -> str:
        compiled = {"block": "compile by block", "whole": "compile whole", "none": "no compile"}[self.compile]
        loss = "compiled loss" if self.fused else "plain loss"
        words = [f"{self.backend} {self.kernel}".strip(), compiled, loss, f"micro-batch {self.micro_batch}"]
        return "step, " + ", ".join([*words, *([f"{self.accumulate} a step"] if self.accumulate > 1 else [])])

    def build(self, shape: Shape) -> Bloom:
        """With its weights on the device, the same for every way."""
        if self.backend not in BACKENDS:
            raise ValueError(f"attention backend {self.backend!r} is unknown: there are {', '.join(BACKENDS)}")
        if self.kernel:
            only(self.kernel)
        where = device()
        with torch.device(where):
            model = Bloom(shape.config, torch.Generator(where).manual_seed(0), self.backend)  # type: ignore[arg-type]
        with compiler():
            if self.compile == "block":
                model.compile_blocks()
            elif self.compile == "whole":
                model.hidden = torch.compile(model.hidden, dynamic=False)  # type: ignore[method-assign]
        return model

    def loss(self, model: Bloom) -> Loss:
        """The mean over the step: by `Bloom.loss`, or taken apart where the loss is not compiled as the blocks are."""
        compiled = self.fused and device().type == "cuda"  # on a CPU compiling it takes longer than all the rest
        whole = (self.compile == "block") == compiled

        def mean(ids: Tensor, targets: Tensor) -> Tensor:
            if whole:
                total = model.loss(ids, targets)
            else:
                hidden, weight = model.hidden(ids).flatten(0, 1), model.word_embeddings.weight
                total = chunked_cross_entropy(hidden, weight, targets.flatten(), compiled=compiled)
            return total / (targets.numel() * self.accumulate)

        return mean

    def row(self, shape: Shape, rows: Rows) -> None:
        model = self.build(shape)
        end = model.ln_f if self.compile != "whole" else None
        Run(model, self.loss(model), shape, self.micro_batch, self.accumulate).row(self.name, rows, end=end)


@contextmanager
def compiler() -> Iterator[None]:
    """torch.compile as it is on a GPU; on a CPU its tracer alone, because the C++ compiler would take minutes."""
    if device().type == "cuda":
        yield
        return
    with mock.patch.object(torch, "compile", partial(torch.compile, backend="aot_eager")):
        yield


def only(kernel: str) -> None:
    """Forbid all kernels of scaled_dot_product_attention but one, in this process; torch.compile sees it too."""
    for name in KERNELS:
        getattr(torch.backends.cuda, f"enable_{name}_sdp")(name == kernel)


def graphs() -> int:
    """How many torch.compile made so far: one for the blocks, one or two for the loss, or the blocks share none."""
    import torch._dynamo.utils as dynamo

    return dynamo.counters["stats"]["unique_graphs"]


class Run:
    """A model with its optimizer and the rows of one step."""

    def __init__(
        self, model: nn.Module, loss: Loss, shape: Shape, micro_batch: int, accumulate: int = 1, groups: Any = None
    ) -> None:
        self.model, self.loss, self.shape, self.micro_batch = model, loss, shape, micro_batch
        groups = groups or decay_groups(model, 0.1)
        self.optimizer = torch.optim.AdamW(groups, lr=3e-4, betas=(0.9, 0.95), eps=1e-8, fused=True)
        self.batches = [batch(shape, micro_batch, device(), seed) for seed in range(accumulate)]
        self.losses: list[Tensor] = []
        self.mark: Mark = lambda _: None

    @property
    def tokens(self) -> int:
        return len(self.batches) * self.micro_batch * self.shape.seq

    def row(self, work: str, rows: Rows, who: str = "seedbed", end: nn.Module | None = None, **about: Any) -> Timing:
        """Measure it. `end` is the layer after which the loss begins."""
        hook = end.register_forward_hook(lambda *_: self.mark("forward")) if end is not None else None
        timing = measure(self)
        if hook is not None:
            hook.remove()  # it holds this run, and that the optimizer's state
        rows.add(work, 1e3 * self.tokens / timing.milliseconds, "tokens/s", who, **told(self, timing), **about)
        return timing

    def __call__(self, mark: Mark) -> None:
        self.mark = mark
        total = torch.zeros((), device=device())
        with bf16(device()):
            for ids, targets in self.batches:
                loss = self.loss(ids, targets)
                mark("loss")
                loss.backward()
                mark("backward")
                total += loss.detach()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            mark("clip")
            self.optimizer.step()
            self.optimizer.zero_grad()
            mark("optimizer")
        self.losses.append(total)


def told(run: Run, timing: Timing) -> dict[str, Any]:
    """What stands beside the tokens/s of a step."""
    shape = run.shape
    flops = flops_a_token(shape.vocab, shape.hidden, shape.layers, shape.seq)
    speed = 1e3 * run.tokens / timing.milliseconds
    return {
        "mfu": speed * flops / PEAK_FLOPS if torch.cuda.is_available() else None,
        "micro_batch": run.micro_batch,
        "tokens_a_step": run.tokens,
        "milliseconds": timing.milliseconds,
        "wall": timing.wall,
        "phases": timing.phases,
        "compile_seconds": max(0.0, timing.first_seconds - timing.wall / 1e3),
        "peak_gib": timing.peak / GIB,
        "graphs": graphs(),
        "rounds": timing.rounds,
        "losses": [
            float(run.losses[0]),
            float(run.losses[-1]),
        ],  # the first is about ln V, and the same for all of ours
    }


def sweep(
    name: str, who: str, rows: Rows, micro_batches: Iterable[int], one: Callable[[int], None], unit: str = "tokens/s"
) -> None:
    """One row for each size, up to the first that the memory does not hold."""
    for micro_batch in micro_batches:
        work = f"step, {name}, micro-batch {micro_batch}"
        failed = ""
        try:
            one(micro_batch)
        except torch.OutOfMemoryError as error:
            failed = said(error)
        if failed:  # not inside `except`: its traceback would hold the tensors
            forget()
            rows.add(work, None, unit, who, failed="out of memory", micro_batch=micro_batch, error=failed)
            return
        forget()


def naive(shape: Shape, rows: Rows, micro_batches: Iterable[int]) -> None:
    """Our model as it is commonly written: eager attention, all logits at once in fp32. A stand-in for transformers'
    where that is not installed; it is not transformers'."""
    model = Ours("eager", "none", False).build(shape)

    def loss(ids: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(model(ids).flatten(0, 1).float(), targets.flatten())

    name = "eager attention, full logits"

    def one(micro_batch: int) -> None:
        Run(model, loss, shape, micro_batch).row(
            f"step, {name}, micro-batch {micro_batch}", rows, "naive BLOOM of ours"
        )

    sweep(name, "naive BLOOM of ours", rows, micro_batches, one)
