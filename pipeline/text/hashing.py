"""The 64-bit steps that hashes of characters, words and lines are made of, for use inside kernels.

Integers only and constants fixed here, so a hash is the same on every machine. Never use them where an adversary
gains by a collision: they are fast, not secret.
"""

import numpy as np

from pipeline.text.compiling import piece

U = np.uint64
BASE = U(0x9E3779B97F4A7C15)  # of rolling polynomials modulo 2^64 (Karp and Rabin 1987); odd
START, STEP = U(0x243F6A8885A308D3), U(0xD6E8FEB86659FD93)  # of hashes over 8 bytes a step
MIX_1, MIX_2 = U(0xBF58476D1CE4E5B9), U(0x94D049BB133111EB)  # SplitMix64 (Steele, Lea and Flood 2014)


@piece
def mix(x):  # type: ignore[no-untyped-def]
    """Spreads every bit of a uint64 over all of them; one to one."""
    x = (x ^ (x >> U(30))) * MIX_1
    x = (x ^ (x >> U(27))) * MIX_2
    return x ^ (x >> U(31))


@piece
def step(h, piece):  # type: ignore[no-untyped-def]
    """The hash of a run of 64-bit pieces, one piece longer. `mix` it at the end."""
    h = (h ^ U(piece)) * STEP
    return h ^ (h >> U(32))


@piece
def joined(h, word):  # type: ignore[no-untyped-def]
    """The hash, never 0, of a run of words that is one longer, from that of the run and that of the word.

    Multiplied first: a run of two equal words would be `h ^ h`, whatever the word.
    """
    return max(step(h * BASE, word), U(1))


@piece
def load(data, i):  # type: ignore[no-untyped-def]
    """The 8 bytes from `i` (uint64) on as one little-endian integer; the compiler makes one load of it."""
    low = U(data[i]) | U(data[i + U(1)]) << U(8) | U(data[i + U(2)]) << U(16) | U(data[i + U(3)]) << U(24)
    high = U(data[i + U(4)]) | U(data[i + U(5)]) << U(8) | U(data[i + U(6)]) << U(16) | U(data[i + U(7)]) << U(24)
    return low | high << U(32)


@piece
def place_of(slots, key):  # type: ignore[no-untyped-def]
    """Where a key, which is not 0, stands among (2^k,) slots with open addressing, or the empty slot where it would."""
    mask = U(len(slots) - 1)
    at = key & mask
    while slots[at] != U(0) and slots[at] != key:
        at = (at + U(1)) & mask
    return at
