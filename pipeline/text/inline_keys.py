"""The 128-bit key of a word, for tables inside kernels: up to INLINE bytes are the key, of longer ones a hash of them.

    low, high = key_of(data, begin, n)      the word of n bytes at `begin`; equal words have equal keys
    h = hash_of(low, high)                  spread evenly, every bit of it

Words of up to INLINE bytes that have one key are equal. Longer ones may share theirs, so whoever finds such a key
compares the bytes, eight at once, by `first_bytes`. Nothing is read beyond the end of `data`.
"""

import numpy as np

from pipeline.text.compiling import lean
from pipeline.text.hashing import BASE, START, STEP, load, mix, step

U = np.uint64
INLINE = 15  # bytes of a word that is its own key; the 16th tells how many they are
LONG_KEY = U(0xFF << 56)  # no length of a word that is its own key
HALF = U(32)


@lean
def _mask(n):  # type: ignore[no-untyped-def]
    """The lowest n bytes; all eight beyond that, none below 1."""
    if n >= 8:
        return ~U(0)
    return (U(1) << U(8 * max(n, 0))) - U(1)


@lean
def first_bytes(data, i, n):  # type: ignore[no-untyped-def]
    """The n bytes from i on, at most eight, as one integer, 0 for none; what follows them is not looked at."""
    if i + 8 <= len(data):
        return load(data, U(i)) & _mask(n)
    out = U(0)
    for at in range(min(n, 8)):
        out |= U(data[i + at]) << U(8 * at)
    return out


@lean
def key_of(data, begin, n):  # type: ignore[no-untyped-def]
    """(low, high) of the n bytes at `begin`, at least one."""
    if n <= INLINE:
        second = first_bytes(data, begin + 8, n - 8) if n > 8 else U(0)
        return first_bytes(data, begin, n), second | U(n) << U(56)
    h = START
    for i in range(0, n, 8):
        h = step(h, first_bytes(data, begin + i, n - i))
    return h, LONG_KEY | U(n)


@lean
def hash_of(low, high):  # type: ignore[no-untyped-def]
    if high >= LONG_KEY:
        return mix(low)
    h = (low * BASE) ^ (high * STEP)
    return (h ^ h >> HALF) * BASE
