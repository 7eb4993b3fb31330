"""MinHash signatures from UTF-8 in one pass over the text.

In: Arrow texts. Out: one row of `permutations` uint32 a text; the share of equal columns of two rows estimates the
Jaccard similarity of the two texts' shingle sets (`shingles.py` says what a shingle is).

The sketch is Fast Similarity Sketching (Dahlgaard, Knudsen and Thorup 2017, arXiv:1704.04370). In round r each shingle
draws a column and a value; a column keeps the least value of the first round that reached it. Long texts end after
round 0, one draw a shingle. From round k = `permutations` on, one column a round, each shingle draws for that column,
if it is still empty.

Rounds after the first look at a text's distinct shingles only, the first 16,384 of them, so that a text of one word
said a million times costs no more than another. With more of them a column stays empty after round 0 with a
probability under 1e-25.

Never depend on the machine: integers only, no Python hash, constants fixed. The plain-Python twin in
tests/pipeline/minhash_twin.py says the same in few lines.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import mix
from pipeline.text.shingles import AT, next_shingles, open_stream, settings, workspace

U = np.uint64
EMPTY, NONE = np.uint32(0xFFFFFFFF), U(0xFFFFFFFFFFFFFFFF)
STEP = U(0x9E3779B97F4A7C15)  # from one round's draw to the next, as in SplitMix64
DISTINCT = 16384  # shingles that rounds after the first look at


def signatures(
    texts: pa.Array | pa.ChunkedArray, permutations: int = 128, size: int = 5, unit: str = "auto"
) -> tuple[np.ndarray, np.ndarray]:
    """(n, permutations) uint32 signatures and (n,) int64 shingle counts, repeats included.

    A count of 0 is a text without words. Its signature is all ones, equal to that of any other such text: look at the
    counts before you compare. Raises TypeError for what is no text.
    """
    offsets, data = buffers(texts)
    out = np.empty((len(texts), permutations), np.uint32)
    counts = np.zeros(len(texts), np.int64)
    _signatures(offsets, data, *settings(size, unit), out, counts)
    return out, counts


@kernel
def _signatures(offsets, data, size, power, classes, folded, signatures, counts):  # type: ignore[no-untyped-def]
    k = U(signatures.shape[1])
    stream, words, hashes, shingles = workspace(size)
    distinct = np.empty(DISTINCT, np.uint64)
    draws = np.empty(DISTINCT, np.uint64)
    first = np.empty(k, np.uint64)  # of each column: round << 32 | value, the least of all draws; NONE before any
    table = np.empty(2 * DISTINCT, np.uint16)
    for t in range(len(offsets) - 1):
        start, stop = U(offsets[t]), U(offsets[t + 1])
        columns = signatures[t]
        columns[:] = EMPTY
        count = n = U(0)
        open_stream(stream, start, stop)
        while stream[AT] < stop:
            n = next_shingles(data, stream, size, power, words, hashes, shingles, classes, folded)
            count += n
            for j in range(n):
                c = ((shingles[j] >> U(32)) * k) >> U(32)
                columns[c] = min(columns[c], np.uint32(shingles[j]))
        counts[t] = count
        if count == U(0) or _is_full(columns):
            continue
        for c in range(k):
            first[c] = NONE if columns[c] == EMPTY else U(columns[c])
        whole = count == n  # the text fits a block, so all its shingles are still here
        # enough draws for a text that repeats little; one that repeats much goes on with its distinct shingles
        trials = min(k, U(2) + U(8) * k // n) if whole else U(1)
        if not _draw(shingles, n, U(1), trials, first, draws):
            _values(first, columns)
            continue
        room = U(64)
        while room < U(2) * min(count, U(DISTINCT)):
            room *= U(2)
        slots = table[:room]
        slots[:] = 0
        found = _add_distinct(shingles, n if whole else U(0), slots, distinct, U(0))
        if not whole:
            open_stream(stream, start, stop)
            while stream[AT] < stop:
                n = next_shingles(data, stream, size, power, words, hashes, shingles, classes, folded)
                found = _add_distinct(shingles, n, slots, distinct, found)
        if _draw(distinct, found, trials, k, first, draws):
            _fill(distinct, found, first)
        _values(first, columns)


@piece
def _is_full(columns):  # type: ignore[no-untyped-def]
    empty = 0
    for c in range(len(columns)):
        empty += columns[c] == EMPTY
    return empty == 0


@piece
def _draw(shingles, n, begin, end, first, draws):  # type: ignore[no-untyped-def]
    """Let each shingle draw a column in each of these rounds; stop when none is empty, and say whether any is."""
    k = U(len(first))
    for r in range(begin, end):
        if not _empty(first):
            return False
        for j in range(n):  # a loop of its own, as it runs in vector registers
            draws[j] = mix(shingles[j] + r * STEP)
        for j in range(n):  # no branch on who was there before: nothing could predict it
            c = ((draws[j] >> U(32)) * k) >> U(32)
            first[c] = min(first[c], r << U(32) | draws[j] & U(EMPTY))
    return _empty(first)


@piece
def _empty(first):  # type: ignore[no-untyped-def]
    count = 0
    for column in first:
        count += column == NONE
    return count > 0


@piece
def _values(first, columns):  # type: ignore[no-untyped-def]
    for c in range(len(first)):
        columns[c] = np.uint32(first[c])


@piece
def _fill(shingles, n, first):  # type: ignore[no-untyped-def]
    """The rounds from k on: column by column, each shingle draws a value for those that no draw has reached."""
    k = U(len(first))
    for c in range(k):
        if first[c] == NONE:
            for j in range(n):
                first[c] = min(first[c], mix(shingles[j] + (k + c) * STEP) & U(EMPTY))


@piece
def _add_distinct(shingles, n, slots, distinct, found):  # type: ignore[no-untyped-def]
    """Add those not yet among the first `found` of `distinct`, while there is room; `slots` is their hash table."""
    mask = U(len(slots) - 1)
    for j in range(n):
        slot = shingles[j] & mask
        while slots[slot] and distinct[slots[slot] - 1] != shingles[j]:
            slot = (slot + U(1)) & mask
        if slots[slot] == 0 and found < U(DISTINCT):
            distinct[found] = shingles[j]
            found += U(1)
            slots[slot] = found
    return found
