"""The whole optimizer step: ours in each way it can be run, ours written the naive way, transformers', and Lightning's.

    Ours(micro_batch=16).row(FULL, rows)  ->  "step, sdpa, compile by block, fused loss, 16 x 2048"  tokens/s, MFU, GiB

A step is what `pretrain.module` does: for each micro-batch forward, loss and backward under autocast, then the clipped
norm, fused AdamW and no gradients left. Nothing waits for the device inside it. Synthetic rows, the same for all.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from train_560m_base import GIB, Mark, Rows, Shape, Timing, batch, bf16, device, forget, measure, said, sync
from train_560m_floor import PEAK_FLOPS, flops_a_token

from pretrain.attention import BACKENDS
from pretrain.model import Bloom, decay_groups

Loss = Callable[[Tensor, Tensor], Tensor]  # ids, targets -> their mean loss
KERNELS = ("flash", "mem_efficient", "cudnn", "math")


@dataclass(frozen=True)
class Ours:
    """One way to run our model."""

    backend: str = "sdpa"
    compile: str = "block"  # block, whole, none
    fused: bool = True  # the loss's elementwise work by torch.compile
    micro_batch: int = 16
    accumulate: int = 1  # micro-batches in a step
    kernel: str = ""  # the only one that `sdpa` may take; empty: torch chooses
    options: str = ""  # mode of torch.compile

    @property
    def name(self) -> str:
        compiled = {"block": "compile by block", "whole": "compile whole", "none": "no compile"}[self.compile]
        loss = "fused loss" if self.fused else "plain loss"
        words = [
            f"{self.backend} {self.kernel}".strip(),
            compiled,
            self.options,
            loss,
            f"micro-batch {self.micro_batch}",
        ]
        words += [f"{self.accumulate} a step"] if self.accumulate > 1 else []
        return "step, " + ", ".join(filter(None, words))

    def build(self, shape: Shape) -> Bloom:
        if self.backend not in BACKENDS:
            raise ValueError(f"attention backend {self.backend!r} is unknown: there are {', '.join(BACKENDS)}")
        if self.kernel:
            only(self.kernel)
        where = device()
        with torch.device(where):
            model = Bloom(shape.config, torch.Generator(where).manual_seed(0), self.backend)  # type: ignore[arg-type]
        model.fused_loss = self.fused and where.type == "cuda"  # on a CPU compiling it takes longer than all the rest
        compile_(model, self.compile, self.options)
        return model

    def row(self, shape: Shape, rows: Rows) -> None:
        model = self.build(shape)
        run = Run(model, model_loss(model, self.accumulate), shape, self.micro_batch, self.accumulate)
        end = model.ln_f if self.compile != "whole" else None
        run.row(self.name, rows, end=end)


def only(kernel: str) -> None:
    """Forbid all kernels of scaled_dot_product_attention but one, in this process; torch.compile sees it too."""
    for name in KERNELS:
        getattr(torch.backends.cuda, f"enable_{name}_sdp")(name == kernel)


def compile_(model: Bloom, how: str, mode: str = "") -> None:
    """By inductor on a GPU; on a CPU by the tracer alone, because a C++ compiler would take minutes."""
    told: dict[str, Any] = {"dynamic": False} | ({"mode": mode} if mode else {})
    if device().type == "cpu":
        told = {"dynamic": False, "backend": "aot_eager"}
    if how == "block":
        for block in model.h:
            block.compile(**told)  # 24 blocks share one code, and so one compilation
    elif how == "whole":
        model.hidden = torch.compile(model.hidden, **told)  # type: ignore[method-assign]


def graphs() -> int:
    """How many torch.compile made so far: one for the blocks, one or two for the loss, or the blocks share none."""
    import torch._dynamo.utils as dynamo

    return dynamo.counters["stats"]["unique_graphs"]


def model_loss(model: Bloom, accumulate: int) -> Loss:
    def mean(ids: Tensor, targets: Tensor) -> Tensor:
        return model.loss(ids, targets) / (targets.numel() * accumulate)

    return mean


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


def peer(
    shape: Shape, rows: Rows, micro_batches: Iterable[int], checkpointing: bool = False, compiled: bool = False
) -> None:
    """transformers' BloomForCausalLM in the same loop: fp32 weights, bf16 autocast, fused AdamW, the same rows."""
    name = "eager attention"
    name += ", gradient checkpointing" if checkpointing else ""
    name += ", torch.compile" if compiled else ""
    try:
        import transformers
    except ImportError as error:
        rows.add(f"step, {name}", None, "tokens/s", "transformers", failed=said(error))
        return
    who = f"transformers {transformers.__version__}"
    model = transformers_bloom(shape)
    if checkpointing:
        model.gradient_checkpointing_enable()
    call = torch.compile(model, dynamic=False, **_tracer_only()) if compiled else model

    def loss(ids: Tensor, targets: Tensor) -> Tensor:
        del targets  # transformers shifts by itself, so one target of each row is missing: 2,047 of 2,048
        return call(input_ids=ids, labels=ids, use_cache=False).loss

    def one(micro_batch: int) -> None:
        end = None if compiled else model.transformer.ln_f
        Run(model, loss, shape, micro_batch).row(f"step, {name}, micro-batch {micro_batch}", rows, who, end)

    sweep(name, who, rows, micro_batches, one)


