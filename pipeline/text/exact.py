"""128-bit fingerprints of texts: two texts are taken for one exactly if their fingerprints are equal.

In: Arrow texts (n). Out: (n,) uint64 twice. What is ignored is left out before hashing, character by character:

nothing                              every byte counts
whitespace                           white space of Unicode does not count
whitespace_and_digits_punctuation    nor do SPECIAL characters (ROOTS, dedup_document)

A text of which nothing is left is hashed whole, so two numbers are not taken for each other; and the number of bytes
that were hashed is part of both hashes.
The two hashes share no constant: 10^9 different texts hold a pair that is equal in both with a chance of 1.5e-21,
as far as 128 bits go.
They are fast, not secret: someone who writes texts to that end can make two of them collide.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import SPACE, SPECIAL, U, decode, flags
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import load, mix

IGNORED = {"nothing": 0, "whitespace": SPACE, "whitespace_and_digits_punctuation": SPACE | SPECIAL}
BLOCK = 4096  # bytes that count, gathered before they are hashed
A_1, A_2, A_START = U(0x9E3779B97F4A7C15), U(0xD6E8FEB86659FD93), U(0x243F6A8885A308D3)
B_1, B_2, B_START = U(0xA0761D6478BD642F), U(0xE7037ED1A0B428DB), U(0x13198A2E03707344)
WHOLE = U(0x8EBC6AF09C88C6E3)  # tells a text hashed whole for want of anything else from one that counts


def fingerprints(texts: pa.Array | pa.ChunkedArray, ignore: str) -> tuple[np.ndarray, np.ndarray]:
    """Two (n,) uint64 arrays; `ignore` is a name in IGNORED."""
    offsets, data = buffers(texts)
    return _fingerprints(data, offsets, flags(), IGNORED[ignore])


@kernel
def _fingerprints(data, offsets, kinds, ignored):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    first, second = np.empty(n, np.uint64), np.empty(n, np.uint64)
    kept = np.empty(BLOCK + 8, np.uint8)
    for d in range(n):
        begin, end = offsets[d], offsets[d + 1]
        a, b, size = _hash(data, begin, end, kinds, ignored, kept, A_START, B_START)
        if size == 0:
            a, b, size = _hash(data, begin, end, kinds, 0, kept, A_START ^ WHOLE, B_START ^ WHOLE)
        first[d], second[d] = mix(a ^ U(size)), mix(b + U(size) * B_2)
    return first, second


@piece
def _hash(data, begin, end, kinds, ignored, kept, a, b):  # type: ignore[no-untyped-def]
    """(hash, hash, bytes that counted)."""
    i, stop, o, size = U(begin), U(end), U(0), np.int64(0)
    while i < stop:
        if ignored == 0:
            while i < stop and o < U(BLOCK):
                kept[o] = data[i]
                o += U(1)
                i += U(1)
        while i < stop and o < U(BLOCK):
            code, after = decode(data, i, stop)
            counts = kinds[code] & ignored == 0
            if after == i + U(1):  # no branch on what counts: every sixth character is a space
                kept[o] = data[i]
                o += U(counts)
            elif counts:
                for at in range(after - i):
                    kept[o + U(at)] = data[i + U(at)]
                o += after - i
            i = after
        whole = o & ~U(7)
        a, b = _eat(kept, whole, a, b)
        size += np.int64(whole)
        for at in range(o - whole):  # what is over stays for the next block: where blocks end must not count
            kept[at] = kept[whole + U(at)]
        o -= whole
    size += np.int64(o)
    for at in range(o, U(8)):
        kept[at] = 0
    a, b = _eat(kept, U(8) if o else U(0), a, b)
    return a, b, size


@piece
def _eat(kept, size, a, b):  # type: ignore[no-untyped-def]
    i = U(0)
    while i < size:
        word = load(kept, i)
        a = (a ^ (word * A_2)) * A_1
        a ^= a >> U(29)
        b = (b + (word ^ (word >> U(31)))) * B_1
        b ^= b >> U(37)
        i += U(8)
    return a, b
