"""Locality-sensitive hashing: from signatures to the few pairs worth comparing.

In: (n, permutations) uint32 signatures. A signature is cut into `bands` of `rows` columns; two documents that agree on
all rows of a band share its key and meet in a bucket. Out: edges (a, b), a < b, between documents that met.

A pair of Jaccard similarity J meets with probability 1 - (1 - J^rows)^bands (Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, 3.4.2): say that curve to a user, never just a threshold.

Never compare all pairs of a bucket: a million copies of one page are a million documents in one bucket. Each bucket
gives a star around its smallest document; `linked` then asks again, a fixed number of times, among those it refused.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pipeline.text.compiling import kernel
from pipeline.text.hashing import START, U, mix, step

ROUNDS = 8  # how often `linked` asks a bucket

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]  # documents a, b, each (m,) -> (m,) float64 similarity


def candidate_probability(jaccard: float | np.ndarray, bands: int, rows: int) -> float | np.ndarray:
    """Probability that a pair of this Jaccard similarity shares a bucket; `1 - (1 - 0.8**8)**16` is 0.947."""
    return 1 - (1 - jaccard**rows) ** bands


def choose_bands(permutations: int, threshold: float, recall: float = 0.9) -> tuple[int, int]:
    """(bands, rows) as `bands_that_find`; where even one row a band finds fewer, one row a band it is."""
    return bands_that_find(permutations, threshold, recall) or (permutations, 1)


def bands_that_find(permutations: int, threshold: float, recall: float) -> tuple[int, int] | None:
    """(bands, rows): the most rows, thus the fewest needless candidates, that find `recall` of pairs at `threshold`.

    Uses bands * rows <= permutations columns. None where even one row a band finds fewer.
    """
    options = ((permutations // rows, rows) for rows in range(permutations, 0, -1))
    return next((o for o in options if candidate_probability(threshold, *o) >= recall), None)


def band_keys(signatures: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """(n, bands) uint64: equal where two documents agree on a band; keys of different bands do not meet."""
    assert bands * rows <= signatures.shape[1], (bands, rows, signatures.shape)
    return _band_keys(signatures, bands, rows, np.empty((len(signatures), bands), np.uint64))


@kernel
def _band_keys(signatures, bands, rows, keys):  # type: ignore[no-untyped-def]
    for t in range(len(signatures)):
        for band in range(bands):
            h = mix(START + U(band))
            for c in range(band * rows, (band + 1) * rows):
                h = step(h, signatures[t, c])
            keys[t, band] = mix(h)
    return keys


class Linked(NamedTuple):
    """Edges (a, b), each (m,), a < b, sorted, none twice; how similar, (m,); and the leaders of the greatest key."""

    a: np.ndarray
    b: np.ndarray
    similarity: np.ndarray
    leaders: np.ndarray


def linked(keys: np.ndarray, docs: np.ndarray, measure: Measure, least: float, rounds: int = ROUNDS) -> Linked:
    """Edges of which `measure` is `least` or more. `keys` (m,) uint64, `docs` (m,) integers.

    A star around the smallest document of each bucket; what it refused forms a bucket of its own, up to `rounds` times.
    So two documents that are similar find each other though a third, smaller and unlike them, fell into their bucket.
    Asks for an edge a row and round at most, and for none twice in a round.

    The centres in the bucket of the greatest key are its leaders. A bucket may come in parts, its smaller documents
    first: with the leaders of one part before the rows of the next, the edges of all parts are those of the whole.
    """
    names, ranks = np.unique(docs, return_inverse=True)
    last, members = keys.max(initial=0), ranks.astype(np.uint64)
    found, leaders = [(np.zeros(0, np.uint64), np.zeros(0))], []
    for _ in range(rounds):
        leaders.append(members[keys == last].min(initial=len(names)))
        keys, members = _shared(keys, members)
        centres = _smallest(keys, members)
        spokes = members != centres
        keys, members = keys[spokes], members[spokes]
        pairs, which = np.unique(centres[spokes] << U(32) | members, return_inverse=True)
        if not len(pairs):
            break
        similarity = measure(*_ends(pairs, names))
        yes = similarity >= least
        found.append((pairs[yes], similarity[yes]))
        keys, members = keys[~yes[which]], members[~yes[which]]
    pairs, first = np.unique(np.concatenate([p for p, _ in found]), return_index=True)
    similarity = np.concatenate([s for _, s in found])[first]
    return Linked(*_ends(pairs, names), similarity, names[[leader for leader in leaders if leader < len(names)]])


def _ends(pairs: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return names[pairs >> U(32)], names[pairs & U(0xFFFFFFFF)]


def _shared(keys: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted by key, without the keys of one row alone."""
    order = np.argsort(keys)  # rows of a key in any order: what is made of them does not depend on it
    keys, members = keys[order], members[order]
    same = np.zeros(len(keys) + 1, bool)  # as the row before
    same[1:-1] = keys[1:] == keys[:-1]
    shared = same[1:] | same[:-1]
    return keys[shared], members[shared]


def _smallest(keys: np.ndarray, members: np.ndarray) -> np.ndarray:
    """(m,): the smallest member of each row's bucket."""
    starts = np.flatnonzero(np.diff(keys, prepend=~keys[:1]))
    return np.repeat(np.minimum.reduceat(members, starts), np.diff(starts, append=len(keys))) if len(keys) else members
