"""Cross-entropy of hidden states against a large vocabulary, without ever holding all the logits.

    hidden (N, C), weight (V, C), targets (N,) with -100 ignored  ->  summed negative log likelihood, fp32 scalar

With BLOOM's 250,880 rows the fp32 logits of one sequence of 2,048 tokens take 1.9 GiB, more than the activations of
all the layers. So rows go by in chunks, and while a chunk's logits are there its gradients are computed too (in the
forward pass): nothing is computed twice. The weight's gradient is added up in fp32. Never average here: the caller
divides by the valid tokens of the whole optimizer step, which only it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.distributed
from torch import Tensor
from torch.distributed import ProcessGroup, ReduceOp

IGNORE = -100

# N tokens, C channels, V rows of the vocabulary, R rows of a chunk


class VocabPart(NamedTuple):
    """Which rows of the vocabulary the weight given is, where the ranks of a group hold a part each."""

    first: int
    group: ProcessGroup

    def reduce(self, value: Tensor, op: ReduceOp.RedOpType = ReduceOp.SUM) -> Tensor:
        torch.distributed.all_reduce(value, op, self.group)
        return value


def chunked_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    chunk: int | None = None,
    z_loss: float = 0.0,
    compiled: bool = False,
    part: VocabPart | None = None,
) -> Tensor:
    """fp32 scalar: the negative log likelihood summed over the targets that are not -100.

    hidden (N, C), weight (V, C), targets (N,) int64. Under autocast the matrix products run in its dtype; softmax, loss
    and sums are fp32 always. Gradients flow to `hidden` and `weight`; backward runs once (they are
    held, not recomputed). z_loss adds z_loss * log(Z)^2 for each target, Z the softmax's denominator, so that logits do
    not drift away (Chowdhery et al. 2022, arXiv:2204.02311, sec. 5: 1e-4). compiled: the passes over a chunk's logits
    become two or three by `torch.compile`, once for each shape of a chunk. With `part`, `weight` is this rank's rows of
    the vocabulary; the loss is that over all rows, on every rank, and is not compiled.
    """
    compiled = compiled and part is None
    most = chunk_rows(weight.shape[0], hidden.device)
    if compiled and hidden.device.type == "cuda":
        most *= 2  # nothing of a chunk is in memory in fp32
    chunk = chunk or even_chunk(targets.shape[0], most)
    if not torch.is_grad_enabled():
        zero = torch.zeros((), device=hidden.device)
        return sum((losses.sum() for losses in _losses(hidden, weight, targets, chunk, z_loss, part)), zero)
    return _Chunked.apply(hidden, weight, targets, chunk, z_loss, compiled, part)


@torch.no_grad()
def token_cross_entropy(
    hidden: Tensor, weight: Tensor, targets: Tensor, chunk: int | None = None, part: VocabPart | None = None
) -> Tensor:
    """(N,) fp32: the negative log likelihood of each target, 0 where it is -100. No gradient."""
    chunk = chunk or even_chunk(targets.shape[0], chunk_rows(weight.shape[0], hidden.device))
    losses = list(_losses(hidden, weight, targets, chunk, part=part))
    return torch.cat(losses) if losses else targets.new_zeros(0, dtype=torch.float32)


def chunk_rows(vocab_size: int, device: torch.device) -> int:
    """How many tokens a chunk may hold: fp32 logits of about 2 GiB on a GPU (2,112 rows of BLOOM's), 16 MiB on a CPU.

    A CPU wants the chunk near its caches, but not so few rows that adding up the weight's gradient costs more than
    computing it (measured at 8,192 and 32,768: 512 rows are as good as any).
    """
    budget = 1 << 31 if device.type == "cuda" else 1 << 24
    return max(512, min(8192, budget // (4 * vocab_size) // 64 * 64))


def even_chunk(tokens: int, most: int) -> int:
    """Rows of each chunk if `tokens` are cut into as few alike as hold at most `most`: 32,768 by 2,112 -> 2,048."""
    return max(1, -(-tokens // max(1, -(-tokens // most))))


def compute_dtype(tensor: Tensor) -> torch.dtype:
    """What matrix products of `tensor` are computed in: autocast's dtype, or its own."""
    kind = tensor.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else tensor.dtype


class _Chunked(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        targets: Tensor,
        chunk: int,
        z_loss: float,
        compiled: bool,
        part: VocabPart | None,
    ) -> Tensor:
        dtype = compute_dtype(hidden)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        d_hidden = torch.empty_like(hidden)
        d_weight = torch.zeros_like(weight, dtype=torch.float32)
        with torch.autocast(hidden.device.type, enabled=False):
            w = weight.to(dtype)  # once, not once a chunk
            room = _Room(min(chunk, len(targets)), w, part, reuse=not compiled)
            for i in range(0, targets.shape[0], chunk):
                x, y = hidden[i : i + chunk].to(dtype), targets[i : i + chunk]  # (R, C), (R,)
                losses, scale, d_logits = room.gradient(room.logits(x, w), y, z_loss)  # (R,), (R, 1), (R, V) in dtype
                total += losses.sum()
                d_hidden[i : i + chunk] = (d_logits @ w) * scale
                room.add_product(d_weight, d_logits.T, (x * scale).to(dtype))
            if part:
                part.reduce(d_hidden)  # each rank has what its rows of the vocabulary say
        ctx.gradients = d_hidden, d_weight.to(weight.dtype)
        return total

    @staticmethod
    def backward(ctx: Any, d_total: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        if ctx.gradients is None:
            raise RuntimeError("the chunked loss keeps its gradients for one backward pass; call the loss again")
        d_hidden, d_weight = ctx.gradients
        ctx.gradients = None  # scaled in place below: a second pass would find them scaled
        return d_hidden.mul_(d_total), d_weight.mul_(d_total), None, None, None, None, None


class _Room:
    """Memory for one chunk of (R, V), used by all of them: a CPU faults on each page that it is given anew."""

    def __init__(self, rows: int, weight: Tensor, part: VocabPart | None, reuse: bool) -> None:
        self._part = part
        size, dtype = (rows, weight.shape[0]), weight.dtype
        self._logits = weight.new_empty(size) if reuse else None
        self._fp32 = weight.new_empty(size, dtype=torch.float32) if reuse and dtype != torch.float32 else None
        self._wide = dtype != torch.float32 and _adds_wide(weight.device, dtype)
        self._product = None if self._wide or dtype == torch.float32 else torch.empty_like(weight)  # (V, C)
        # a CPU makes an fp32 copy of what it adds to fp32: of some rows at a time, or each page of it is new memory
        self._at_once = max(1, (1 << 20) // weight.shape[1]) if weight.device.type == "cpu" else weight.shape[0]

    def gradient(self, logits: Tensor, targets: Tensor, z_loss: float) -> tuple[Tensor, Tensor, Tensor]:
        """As `_gradient` gives them."""
        if self._logits is None:
            return _compiled_gradient()(logits, targets, z_loss)
        if self._fp32 is None:
            return _gradient(logits, targets, z_loss, self._part)
        losses, scale, gradient = _gradient(logits, targets, z_loss, self._part, self._fp32[: len(targets)])
        return losses, scale, logits.copy_(gradient)

    def logits(self, x: Tensor, weight: Tensor) -> Tensor:
        return x @ weight.T if self._logits is None else torch.mm(x, weight.T, out=self._logits[: len(x)])

    def add_product(self, total: Tensor, a: Tensor, b: Tensor) -> None:
        """total += a @ b, where total is fp32 whatever a and b are."""
        if self._wide:
            torch.addmm(total, a, b, torch.float32, out=total)
        elif self._product is None:
            total.addmm_(a, b)
        else:
            torch.mm(a, b, out=self._product)
            for whole, part in zip(total.split(self._at_once), self._product.split(self._at_once), strict=True):
                whole.add_(part)


def _gradient(
    logits: Tensor, targets: Tensor, z_loss: float, part: VocabPart | None = None, out: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """(R,) losses, (R, 1) a scale of the rows, and (R, V): scale times it is the gradient of `logits`.

    In `out`, fp32, if that is given; else in the dtype of `logits`, and in their memory if they are fp32.
    Each pass over (R, V) counts, so probabilities are not made: what divides a row's exponentials, and takes ignored
    rows out, is left to the caller, who multiplies it into the (R, C) sides of the products.
    """
    valid, column, here = _where(targets, logits.shape[1], part)
    e, z, log_z, picked = _exponentials(logits, column, here, part, out)
    losses = (log_z - picked + z_loss * log_z**2) * valid
    if z_loss:
        e.mul_(1 + 2 * z_loss * log_z)
    e.scatter_add_(1, column, -z * here)
    return losses[:, 0], valid / z, e if out is not None else e.to(logits.dtype)


def _gradient_to_compile(logits: Tensor, targets: Tensor, z_loss: float) -> tuple[Tensor, Tensor, Tensor]:
    """What `_gradient` gives, as torch.compile makes the fewest passes of it; uncompiled it is slower.

    A target is found by comparing columns: a scatter would want all of (R, V) in memory in fp32 before it. So bf16
    logits are read twice and written once on a GPU, 6 bytes each, against 26 kernel by kernel.
    """
    dtype, (valid, column, _) = logits.dtype, _where(targets, logits.shape[1], None)
    wide = logits.float()  # this, and all else of (R, V) but what is returned, is in no memory once compiled
    top = wide.amax(1, keepdim=True)
    e = (wide - top).exp()  # maximum, then sum of these: inductor knows the pair and reads once for both
    z = e.sum(1, keepdim=True)
    log_z = z.log() + top
    losses = (log_z - wide.gather(1, column) + z_loss * log_z**2) * valid
    chosen = torch.arange(logits.shape[1], device=logits.device) == column
    return losses[:, 0], valid / z, (e * (1 + 2 * z_loss * log_z) - torch.where(chosen, z, 0.0)).to(dtype)


@cache
def _compiled_gradient() -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    return torch.compile(_gradient_to_compile, dynamic=False)


@torch.no_grad()
def _losses(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    chunk: int,
    z_loss: float = 0.0,
    part: VocabPart | None = None,
) -> Iterator[Tensor]:
    """(R,) losses of one chunk after another."""
    dtype = compute_dtype(hidden)
    with torch.autocast(hidden.device.type, enabled=False):
        hidden, weight = hidden.to(dtype), weight.to(dtype)
        for i in range(0, targets.shape[0], chunk):
            valid, column, here = _where(targets[i : i + chunk], weight.shape[0], part)
            _, _, log_z, picked = _exponentials(hidden[i : i + chunk] @ weight.T, column, here, part)
            yield ((log_z - picked + z_loss * log_z**2) * valid)[:, 0]


def _where(targets: Tensor, rows: int, part: VocabPart | None) -> tuple[Tensor, Tensor, Tensor]:
    """(R, 1) each: fp32, 0 where a target is ignored, else 1; a column to read from; fp32, 0 where not to read it.

    The last is 1 for ignored rows, whose gradient the first takes out, and 0 where another rank has the column.
    """
    column = targets.clamp(min=0)[:, None]
    valid, here = (targets != IGNORE).float()[:, None], torch.ones_like(column, dtype=torch.float32)
    if part:
        column = column - part.first
        here = ((column >= 0) & (column < rows)).float()
        column = column.clamp(0, rows - 1)
    return valid, column, here


def _exponentials(
    logits: Tensor, column: Tensor, here: Tensor, part: VocabPart | None, out: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """exp(logits - their row's largest) (R, V), its sum, log Z and the logits at `column` (R, 1): all fp32.

    In `out` if that is given; else fp32 `logits` are overwritten.
    """
    picked = logits.gather(1, column).float() * here
    top = logits.amax(1, keepdim=True).float()
    if part:
        part.reduce(top, ReduceOp.MAX)
        part.reduce(picked)
    if out is not None:
        e = out.copy_(logits).sub_(top).exp_()  # `torch.sub` of two dtypes takes three times as long on a CPU
    else:
        e = (logits.sub_(top) if logits.dtype == torch.float32 else logits - top).exp_()
    z = e.sum(1, keepdim=True)
    if part:
        part.reduce(z)
    return e, z, z.log() + top, picked


@cache
def _adds_wide(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a product of `dtype` can be added to an fp32 matrix at once, unrounded: 8 bytes of traffic, else 12.

    On CUDA from some torch after 2.8 on (in 2.8 all three have to be alike): asked of torch itself, on ones.
    """
    if device.type != "cuda":
        return False
    ones = torch.ones(16, 16, dtype=dtype, device=device)
    total = torch.ones(16, 16, device=device)
    try:
        torch.addmm(total, ones, ones, torch.float32, out=total)
    except (RuntimeError, TypeError):
        return False
    return bool((total == 17).all())
