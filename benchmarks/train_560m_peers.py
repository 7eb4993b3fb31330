"""The same step by others: transformers' BloomForCausalLM in the same loop, and ours through Lightning's Trainer.

    peer(FULL, rows, micro_batches=[1, 2, 4])  ->  "step, eager attention, micro-batch 2"  transformers 5.17.0  tokens/s

Where one of them, or what it needs, is not installed, its row says so.
"""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from train_560m_base import Rows, Shape, batch, device, forget, measure, said, sync
from train_560m_step import Ours, Run, compiler, sweep


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
    with compiler():
        call = torch.compile(model, dynamic=False) if compiled else model

    def loss(ids: Tensor, targets: Tensor) -> Tensor:
        del targets  # transformers shifts by itself, so one target of each row is missing: 2,047 of 2,048
        return call(input_ids=ids, labels=ids, use_cache=False).loss

    def one(micro_batch: int) -> None:
        end = None if compiled else model.transformer.ln_f
        Run(model, loss, shape, micro_batch).row(f"step, {name}, micro-batch {micro_batch}", rows, who, end)

    sweep(name, who, rows, micro_batches, one)


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
    run = Run(model, ours.loss(model), shape, ours.micro_batch)
    bare = measure(run)
    rows.add(work, bare.wall, "ms", "bare loop", False)
    run.optimizer.state.clear()
    del run
    forget()
    train = Train(steps=steps, global_batch=ours.micro_batch, micro_batch=ours.micro_batch, lr=3e-4)
    clock = _Clock(warmup, steps)
    watch = type("Watch", (pl.Callback,), {"on_train_batch_end": lambda _, *__: clock.step()})()
    loader = torch.utils.data.DataLoader(
        step_batches(shape, ours.micro_batch, steps),  # type: ignore[arg-type]
        batch_size=None,
        collate_fn=_as_is,
        pin_memory=torch.cuda.is_available(),
    )
    module = Pretraining(model, train, ["en"], **_unwatched(Pretraining))
    _trainer(pl, watch).fit(module, loader)
    tokens = ours.micro_batch * shape.seq
    rows.add(
        work, clock.milliseconds, "ms", "Lightning's Trainer", False, tokens_a_second=1e3 * tokens / clock.milliseconds
    )
    rows.add("Lightning's overhead a step", clock.milliseconds - bare.wall, "ms", "seedbed", False)


def _trainer(pl: Any, watch: Any) -> Any:
    """As `pretrain fit` makes it."""
    return pl.Trainer(
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


def _unwatched(module: type) -> dict[str, Any]:
    """No step's result is wanted at once, as between two looks of a run, if the module can be told so."""
    return {"exact_at": lambda step: False} if "exact_at" in inspect.signature(module).parameters else {}


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
