"""Byte-pair merges by the table: words of bytes to token ids.

    merges = Merges.of(byte_ids, [(left, right, merged), ...])      in the order in which they were learned
    merges.apply(edges, data) -> token_edges, ids                   word w: ids[token_edges[w]:token_edges[w + 1]]

A word begins as its bytes. Of all neighbours that the table merges, those learned first are merged first, and of
equals the leftmost, until none is left (Sennrich et al. 2016, arXiv:1508.07909; the same as `tokenizers` does). Short
words are scanned for their next merge, long ones keep a heap: n log n in a word's bytes, and 28 bytes of memory for
each of the longest, so that a word of many megabytes is slow but no danger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.text.compiling import kernel, piece

U = np.uint64
SHORT = 64  # bytes; beyond it a scan for each merge costs more than a heap
NO_PAIR = np.uint64(0xFFFFFFFFFFFFFFFF)  # an empty place of the table, and the rank of a pair that is not merged
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # multiplicative hashing: 2^64 over the golden ratio (Knuth, vol. 3, 6.4)
LOW = np.uint64(0xFFFFFFFF)
NONE = -1


@dataclass(frozen=True)
class Merges:
    """`table` (size, 2) uint64, open addressing: a pair (left, right), its rank and what it becomes, 32 bits each."""

    byte_ids: np.ndarray  # (256,) int32
    table: np.ndarray

    @classmethod
    def of(cls, byte_ids: Sequence[int], merges: Sequence[tuple[int, int, int]]) -> Merges:
        size = 1 << max(4, (2 * len(merges)).bit_length())  # at most half full
        table = np.full((size, 2), NO_PAIR)
        _fill(table, np.array(merges, np.int64).reshape(-1, 3))
        return cls(np.array(byte_ids, np.int32), table)

    def apply(self, edges: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Word w is `data[edges[w]:edges[w + 1]]`. Returns `token_edges` (words + 1,) int64 and `ids` int32."""
        longest = int(np.diff(edges).max(initial=0))
        symbols, heap = np.empty((3, max(longest, SHORT)), np.int32), np.empty(2 * max(longest, SHORT), np.uint64)
        token_edges, ids = np.zeros(len(edges), np.int64), np.empty(edges[-1] - edges[0], np.int32)
        end = _merge_words(edges, data, self.byte_ids, self.table, symbols, heap, token_edges, ids)
        return token_edges, ids[:end].copy()


@piece
def _pair(left: int, right: int) -> np.uint64:
    return (U(left) << U(32)) | U(right)


@piece
def _place(table: np.ndarray, pair: np.uint64) -> np.uint64:
    """Where the pair stands, or the empty place where it would."""
    mask = U(len(table) - 1)
    at = ((pair * SPREAD) >> U(32)) & mask
    while table[at, 0] != pair and table[at, 0] != NO_PAIR:
        at = (at + U(1)) & mask
    return at


@piece
def _merge_of(table: np.ndarray, left: int, right: int) -> np.uint64:
    """(rank, merged); NO_PAIR, which is above every rank, where the two stay apart."""
    return table[_place(table, _pair(left, right)), 1]


@kernel
def _fill(table: np.ndarray, merges: np.ndarray) -> None:
    for rank in range(len(merges)):
        pair = _pair(merges[rank, 0], merges[rank, 1])
        at = _place(table, pair)
        table[at, 0], table[at, 1] = pair, _pair(rank, merges[rank, 2])


@piece
def _merge_short(n, table, ids, merge):  # type: ignore[no-untyped-def]
    """Merges the n symbols in `ids` as far as they go; returns how many are left. `merge[i]` is that of i and i + 1."""
    for i in range(n - 1):
        merge[i] = _merge_of(table, ids[i], ids[i + 1])
    while n > 1:
        best = 0
        for i in range(1, n - 1):
            if merge[i] < merge[best]:
                best = i
        if merge[best] == NO_PAIR:
            break
        ids[best] = np.int32(merge[best] & LOW)
        n -= 1
        for i in range(best + 1, n):
            ids[i] = ids[i + 1]
            merge[i - 1] = merge[i]
        if best > 0:
            merge[best - 1] = _merge_of(table, ids[best - 1], ids[best])
        if best < n - 1:
            merge[best] = _merge_of(table, ids[best], ids[best + 1])
    return n


@piece
def _push(heap: np.ndarray, size: int, item: np.uint64) -> int:
    at = size
    while at > 0 and heap[(at - 1) >> 1] > item:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = item
    return size + 1


@piece
def _pop(heap: np.ndarray, size: int) -> int:
    """Takes the least item, heap[0], away."""
    size -= 1
    item, at = heap[size], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= item:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item
    return size


@piece
def _offer(table, ids, after, i, heap, size):  # type: ignore[no-untyped-def]
    """Puts (rank, place) of the merge of the symbol at `i` with the next on the heap, if there is one."""
    if i == NONE or after[i] == NONE:
        return size
    merge = _merge_of(table, ids[i], ids[after[i]])
    return size if merge == NO_PAIR else _push(heap, size, (merge & ~LOW) | U(i))


@piece
def _merge_long(n, table, ids, after, before, heap):  # type: ignore[no-untyped-def]
    """As `_merge_short`, for any n below 2^31. Symbols are linked while they merge, and moved together at the end."""
    size = 0
    for i in range(n):
        before[i], after[i] = i - 1, i + 1 if i + 1 < n else NONE
    for i in range(n - 1):
        size = _offer(table, ids, after, i, heap, size)
    while size > 0:
        item = heap[0]
        size = _pop(heap, size)
        i = int(item & LOW)
        right = after[i]
        if ids[i] == NONE or right == NONE:
            continue
        merge = _merge_of(table, ids[i], ids[right])
        if merge == NO_PAIR or merge & ~LOW != item & ~LOW:
            continue  # one of the two was merged with another since
        ids[i], ids[right] = np.int32(merge & LOW), NONE
        after[i] = after[right]
        if after[i] != NONE:
            before[after[i]] = i
        size = _offer(table, ids, after, before[i], heap, size)
        size = _offer(table, ids, after, i, heap, size)
    left = 0
    for i in range(n):
        if ids[i] != NONE:
            ids[left] = ids[i]
            left += 1
    return left


@kernel
def _merge_words(edges, data, byte_ids, table, symbols, heap, token_edges, out):  # type: ignore[no-untyped-def]
    ids, after, before = symbols[0], symbols[1], symbols[2]
    end = 0
    for word in range(len(edges) - 1):
        start, n = edges[word], edges[word + 1] - edges[word]
        for i in range(n):
            ids[i] = byte_ids[data[start + i]]
        left = _merge_short(n, table, ids, heap) if n <= SHORT else _merge_long(n, table, ids, after, before, heap)
        for i in range(left):
            out[end] = ids[i]
            end += 1
        token_edges[word + 1] = end
    return end
