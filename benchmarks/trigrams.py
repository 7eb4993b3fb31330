"""Interpolated trigram models of packed rows, exact, by sorted counts: what a neural model has to beat.

    Seam, split  ->  Events(last, here, then)  ->  a model  ->  its probability of each target

Two kinds. `KneserNey` is interpolated modified Kneser-Ney (Chen and Goodman 1999, "An empirical study of smoothing
techniques for language modeling", sec. 3): three discounts an order, lower orders count in how many contexts a token
stands. `JelinekMercer` mixes relative frequencies of three orders and the uniform one, with weights by how often the
context was met, learned by expectation maximisation on rows kept from its counts (ibid., sec. 2.3).

An event is a target that `pretrain` is scored on, after the two tokens before it in its row. Where a row begins, a
token of no tokenizer stands in the place of the one before (id V): nothing is known there to the model either. Each
probability is above 0 and all V of a context sum to 1. Never looks at a target it is scored on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pretrain.data import row_tensors
from pretrain.loss import IGNORE
from pretrain.seam import Seam

# N events, G distinct n-grams, X distinct contexts, V tokens of the tokenizer; an n-gram is one int64, base V + 1

BUCKETS = 24  # of contexts, by the bits of how often they were met: 0, 1, 2-3, 4-7, ...
KEPT_BACK = 20  # every 20th row teaches Jelinek-Mercer its weights
DEFAULT_DISCOUNT = 0.75  # where an order has too few n-grams to estimate its own


@dataclass(frozen=True)
class Events:
    """(N,) int64 each: the token before the last one (V where the row begins), the last one, and the target."""

    last: np.ndarray
    here: np.ndarray
    then: np.ndarray
    row: np.ndarray  # which row it stands in

    def __len__(self) -> int:
        return len(self.then)

    def where(self, chosen: np.ndarray) -> Events:
        return Events(self.last[chosen], self.here[chosen], self.then[chosen], self.row[chosen])


def events(seam: Seam, split: str, language: str) -> Events:
    """Every target of the rows of a language, in order: the same ones that `pretrain eval` scores."""
    shards = seam.shards(split, language)
    parts: list[tuple[np.ndarray, ...]] = []
    for row in range(len(shards)):
        ids, targets = row_tensors(shards, row)  # (T,), (T,)
        counts = targets != IGNORE
        before = np.concatenate([[seam.vocab_size], ids[:-1]])
        parts.append((before[counts], ids[counts], targets[counts], np.full(int(counts.sum()), row)))
    return Events(*(np.concatenate(side).astype(np.int64) for side in zip(*parts, strict=True)))


def joined(parts: list[Events]) -> Events:
    """All of them; rows of different parts keep different numbers."""
    starts = np.cumsum([0, *(int(part.row.max(initial=-1)) + 1 for part in parts)])
    rows = np.concatenate([part.row + start for part, start in zip(parts, starts, strict=False)])
    return Events(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("last", "here", "then")), rows)


def find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `wanted` stands in sorted `keys`, and whether it does (the place is then right, else any)."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return places, keys[places] == wanted


@dataclass(frozen=True)
class Grams:
    """Distinct n-grams, sorted, and how much each counts: `context * base + token` -> weight."""

    keys: np.ndarray  # (G,) int64
    counts: np.ndarray  # (G,) int64
    base: int

    @classmethod
    def count(cls, keys: np.ndarray, base: int) -> Grams:
        return cls(*np.unique(keys, return_counts=True), base)

    @cached_property
    def contexts(self) -> np.ndarray:
        """(X,) int64, sorted."""
        return self.keys[self._begins] // self.base

    @cached_property
    def totals(self) -> np.ndarray:
        """(X,) int64: what the n-grams of each context count together."""
        return self.sums(self.counts)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(G,) -> (X,): added up over each context."""
        return np.add.reduceat(values, self._begins)

    @cached_property
    def _begins(self) -> np.ndarray:
        return np.flatnonzero(np.diff(self.keys // self.base, prepend=-1))

    def frequency(self, context: np.ndarray, then: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) relative frequency of `then` after `context`, 0 where unseen, and (N,) how often the context was met."""
        at, known = find(self.contexts, context)
        met = np.where(known, self.totals[at], 0)
        place, seen = find(self.keys, context * self.base + then)
        return np.where(seen, self.counts[place], 0) / np.maximum(met, 1), met


@dataclass(frozen=True)
class Discounted:
    """One order of Kneser-Ney: what is left of each n-gram, and what a context gives to the order below."""

    grams: Grams
    left: np.ndarray  # (G,) float64: count less discount, over the context's total
    given: np.ndarray  # (X,) float64: the share that was taken away

    @classmethod
    def of(cls, grams: Grams) -> Discounted:
        taken = discounts(grams.counts)[np.minimum(grams.counts, 3) - 1]  # (G,)
        sizes = grams.sums(np.ones_like(grams.counts))
        return cls(grams, (grams.counts - taken) / np.repeat(grams.totals, sizes), grams.sums(taken) / grams.totals)

    def interpolate(self, context: np.ndarray, then: np.ndarray, below: np.ndarray) -> np.ndarray:
        """(N,): what is left of this order, and the rest by `below`; all of `below` after a context never met."""
        at, known = find(self.grams.contexts, context)
        place, seen = find(self.grams.keys, context * self.grams.base + then)
        return np.where(seen, self.left[place], 0.0) + np.where(known, self.given[at], 1.0) * below


def discounts(counts: np.ndarray) -> np.ndarray:
    """(3,): what is taken from n-grams that count 1, 2, and 3 or more (Chen and Goodman 1999, eq. 26)."""
    once, twice, thrice, four = (int((counts == k).sum()) for k in (1, 2, 3, 4))
    if not (once and twice and thrice and four):
        return np.full(3, DEFAULT_DISCOUNT)
    y = once / (once + 2 * twice)
    found = np.array([1 - 2 * y * twice / once, 2 - 3 * y * thrice / twice, 3 - 4 * y * four / thrice])
    return np.clip(found, 0.01, [0.99, 1.99, 2.99])  # what is left has to be above 0, and something to be given on


class KneserNey:
    """Interpolated modified Kneser-Ney of three orders, over the uniform distribution of `vocab_size` tokens."""

    name = "modified Kneser-Ney"

    def __init__(self, train: Events, vocab_size: int) -> None:
        self._vocab, self._base = vocab_size, vocab_size + 1
        trigrams = Grams.count((train.last * self._base + train.here) * self._base + train.then, self._base)
        bigrams = Grams.count(trigrams.keys % self._base**2, self._base)  # in how many contexts, not how often
        unigrams = Grams.count(bigrams.keys % self._base, self._base)
        self._orders = [Discounted.of(grams) for grams in (unigrams, bigrams, trigrams)]

    def probabilities(self, asked: Events) -> np.ndarray:
        """(N,) float64."""
        p = np.full(len(asked), 1 / self._vocab)
        for order, context in zip(self._orders, contexts(asked, self._base), strict=True):
            p = order.interpolate(context, asked.then, p)
        return p


class JelinekMercer:
    """Relative frequencies of three orders and the uniform one, mixed by weights that each bucket of contexts has."""

    name = "Jelinek-Mercer"

    def __init__(self, train: Events, vocab_size: int) -> None:
        self._vocab, self._base = vocab_size, vocab_size + 1
        back = train.row % KEPT_BACK == KEPT_BACK - 1
        self._orders = self._counted(train.where(~back))
        kept = train.where(back)
        self.weights = _maximise(*self._mixed(kept)) if len(kept) else np.full((BUCKETS, 4), 0.25)
        self._orders = self._counted(train)

    def _counted(self, train: Events) -> list[Grams]:
        return [Grams.count(context * self._base + train.then, self._base) for context in contexts(train, self._base)]

    def _mixed(self, asked: Events) -> tuple[np.ndarray, np.ndarray]:
        """(N, 4) probabilities: uniform, then the orders 1 to 3; (N,) the bucket."""
        columns, met = [np.full(len(asked), 1 / self._vocab)], []
        for grams, context in zip(self._orders, contexts(asked, self._base), strict=True):
            frequency, count = grams.frequency(context, asked.then)
            columns.append(frequency)
            met.append(count)
        # a context never met gives nothing, so what it would say is what the order below says
        columns[2] = np.where(met[1] > 0, columns[2], columns[1])
        columns[3] = np.where(met[2] > 0, columns[3], columns[2])
        return np.stack(columns, 1), np.minimum(np.ceil(np.log2(met[2] + 1)).astype(np.int64), BUCKETS - 1)

    def probabilities(self, asked: Events) -> np.ndarray:
        """(N,) float64."""
        columns, bucket = self._mixed(asked)
        return (columns * self.weights[bucket]).sum(1)


def contexts(asked: Events, base: int) -> list[np.ndarray]:
    """(N,) of each order from 1 to 3: nothing, the last token, the last two."""
    return [np.zeros_like(asked.here), asked.here, asked.last * base + asked.here]


def _maximise(columns: np.ndarray, bucket: np.ndarray, rounds: int = 30) -> np.ndarray:
    """(BUCKETS, 4) weights that sum to 1: expectation maximisation, one mixture a bucket, all of one where it is empty.

    Each weight has the mass of one event more, so none becomes 0: the uniform one keeps every probability above 0."""
    weights = np.full((BUCKETS, 4), 0.25)
    for _ in range(rounds):
        share = columns * weights[bucket]
        share /= share.sum(1, keepdims=True)
        sums = np.ones((BUCKETS, 4)) / 4
        for k in range(4):
            sums[:, k] += np.bincount(bucket, share[:, k], BUCKETS)
        weights = sums / sums.sum(1, keepdims=True)
    return weights
