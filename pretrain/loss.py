"""Cross-entropy of hidden states against a large vocabulary, without ever holding all the logits.

    hidden (N, C), weight (V, C), targets (N,) with -100 ignored  ->  summed negative log likelihood, fp32 scalar

With BLOOM's 250,880 rows the fp32 logits of one sequence of 2,048 tokens take 1.9 GiB, more than the activations of
all the layers. So rows go by in chunks, and while a chunk's logits are there its gradients are computed too (in the
forward pass): nothing is computed twice. The weight's gradient is added up in fp32. Never average here: the caller
divides by the valid tokens of the whole optimizer step, which only it knows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

IGNORE = -100

# N tokens, C channels, V rows of the vocabulary, R rows of a chunk


def chunked_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int | None = None) -> Tensor:
    """fp32 scalar: the negative log likelihood summed over the targets that are not -100.

    hidden (N, C), weight (V, C), targets (N,) int64. Under autocast the matrix products run in its dtype; softmax, loss
    and sums are fp32 always. Gradients flow to `hidden` and `weight`; backward runs once (they are
    held, not recomputed).
    """
    chunk = chunk or chunk_rows(weight.shape[0], hidden.device)
    if not torch.is_grad_enabled():
        return token_cross_entropy(hidden, weight, targets, chunk).sum()
    return _Chunked.apply(hidden, weight, targets, chunk)


@torch.no_grad()
def token_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int | None = None) -> Tensor:
    """(N,) fp32: the negative log likelihood of each target, 0 where it is -100. No gradient."""
    chunk = chunk or chunk_rows(weight.shape[0], hidden.device)
    dtype = _matmul_dtype(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        hidden, weight = hidden.to(dtype), weight.to(dtype)
        rows = range(0, targets.shape[0], chunk)
        losses = [_losses((hidden[i : i + chunk] @ weight.T).float(), targets[i : i + chunk])[0] for i in rows]
    return torch.cat(losses) if losses else targets.new_zeros(0, dtype=torch.float32)


def chunk_rows(vocab_size: int, device: torch.device) -> int:
    """How many tokens a chunk holds: fp32 logits of about 2 GiB on a GPU (2,112 rows of BLOOM's), 8 MiB on a CPU.

    A CPU wants the chunk near its caches (measured: 128 to 512 rows of 8,192 best), but not so few rows that adding up
    the weight's gradient costs more than computing it.
    """
    budget = 1 << 31 if device.type == "cuda" else 1 << 23
    return max(256, min(8192, budget // (4 * vocab_size) // 64 * 64))


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int) -> Tensor:
        dtype = _matmul_dtype(hidden)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        d_hidden = torch.zeros_like(hidden)
        d_weight = torch.zeros_like(weight, dtype=torch.float32)
        with torch.autocast(hidden.device.type, enabled=False):
            w = weight.to(dtype)  # once, not once a chunk
            for i in range(0, targets.shape[0], chunk):
                x, y = hidden[i : i + chunk].to(dtype), targets[i : i + chunk]  # (R, C), (R,)
                losses, d_logits = _losses((x @ w.T).float(), y, gradient=True)  # (R,), (R, V) fp32
                total += losses.sum()
                d_logits = d_logits.to(dtype)
                d_hidden[i : i + chunk] = d_logits @ w
                _add_product(d_weight, d_logits.T, x)
        ctx.gradients = d_hidden, d_weight.to(weight.dtype)
        return total

    @staticmethod
    def backward(ctx: Any, d_total: Tensor) -> tuple[Tensor, Tensor, None, None]:  # type: ignore[override]
        if ctx.gradients is None:
            raise RuntimeError("the chunked loss keeps its gradients for one backward pass; call the loss again")
        d_hidden, d_weight = ctx.gradients
        ctx.gradients = None  # scaled in place below: a second pass would find them scaled
        return d_hidden.mul_(d_total), d_weight.mul_(d_total), None, None


def _losses(logits: Tensor, targets: Tensor, gradient: bool = False) -> tuple[Tensor, Tensor]:
    """(R,) losses, and `logits` overwritten: by the gradient of the losses' sum if asked for, else by rubbish.

    Each pass over (R, V) counts: one exponential serves the loss and the gradient, and ignored rows are scaled to 0
    by the same product that makes the others probabilities.
    """
    valid = (targets != IGNORE).float()[:, None]  # (R, 1)
    column = targets.clamp(min=0)[:, None]  # a place to read from where there is no target
    top = logits.amax(1, keepdim=True)
    picked = logits.gather(1, column) - top
    z = logits.sub_(top).exp_().sum(1, keepdim=True)
    losses = ((z.log() - picked) * valid)[:, 0]
    if gradient:
        logits.mul_(valid / z).scatter_add_(1, column, -valid)
    return losses, logits


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """total += a @ b, where total is fp32 whatever a and b are."""
    if a.dtype == torch.float32:
        total.addmm_(a, b)
    else:
        total.add_(a @ b)


def _matmul_dtype(hidden: Tensor) -> torch.dtype:
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype
