"""The tokens of words that were met before, for a kernel that asks for each word of a text.

    cache = TokenCache.empty()         67 MB of slots and 33 MB of ring, kept from call to call
    low, high = key_of(...)            of a word, and its hash h: `inline_keys.py`
    fetch(cache.slots, h)              begins to bring near what slot_of will read: useful some hundred steps before
    slot = slot_of(...)                where it stands, or where it may be put

A word has WAYS slots to stand in, side by side. A slot is four uint64: the key, then up to three tokens and their
number. What is longer, bytes or tokens, lies in the ring, which is written over again and again: a slot tells at which
word of all that were ever written its part begins, so that it is seen whether that is still there.

A cache changes speed and no token: words are compared byte by byte, whatever their hash. It never grows, and a lookup
takes no more steps however words collide. Never used by two threads at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from pipeline.text.compiling import lean
from pipeline.text.inline_keys import HALF, INLINE, first_bytes

U = np.uint64
CACHED = 256  # bytes of the longest word that is kept: beyond it few ever come again
WAYS = 4
SLOTS = 1 << 21  # 32 bytes each
RING = 1 << 22  # uint64; a power of two, with room for one word and its tokens: 160
LOW = U(0xFFFFFFFF)


@dataclass(frozen=True)
class TokenCache:
    slots: np.ndarray  # (n, 4) uint64, n a power of two
    ring: np.ndarray  # (m,) uint64
    written: np.ndarray  # (1,) int64: words that were ever written to the ring

    @classmethod
    def empty(cls, slots: int = SLOTS, ring: int = RING) -> TokenCache:
        # zeros take no memory before they are written
        return cls(np.zeros((slots, 4), np.uint64), np.zeros(ring, np.uint64), np.zeros(1, np.int64))


BYTES = 32 * SLOTS + 8 * RING  # of a cache that is full


@lean
def _words(n):  # type: ignore[no-untyped-def]
    """uint64 of the ring that the bytes of a word take."""
    return (n + 7) >> 3 if n > INLINE else 0


@lean
def _stands(slots, ring, written, slot, data, begin, n):  # type: ignore[no-untyped-def]
    """Whether what the slot keeps in the ring is there still, and of this word."""
    at = np.int64(slots[slot, 2])
    if at + len(ring) < written:
        return False
    at &= len(ring) - 1
    same = True
    for i in range(_words(n)):
        same &= ring[at + i] == first_bytes(data, begin + 8 * i, n - 8 * i)
    return same


def _prefetch(typing, slots, slot):  # type: ignore[no-untyped-def]
    """Tells the processor that a slot will be read; changes nothing else."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        array = context.make_array(signature.args[0])(context, builder, args[0])
        bytes_ = ir.IntType(8).as_pointer()
        place = builder.bitcast(builder.gep(array.data, [builder.mul(args[1], args[1].type(4))]), bytes_)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [bytes_, number, number, number])
        call = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(call, [place, number(0), number(3), number(1)])  # to read, to be kept near, data
        return context.get_dummy_value()

    return types.void(slots, slot), emit


prefetch: Any = intrinsic(_prefetch)


@lean
def _home(slots, h):  # type: ignore[no-untyped-def]
    return np.int64(h >> HALF) & (len(slots) - 1) & ~(WAYS - 1)


@lean
def fetch(slots, h):  # type: ignore[no-untyped-def]
    prefetch(slots, _home(slots, h))
    prefetch(slots, _home(slots, h) + 2)  # they lie on two lines of the processor's cache, or three


@lean
def slot_of(slots, h, low, high):  # type: ignore[no-untyped-def]
    """The slot of the key; if none has it a free one, else one whose word has to go."""
    home = _home(slots, h)
    for slot in range(home, home + WAYS):
        if slots[slot, 1] == high and slots[slot, 0] == low:
            return slot
        if slots[slot, 1] == U(0):
            return slot
    return home + (np.int64(h) & (WAYS - 1))


@lean
def recall(slots, ring, written, slot, low, high, data, begin, n, out, at):  # type: ignore[no-untyped-def]
    """Writes the tokens of the word to `out` from `at` on and returns how many; 0 if the slot is not the word's. Three
    places are written at least."""
    if slots[slot, 1] != high or slots[slot, 0] != low:
        return 0
    count = np.int64(slots[slot, 3] & LOW)
    if count > 0:
        out[at] = np.int32(slots[slot, 2] & LOW)
        out[at + 1] = np.int32(slots[slot, 2] >> HALF)
        out[at + 2] = np.int32(slots[slot, 3] >> HALF)
        return count
    if not _stands(slots, ring, written[0], slot, data, begin, n):
        return 0
    first = (np.int64(slots[slot, 2]) & (len(ring) - 1)) + _words(n)
    count = np.int64(slots[slot, 3] >> HALF)
    for i in range(count):
        out[at + i] = np.int32(ring[first + (i >> 1)] >> U(32 * (i & 1)) & LOW)
    return count


@lean
def keep(slots, ring, written, slot, low, high, data, begin, n, out, at, count):  # type: ignore[no-untyped-def]
    """Puts the word and its tokens, `out[at:at + count]`, into the slot."""
    slots[slot, 0], slots[slot, 1] = low, high
    if n <= INLINE and count <= 3:
        slots[slot, 2] = U(out[at]) | (U(out[at + 1]) << HALF if count > 1 else U(0))
        slots[slot, 3] = U(count) | (U(out[at + 2]) << HALF if count > 2 else U(0))
        return
    place = written[0]
    need = _words(n) + ((count + 1) >> 1)
    if (place & (len(ring) - 1)) + need > len(ring):
        place = (place | (len(ring) - 1)) + 1  # on from the ring's first word
    first = place & (len(ring) - 1)
    for i in range(_words(n)):
        ring[first + i] = first_bytes(data, begin + 8 * i, n - 8 * i)
    first += _words(n)
    for i in range(0, count, 2):
        ring[first + (i >> 1)] = U(out[at + i]) | (U(out[at + i + 1]) << HALF if i + 1 < count else U(0))
    slots[slot, 2], slots[slot, 3] = U(place), U(count) << HALF
    written[0] = place + need
