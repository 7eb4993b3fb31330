"""Which row stands at sample n of training: a pure function of (seed, weights, n).

    Order(rows={"en": 9000, "sw": 40}, weights={"en": 9, "sw": 1}, seed=42).row(n) -> ("sw", 17)

Nothing is stored and nothing drawn: any sample can be asked for at once, so a checkpoint needs one integer, at any
number of devices. Languages take turns so that every prefix of the order is within two rows of the wanted shares;
inside a language each epoch is its own permutation of the rows. Never opens a file.
"""

from __future__ import annotations

import hashlib
import heapq
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_ROUNDS = 6
_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Node:
    """A language, or two nodes that share the samples by their weights."""

    weight: int
    language: str = ""  # of a leaf
    branches: tuple[Node, Node] | None = None

    def before(self, m: int) -> int:
        """How many of the first m samples here go left: m * share, rounded, in whole numbers."""
        assert self.branches
        return (2 * m * self.branches[0].weight + self.weight) // (2 * self.weight)


class Order:
    """The order of training.

    rows: language -> rows it has; weights: language -> positive whole number, its share of the samples. A language with
    a weight has at least one row. A tree of two-way choices gives the turns: each choice is rounded to half a
    row, and in a Huffman tree no inner node holds more than two thirds of its parent, so errors add up to less than
    1/2 + 2/3 * 1/2 + (2/3)^2 * 1/2 + ... = 3/2 above a leaf, and to 2 at the leaf itself.
    """

    def __init__(self, rows: Mapping[str, int], weights: Mapping[str, int], seed: int) -> None:
        assert weights and all(w > 0 and rows[language] > 0 for language, w in weights.items())
        self.rows = {language: rows[language] for language in sorted(weights)}
        self.weights = {language: weights[language] for language in sorted(weights)}
        self.seed = seed
        self._root = _huffman(self.weights)

    def row(self, n: int) -> tuple[str, int]:
        """(language, row of that language) at sample n >= 0."""
        language, k = self.turn(n)
        epoch, position = divmod(k, self.rows[language])
        return language, permute(position, self.rows[language], f"{self.seed}/{language}/{epoch}")

    def turn(self, n: int) -> tuple[str, int]:
        """(language, how many of its samples came before) at sample n."""
        node = self._root
        while node.branches:
            left, right = node.branches
            before = node.before(n)
            node, n = (left, before) if node.before(n + 1) > before else (right, n - before)
        return node.language, n

    def counts(self, n: int) -> dict[str, int]:
        """Samples of each language among the first n."""
        counts, todo = {}, [(self._root, n)]
        while todo:
            node, m = todo.pop()
            if not node.branches:
                counts[node.language] = m
                continue
            (left, right), before = node.branches, node.before(m)
            todo += [(left, before), (right, m - before)]
        return {language: counts[language] for language in self.weights}


def whole_weights(shares: Mapping[str, float]) -> dict[str, int]:
    """Positive shares as whole numbers of about 40 bits in sum: coarse enough to hide the last bit of a `pow`."""
    total = sum(shares.values())
    return {language: max(1, round(share / total * (1 << 40))) for language, share in shares.items()}


def tempered(rows: Mapping[str, int], temperature: float) -> dict[str, int]:
    """Weights proportional to rows ** (1 / temperature): 1 is the natural share, more lifts small languages.

    At 1 the weights are the rows themselves, so that all languages end their first epoch together.
    """
    if temperature == 1:
        return dict(rows)
    largest = max(rows.values())
    return whole_weights({language: (n / largest) ** (1 / temperature) for language, n in rows.items()})


def permute(index: int, size: int, key: str) -> int:
    """The image of index in a permutation of range(size) that `key` names.

    A balanced Feistel network over the next even power of two, walked until it lands inside (Black and Rogaway 2002,
    "Ciphers with arbitrary finite domains"): no memory, fewer than four rounds of it expected.
    """
    half = ((size - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    keys = _round_keys(key)
    while True:
        left, right = index >> half, index & mask
        for k in keys:
            left, right = right, left ^ (_mix(right ^ k) & mask)
        index = left << half | right
        if index < size:
            return index


@lru_cache(maxsize=4096)
def _round_keys(key: str) -> tuple[int, ...]:
    return struct.unpack(f"<{_ROUNDS}Q", hashlib.sha512(key.encode()).digest()[: 8 * _ROUNDS])


def _mix(x: int) -> int:
    """splitmix64's finaliser (Steele, Lea, Flood 2014)."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & _MASK
    return x ^ (x >> 31)


def _huffman(weights: Mapping[str, int]) -> Node:
    """Ties go by the order in which nodes were made, leaves by name: the tree depends on the weights alone."""
    heap = [(weight, i, Node(weight, language)) for i, (language, weight) in enumerate(sorted(weights.items()))]
    heapq.heapify(heap)
    made = len(heap)
    while len(heap) > 1:
        _, _, a = heapq.heappop(heap)
        _, _, b = heapq.heappop(heap)
        heapq.heappush(heap, (a.weight + b.weight, made, Node(a.weight + b.weight, branches=(a, b))))
        made += 1
    return heap[0][2]
