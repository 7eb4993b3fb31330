"""Causal attention with ALiBi, for any number of heads and at any position, in one function with two backends.

    q (B, H, T, D), k and v (B, H, S, D), slopes (H,)  ->  (B, H, T, D)

The T queries are the last T of the S positions (S > T when a key-value cache holds the past). A query at i sees the
keys j <= i with the score q.k / sqrt(D) + slope * (j - i).

`eager` computes the scores in fp32, also under autocast, and is the reference. `sdpa` is torch's fused kernel: ALiBi
goes in as extra columns of q and k, so that no (T, S) tensor exists and any flash kernel will do. Never build the bias
from absolute positions in bf16: its spacing is 8 beyond 1024, and attention drifts by half its mass.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from pretrain.errors import ConfigError

Backend = Literal["sdpa", "eager"]
BACKENDS: tuple[str, ...] = get_args(Backend)

# B sequences, H heads, T queries, S keys, D channels of a head
_BLOCK = 128  # positions are split into j // 128 and j % 128
_LONGEST_BF16 = 257 * _BLOCK  # positions 0 to 32,895: bf16 has the integers up to 256, and j // 128 is one of them
_EXTRA = 8  # columns added: four carry ALiBi, four are zero, because fused kernels want a multiple of eight


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


def attention(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor, backend: Backend = "sdpa") -> Tensor:
    """(B, H, T, D): what each query reads, in the dtype of q. Where a cache holds a past, `sdpa` is `eager`."""
    if backend == "eager" or q.shape[2] != k.shape[2]:
        return _eager(q, k, v, slopes)
    return _sdpa(q, k, v, slopes)


def check_length(positions: int, dtype: torch.dtype) -> None:
    """Raises ConfigError if so many positions cannot be told apart in `dtype`."""
    if dtype == torch.bfloat16 and positions > _LONGEST_BF16:
        raise ConfigError(
            f"rows of {positions:,} tokens are too long for bf16, in which ALiBi is exact up to {_LONGEST_BF16:,}",
            hint="set run.precision: 32-true, or pack shorter rows",
        )


def _eager(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor) -> Tensor:
    queries, keys = q.shape[2], k.shape[2]
    i = torch.arange(keys - queries, keys, device=q.device)[:, None]
    j = torch.arange(keys, device=q.device)[None, :]
    bias = slopes[:, None, None] * (j - i)  # (H, T, S) fp32: relative, so that what matters most is exact
    bias = bias.masked_fill(j > i, float("-inf"))
    with torch.autocast(q.device.type, enabled=False):
        scores = (q.float() @ k.float().transpose(2, 3)) * q.shape[-1] ** -0.5 + bias
        return scores.softmax(-1).to(v.dtype) @ v


def _sdpa(q: Tensor, k: Tensor, v: Tensor, slopes: Tensor) -> Tensor:
    width = q.shape[-1]
    to_q, to_k = alibi_columns(slopes, k.shape[2], width, q.dtype)
    q = torch.cat([q, to_q.expand(*q.shape[:3], _EXTRA)], -1)  # (B, H, T, D + 8)
    k = torch.cat([k, to_k.expand(*k.shape[:3], _EXTRA)], -1)
    v = F.pad(v, (0, _EXTRA))  # flash kernels want one width for all three
    return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=width**-0.5)[..., :width]


def alibi_columns(slopes: Tensor, length: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(H, 1, 8) for q and (length, 8) for k: their products are slope * sqrt(width) * j, to 2^-16 also in bf16.

    In bf16 up to 32,896 positions; raises ConfigError for more.

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
    zero = torch.zeros_like(a)
    to_q = torch.stack([_BLOCK * head, _BLOCK * rest, head, rest, zero, zero, zero, zero], -1)
    j = torch.arange(length, device=slopes.device)
    coarse, fine = j // _BLOCK, j % _BLOCK
    nothing = torch.zeros_like(j)
    to_k = torch.stack([coarse, coarse, fine, fine, nothing, nothing, nothing, nothing], -1)
    return to_q[:, None, :].to(dtype), to_k.to(dtype)


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
        return keys[:, :, :end].to(k.dtype), values[:, :, :end].to(
            v.dtype
        )  # autocast may compute narrower than we store

    def advance(self, positions: int) -> None:
        """Say that every layer has now been extended by `positions`."""
        self.length += positions
