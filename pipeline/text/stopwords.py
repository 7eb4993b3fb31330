"""Stop words, the small words that running text is full of: lists for the ROOTS languages, and tables for kernels.

Out: `words(lang)`, the list; `StopLists.of(lists)`, hash tables of many lists in one array. Where the lists come from
and under which licences stands beside them, in data/stopwords.json and data/README.md.

A language without a list has none: its ratio is unknown, not 0. Words with a space in them never match, and are left
out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from pipeline.text.characters import SPACE, UNSPACED, flags, lowered
from pipeline.text.hashing import word_hash


@cache
def _lists() -> dict[str, list[str]]:
    data = json.loads((files("pipeline.text") / "data" / "stopwords.json").read_text(encoding="utf-8"))
    return {lang: entry["words"].split(" ") for lang, entry in data.items()}


def listed() -> tuple[str, ...]:
    """The languages that have a list."""
    return tuple(sorted(_lists()))


def words(lang: str) -> tuple[str, ...]:
    """The list of a language, sorted; empty where there is none."""
    return tuple(_lists().get(lang, ()))


def codes(word: str) -> np.ndarray:
    """(m,) uint32: the lower-case code points of a word, as the kernels hash it."""
    return lowered()[np.frombuffer(word.encode("utf-32-le"), np.uint32)]


@dataclass(frozen=True)
class StopLists:
    """Open-addressing tables of word hashes, one a language, one behind the other in `slots` (uint64; 0 is empty)."""

    slots: np.ndarray
    begins: dict[str, tuple[int, int]]  # lang -> (first slot, slots - 1)

    def places(self, langs: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(n,) int64 first slot and (n,) int64 mask of each document's list; mask -1 where there is none."""
        found = [self.begins.get(lang, (0, -1)) for lang in langs]
        starts, masks = zip(*found, strict=True) if found else ((), ())
        return np.array(starts, np.int64), np.array(masks, np.int64)

    @staticmethod
    def of(lists: dict[str, Sequence[str]]) -> "StopLists":
        """The tables of these lists; words that the kernels could not meet are left out."""
        slots: list[int] = []
        begins = {}
        for lang, entries in sorted(lists.items()):
            table = _table([word for word in entries if _meets(word)])
            begins[lang] = (len(slots), len(table) - 1)
            slots += table
        return StopLists(np.array(slots or [0], np.uint64), begins)

    @staticmethod
    @cache
    def all() -> "StopLists":
        """The tables of all languages that have a list."""
        return StopLists.of({lang: words(lang) for lang in listed()})


def _meets(word: str) -> bool:
    """Whether a text could hold it as one word: no spaces, and in a script without spaces one character."""
    kinds = flags()[codes(word)]
    return len(word) > 0 and not (kinds & SPACE).any() and (len(word) == 1 or not (kinds & UNSPACED).any())


def _table(entries: list[str]) -> list[int]:
    size = 4
    while size < 2 * len(entries):
        size *= 2
    table = [0] * size
    for word in sorted(set(entries)):
        h = max(int(word_hash(codes(word))), 1)
        at = h & (size - 1)
        while table[at] not in (0, h):
            at = (at + 1) & (size - 1)
        table[at] = h
    return table
