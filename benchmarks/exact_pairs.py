"""All pairs of documents of a Jaccard similarity or more, exactly: what recall is measured against.

    exact_pairs(["a b c d e f", "a b c d e g", ...], 0.8) -> (a, b, jaccard), each (m,)

Shingles are the ones that the Python peers see: five words of `\\w+` in lower case. Pairs come from an inverted index
of prefixes (Bayardo, Ma and Srikant 2007): with shingles ordered from rare to frequent, two sets of similarity t share
one within the first |x| - ceil(t |x|) + 1 of each. Nothing here is estimated.
"""

import hashlib
import re
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from pipeline.text.jaccard import exact

WORD = re.compile(r"\w+")
SIZE = 5


def word_shingles(text: str) -> set[str]:
    """The shingles of a text; a shorter one is a single shingle, one without words has none."""
    words = WORD.findall(text.lower())
    grams = {" ".join(words[i : i + SIZE]) for i in range(len(words) - SIZE + 1)}
    return grams or ({" ".join(words)} if words else set())


def shingle_sets(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n+1,) offsets and sorted unique uint64 hashes, for `pipeline.text.jaccard.exact`."""
    sets = []
    for text in texts:
        hashes = [hashlib.blake2b(gram.encode(), digest_size=8).digest() for gram in word_shingles(text)]
        sets.append(np.sort(np.frombuffer(b"".join(hashes), np.uint64)))
    return np.cumsum([0, *map(len, sets)]), np.concatenate(sets) if sets else np.zeros(0, np.uint64)


def exact_pairs(texts: Sequence[str], least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(a, b, jaccard) of all pairs a < b of documents that have shingles, with jaccard >= least."""
    offsets, hashes = shingle_sets(texts)
    pairs = _candidates(offsets, hashes, least)
    a, b = pairs[:, 0], pairs[:, 1]
    jaccard = exact(offsets, hashes, a, b)
    enough = jaccard >= least
    return a[enough], b[enough], jaccard[enough]


def _candidates(offsets: np.ndarray, hashes: np.ndarray, least: float) -> np.ndarray:
    """(m, 2): pairs whose prefixes share a shingle and whose sizes allow the similarity."""
    size = np.diff(offsets)
    docs = np.repeat(np.arange(len(size)), size)
    _, shingle, frequency = np.unique(hashes, return_inverse=True, return_counts=True)
    order = np.lexsort((shingle, frequency[shingle], docs))
    place = np.arange(len(docs)) - np.repeat(offsets[:-1], size)
    # the nextafter keeps a set from losing its last place to rounding
    prefix = size - np.ceil(np.nextafter(least * size, 0)).astype(int) + 1
    within = place < np.repeat(prefix, size)
    posted, holder = shingle[order][within], docs[within]
    by_shingle = np.argsort(posted, kind="stable")
    posted, holder = posted[by_shingle], holder[by_shingle]
    starts = np.flatnonzero(np.r_[True, posted[1:] != posted[:-1]])
    groups = {tuple(g.tolist()) for g in np.split(holder, starts[1:]) if len(g) > 1} if len(holder) else set()
    found = {(a, b) for group in groups for a, b in combinations(group, 2)}
    pairs = np.array(sorted(found), np.int64).reshape(-1, 2)
    ratio = size[pairs].min(axis=1) / size[pairs].max(axis=1) if len(pairs) else np.zeros(0)
    return pairs[ratio >= least]
