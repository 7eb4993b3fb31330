"""Which row stands at sample n of training: a pure function of (seed, stages, n).

    Order(rows={"en": 9000, "sw": 40}, stages=[Stage(0, {"en": 9, "sw": 1})], seed=42).row(n) -> ("sw", 17)

Nothing is stored and nothing drawn: any sample can be asked for at once, so a checkpoint needs one integer, at any
number of devices. Languages take turns so that every prefix of a stage is within two rows of the wanted shares; inside
a language each epoch is its own permutation of the rows, and goes on from one stage to the next. Never opens a file.
"""

from __future__ import annotations

import hashlib
import heapq
import struct
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_ROUNDS = 6
_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Stage:
    """From sample `begin` on, until the next stage begins; `weights` are positive whole numbers by language.

    Where the samples of a stage are a multiple of the weights' sum, it ends with exactly its shares. The languages of a
    group (no language is in two) are also as one within two rows of their share.
    """

    begin: int
    weights: Mapping[str, int]
    groups: Sequence[Sequence[str]] = ()


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

    rows: language -> rows it has; stages: in order, the first begins at 0, and each language of theirs has at least one
    row. A tree of two-way choices gives the turns of a stage: each choice is rounded to half a row, and in a Huffman
    tree no inner node holds more than two thirds of its parent, so errors add up to less than
    1/2 + 2/3 * 1/2 + (2/3)^2 * 1/2 + ... = 3/2 above a leaf, and to 2 at the leaf itself. A group is a leaf of the
    tree and has one of its own, which may add another half to its languages.
    """

    def __init__(self, rows: Mapping[str, int], stages: Sequence[Stage], seed: int) -> None:
        begins = [stage.begin for stage in stages]
        assert begins and begins[0] == 0 and begins == sorted(set(begins))
        assert all(w > 0 and rows[language] > 0 for stage in stages for language, w in stage.weights.items())
        assert all(stage.weights for stage in stages)
        self.stages = tuple(_sorted(stage) for stage in stages)
        self.rows = {language: rows[language] for language in sorted({x for stage in stages for x in stage.weights})}
        self.seed = seed
        self._begins = begins
        self._trees = [_tree(stage) for stage in self.stages]
        self._done = [dict.fromkeys(self.rows, 0)]  # samples of each language before each stage
        for tree, begin, end in zip(self._trees, begins, begins[1:], strict=False):
            self._done.append(_added(self._done[-1], _counts(tree, end - begin)))

    def row(self, n: int) -> tuple[str, int]:
        """(language, row of that language) at sample n >= 0."""
        language, k = self.turn(n)
        epoch, position = divmod(k, self.rows[language])
        return language, permute(position, self.rows[language], f"{self.seed}/{language}/{epoch}")

    def turn(self, n: int) -> tuple[str, int]:
        """(language, how many of its samples came before) at sample n."""
        stage = bisect_right(self._begins, n) - 1
        node, m = self._trees[stage], n - self._begins[stage]
        while node.branches:
            left, right = node.branches
            before = node.before(m)
            node, m = (left, before) if node.before(m + 1) > before else (right, m - before)
        return node.language, self._done[stage][node.language] + m

    def counts(self, n: int) -> dict[str, int]:
        """Samples of each language among the first n."""
        stage = max(0, bisect_right(self._begins, n) - 1)
        return _added(self._done[stage], _counts(self._trees[stage], n - self._begins[stage]))


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


def _sorted(stage: Stage) -> Stage:
    """The one spelling of a stage, with the groups that have two languages of it."""
    present = (tuple(sorted(set(group) & set(stage.weights))) for group in stage.groups)
    return Stage(stage.begin, dict(sorted(stage.weights.items())), tuple(sorted(x for x in present if len(x) > 1)))


def _tree(stage: Stage) -> Node:
    leaves = {language: Node(weight, language) for language, weight in stage.weights.items()}
    for group in stage.groups:
        leaves[group[0]] = _huffman({language: leaves.pop(language) for language in group})
    return _huffman(leaves)


def _huffman(leaves: Mapping[str, Node]) -> Node:
    """Ties go by the order in which nodes were made, leaves by name: the tree depends on names and weights alone."""
    heap = [(node.weight, i, node) for i, (_, node) in enumerate(sorted(leaves.items(), key=lambda leaf: leaf[0]))]
    heapq.heapify(heap)
    made = len(heap)
    while len(heap) > 1:
        _, _, a = heapq.heappop(heap)
        _, _, b = heapq.heappop(heap)
        heapq.heappush(heap, (a.weight + b.weight, made, Node(a.weight + b.weight, branches=(a, b))))
        made += 1
    return heap[0][2]


def _counts(tree: Node, n: int) -> dict[str, int]:
    """Samples of each language of a tree among its first n."""
    counts, todo = {}, [(tree, n)]
    while todo:
        node, m = todo.pop()
        if not node.branches:
            counts[node.language] = m
            continue
        (left, right), before = node.branches, node.before(m)
        todo += [(left, before), (right, m - before)]
    return counts


def _added(counts: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {language: count + more.get(language, 0) for language, count in counts.items()}
