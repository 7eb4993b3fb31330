"""From UTF-8 to the shingles of a text, without a Python object: characters, words, word hashes, shingle hashes.

In: Arrow texts. Out: for each text the 64-bit hashes of its shingles. What is computed:

1. words: characters are classed and lower-cased by `letters.tables(unit)`; a run of WORD characters is a word, a CHAR
   is a word of its own, gaps (and bytes that are no UTF-8) end words. Case, punctuation and layout thus do not count;
2. word hash: the word's UTF-8 bytes and a zero, in 64-bit little-endian pieces, joined by `step`, ended by `mix`;
3. shingle: `size` consecutive words, hashed as a polynomial in BASE modulo 2^64 (Karp and Rabin 1987), then `mix`.
   A text of fewer words is one shingle of all of them; a text without words has none.

A text of any length streams through one block of 16 KB, so memory is constant and time linear in its bytes.

Never depend on the machine: integers only, no Python hash, constants fixed. Never read outside a text.
The plain-Python twin in tests/pipeline/minhash_twin.py says the same in few lines.
"""

from itertools import pairwise

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, load, mix, step
from pipeline.text.letters import CHAR, GAP, NOTHING, WORD, tables
from pipeline.text.utf8 import HIGHEST, LOWEST, ascii_words, decode, encode, store, trailing_zeros

# i reads text, o writes words, p reads words, m counts word hashes; all uint64, as in utf8.py
U = np.uint64
BLOCK = 16384  # bytes of words held at once
AT, STOP, HELD, HASH, OPEN, KEPT, WHOLE = range(7)  # what a stream through a text remembers from block to block


@piece
def astral_class(char, classes):  # type: ignore[no-untyped-def]
    """Kind of a character above the tables: emoji and their like are gaps; kana and Han as their kin in the tables."""
    if U(0x1F000) <= char < U(0x1FB00):
        return np.uint8(GAP)
    if U(0xE0000) <= char < U(0xE1000):
        return np.uint8(NOTHING)
    han = U(0x1AFF0) <= char < U(0x1B170) or U(0x20000) <= char < U(0x40000)
    return classes[0x4E00] if han else classes[0x61]


@piece
def _split(data, i, stop, out, o, classes, folded):  # type: ignore[no-untyped-def]
    """Write the text from i on as words with zeros between, until it or `out` (less 16 bytes) ends: next i, next o."""
    last = U(len(out)) - U(16)
    ascii_fast = classes[0x61] == WORD
    while i < stop and o < last:
        if ascii_fast and i + U(8) <= stop:
            x = load(data, i)
            store(out, o, ascii_words(x))
            if x & HIGHEST == U(0):
                i += U(8)
                o += U(8)
                continue
            ascii_bytes = trailing_zeros(x & HIGHEST) >> U(3)
            i += ascii_bytes
            o += ascii_bytes
        while i < stop and o < last:
            char, length = decode(data, i, stop)
            i += length
            kind = classes[char] if char < U(0x10000) else astral_class(char, classes)
            if kind == NOTHING:
                continue
            if kind == CHAR:  # a zero before, in case a word stands there, and one after
                out[o] = 0
                o += U(1)
            if kind >= WORD:
                o = encode(out, o, U(folded[char]) if char < U(0x10000) else char)
            if kind != WORD:
                out[o] = 0
                o += U(1)
            if i < stop and data[i] < 0x80:
                break
    return i, o


@piece
def _hash_words(words, end, stream, hashes, m):  # type: ignore[no-untyped-def]
    """Append the hash of each word that ends before `end` to `hashes`; what is left moves to the front of `words`."""
    p, h, inside = U(0), stream[HASH], stream[OPEN]
    while p + U(8) <= end:  # no branch on where words end: nothing could predict it
        x = load(words, p)
        zeros = (x - LOWEST) & ~x & HIGHEST  # exact, as no byte of a word is 1
        word = zeros ^ (zeros - U(1))  # all bits up to the first zero byte, or all 64
        h = step(h, x & word)
        hashes[m] = mix(h)  # written always, counted where a word ends
        ends = U(zeros != U(0))
        m += ends & (U((x & word) != U(0)) | inside)
        h, inside = h & (ends - U(1)), U(1) - ends
        p += trailing_zeros((zeros ^ HIGHEST) & ~word) >> U(3)  # to the next word, or all 8 bytes
    stream[HASH], stream[OPEN], stream[HELD] = h, inside, end - p
    for j in range(end - p):
        words[j] = words[p + j]
    return m


