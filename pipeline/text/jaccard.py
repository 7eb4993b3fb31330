"""Jaccard similarity of pairs: exact, of shingle sets, and estimated, of signatures or of one byte of each column.

In: pairs (a, b) of rows, each (m,) integers. Out: (m,) float64 in [0, 1], |A and B| / |A or B|; 0 where both are empty.

Never read a long set whole for a short partner: a long document in a star of a million small ones would be read a
million times. The shorter set is looked up in the longer one instead, by galloping search.
"""

import numpy as np

from pipeline.text.compiling import kernel, piece

SPREAD = np.uint32(0x9E3779B1)  # a prime near 2^32 over the golden ratio: the top byte of a product depends on all bits
BY_CHANCE = 1 / 256


def exact(offsets: np.ndarray, hashes: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of the sets hashes[offsets[i]:offsets[i+1]], each sorted and unique, as `shingles` makes them.

    O(s log(l / s)) for a pair with s shingles in the shorter set and l in the longer.
    """
    return _exact(_fixed(offsets), _fixed(hashes), a.astype(np.int64), b.astype(np.int64))


def estimated(signatures: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Share of equal columns of rows a and b of `signatures` (n, permutations); sd sqrt(J (1 - J) / permutations).

    Of `in_bytes(signatures)`, too: one column in 256 that differs looks equal then, which is taken off, at 1 / 255 more
    variance of those that differ (b-bit minwise hashing, Li and Koenig 2010, arXiv:0910.3349)."""
    equal = _estimated(_fixed(signatures), a.astype(np.int64), b.astype(np.int64))
    return equal if signatures.dtype != np.uint8 else np.maximum(equal - BY_CHANCE, 0) / (1 - BY_CHANCE)


def in_bytes(signatures: np.ndarray) -> np.ndarray:
    """(n, permutations) uint32 -> uint8 of the same shape: a hash of each, for a quarter of the memory."""
    return (signatures * SPREAD >> np.uint32(24)).astype(np.uint8)


def _fixed(array: np.ndarray) -> np.ndarray:
    """A read-only view: Numba compiles a kernel again for arrays that can be written."""
    view = array.view()
    view.flags.writeable = False
    return view


@kernel
def _estimated(signatures, a, b):  # type: ignore[no-untyped-def]
    out = np.empty(len(a), np.float64)
    for i in range(len(a)):
        same = 0
        for c in range(signatures.shape[1]):
            same += signatures[a[i], c] == signatures[b[i], c]
        out[i] = same / signatures.shape[1]
    return out


@kernel
def _exact(offsets, hashes, a, b):  # type: ignore[no-untyped-def]
    out = np.zeros(len(a), np.float64)
    for i in range(len(a)):
        one = hashes[offsets[a[i]] : offsets[a[i] + 1]]
        other = hashes[offsets[b[i]] : offsets[b[i] + 1]]
        common = _common(one, other) if len(one) < len(other) else _common(other, one)
        if len(one) or len(other):
            out[i] = common / (len(one) + len(other) - common)
    return out


@piece
def _common(short, long):  # type: ignore[no-untyped-def]
    """How many of `short` are in `long`, both sorted and unique."""
    found, at = 0, 0
    for x in short:
        stride = 1
        while at + stride < len(long) and long[at + stride] < x:
            stride *= 2
        low, high = at + stride // 2, min(at + stride, len(long))  # long[low - 1] < x <= long[high], if there is one
        while low < high:
            middle = (low + high) // 2
            if long[middle] < x:
                low = middle + 1
            else:
                high = middle
        at = low
        if at == len(long):
            break
        found += long[at] == x
    return found
