"""Which documents are held out: bins of a coin, the least first, until each language's quota is met.

    cells, in the order of their bins                         quotas: en 40, fr 10
    bin 0   en 50 tokens, in no cluster            held       en has 50 of 40
    bin 1   a cluster of en 5 and fr 12            trained    en has enough, and a cluster goes whole
    bin 2   fr 11, in no cluster                   held
        -> Held(alone={"en": [0], "fr": [2]}, clusters=[], tokens={"en": 50, "fr": 11})

A document in no cluster is decided about by its language and its own coin. A document in a cluster of duplicates is
decided about by the cluster's coin alone, in all languages alike: so no cluster is on both sides, whatever languages
its documents are in, and nobody has to know which these are. Pure, and never sees a document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np

BIN_BITS = 16  # of the coin: a language of 65,536 documents or more is split to within 1/65,536 of the quota
PIECE = 5_000  # cells that are Python objects at once


@dataclass(frozen=True)
class Cells:
    """Tokens by bin, language, and whether their documents are in clusters; (c,) int64 each, but `clustered` bool.

    In any order; a cell may stand there more than once."""

    bins: np.ndarray  # in [0, 2^BIN_BITS)
    langs: np.ndarray  # in [0, 2^46)
    clustered: np.ndarray
    tokens: np.ndarray

    @classmethod
    def joined(cls, parts: list[Cells]) -> Cells:
        """The cells of all parts, each once, by (bin, whether clustered, language)."""
        keys = np.concatenate([p.bins << 47 | p.clustered.astype(np.int64) << 46 | p.langs for p in parts])
        keys, tokens = sums_of(keys, np.concatenate([part.tokens for part in parts]))
        return cls(keys >> 47, keys & (1 << 46) - 1, (keys >> 46 & 1).astype(np.bool_), tokens)

    def units(self, wanting: np.ndarray) -> Iterator[tuple[bool, int, list[tuple[int, int]]]]:
        """(clustered, bin, [(language, tokens), ...]) of what is decided about as one, of cells as `joined` has them.

        Languages that are not `wanting`, (languages,) bool, may be left out of what is in no cluster: the caller says
        so as it goes, which spares most of a large language."""
        for (bin_, clustered), cells in groupby(self._rows(wanting), key=lambda row: row[:2]):
            if clustered:
                yield True, bin_, [row[2:] for row in cells]
            else:
                yield from ((False, bin_, [row[2:]]) for row in cells)

    def _rows(self, wanting: np.ndarray) -> Iterator[tuple[int, bool, int, int]]:
        for at in range(0, len(self.bins), PIECE):
            part = slice(at, at + PIECE)
            some = at + np.flatnonzero(self.clustered[part] | wanting[self.langs[part]])
            columns = (self.bins, self.clustered, self.langs, self.tokens)
            yield from zip(*(column[some].tolist() for column in columns), strict=True)


@dataclass(frozen=True)
class Held:
    """What is held out, and how many tokens that is of each language."""

    alone: dict[int, list[int]]  # of each language the bins of documents in no cluster
    clusters: list[int]  # bins of clusters, in all languages
    tokens: dict[int, int]


def hold_out(cells: Cells, quotas: Mapping[int, float]) -> Held:
    """Goes over the bins from the least on; takes what all its languages still want. Cells as `Cells.joined` has them.

    What would bring the holdout above half of a language is passed over: the only document of one is trained on."""
    totals = dict(zip(*(column.tolist() for column in sums_of(cells.langs, cells.tokens)), strict=True))
    held, alone, clusters = dict.fromkeys(totals, 0), {lang: list[int]() for lang in totals}, list[int]()
    wanting = np.array([lang in totals and quotas[lang] > 0 for lang in range(max(totals, default=-1) + 1)], np.bool_)
    for clustered, bin_, counts in cells.units(wanting):
        if all(held[lang] < quotas[lang] and 2 * (held[lang] + n) <= totals[lang] for lang, n in counts):
            for lang, n in counts:
                held[lang] += n
                wanting[lang] = held[lang] < quotas[lang]
            (clusters if clustered else alone[counts[0][0]]).append(bin_)
    return Held(alone, clusters, held)


def sums_of(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[7, 3, 7], [1, 2, 4] -> [3, 7], [2, 5]: the keys, rising, and the sum of the values of each; int64."""
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    firsts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[firsts], np.add.reduceat(values, firsts) if len(firsts) else values