def _tracer_only() -> dict[str, Any]:
    return {"backend": "aot_eager"} if device().type == "cpu" else {}


def transformers_bloom(shape: Shape) -> Any:
    from transformers import BloomConfig, BloomForCausalLM

    config = BloomConfig(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        n_layer=shape.layers,
        n_head=shape.heads,
        initializer_range=0.0048,
        use_cache=False,
    )
    with torch.device(device()):
        return BloomForCausalLM(config).train()


def lightning(shape: Shape, rows: Rows, ours: Ours, steps: int = 12, warmup: int = 4) -> None:
    """The same step through `pretrain.module` and Lightning's Trainer, beside the bare loop in the same process."""
    work = f"milliseconds a step, micro-batch {ours.micro_batch}"
    try:
        import lightning.pytorch as pl

        from pretrain.config import Train
        from pretrain.module import Pretraining
    except ImportError as error:
        rows.add(work, None, "ms", "Lightning's Trainer", False, failed=said(error))
        return
    model = ours.build(shape)
    run = Run(model, model_loss(model, 1), shape, ours.micro_batch)
    bare = measure(run)
    rows.add(work, bare.wall, "ms", "bare loop", False)
    run.optimizer.state.clear()
    del run
    forget()
    train = Train(steps=steps, global_batch=ours.micro_batch, micro_batch=ours.micro_batch, lr=3e-4)
    clock = _Clock(warmup, steps)
    watch = type("Watch", (pl.Callback,), {"on_train_batch_end": lambda _, *__: clock.step()})()
    trainer = pl.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=1,
        precision="bf16-mixed",
        max_epochs=1,
        callbacks=[watch],
        logger=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    loader = torch.utils.data.DataLoader(
        step_batches(shape, ours.micro_batch, steps),  # type: ignore[arg-type]
        batch_size=None,
        collate_fn=_as_is,
        pin_memory=torch.cuda.is_available(),
    )
    trainer.fit(Pretraining(model, train, ["en"]), loader)
    tokens = ours.micro_batch * shape.seq
    rows.add(
        work, clock.milliseconds, "ms", "Lightning's Trainer", False, tokens_a_second=1e3 * tokens / clock.milliseconds
    )
    rows.add("Lightning's overhead a step", clock.milliseconds - bare.wall, "ms", "seedbed", False)


def _as_is(one: Any) -> Any:
    return one


def step_batches(shape: Shape, micro_batch: int, steps: int) -> list[dict[str, Any]]:
    """What `pretrain.data` gives: the rows of one step each."""
    import numpy as np

    cpu = torch.device("cpu")
    out = []
    for step in range(steps):
        ids, targets = batch(shape, micro_batch, cpu, step % 2)
        out.append(
            {
                "ids": ids.int(),
                "targets": targets.int(),
                "languages": np.zeros(micro_batch, np.int64),
                "tokens": np.full(micro_batch, shape.seq, np.int64),
                "rows": [("en", i) for i in range(micro_batch)],
                "step": step,
                "samples": micro_batch,
            }
        )
    return out


class _Clock:
    """Milliseconds a step, from the end of step `first` to that of `last`; the device is waited for at both only."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last, self.steps, self.begin, self.milliseconds = first, last, 0, 0.0, math.nan

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.first:
            sync()
            self.begin = time.perf_counter()
        elif self.steps == self.last:
            sync()
            self.milliseconds = 1e3 * (time.perf_counter() - self.begin) / (self.last - self.first)
