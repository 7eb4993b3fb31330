"""A set of hashes that is emptied at no cost: kernels ask it, pass after pass, whether they saw something before.

`table` is (slots,) uint64, a power of two. An entry is the highest 48 bits of a hash and a stamp of 16 bits; the slot
tells the others. What bears another stamp than the present one is an empty slot, so a pass begins by raising the stamp.
Only as many slots are used as a pass needs, so that a short text's stay in the cache.
"""

import numpy as np

from pipeline.text.compiling import piece
from pipeline.text.hashing import U

STAMPS = U(0xFFFF)  # bits of the stamp, which is never 0
ROOMY = 4  # slots for each hash, where there are as many


@piece
def slots_for(most):  # type: ignore[no-untyped-def]
    """The length of a table for sets of up to `most` hashes: half of it stays free."""
    slots = 64
    while slots < 2 * most:
        slots *= 2
    return slots


@piece
def empty(table, stamp, most):  # type: ignore[no-untyped-def]
    """Raises the stamp, (1,) uint64; the mask of the slots to be used for a set of up to `most` hashes."""
    stamp[0] += U(1)
    if stamp[0] > STAMPS:
        table[:] = U(0)
        stamp[0] = U(1)
    slots = 64
    while slots < ROOMY * most and slots < len(table):
        slots *= 2
    return U(slots - 1)


@piece
def slot_of(table, mixed, mask, stamp):  # type: ignore[no-untyped-def]
    """The slot where the hash is, or where it belongs: `table[slot] == entry(mixed, stamp)` tells which."""
    held_by = entry(mixed, stamp)
    at = mixed & mask
    while table[at] != held_by and table[at] & STAMPS == stamp:
        at = (at + U(1)) & mask
    return at


@piece
def entry(mixed, stamp):  # type: ignore[no-untyped-def]
    return (mixed & ~STAMPS) | stamp


@piece
def seen(table, mixed, mask, stamp):  # type: ignore[no-untyped-def]
    """Whether the hash is in the set; it is from now on."""
    at = slot_of(table, mixed, mask, stamp)
    before = table[at] == entry(mixed, stamp)
    table[at] = entry(mixed, stamp)
    return np.bool_(before)
