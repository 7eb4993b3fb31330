"""A coin for each name of a column: BLAKE2b of 64 bits, keyed by a seed, as RFC 7693 has it.

    coins(seed=0, names=["s/a#0", "s/a#1"])             -> (2,) uint64, uniform over [0, 2^64)
    coins(seed=0, names=["s/a#0"], before="holdout ")   -> the coin of "holdout s/a#0"

What `hashlib.blake2b(name, digest_size=8, key=seed as 8 bytes)` gives, most significant byte first, at a seventh of the
time: no name becomes a Python object, and the block of the key is worked through once. Never a secret: a coin is told
to anybody who knows the name and the seed.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import U, load

BLOCK = 128  # bytes that are worked through at once
# the first 64 bits of the fractional parts of the square roots of the first eight primes (RFC 7693, sec. 2.6)
IV = np.array(
    [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ],
    np.uint64,
)  # fmt: skip
# which word of the block each half step takes, in each of twelve rounds (sec. 2.7; the last two are the first again)
_ORDERS = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
]
ORDERS = np.array([*_ORDERS, *_ORDERS[:2]], np.uint64)
SETTINGS = U(0x01010808)  # a digest of 8 bytes, a key of 8, no tree (sec. 2.5)


def coins(seed: int, names: pa.Array | pa.ChunkedArray, before: str = "") -> np.ndarray:
    """(n,) uint64: the toss for each name, with `before` in front of it; `pipeline.digest.coin` of each."""
    offsets, data = buffers(names)
    key, first = (np.frombuffer(part, np.uint8) for part in (seed.to_bytes(8, "big"), before.encode()))
    return _coins(offsets, data, key, first)


@kernel
def _coins(offsets, data, key, before):  # type: ignore[no-untyped-def]
    out = np.empty(len(offsets) - 1, np.uint64)
    block, words = np.zeros(BLOCK, np.uint8), np.empty(BLOCK // 8, np.uint64)
    keyed, h = IV.copy(), np.empty(8, np.uint64)
    keyed[0] ^= SETTINGS
    start = keyed.copy()
    block[: len(key)] = key
    _compress(keyed, block, words, U(BLOCK), False)
    for i in range(len(out)):
        begin, size = offsets[i] - len(before), offsets[i + 1] - offsets[i] + len(before)
        if size == 0:  # the block of the key is the last one
            h[:] = start
            block[:] = 0
            block[: len(key)] = key
            _compress(h, block, words, U(BLOCK), True)
        else:
            h[:] = keyed
        for at in range(0, size, BLOCK):
            stop = min(at + BLOCK, size)
            for k in range(at, min(stop, len(before))):
                block[k - at] = before[k]
            for k in range(max(at, len(before)), stop):
                block[k - at] = data[begin + k]
            block[stop - at :] = 0
            _compress(h, block, words, U(BLOCK + stop), stop == size)
        out[i] = _most_significant_first(h[0])
    return out


@piece
def _compress(h, block, words, count, last):  # type: ignore[no-untyped-def]
    """Works a block into the state; `count` bytes have come with it, the key's block among them (sec. 3.2)."""
    for k in range(len(words)):
        words[k] = load(block, U(8 * k))
    v0, v1, v2, v3, v4, v5, v6, v7 = h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]
    v8, v9, v10, v11, v12, v13, v14, v15 = IV[0], IV[1], IV[2], IV[3], IV[4] ^ count, IV[5], IV[6], IV[7]
    if last:
        v14 = ~v14
    for r in range(len(ORDERS)):
        s = ORDERS[r]
        v0, v4, v8, v12 = _mixed(v0, v4, v8, v12, words, s[0], s[1])
        v1, v5, v9, v13 = _mixed(v1, v5, v9, v13, words, s[2], s[3])
        v2, v6, v10, v14 = _mixed(v2, v6, v10, v14, words, s[4], s[5])
        v3, v7, v11, v15 = _mixed(v3, v7, v11, v15, words, s[6], s[7])
        v0, v5, v10, v15 = _mixed(v0, v5, v10, v15, words, s[8], s[9])
        v1, v6, v11, v12 = _mixed(v1, v6, v11, v12, words, s[10], s[11])
        v2, v7, v8, v13 = _mixed(v2, v7, v8, v13, words, s[12], s[13])
        v3, v4, v9, v14 = _mixed(v3, v4, v9, v14, words, s[14], s[15])
    h[0] ^= v0 ^ v8
    h[1] ^= v1 ^ v9
    h[2] ^= v2 ^ v10
    h[3] ^= v3 ^ v11
    h[4] ^= v4 ^ v12
    h[5] ^= v5 ^ v13
    h[6] ^= v6 ^ v14
    h[7] ^= v7 ^ v15


@piece
def _mixed(a, b, c, d, words, x, y):  # type: ignore[no-untyped-def]
    """Two words of the block, mixed into four of the state (sec. 3.1)."""
    a = a + b + words[x]
    d = _turned(d ^ a, U(32))
    c = c + d
    b = _turned(b ^ c, U(24))
    a = a + b + words[y]
    d = _turned(d ^ a, U(16))
    c = c + d
    return a, _turned(b ^ c, U(63)), c, d


@piece
def _turned(x, bits):  # type: ignore[no-untyped-def]
    return x >> bits | x << (U(64) - bits)


@piece
def _most_significant_first(word):  # type: ignore[no-untyped-def]
    """The bytes of a word, the other way round."""
    out = U(0)
    for _ in range(8):
        out = out << U(8) | word & U(255)
        word >>= U(8)
    return out
