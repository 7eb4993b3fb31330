"""SimHash (Charikar 2002): 64 bits of a text, of which similar texts share most; and who shares enough of them.

In: Arrow texts (n). Out: (n,) uint64 fingerprints. What is computed, by another hash than in ROOTS:

1. characters: lower case, punctuation (Unicode's P) left out, all else as it stands, white space too;
2. units: these characters, or the words between white space;
3. features: every run of `size` units, hashed to 64 bits. A text of fewer units is one feature (ROOTS forgot the last
   run of each text, so that short ones had none, and were all alike);
4. bit b of the fingerprint is set where more than half of the features have it set.

Two texts are alike if at most `distance` bits differ (Manku, Jain and Sarma 2007). The bits are cut into `blocks`; two
such texts agree on blocks - distance of them at least, and share a key made of so many: none is missed.

Characters are counted in bit planes: plane p of 64 counters holds bit p of each, and a carry-save adder takes eight
features at once (Harley and Seal). Time is linear in the bytes, memory constant.

Never depend on the machine: integers only, constants fixed. The twin is tests/pipeline/text/simhash_twin.py.
"""

import unicodedata
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import SPACE, decode, flags, lowered
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, START, mix, step

U = np.uint64
BITS = 64
PLANES = 48  # of a counter: features of a text
CHUNK = 4096  # characters at once
GONE, BLANK = 0xFFFFFFFF, 0x40000000  # a character that is left out; the bit of white space
# what a walk through a text remembers: where it is, units held, the hash of an open word, if there is one, features
AT, HELD, WORD, OPEN, FEATURES = range(5)


@cache
def characters() -> np.ndarray:
    """(0x110000,) uint32, read-only: the lower case of each character, with BLANK in white space; or GONE."""
    out = lowered().copy()
    out[flags() & SPACE > 0] |= np.uint32(BLANK)
    gone = [c for c in np.flatnonzero(flags()).tolist() if unicodedata.category(chr(c))[0] == "P"]
    out[gone] = GONE
    out.flags.writeable = False
    return out


