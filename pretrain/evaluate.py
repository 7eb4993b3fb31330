"""Loss and bits per byte by language on packed rows.

    model, Seam  ->  [Score("en", tokens, loss, bits_per_byte), ...], and their total

Bits per byte compares models of different tokenizers: the loss in bits a token, times the tokens a byte of that
language's text (from the corpus's manifest). Never updates anything, draws no random number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from pretrain.data import document_starts, row_tensors
from pretrain.errors import ConfigError, InputError
from pretrain.loss import IGNORE
from pretrain.model import Bloom
from pretrain.seam import Seam, Shards

TOTAL = "all"
_ALIKE = ("cuda",)  # devices where `flex` would compile each size of a batch anew


@dataclass(frozen=True)
class Score:
    """tokens: targets that were scored; loss: nats a target, mean."""

    language: str
    tokens: int
    loss: float
    bits_per_byte: float

    def to_dict(self) -> dict[str, str | int | float | None]:
        """For JSON, which has no NaN: a loss that is not finite is None."""
        return {key: None if isinstance(x, float) and not math.isfinite(x) else x for key, x in asdict(self).items()}


@torch.no_grad()
def evaluate(
    model: Bloom,
    seam: Seam,
    split: str = "valid",
    *,
    max_rows: int | None = None,  # of each language, spread evenly; None: all
    batch: int = 8,
    document_mask: bool = False,  # as the model was trained
    rank: int = 0,
    world: int = 1,
    add_up: Callable[[Tensor], Tensor] = lambda sums: sums,  # over ranks
) -> list[Score]:
    """A score for each language of the split, sorted, then the total (`all`).

    Raises InputError if the corpus has no holdout, ConfigError for another split that it has not.
    """
    languages = seam.languages(split)
    if not languages:
        there = " or ".join(name for name in seam.manifest["splits"] if seam.languages(name))
        hint = "set `pack: {holdout: 0.01}` and pack again" if split == "valid" else f"there is {there}"
        kind = InputError if split == "valid" else ConfigError
        raise kind(f"{seam.folder} has no {split} split", hint=hint)
    sums = torch.zeros(len(languages), 2, dtype=torch.float64)  # nats, tokens
    for i, language in enumerate(languages):
        rows = spread(seam.numbers(split, language)["rows"], max_rows)
        looks = -(-len(rows) // (world * batch))  # of the rank with most rows: where parameters are sharded all must
        sums[i] = _nats_and_tokens(model, seam.shards(split, language), rows[rank::world], batch, looks, document_mask)
    sums = add_up(sums)
    return _scores(seam, split, languages, sums.tolist())


def spread(rows: int, at_most: int | None) -> list[int]:
    """Up to `at_most` rows of range(rows), evenly: the same ones at each look."""
    count = rows if at_most is None else min(rows, at_most)
    return [i * rows // count for i in range(count)]


def _nats_and_tokens(
    model: Bloom, shards: Shards, rows: list[int], batch: int, looks: int, document_mask: bool
) -> Tensor:
    device = model.word_embeddings.weight.device
    fewest = batch if device.type in _ALIKE else 1  # rows; without any, too, as all ranks must call
    nats, tokens = torch.zeros((), dtype=torch.float64, device=device), 0
    for start in range(0, looks * batch, batch):
        some = rows[start : start + batch]
        empty = fewest - len(some)
        pairs = [row_tensors(shards, row) for row in some] + [_nothing(shards.width - 1)] * empty
        ids, targets = (torch.from_numpy(np.stack(side)).to(device).long() for side in zip(*pairs, strict=True))
        starts = None
        if document_mask:
            begins = [document_starts(shards, row) for row in some] + [np.zeros(shards.width - 1, np.int32)] * empty
            starts = torch.from_numpy(np.stack(begins)).to(device)
        nats += model.token_losses(ids, targets, starts).double().sum()  # (B, T) -> scalar
        tokens += int((targets != IGNORE).sum())
    return torch.tensor([nats.item(), tokens], dtype=torch.float64)


def _nothing(length: int) -> tuple[np.ndarray, np.ndarray]:
    """ids and targets of a row that says nothing."""
    return np.zeros(length, np.int32), np.full(length, IGNORE, np.int32)


def _scores(seam: Seam, split: str, languages: list[str], sums: list[list[float]]) -> list[Score]:
    scores, seen_bytes = [], 0.0
    for language, (nats, tokens) in zip(languages, sums, strict=True):
        numbers = seam.numbers(split, language)
        bytes_scored = tokens * numbers["bytes"] / max(1, numbers["tokens"])
        seen_bytes += bytes_scored
        scores.append(_score(language, nats, tokens, bytes_scored))
    return [*scores, _score(TOTAL, sum(n for n, _ in sums), sum(t for _, t in sums), seen_bytes)]


def _score(language: str, nats: float, tokens: float, bytes_scored: float) -> Score:
    bits = nats / math.log(2)
    return Score(language, int(tokens), nats / max(1.0, tokens), bits / bytes_scored if bytes_scored else math.nan)
