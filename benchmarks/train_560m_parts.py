"""The parts of a step by themselves: what this GPU can do at most, attention by kernel, the loss by chunk.

    ceilings(FULL, rows)  ->  "GEMMs of a step alone"  ms, and the TFLOP/s of each shape

Each row says what 24 layers, or a whole step, would cost a token, so that one table tells where the time is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from train_560m_base import GIB, Rows, Shape, bf16, device, forget, measure, said

from pretrain.attention import alibi_columns, alibi_slopes, attention
from pretrain.errors import ConfigError
from pretrain.loss import chunked_cross_entropy

# B sequences, H heads, T positions, D channels of a head; M, N, K of a matrix product


def ceilings(shape: Shape, rows: Rows, micro_batch: int) -> None:
    """What a copy and a large product reach here, then every matrix product of a step by itself."""
    where = device()
    large = where.type == "cuda"
    rows.add("copy, bytes read and written", _copied(GIB if large else 1 << 20), "GB/s", "torch")
    side = 8192 if large else 128
    rows.add(f"product of {side} x {side} matrices, bf16", _tflops(side, side, side), "TFLOP/s", "torch")
    products(shape, rows, micro_batch * shape.seq)


def products(shape: Shape, rows: Rows, tokens: int) -> None:
    """Forward, and both gradients, of each Linear and of a chunk of logits; then their sum over a step."""
    c, total = shape.hidden, 0.0
    chunk = min(tokens, 4096)
    shapes = [
        ("query_key_value", tokens, 3 * c, c, shape.layers),
        ("dense", tokens, c, c, shape.layers),
        ("dense_h_to_4h", tokens, 4 * c, c, shape.layers),
        ("dense_4h_to_h", tokens, c, 4 * c, shape.layers),
        (f"logits, {chunk} rows", chunk, shape.vocab, c, tokens / chunk),
    ]
    for name, m, n, k, times in shapes:
        speeds = [_tflops(m, n, k), _tflops(m, k, n), _tflops(k, n, m)]  # y, dx, dW
        milliseconds = sum(2e-9 * m * n * k / speed for speed in speeds)
        total += times * milliseconds
        rows.add(f"products of {name}", 6e-9 * m * n * k / milliseconds, "TFLOP/s", "torch", y_dx_dw=speeds)
    about = {"microseconds_a_token": 1e3 * total / tokens}
    rows.add("matrix products of a step, nothing else", total, "ms", "torch", False, **about)


def _copied(size: int) -> float:
    """GB/s of a copy on the device."""
    source = torch.ones(size, dtype=torch.uint8, device=device())
    target = torch.empty_like(source)
    took = measure(lambda _: target.copy_(source), 0.2).milliseconds
    return 2 * size / took / 1e6


def _tflops(m: int, n: int, k: int) -> float:
    """Random numbers: a GPU is faster on zeros."""
    a = torch.randn(m, k, device=device(), dtype=torch.bfloat16)
    b = torch.randn(k, n, device=device(), dtype=torch.bfloat16)
    out = torch.empty(m, n, device=device(), dtype=torch.bfloat16)
    took = measure(lambda _: torch.mm(a, b, out=out), 0.1).milliseconds
    return 2e-9 * m * n * k / took


def attention_kernels(shape: Shape, rows: Rows, micro_batch: int, head_sizes: tuple[int, ...]) -> None:
    """Each fused kernel on q, k, v that have ALiBi's columns already, forward and backward; eager at the end."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    kernels = {
        "torch's choice": None,
        "flash": SDPBackend.FLASH_ATTENTION,
        "cuDNN": SDPBackend.CUDNN_ATTENTION,
        "efficient": SDPBackend.EFFICIENT_ATTENTION,
    }
    for size in head_sizes:
        q, k, v, slopes = _heads(shape, micro_batch, size)
        to_q, to_k = alibi_columns(slopes, shape.seq, size, q.dtype)
        extra = to_k.shape[-1]
        wide_q = torch.cat([q, to_q.expand(*q.shape[:3], extra)], -1).detach().requires_grad_()
        wide_k = torch.cat([k, to_k.expand(*k.shape[:3], extra)], -1).detach().requires_grad_()
        wide_v = F.pad(v, (0, extra)).detach().requires_grad_()
        fused = partial(F.scaled_dot_product_attention, is_causal=True, scale=size**-0.5)
        for name, kernel in kernels.items():
            with sdpa_kernel(kernel) if kernel is not None else nullcontext():
                _attention_row(f"sdpa, {name}", rows, shape, fused, (wide_q, wide_k, wide_v), size)
        with sdpa_kernel(SDPBackend.CUDNN_ATTENTION):  # this one takes values narrower than the keys
            _attention_row("sdpa, cuDNN, values unpadded", rows, shape, fused, (wide_q, wide_k, v), size)
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            _attention_row("sdpa, flash, without ALiBi", rows, shape, fused, (q, k, v), size)
        del wide_q, wide_k, wide_v
        forget()
    for name in ("sdpa", "eager"):
        q, k, v, slopes = _heads(shape, micro_batch, shape.hidden // shape.heads)
        call = partial(attention, slopes=slopes, backend=name)
        _attention_row(f"{name} of ours, not compiled", rows, shape, call, (q, k, v), q.shape[-1])


def flex_attention(shape: Shape, rows: Rows, micro_batch: int, head_sizes: tuple[int, ...]) -> None:
    """FlexAttention with the bias as a score_mod and a causal block mask, compiled."""
    for size in head_sizes:
        q, k, v, slopes = _heads(shape, micro_batch, size)
        call = partial(attention, slopes=slopes, backend="flex")  # which compiles itself
        _attention_row("flex", rows, shape, call, (q, k, v), size)
        forget()


def _heads(shape: Shape, micro_batch: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """q, k, v (B, H, T, D) bf16, which want gradients, and the slopes."""
    sizes = (micro_batch, shape.heads, shape.seq, size)
    made = [torch.randn(sizes, device=device(), dtype=torch.bfloat16).requires_grad_() for _ in range(3)]
    return made[0], made[1], made[2], alibi_slopes(shape.heads).to(device())


def _attention_row(
    name: str, rows: Rows, shape: Shape, call: Callable[..., Tensor], qkv: tuple[Tensor, ...], size: int
) -> None:
    """Milliseconds of forward and backward; a kernel that cannot is told as such."""
    q, k, v = qkv
    work = f"attention, head {size}"

    def both(mark: Any) -> None:
        y = call(q, k, v)
        mark("forward")
        y.backward(torch.ones_like(y))
        mark("backward")
        q.grad = k.grad = v.grad = None

    try:
        timing = measure(both, 0.3)
    except (RuntimeError, ConfigError) as error:  # no kernel for this size, no backward on this device, no memory
        rows.add(work, None, "ms", name, False, failed=said(error))
        return
    tokens = q.shape[0] * shape.seq
    useful = 7.0 * q.shape[0] * shape.heads * shape.seq**2 * size  # 2 products forward, 5 backward, half the pairs
    rows.add(
        work,
        timing.milliseconds,
        "ms",
        name,
        False,
        phases=timing.phases,
        useful_tflops=useful / timing.milliseconds / 1e9,
        layers_microseconds_a_token=1e3 * shape.layers * timing.milliseconds / tokens,
        peak_gib=timing.peak / GIB,
    )


def loss_by_chunk(shape: Shape, rows: Rows, micro_batch: int, chunks: tuple[int, ...], fused: bool) -> None:
    """Forward and backward of the chunked loss by itself."""
    hidden, weight, targets = _loss_inputs(shape, micro_batch)
    fused = fused and device().type == "cuda"
    for chunk in chunks:
        name = f"{'compiled' if fused else 'plain'}, chunks of {chunk}"
        call = partial(chunked_cross_entropy, chunk=chunk, compiled=fused)
        _loss_row(name, rows, shape, call, (hidden, weight, targets))


def loss_of_torch(shape: Shape, rows: Rows, micro_batch: int, chunks: tuple[int, ...]) -> None:
    """torch.nn.functional.linear_cross_entropy, which came with torch 2.13."""
    if not hasattr(F, "linear_cross_entropy"):
        failed = f"torch {torch.__version__} has no linear_cross_entropy"
        rows.add("loss, forward and backward", None, "ms", "torch, linear_cross_entropy", False, failed=failed)
        return
    inputs = _loss_inputs(shape, micro_batch)
    for chunk in chunks:
        options = torch.nn.LinearCrossEntropyOptions(batch_chunk_size=chunk, chunking_method=None)

        def call(x: Tensor, w: Tensor, y: Tensor, options: Any = options) -> Tensor:
            return F.linear_cross_entropy(x, w.to(x.dtype), y, reduction="sum", options=options)

        _loss_row(f"torch, linear_cross_entropy, chunks of {chunk}", rows, shape, call, inputs)


def loss_memory(shape: Shape, rows: Rows) -> None:
    """The peak of the loss at 8 rows, ours beside all logits at once in fp32."""
    inputs = _loss_inputs(shape, 8)
    fused = device().type == "cuda"
    _loss_row("8 rows, seedbed", rows, shape, partial(chunked_cross_entropy, compiled=fused), inputs)

    def whole(x: Tensor, w: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(F.linear(x, w).float(), y, reduction="sum")

    _loss_row("8 rows, all logits in fp32", rows, shape, whole, inputs)


def _loss_inputs(shape: Shape, micro_batch: int) -> tuple[Tensor, Tensor, Tensor]:
    n, where = micro_batch * shape.seq, device()
    hidden = torch.randn(n, shape.hidden, device=where).requires_grad_()  # fp32, as the last LayerNorm gives it
    weight = (0.02 * torch.randn(shape.vocab, shape.hidden, device=where)).requires_grad_()
    return hidden, weight, torch.randint(0, shape.vocab, (n,), device=where)


def _loss_row(
    name: str, rows: Rows, shape: Shape, call: Callable[..., Tensor], inputs: tuple[Tensor, Tensor, Tensor]
) -> None:
    hidden, weight, targets = inputs
    forget()
    before = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0

    def both(mark: Any) -> None:
        with bf16(device()):
            loss = call(hidden, weight, targets)
        mark("forward")
        loss.backward()
        mark("backward")
        hidden.grad = weight.grad = None

    work = "loss, forward and backward"
    try:
        timing = measure(both, 1.0)
    except RuntimeError as error:
        hidden.grad = weight.grad = None
        rows.add(work, None, "ms", name, False, failed=said(error))
        return
    tokens = targets.numel()
    rows.add(
        work,
        timing.milliseconds,
        "ms",
        name,
        False,
        tokens=tokens,
        phases=timing.phases,
        microseconds_a_token=1e3 * timing.milliseconds / tokens,
        tflops=6e-9 * tokens * shape.vocab * shape.hidden / timing.milliseconds,
        extra_gib=(timing.peak - before) / GIB if timing.peak else None,
    )
