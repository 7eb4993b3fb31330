"""Stop lists as open-addressing tables of word hashes, for kernels that hash a word while they read it byte by byte.

    StopLists.of({"en": ["the", "of"]}) -> slots, (m,) uint64, and where each language's table lies

A language without a list has none. Words with a space in them never match, and are left out.
`wordlists` has tables of another kind, for entries of several words and texts that lie decoded.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from pipeline.text.characters import SPACE, UNSPACED, flags, lowered
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, U, mix
from pipeline.text.stopwords import listed, words


def codes(word: str) -> np.ndarray:
    """(m,) uint32: the lower-case code points of a word, as the kernels hash it."""
    return lowered()[np.frombuffer(word.encode("utf-32-le"), np.uint32)]


@kernel
def word_hash(codes):  # type: ignore[no-untyped-def]
    """The uint64 hash of a word, given as (m,) uint32 lower-case code points: a polynomial in BASE, mixed."""
    h = U(0)
    for code in codes:
        h = h * BASE + U(code)
    return mix(h)


@piece
def place_in(slots, first, mask, word):  # type: ignore[no-untyped-def]
    """Where a word's hash stands in the list that begins at slot `first`; -1 if it does not."""
    at = np.int64(word & U(mask))
    while slots[first + at] != U(0):
        if slots[first + at] == word:
            return first + at
        at = (at + 1) & mask
    return -1


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