def fingerprints(
    texts: pa.Array | pa.ChunkedArray, by_words: np.ndarray, size: int = 6
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) uint64 fingerprints and (n,) int64 how many features; `by_words` (n,) bool: whose units are words.

    A text without features has the fingerprint 0: look at the counts before you compare.
    """
    offsets, data = buffers(texts)
    return _fingerprints(data, offsets, characters(), by_words, size, U(pow(int(BASE), size - 1, 1 << 64)))


def masks(blocks: int, distance: int) -> np.ndarray:
    """(m,) uint64: the bits of each choice of blocks - distance blocks; every pair within `distance` agrees on one."""
    bounds = [i * BITS // blocks for i in range(blocks + 1)]
    ones = [(1 << end) - (1 << begin) for begin, end in pairwise(bounds)]
    return np.array([sum(chosen) for chosen in combinations(ones, blocks - distance)], np.uint64)


@kernel
def keys(fingerprints, masks):  # type: ignore[no-untyped-def]
    """(n, m) uint64: equal where two fingerprints agree on a mask; keys of different masks do not meet."""
    out = np.empty((len(fingerprints), len(masks)), np.uint64)
    for d in range(len(fingerprints)):
        for m in range(len(masks)):
            out[d, m] = mix(step(mix(START + U(m)), fingerprints[d] & masks[m]))
    return out


@kernel
def _fingerprints(data, offsets, table, by_words, size, power):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    out, counts = np.zeros(n, np.uint64), np.zeros(n, np.int64)
    units, features = np.empty(CHUNK + size, np.uint64), np.empty(CHUNK + size, np.uint64)
    planes, walk = np.empty(PLANES, np.uint64), np.empty(5, np.uint64)
    for d in range(n):
        planes[:] = 0
        walk[:] = 0
        walk[AT] = offsets[d]
        stop = U(offsets[d + 1])
        while walk[AT] < stop:
            if by_words[d]:
                held = _next_words(data, stop, table, walk, units)
            else:
                held = _next_characters(data, stop, table, walk, units)
            found = _features(units, held, size, power, features, walk)
            _add(features, found, planes)
        if walk[FEATURES] == U(0) and walk[HELD] > U(0):
            features[0] = mix(_run(units, walk[HELD]))
            walk[FEATURES] = 1
            _add(features, 1, planes)
        counts[d] = walk[FEATURES]
        out[d] = _majority(planes, walk[FEATURES])
    return out, counts


@piece
def _next_characters(data, stop, table, walk, units):  # type: ignore[no-untyped-def]
    """Characters of the next chunk behind those that are held; how many there are then."""
    i, o, last = walk[AT], walk[HELD], U(len(units))
    while i < stop and o < last:
        if data[i] < 0x80:
            value = table[data[i]]
            i += U(1)
        else:
            code, i = decode(data, i, stop)
            value = table[code]
        units[o] = value
        o += U(value != GONE)  # no branch on what counts
    walk[AT] = i
    return o


@piece
def _next_words(data, stop, table, walk, units):  # type: ignore[no-untyped-def]
    """The same for words; the last one ends with the text."""
    i, o, last = walk[AT], walk[HELD], U(len(units) - 1)  # room for the word that the text ends
    h, inside = walk[WORD], walk[OPEN]
    while i < stop and o < last:
        code, i = decode(data, i, stop)
        value = table[code]
        if value != GONE:
            if value & np.uint32(BLANK):
                units[o] = mix(h)
                o += inside
                h, inside = U(0), U(0)
            else:
                h, inside = step(h, U(value)), U(1)
    if i == stop and inside:
        units[o] = mix(h)
        o += U(1)
        inside = U(0)
    walk[AT], walk[WORD], walk[OPEN] = i, h, inside
    return o


@piece
def _run(units, size):  # type: ignore[no-untyped-def]
    e = U(0)
    for j in range(size):
        e = e * BASE + units[j]
    return e


@piece
def _features(units, held, size, power, features, walk):  # type: ignore[no-untyped-def]
    """The hashes of the runs that end among the units held; what the next ones begin with stays. How many."""
    if held < U(size):
        walk[HELD] = held
        return 0
    n = np.int64(held) - size + 1
    e = _run(units, size - 1)
    for j in range(n):
        e = e * BASE + units[j + size - 1]
        features[j] = e
        e -= units[j] * power
    for j in range(n):  # a loop of its own, as it runs in vector registers
        features[j] = mix(features[j])
    for j in range(size - 1):
        units[j] = units[n + j]
    walk[HELD] = size - 1
    walk[FEATURES] += U(n)
    return n


@piece
def _both(a, b, c):  # type: ignore[no-untyped-def]
    """The sums of three bits in each of 64 places: (sum, carry)."""
    u = a ^ b
    return u ^ c, (a & b) | (u & c)


@piece
def _add(features, n, planes):  # type: ignore[no-untyped-def]
    """Counts the set bits of `n` features."""
    ones, twos, fours = planes[0], planes[1], planes[2]
    j = 0
    while j + 8 <= n:
        ones, a = _both(ones, features[j], features[j + 1])
        ones, b = _both(ones, features[j + 2], features[j + 3])
        twos, c = _both(twos, a, b)
        ones, a = _both(ones, features[j + 4], features[j + 5])
        ones, b = _both(ones, features[j + 6], features[j + 7])
        twos, d = _both(twos, a, b)
        fours, carry = _both(fours, c, d)
        p = 3
        while carry:
            over = planes[p] & carry
            planes[p] ^= carry
            carry = over
            p += 1
        j += 8
    planes[0], planes[1], planes[2] = ones, twos, fours
    while j < n:
        carry, p = features[j], 0
        while carry:
            over = planes[p] & carry
            planes[p] ^= carry
            carry = over
            p += 1
        j += 1


@piece
def _majority(planes, total):  # type: ignore[no-untyped-def]
    """Bits whose count is more than half of `total`: all 64 compared at once, from the highest plane down."""
    half = total >> U(1)
    more, equal = U(0), ~U(0)
    for down in range(PLANES):
        p = PLANES - 1 - down
        if half >> U(p) & U(1):
            equal &= planes[p]
        else:
            more |= equal & planes[p]
            equal &= ~planes[p]
    return more
