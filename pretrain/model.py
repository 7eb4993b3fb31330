"""BLOOM, as BigScience trained it: token ids to the logits of the next token.

    ids (B, T) int64  ->  hidden (B, T, C)  ->  logits (B, T, V)

A pre-LN decoder with LayerNorm after the embedding, ALiBi in place of position embeddings, one fused projection for
queries, keys and values, tanh GELU, biases everywhere and a head tied to the embedding (Le Scao et al. 2022,
arXiv:2211.05100). Parameters bear the names of transformers' BloomModel, so its weights load without a table. Imports
torch only; knows nothing of trainers, files or devices. Documents in a row see each other, as in BLOOM's own training,
unless it is told where they begin.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Replicate

from pretrain.attention import BACKENDS, Backend, KVCache, Positions, alibi_slopes, attend, prepare
from pretrain.errors import ConfigError
from pretrain.loss import VocabPart, chunked_cross_entropy, compute_dtype, token_cross_entropy

# B sequences, T positions, C width, H heads, D = C / H, V rows of the embedding


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a BLOOM. Raises ConfigError if no model can have it."""

    vocab_size: int  # rows of the embedding: the tokenizer's count, padded (`padded_vocab`)
    hidden_size: int  # C
    num_layers: int
    num_heads: int  # divides C; powers of two or not
    layer_norm_epsilon: float = 1e-5
    init_std: float = 0.0048  # BLOOM's at every size: sqrt(1 / (3 * 14336)), the 176B width in MT-NLG's formula

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size", "num_layers", "num_heads"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model: {name} is {getattr(self, name)}", hint=f"give a positive {name}")
        if self.hidden_size % self.num_heads:
            below = self.hidden_size // self.num_heads * self.num_heads
            raise ConfigError(
                f"model: hidden_size {self.hidden_size} is not divisible by num_heads {self.num_heads}",
                hint=f"take hidden_size {below or self.num_heads} or {below + self.num_heads}",
            )
        for name in ("layer_norm_epsilon", "init_std"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"model: {name} is {getattr(self, name)}", hint=f"give a positive {name}")

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_heads

    @property
    def num_parameters(self) -> int:
        """V C + L (12 C^2 + 13 C) + 4 C, the tied head counted once: 559,214,592 for bloom-560m."""
        c = self.hidden_size
        return self.vocab_size * c + self.num_layers * (12 * c * c + 13 * c) + 4 * c


