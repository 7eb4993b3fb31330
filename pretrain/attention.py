"""Causal attention with ALiBi, for any number of heads and at any position, in one function with three backends.

    q (B, H, T, D), k and v (B, H, S, D), slopes (H,)  ->  (B, H, T, D)

The T queries are the last T of the S positions (S > T when a key-value cache holds the past). A query at i sees the
keys j <= i with the score q.k / sqrt(D) + slope * (j - i); where documents are kept apart, only those of its own
document. What does not differ between layers is computed once a forward pass, by `prepare`.

`eager` computes the scores in fp32, also under autocast, and is the reference. `sdpa` is torch's fused kernel: ALiBi
goes in as extra columns of q and k, so that no (H, T, S) tensor exists and any flash kernel will do. `flex` is torch's
FlexAttention, which skips what lies in another document; its backward pass wants a GPU. Never build the bias from
absolute positions in bf16: its spacing is 8 beyond 1024, and attention drifts by half its mass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from pretrain.errors import ConfigError

Backend = Literal["auto", "sdpa", "eager", "flex"]
BACKENDS: tuple[str, ...] = get_args(Backend)

# B sequences, H heads, T queries, S keys, D channels of a head
_BLOCK = 128  # positions are split into j // 128 and j % 128
_LONGEST_BF16 = 257 * _BLOCK  # positions 0 to 32,895: bf16 has the integers up to 256, and j // 128 is one of them
_COLUMNS = 4  # that carry ALiBi
_ALIGNED = 16  # bytes that a head's row is a multiple of, as fused kernels want it: four columns in fp32, eight in bf16
_WIDE_ENOUGH_FOR_BF16 = 48  # on a CPU; see `_kernel_dtype`
_WIDEST_FLASH = 128  # channels, ALiBi's columns with them, up to which flash kernels on a GPU are at their best


@dataclass(frozen=True)
class Positions:
    """What the queries of one forward pass see and how far away it is: the same in all layers. By `prepare`."""

    backend: Backend  # never "auto"
    slopes: Tensor  # (H,) fp32
    starts: Tensor | None  # (B, T): where the document of each position begins; None: all of a row is seen
    columns: tuple[Tensor, Tensor] | None = None  # sdpa: see `alibi_columns`
    mask: Tensor | None = None  # sdpa with documents: (B, 1, T, T) bool, whether query i sees key j
    blocks: BlockMask | None = None  # flex


def alibi_slopes(heads: int) -> Tensor:
    """(heads,) fp32: 2^-1, 2^-2, ... 2^-8 for eight heads (Press et al. 2022, arXiv:2108.12409, sec. 3).

    If `heads` is no power of two: the slopes of the power p below it, then every second one of those of 2p, as
    Megatron-DeepSpeed does (BLOOM-176B has 112 heads: 64 and 48).
    """
    if heads < 1:
        raise ConfigError(f"num_heads is {heads}", hint="give at least one attention head")
    power = 1 << (heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (i + 1) / power) for i in range(power)]
    between = [2.0 ** (-8.0 * (i + 1) / (2 * power)) for i in range(0, 2 * power, 2)]
    return torch.tensor(slopes + between[: heads - power], dtype=torch.float32)


def attention(
    q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, backend: Backend = "auto", starts: Tensor | None = None
) -> Tensor:
    """(B, H, T, D): what each query reads, in the dtype of v. Where a cache holds a past, any backend is `eager`.

    starts (B, T) int, where the document of each position begins in its row, keeps documents apart.
    Raises ConfigError for `flex` on a CPU where gradients are wanted.
    """
    return attend(q, k, v, prepare(slopes, (q.shape[2], k.shape[2]), q.shape[-1], q.dtype, backend, starts))


def prepare(
    slopes: Tensor,
    lengths: tuple[int, int],
    width: int,
    dtype: torch.dtype,
    backend: Backend = "auto",
    starts: Tensor | None = None,
) -> Positions:
    """What `attend` wants for T queries and S keys (`lengths`) of `width` channels, which will come in `dtype`."""
    queries, keys = lengths
    chosen = choose(backend, slopes.device, width, starts is not None)
    if chosen == "eager" or queries != keys:
        return Positions("eager", slopes, starts)
    if chosen == "flex":
        return Positions("flex", slopes, starts, blocks=_blocks(keys, slopes.device, starts))
    columns = alibi_columns(slopes, keys, width, _kernel_dtype(slopes.device, width, dtype))
    return Positions("sdpa", slopes, starts, columns, None if starts is None else _seen(starts))


def attend(q: Tensor, k: Tensor, v: Tensor, positions: Positions) -> Tensor:
    """(B, H, T, D): what each query reads, in the dtype of v."""
    if positions.backend == "eager":
        return _eager(q, k, v, positions)
    if positions.backend == "flex":
        return _flex(q, k, v, positions)
    return _sdpa(q, k, v, positions)


def choose(backend: Backend, device: torch.device, width: int, documents: bool) -> Backend:
    """The backend that `auto` stands for where heads have `width` channels, and documents are kept apart or not."""
    if backend != "auto":
        return backend
    if device.type != "cuda":
        return "sdpa"  # `flex` has no backward pass on a CPU
    if documents:
        return "flex"  # it skips blocks of other documents; with a mask `sdpa` has no flash kernel
    # heads of 64, 80 and 96 stay below 128 with ALiBi's eight columns; 128 would become 136, in the kernel for 192
    return "sdpa" if width + _ALIGNED // 2 <= _WIDEST_FLASH else "flex"


def check_backend(backend: Backend, device: torch.device) -> None:
    """Raises ConfigError if `backend` cannot train on `device`."""
    if backend == "flex" and device.type == "cpu":
        raise ConfigError(
            "attention flex cannot train on a CPU: FlexAttention has no backward pass there",
            hint="set run.attention: auto, or train on a GPU",
        )


def check_length(positions: int, dtype: torch.dtype) -> None:
    """Raises ConfigError if so many positions cannot be told apart in `dtype`."""
    if dtype == torch.bfloat16 and positions > _LONGEST_BF16:
        raise ConfigError(
            f"rows of {positions:,} tokens are too long for bf16, in which ALiBi is exact up to {_LONGEST_BF16:,}",
            hint="set run.precision: 32-true, or pack shorter rows",
        )


def _eager(q: Tensor, k: Tensor, v: Tensor, positions: Positions) -> Tensor:
    queries, keys = q.shape[2], k.shape[2]
    i = torch.arange(keys - queries, keys, device=q.device)[:, None]
    j = torch.arange(keys, device=q.device)[None, :]
    unseen = j > i  # (T, S)
    if positions.starts is not None:
        unseen = unseen | (j < positions.starts[:, None, :, None])  # (B, 1, T, S)
    bias = positions.slopes[:, None, None] * (j - i)  # (H, T, S) fp32: relative, so that what matters most is exact
    with torch.autocast(q.device.type, enabled=False):
        scores = (q.float() @ k.float().transpose(2, 3)) * q.shape[-1] ** -0.5 + bias
        return scores.masked_fill(unseen, float("-inf")).softmax(-1).to(v.dtype) @ v


def _sdpa(q: Tensor, k: Tensor, v: Tensor, positions: Positions) -> Tensor:
    assert positions.columns is not None
    width = q.shape[-1]
    to_q, to_k = positions.columns  # their dtype is the kernel's
    extra, dtype = to_k.shape[-1], to_k.dtype
    with torch.autocast(q.device.type, enabled=False):
        q = torch.cat([q.to(dtype), to_q.expand(*q.shape[:3], extra)], -1)  # (B, H, T, D + extra)
        k = torch.cat([k.to(dtype), to_k.expand(*k.shape[:3], extra)], -1)
        padded = F.pad(v.to(dtype), (0, extra))  # flash kernels want one width for all three
        mask, scale = positions.mask, width**-0.5
        y = F.scaled_dot_product_attention(q, k, padded, attn_mask=mask, is_causal=mask is None, scale=scale)
        return y[..., :width].to(v.dtype)


def _kernel_dtype(device: torch.device, width: int, dtype: torch.dtype) -> torch.dtype:
    """What `sdpa` computes in: a CPU's backward pass in bf16 takes twice the time of fp32's where heads are narrow."""
    if device.type == "cpu" and dtype == torch.bfloat16 and width < _WIDE_ENOUGH_FOR_BF16:
        return torch.float32
    return dtype


def _seen(starts: Tensor) -> Tensor:
    """(B, 1, T, T) bool: whether query i sees key j."""
    j = torch.arange(starts.shape[1], device=starts.device)
    return ((j <= j[:, None]) & (j >= starts[:, :, None]))[:, None]


def _flex(q: Tensor, k: Tensor, v: Tensor, positions: Positions) -> Tensor:
    if torch.is_grad_enabled() and (q.requires_grad or k.requires_grad or v.requires_grad):
        check_backend("flex", q.device)
    slopes = positions.slopes

    def with_alibi(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return score + slopes[h] * (j - i)

    kernel = _flex_kernel(q.device)
    return kernel(q, k, v.to(q.dtype), score_mod=with_alibi, block_mask=positions.blocks).to(v.dtype)


@cache
def _flex_kernel(device: torch.device) -> Callable[..., Any]:
    """Uncompiled it holds all scores, which is nothing to worry about in tests on a CPU."""
    kernel: Any = flex_attention  # it has overloads, and so no one type
    return kernel if device.type == "cpu" else torch.compile(kernel, dynamic=False)


def _blocks(length: int, device: torch.device, starts: Tensor | None) -> BlockMask:
    """Which blocks of 128 queries and 128 keys hold anything that is seen."""
    if starts is None:
        return _causal_blocks(length, device)

    def same_document(b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return (j <= i) & (j >= starts[b, i])

    return _block_maker(device)(same_document, len(starts), None, length, length, device=device)


@cache
def _causal_blocks(length: int, device: torch.device) -> BlockMask:
    return create_block_mask(lambda b, h, i, j: j <= i, None, None, length, length, device=device)


@cache
def _block_maker(device: torch.device) -> Callable[..., Any]:
    """Uncompiled it holds (B, T, T)."""
    return create_block_mask if device.type == "cpu" else torch.compile(create_block_mask, dynamic=False)


def alibi_columns(slopes: Tensor, length: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(H, 1, E) for q and (length, E) for k: their products are slope * sqrt(width) * j, to 2^-16 also in bf16.

    E is 8 in bf16, 4 in fp32. In bf16 up to 32,896 positions; raises ConfigError for more.

    ALiBi has rank one in the key: slope * (j - i) differs from slope * j by what softmax ignores. So
    a = slope * sqrt(width) stands in q, as a bf16 head and the remainder, and j in k, as 128 * coarse + fine. Four
    products, and only the remainder of a remainder is lost: a uniform error of the slope, not one that grows with j.

    Worked: slope 1/2, width 64, j 300 = 2 * 128 + 44: a = 4 = 4 + 0, so q has (512, 0, 4, 0), k has (2, 2, 44, 44).
    Their product is 1024 + 176 = 1200 = 4 * 300; divided by sqrt(64) that is 150 = 300 / 2.
    """
    check_length(length, dtype)
    a = slopes.float() * width**0.5
    head = a.bfloat16().float()
    rest = a - head
    to_q = torch.stack([_BLOCK * head, _BLOCK * rest, head, rest], -1)
    j = torch.arange(length, device=slopes.device)
    coarse, fine = j // _BLOCK, j % _BLOCK
    to_k = torch.stack([coarse, coarse, fine, fine], -1)
    empty = max(0, _ALIGNED // dtype.itemsize - _COLUMNS)
    return F.pad(to_q[:, None, :].to(dtype), (0, empty)), F.pad(to_k.to(dtype), (0, empty))


class KVCache:
    """Keys and values of the positions read so far, for every layer: room for `capacity` positions, filled in order.

    `length` counts the positions that all layers hold. A model calls `extend` once a layer, then `advance` once.
    """

    def __init__(self, layers: int, batch: int, heads: int, capacity: int, width: int, like: Tensor) -> None:
        shape = (layers, 2, batch, heads, capacity, width)
        self._store = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self.capacity = capacity
        self.length = 0

    @torch.no_grad()
    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Append (B, H, T, D) keys and values; return all of this layer's, (B, H, length + T, D). No gradient."""
        end = self.length + k.shape[2]
        assert end <= self.capacity, f"cache of {self.capacity} positions cannot hold {end}"
        keys, values = self._store[layer, 0], self._store[layer, 1]
        keys[:, :, self.length : end] = k
        values[:, :, self.length : end] = v
        # autocast may compute narrower than we store
        return keys[:, :, :end].to(k.dtype), values[:, :, :end].to(v.dtype)

    def advance(self, positions: int) -> None:
        """Say that every layer has now been extended by `positions`."""
        self.length += positions