@piece
def next_words(data, stream, words, hashes, classes, folded):  # type: ignore[no-untyped-def]
    """Behind the `stream[KEPT]` hashes that `hashes` holds, those of the words that end in the next block; how many."""
    i, end = _split(data, stream[AT], stream[STOP], words, stream[HELD], classes, folded)
    stream[AT] = i
    if i == stream[STOP]:  # zeros end the last word
        words[end : end + U(8)] = 0
        end += U(8)
    return _hash_words(words, end, stream, hashes, stream[KEPT])


@piece
def next_shingles(data, stream, size, power, words, hashes, shingles, classes, folded):  # type: ignore[no-untyped-def]
    """Fill `shingles` with the hashes of those that end in the next block of the text; how many."""
    m = next_words(data, stream, words, hashes, classes, folded)
    e = U(0)
    for j in range(min(m, size - U(1))):
        e = e * BASE + hashes[j]
    if m < size:
        stream[KEPT] = m
        shingles[0] = mix(e)
        return U(stream[AT] == stream[STOP] and m > U(0) and stream[WHOLE] == U(0))
    for j in range(m - size + U(1)):
        e = e * BASE + hashes[j + size - U(1)]
        shingles[j] = e
        e -= hashes[j] * power
    for j in range(m - size + U(1)):  # a loop of its own, as it runs in vector registers
        shingles[j] = mix(shingles[j])
    stream[KEPT], stream[WHOLE] = size - U(1), U(1)
    for j in range(size - U(1)):
        hashes[j] = hashes[m - size + U(1) + j]
    return m - size + U(1)


@piece
def open_stream(stream, start, stop):  # type: ignore[no-untyped-def]
    stream[:] = 0
    stream[AT], stream[STOP] = start, stop


@piece
def workspace(size):  # type: ignore[no-untyped-def]
    hashes = np.empty(BLOCK // 2 + 64 + size, np.uint64)
    return np.zeros(7, np.uint64), np.empty(BLOCK + 32, np.uint8), hashes, np.empty(len(hashes), np.uint64)


def settings(size: int, unit: str) -> tuple[np.uint64, np.uint64, np.ndarray, np.ndarray]:
    assert size >= 1
    return U(size), U(pow(int(BASE), size - 1, 1 << 64)), *tables(unit)


@kernel
def _all_shingles(offsets, data, size, power, classes, folded, ends):  # type: ignore[no-untyped-def]
    """Every text's shingles in their order, repeats included; `ends[t]` is where those of text t end."""
    stream, words, hashes, shingles = workspace(size)
    out, n = np.empty(1024 + (offsets[-1] - offsets[0]) // 4, np.uint64), U(0)
    for t in range(len(offsets) - 1):
        open_stream(stream, U(offsets[t]), U(offsets[t + 1]))
        while stream[AT] < stream[STOP]:
            found = next_shingles(data, stream, size, power, words, hashes, shingles, classes, folded)
            if n + found > len(out):
                wider = np.empty(U(2) * (n + found), np.uint64)
                for j in range(n):
                    wider[j] = out[j]
                out = wider
            for j in range(found):
                out[n + j] = shingles[j]
            n += found
        ends[t] = n
    return out[:n]


def shingles(texts: pa.Array | pa.ChunkedArray, size: int = 5, unit: str = "auto") -> tuple[np.ndarray, np.ndarray]:
    """Shingle sets: (n+1,) int64 offsets and (m,) uint64 hashes, sorted and unique within each text.

    Takes 8 bytes a shingle, repeats included: some 1.3 times the text in Latin script, 2.7 times in Han.
    """
    offsets, data = buffers(texts)
    ends = np.zeros(len(texts) + 1, np.int64)
    hashes = _all_shingles(offsets, data, *settings(size, unit), ends[1:])
    for start, stop in pairwise(ends.tolist()):
        hashes[start:stop].sort()
    return _unique(ends, hashes)


@kernel
def _unique(ends, hashes):  # type: ignore[no-untyped-def]
    """Close up sorted runs in place: (n+1,) offsets and the hashes that remain."""
    offsets, m = np.zeros(len(ends), np.int64), 0
    for t in range(len(ends) - 1):
        for j in range(ends[t], ends[t + 1]):
            if j == ends[t] or hashes[j] != hashes[m - 1]:
                hashes[m] = hashes[j]
                m += 1
        offsets[t + 1] = m
    return offsets, hashes[:m]
