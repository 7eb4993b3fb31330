"""UTF-8 for kernels: eight bytes at a time where they are ASCII, one checked character where they are not.

In: a uint8 array and a position in it, uint64. Out: integers, always uint64: Numba makes a float of uint64 with int64,
and a signed index costs a test for negative ones.

Never read at or past `stop`: what follows belongs to another text, or to nobody.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from pipeline.text.compiling import lean

U = np.uint64
LOWEST, HIGHEST = U(0x0101010101010101), U(0x8080808080808080)  # the lowest and the highest bit of each of 8 bytes


def _trailing_zeros(typing, x):  # type: ignore[no-untyped-def]
    """Zero bits below the lowest one; 64 for zero."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), emit


trailing_zeros: Any = intrinsic(_trailing_zeros)


@lean
def store(a, o, x):  # type: ignore[no-untyped-def]
    for byte in range(8):
        a[o + U(byte)] = np.uint8(x >> U(8 * byte))


@lean
def at_least(x, first):  # type: ignore[no-untyped-def]
    """The highest bit of each byte that is `first` or more, for bytes under 128."""
    return (x + (U(0x80) - U(first)) * LOWEST) & HIGHEST


@lean
def ascii_words(x):  # type: ignore[no-untyped-def]
    """Of 8 bytes: letters (lower-cased) and digits stay, the rest is zero; right up to the first that is not ASCII."""
    x = x | ((at_least(x, 0x41) & ~at_least(x, 0x5B)) >> U(2))
    keep = (at_least(x, 0x61) & ~at_least(x, 0x7B)) | (at_least(x, 0x30) & ~at_least(x, 0x3A))
    return x & (keep - (keep >> U(7)))


@lean
def decode(data, i, stop):  # type: ignore[no-untyped-def]
    """(character, length) at i, or (0, 1) where there is no well-formed UTF-8 within the text."""
    a = U(data[i])
    if a < U(0x80):
        return a, U(1)
    b = U(data[i + U(1)]) ^ U(0x80) if i + U(1) < stop else U(64)
    if b >= U(64) or a < U(0xC2):
        return U(0), U(1)
    if a < U(0xE0):
        return (a & U(0x1F)) << U(6) | b, U(2)
    c = U(data[i + U(2)]) ^ U(0x80) if i + U(2) < stop else U(64)
    if a < U(0xF0):
        char = (a & U(0x0F)) << U(12) | b << U(6) | c
        return (char, U(3)) if c < U(64) and char >= U(0x800) else (U(0), U(1))
    d = U(data[i + U(3)]) ^ U(0x80) if i + U(3) < stop else U(64)
    char = (a & U(0x07)) << U(18) | b << U(12) | (c & U(63)) << U(6) | d
    valid = a < U(0xF5) and c < U(64) and d < U(64) and U(0x10000) <= char < U(0x110000)
    return (char, U(4)) if valid else (U(0), U(1))


@lean
def encode(out, o, char):  # type: ignore[no-untyped-def]
    if char < U(0x80):
        out[o] = np.uint8(char)
        return o + U(1)
    if char < U(0x800):
        out[o] = np.uint8(U(0xC0) | char >> U(6))
        out[o + U(1)] = np.uint8(U(0x80) | char & U(63))
        return o + U(2)
    if char < U(0x10000):
        out[o] = np.uint8(U(0xE0) | char >> U(12))
        o += U(1)
    else:
        out[o] = np.uint8(U(0xF0) | char >> U(18))
        out[o + U(1)] = np.uint8(U(0x80) | char >> U(12) & U(63))
        o += U(2)
    out[o] = np.uint8(U(0x80) | char >> U(6) & U(63))
    out[o + U(1)] = np.uint8(U(0x80) | char & U(63))
    return o + U(2)
