"""Text from a model, one token at a time: greedy at temperature 0, sampled above it.

    ids (T,) or (1, T)  ->  (T + n,) with 0 <= n <= max_new_tokens

What has been read is kept in a key-value cache, so each new token costs one position. Sampling depends on the seed
alone: the same weights, prompt and seed give the same text. Never samples a row of the embedding that is no token.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from pretrain.errors import ConfigError, RunError
from pretrain.model import Bloom


class Encoding(Protocol):
    ids: list[int]


class Tokenizer(Protocol):
    """What `complete` needs of a tokenizer; `tokenizers.Tokenizer` has it."""

    def encode(self, sequence: str, /) -> Encoding: ...
    def decode(self, ids: list[int], /) -> str: ...
    def get_vocab_size(self) -> int: ...
    def token_to_id(self, token: str, /) -> int | None: ...


@torch.no_grad()
def generate(
    model: Bloom,
    ids: Tensor,
    max_new_tokens: int = 50,
    *,
    temperature: float = 1.0,  # 0 takes the likeliest token
    top_k: int | None = None,  # only the k likeliest; None or 0: all
    top_p: float = 1.0,  # only the likeliest that together reach this probability
    seed: int = 0,
    eos_id: int | None = None,  # stop after this token
    vocab_size: int | None = None,  # ids at or above it are padding of the embedding
) -> Tensor:
    """(T + n,) int64: the prompt and what follows it. `ids` is (T,) or (1, T), T >= 1. Raises ConfigError,
    RunError."""
    _check(ids, max_new_tokens, temperature, top_k, top_p)
    ids = ids.view(1, -1)
    generator = torch.Generator().manual_seed(seed)  # on the CPU, so that every device draws the same numbers
    cache = model.new_cache(1, ids.shape[1] + max_new_tokens)
    fresh = ids
    for _ in range(max_new_tokens):
        logits = model.next_logits(fresh, cache)[0, :vocab_size].float().cpu()  # (V,)
        if not logits.isfinite().all():
            raise RunError(
                "the model's logits are not finite", hint="take an earlier checkpoint: this one has diverged"
            )
        token = pick(logits, temperature, top_k, top_p, generator)
        fresh = torch.full((1, 1), token, dtype=ids.dtype, device=ids.device)
        ids = torch.cat([ids, fresh], 1)
        if token == eos_id:
            break
    return ids[0]


def pick(logits: Tensor, temperature: float, top_k: int | None, top_p: float, generator: torch.Generator) -> int:
    """One token id drawn from fp32 logits (V,), first cut to `top_k`, then to `top_p`. Ties go to the lower id."""
    if temperature == 0:
        return int(logits.argmax())
    ranked, order = (logits / temperature).sort(descending=True, stable=True)
    if top_k:
        ranked = ranked[:top_k]
    probabilities = ranked.softmax(0)
    before = probabilities.cumsum(0) - probabilities  # what the likelier ones hold: 0 for the first, so it always stays
    probabilities = probabilities.where(before < top_p, 0.0)
    return int(order[torch.multinomial(probabilities, 1, generator=generator)])


def complete(
    model: Bloom,
    tokenizer: Tokenizer,
    prompt: str,
    max_new_tokens: int = 50,
    temperature: float = 0.8,
    top_k: int | None = 50,
    top_p: float = 1.0,
    seed: int = 0,
) -> str:
    """The prompt and its continuation as text, up to the end of the document.

    An empty prompt begins where documents begin in training: after `</s>`.
    """
    eos = tokenizer.token_to_id("</s>")
    start = tokenizer.encode(prompt).ids or ([] if eos is None else [eos])
    device = model.word_embeddings.weight.device
    ids = generate(
        model,
        torch.tensor(start, dtype=torch.int64, device=device),
        max_new_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        eos_id=eos,
        vocab_size=tokenizer.get_vocab_size(),
    )
    # decoded in one go: a character may be split over the last token of the prompt and the first new one
    return tokenizer.decode(ids.tolist())


def _check(ids: Tensor, max_new_tokens: int, temperature: float, top_k: int | None, top_p: float) -> None:
    if ids.numel() == 0 or ids.numel() != ids.shape[-1]:
        raise ConfigError(f"prompt of shape {tuple(ids.shape)}", hint="give one prompt of at least one token")
    if max_new_tokens < 0:
        raise ConfigError(f"max_new_tokens is {max_new_tokens}", hint="give 0 or more")
    if not 0 <= temperature < float("inf"):
        raise ConfigError(f"temperature is {temperature}", hint="give 0 (the likeliest token) or more, often 0.8")
    if top_k is not None and top_k < 0:
        raise ConfigError(f"top_k is {top_k}", hint="give how many of the likeliest tokens to keep, or 0 for all")
    if not 0 < top_p <= 1:
        raise ConfigError(f"top_p is {top_p}", hint="give a share above 0, up to 1 (all)")