def padded_vocab(tokens: int, multiple: int = 64) -> int:
    """Rows of the embedding for a tokenizer of `tokens`: the next multiple (BLOOM's: 250,680 -> 250,880, by 512)."""
    return -(-tokens // multiple) * multiple


class Linear(nn.Linear):
    """nn.Linear that leaves its memory as it found it: `Bloom.initialise` draws all weights, once."""

    def reset_parameters(self) -> None:
        pass


class Embedding(nn.Embedding):
    """nn.Embedding, likewise."""

    def reset_parameters(self) -> None:
        pass


class SelfAttention(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.head_size = config.head_size
        self.query_key_value = Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = Linear(config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor, positions: Positions, cache: KVCache | None, layer: int) -> Tensor:
        b, t, _ = x.shape
        # the rows of the fused projection go head by head, (H, 3, D): not (3, H, D) as in GPT-2
        q, k, v = self.query_key_value(x).view(b, t, -1, 3, self.head_size).transpose(1, 2).unbind(3)  # (B, H, T, D)
        if cache is not None:
            k, v = cache.extend(layer, k, v)  # (B, H, S, D)
        y = attend(q, k, v, positions)
        return self.dense(y.transpose(1, 2).reshape(b, t, -1))


class MLP(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.dense_h_to_4h = Linear(config.hidden_size, 4 * config.hidden_size)
        self.dense_4h_to_h = Linear(4 * config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense_4h_to_h(F.gelu(self.dense_h_to_4h(x), approximate="tanh"))


class Block(nn.Module):
    """x + attention(LN(x)), then x + mlp(LN(x)): the residual is x itself, not what LayerNorm gave."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.input_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.self_attention = SelfAttention(config)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,
        positions: Positions,
        cache: KVCache | None = None,
        layer: int = 0,
        compiled: Callable[..., Tensor] | None = None,  # of `compute`: inside, so that hooks of FSDP stay outside
    ) -> Tensor:
        return compiled(self, x, positions) if compiled else self.compute(x, positions, cache, layer)

    def compute(self, x: Tensor, positions: Positions, cache: KVCache | None = None, layer: int = 0) -> Tensor:
        x = x + self.self_attention(self.input_layernorm(x), positions, cache, layer)
        return x + self.mlp(self.post_attention_layernorm(x))


class Bloom(nn.Module):
    """The model. `generator` (a CPU one, if built on the CPU) decides its weights; None takes torch's own."""

    def __init__(
        self, config: ModelConfig, generator: torch.Generator | None = None, backend: Backend = "auto"
    ) -> None:
        super().__init__()
        if backend not in BACKENDS:
            raise ConfigError(f"attention backend {backend!r} is unknown", hint=f"take one of {', '.join(BACKENDS)}")
        self.config = config
        self.backend: Backend = backend
        self._compiled: Callable[..., Tensor] | None = None
        self._compiled_shape = (0, 0)
        self.word_embeddings = Embedding(config.vocab_size, config.hidden_size)
        self.word_embeddings_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.h = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.ln_f = nn.LayerNorm(config.hidden_size, config.layer_norm_epsilon)
        self.slope_bits: Tensor  # fp32 kept as int32, so that `model.bfloat16()` does not round ALiBi
        self.register_buffer("slope_bits", alibi_slopes(config.num_heads).view(torch.int32), persistent=False)
        self.initialise(generator)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator | None = None) -> None:
        """N(0, init_std) for matrices, narrower by sqrt(2 L) for the two that write into the residual; biases 0, LN 1.

        Source: Megatron-DeepSpeed, megatron/model/utils.py (`scaled_init_method_normal`). Weights on the meta device
        are left alone: call this again after `to_empty`.
        """
        narrow = self.config.init_std / (2 * self.config.num_layers) ** 0.5
        for name, p in self.named_parameters():
            if p.is_meta:
                continue
            if p.ndim == 2:
                residual = name.endswith(("self_attention.dense.weight", "mlp.dense_4h_to_h.weight"))
                p.normal_(0.0, narrow if residual else self.config.init_std, generator=generator)
            else:
                p.fill_(0.0 if name.endswith("bias") else 1.0)
        self.set_slopes()

    def set_slopes(self) -> None:
        """Fill in ALiBi's slopes, which no checkpoint holds: for a model that `to_empty` has just given memory."""
        if not self.slope_bits.is_meta:
            slopes = alibi_slopes(self.config.num_heads).to(self.slope_bits.device)
            self.slope_bits.copy_(slopes.view(torch.int32))

    def compile_blocks(self) -> None:
        """From now on train with `torch.compile`: one graph for all blocks, one for the loss's passes over the logits.

        For the largest (B, T) met so far only. A smaller batch (the last one of a step), validation and generation run
        uncompiled: each shape would be compiled anew, for a minute on a GPU.
        """
        # inside DDP's forward dynamo would cut every graph at the borders of DDP's buckets, and older ones refuse
        # FlexAttention's; gradients travel block by block as it is
        torch._dynamo.config.optimize_ddp = False
        self._compiled = torch.compile(Block.compute, dynamic=False)

    def _compiled_for(self, ids: Tensor) -> Callable[..., Tensor] | None:
        if self._compiled is None or not torch.is_grad_enabled():
            return None
        shape = ids.shape[0], ids.shape[1]
        self._compiled_shape = max(self._compiled_shape, shape)
        return self._compiled if shape == self._compiled_shape else None

    def hidden(self, ids: Tensor, cache: KVCache | None = None, starts: Tensor | None = None) -> Tensor:
        """(B, T) -> (B, T, C), after the last LayerNorm. With a cache, `ids` go on where it ends.

        starts (B, T) int: where the document of each position begins in its row, so that documents do not see each
        other. None: they do.
        """
        x = self.word_embeddings_layernorm(self.word_embeddings(ids))
        positions = self._positions(ids.shape[1], cache, starts)
        compiled = None if cache else self._compiled_for(ids)
        for layer, block in enumerate(self.h):
            x = block(x, positions, cache, layer, compiled)
        if cache is not None:
            cache.advance(ids.shape[1])
        return self.ln_f(x)

    def _positions(self, queries: int, cache: KVCache | None, starts: Tensor | None) -> Positions:
        slopes = self.slope_bits.view(torch.float32)  # (H,)
        lengths = queries, queries + (cache.length if cache else 0)
        dtype = compute_dtype(self.word_embeddings.weight)
        # each prompt length would be a graph of its own for `flex`
        backend = "sdpa" if cache and self.backend != "eager" else self.backend
        return prepare(slopes, lengths, self.config.head_size, dtype, backend, starts)

    def forward(self, ids: Tensor, cache: KVCache | None = None) -> Tensor:
        """(B, T) -> logits (B, T, V). All of them: training goes through `loss`, which never holds them."""
        return self._logits(self.hidden(ids, cache))

    def next_logits(self, ids: Tensor, cache: KVCache | None = None) -> Tensor:
        """(B, T) -> (B, V): the logits after the last position only, which is all that generating needs."""
        return self._logits(self.hidden(ids, cache)[:, -1])

    def loss(self, ids: Tensor, targets: Tensor, starts: Tensor | None = None, z_loss: float = 0.0) -> Tensor:
        """Negative log likelihood in nats, summed over the (B, T) targets that are not -100: fp32 scalar.

        `starts` as in `hidden`, `z_loss` as in `chunked_cross_entropy`.
        """
        hidden = self.hidden(ids, starts=starts).flatten(0, 1)
        compiled = self._compiled_for(ids) is not None
        weight, part = self._head()
        return chunked_cross_entropy(hidden, weight, targets.flatten(), z_loss=z_loss, compiled=compiled, part=part)

    @torch.no_grad()
    def token_losses(self, ids: Tensor, targets: Tensor, starts: Tensor | None = None) -> Tensor:
        """(B, T) fp32: negative log likelihood of each target in nats, 0 where it is -100. No gradient."""
        hidden = self.hidden(ids, starts=starts).flatten(0, 1)
        weight, part = self._head()
        return token_cross_entropy(hidden, weight, targets.flatten(), part=part).view_as(targets)

    def _head(self) -> tuple[Tensor, VocabPart | None]:
        """The weight of the head, and which part of it, where a tensor-parallel group holds it together."""
        weight = self.word_embeddings.weight
        if not isinstance(weight, DTensor):
            return weight, None
        mine = weight.to_local()
        return mine, VocabPart(weight.device_mesh.get_local_rank() * mine.shape[0], weight.device_mesh.get_group())

    def _logits(self, hidden: Tensor) -> Tensor:
        weight = self.word_embeddings.weight
        if not isinstance(weight, DTensor):
            return F.linear(hidden, weight)
        logits: Any = F.linear(DTensor.from_local(hidden, weight.device_mesh, [Replicate()]), weight)
        return logits.full_tensor()

    def keep_heads(self, rank: int, ways: int) -> None:
        """Say that this process computes the heads of part `rank` of `ways` only."""
        self.slope_bits = self.slope_bits.chunk(ways)[rank].clone()

    def new_cache(self, batch: int, capacity: int) -> KVCache:
        """An empty key-value cache for `batch` sequences of at most `capacity` positions."""
        c = self.config
        heads = self.slope_bits.numel()  # those that this process computes
        return KVCache(c.num_layers, batch, heads, capacity, c.head_size, like=self.word_embeddings.weight)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Two parameter groups for the optimizer, each with `params` as (name, tensor) pairs and its `weight_decay`.

    Matrices are decayed, the embedding among them; biases and all LayerNorm parameters are not (Megatron-DeepSpeed,
    megatron/optimizer/__init__.py). By name: BLOOM's own run once had its embedding LayerNorm on the wrong side.
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    spared = [(name, p) for name, p in named if name.endswith("bias") or "layernorm" in name or "ln_f." in name]
    names = {name for name, _ in spared}
    decayed = [(name, p) for name, p in named if name not in names]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
