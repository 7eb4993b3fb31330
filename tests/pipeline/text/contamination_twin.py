"""What the n-grams of items are and where they stand in texts, in plain Python: what the kernels must equal."""

from __future__ import annotations

from pipeline.text.contamination import Rule
from pipeline.text.letters import CHAR
from tests.pipeline.minhash_twin import kind, words

Gram = tuple[str, ...]


def grams(item: str, rule: Rule) -> set[Gram]:
    """The n-grams of an item, those included that many items hold."""
    found = words(item.encode())
    by_characters = 2 * sum(kind(char, "auto") == CHAR for char in item) > len(found)
    size = rule.characters if by_characters else rule.words
    shortest = rule.shortest_characters if by_characters else rule.shortest
    if len(found) < size:
        return {tuple(found)} if found and len(found) >= shortest else set()
    return {tuple(found[i : i + size]) for i in range(len(found) - size + 1)}


def counted(items: list[str], rule: Rule) -> list[set[Gram]]:
    """The n-grams that count in each item."""
    held = [grams(item, rule) for item in items]
    return [{g for g in own if sum(g in other for other in held) <= rule.common} for own in held]


def hits(text: str, items: list[set[Gram]]) -> list[tuple[int, Gram]]:
    """(number of the word it begins with, n-gram), in order; of one place the shortest first."""
    every = set().union(*items)
    found = words(text.encode())
    sizes = sorted({len(gram) for gram in every})
    return [
        (i, tuple(found[i : i + size]))
        for i in range(len(found))
        for size in sizes
        if i + size <= len(found) and tuple(found[i : i + size]) in every
    ]
