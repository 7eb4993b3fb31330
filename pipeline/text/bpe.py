"""Byte-pair merges by the table: words of bytes to token ids.

    merges = Merges.of(byte_ids, [(left, right, merged), ...])      in the order in which they were learned
    merges.apply(edges, data) -> token_edges, ids                   word w: ids[token_edges[w]:token_edges[w + 1]]

A word begins as its bytes. Of all neighbours that the table merges, those learned first are merged first, and of
equals the leftmost, until none is left (Sennrich et al. 2016, arXiv:1508.07909; the same as `tokenizers` does). Short
words are scanned for their next merge, long ones keep a heap: n log n in a word's bytes, and 20 bytes of memory for
each of the longest, its tokens included, so that a word of many megabytes is slow but no danger.

While a word is merged it lies in cells, one for each byte: what a token begins with holds its symbol, all its other
cells are negative. Its second cell and its last hold its length, below zero: so its neighbours on both sides are found
without links. A symbol is a byte, or 256 and the number of the first merge that makes the token, so that a pair and its
rank fit into 64 bits together: what makes merging slow is the table, which is read here and there and fits no near
cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.text.compiling import kernel, lean

U = np.uint64
SHORT = 256  # bytes; beyond it a scan for each merge costs more than a heap
LANES = 16  # keys that are scanned at once; SHORT is a multiple
BITS = U(21)  # of a symbol
MOST_MERGES = (1 << 21) - 257
EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)  # a place of the table
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # multiplicative hashing: 2^64 over the golden ratio (Knuth, vol. 3, 6.4)
SIEVE = U(43)  # bits of a hash that its place in `seen` leaves out
RANK = U((1 << 22) - 1)  # the lowest bits of a place
NO_MERGE = (1 << 22) - 1  # the rank of two that stay apart: above any other
NO_KEY = np.uint32(0xFFFFFFFF)
LOW = np.uint64(0xFFFFFFFF)
LONGEST = 2**31 - 1  # bytes of a word: its cells count in 32 bits


Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Merges:
    """The table for kernels. A rank is twice the number of the merge, and 1 if its token was made by one before."""

    of_bytes: np.ndarray  # (65536,) int32: rank of two bytes
    seen: np.ndarray  # (262144,) uint8: a bit for each of 2^21 hashes, which tells of most pairs that they stay apart
    table: np.ndarray  # (size,) uint64, open addressing: left and right (21 bits each), rank (22)
    made: np.ndarray  # (merges,) int32: symbol that each makes
    ids: np.ndarray  # (256 + merges,) int32: token id of each symbol

    @classmethod
    def of(cls, byte_ids: Sequence[int], merges: Sequence[tuple[int, int, int]]) -> Merges:
        """At most MOST_MERGES, of tokens that are bytes or made before they are used; what is not is never met."""
        ids = [*byte_ids, *(merged for *_, merged in merges)]
        symbols: dict[int, int] = {}
        for symbol, token in enumerate(ids):
            symbols.setdefault(token, symbol)
        pairs = [(symbols.get(left, -1), symbols.get(right, -1)) for left, right, _ in merges]
        made = np.array([symbols[merged] for *_, merged in merges], np.int32)
        table = np.full(1 << max(4, (2 * len(merges)).bit_length()), EMPTY)  # at most half full
        of_bytes, seen = np.empty(1 << 16, np.int32), np.zeros(1 << (61 - int(SIEVE)), np.uint8)
        again = made != 256 + np.arange(len(made))
        _fill(seen, table, np.array(pairs, np.int64).reshape(-1, 2), again, of_bytes)
        return cls(of_bytes, seen, table, made, np.array(ids, np.int32))

    def apply(self, edges: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Word w is `data[edges[w]:edges[w + 1]]`. Returns `token_edges` (words + 1,) int64 and `ids` int32."""
        token_edges, ids = np.zeros(len(edges), np.int64), np.empty(edges[-1] - edges[0], np.int32)
        heap = heap_for(int(np.diff(edges).max(initial=0)))
        end = _merge_words(edges, data, *self.arrays, short_keys(), heap, token_edges, ids)
        return token_edges, ids[:end].copy()

    @property
    def arrays(self) -> Arrays:
        """As `merged` takes them."""
        return self.of_bytes, self.seen, self.table, self.made, self.ids


def heap_for(longest: int) -> np.ndarray:
    """What `merged` needs for words up to this many bytes: 16 bytes for each of them, if they are long."""
    return np.empty(2 * longest if longest > SHORT else 0, np.uint64)


def short_keys() -> np.ndarray:
    """What `merged` needs for short words."""
    return np.empty(SHORT, np.uint32)


@lean
def _spread(left, right):  # type: ignore[no-untyped-def]
    return (U(left) << BITS | U(right)) * SPREAD


@lean
def _place(table, left, right):  # type: ignore[no-untyped-def]
    """Where the pair stands, or the empty place where it would."""
    mask = U(len(table) - 1)
    at = _spread(left, right) >> U(32) & mask
    while table[at] >> U(22) != U(left) << BITS | U(right) and table[at] != EMPTY:
        at = (at + U(1)) & mask
    return at


@lean
def _rank(seen, table, left, right):  # type: ignore[no-untyped-def]
    bit = _spread(left, right) >> SIEVE
    if not seen[bit >> U(3)] >> np.uint8(bit & U(7)) & np.uint8(1):
        return np.int64(NO_MERGE)
    return np.int64(table[_place(table, left, right)] & RANK)


@kernel
def _fill(seen, table, pairs, again, of_bytes):  # type: ignore[no-untyped-def]
    for number in range(len(pairs)):
        left, right = pairs[number, 0], pairs[number, 1]
        if left >= 0 and right >= 0:
            rank = U(number) << U(1) | U(again[number])
            table[_place(table, left, right)] = (U(left) << BITS | U(right)) << U(22) | rank
            bit = _spread(left, right) >> SIEVE
            seen[bit >> U(3)] |= np.uint8(U(1) << (bit & U(7)))
    for left in range(256):
        for right in range(256):
            of_bytes[left << 8 | right] = _rank(seen, table, left, right)


@lean
def _after(cells, i, stop):  # type: ignore[no-untyped-def]
    """Where the token after the one at `i` begins; `stop` if it is the last."""
    return i - cells[i + 1] if i + 1 < stop and cells[i + 1] < 0 else i + 1


@lean
def _before(cells, i):  # type: ignore[no-untyped-def]
    """Where the token before the one at `i` begins, which must not be the first."""
    return i + cells[i - 1] if cells[i - 1] < 0 else i - 1


@lean
def _join(cells, i, right, end, symbol):  # type: ignore[no-untyped-def]
    """Makes one token of that at `i` and that at `right`, which ends at `end`."""
    cells[right] = np.int32(i - end)
    cells[i + 1] = cells[end - 1] = np.int32(i - end)
    cells[i] = symbol


@lean
def _packed(cells, begin, stop, ids):  # type: ignore[no-untyped-def]
    """Moves the tokens together, as their ids; returns how many they are."""
    at = begin
    for i in range(begin, stop):
        symbol = cells[i]
        cells[at] = ids[max(symbol, 0)]  # no branch: what a word is made of cannot be foreseen
        at += symbol >= 0
    return at - begin


@lean
def _symbol(made, rank):  # type: ignore[no-untyped-def]
    """What the merge of this rank makes; hardly ever is it looked up."""
    return made[rank >> 1] if rank & 1 else np.int32(256 + (rank >> 1))


@lean
def _key(rank, i):  # type: ignore[no-untyped-def]
    """(rank, i) of a short word: the least of all keys is the merge that comes next."""
    return NO_KEY if rank == NO_MERGE else np.uint32(rank << 10 | i)


@lean
def _merge_short(cells, begin, stop, seen, table, made, keys):  # type: ignore[no-untyped-def]
    """Merges the word in these cells as far as it goes. `keys[i]` is of the token at cell `begin + i` and the next."""
    lanes = (stop - begin + LANES - 1) // LANES * LANES
    while True:
        best = NO_KEY
        for i in range(lanes):
            best = min(best, keys[i])
        if best == NO_KEY:
            return
        i = begin + np.int64(best & np.uint32(1023))
        right = _after(cells, i, stop)
        end = _after(cells, right, stop)
        symbol = _symbol(made, np.int64(best >> np.uint32(10)))
        _join(cells, i, right, end, symbol)
        keys[right - begin] = NO_KEY
        keys[i - begin] = _key(_rank(seen, table, symbol, cells[end]), i - begin) if end < stop else NO_KEY
        if i > begin:
            left = _before(cells, i)
            keys[left - begin] = _key(_rank(seen, table, cells[left], symbol), left - begin)


@lean
def _push(heap, size, item):  # type: ignore[no-untyped-def]
    at = size
    while at > 0 and heap[(at - 1) >> 1] > item:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = item
    return size + 1


@lean
def _pop(heap, size):  # type: ignore[no-untyped-def]
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


@lean
def _offer(seen, table, cells, begin, i, end, stop, heap, size):  # type: ignore[no-untyped-def]
    """Puts (rank, place) of the merge of the token at `i` with the next, at `end`, on the heap, if there is one."""
    rank = _rank(seen, table, cells[i], cells[end]) if end < stop else NO_MERGE
    return size if rank == NO_MERGE else _push(heap, size, (U(rank) << U(32)) | U(i - begin))


@lean
def _merge_long(cells, begin, stop, seen, table, made, heap):  # type: ignore[no-untyped-def]
    """As `_merge_short`, for any word up to LONGEST."""
    size = 0
    for i in range(begin, stop):
        size = _offer(seen, table, cells, begin, i, i + 1, stop, heap, size)
    while size > 0:
        item = heap[0]
        size = _pop(heap, size)
        i, rank = begin + np.int64(item & LOW), np.int64(item >> U(32))
        if cells[i] < 0:
            continue  # it was merged with the one before
        right = _after(cells, i, stop)
        if right >= stop or _rank(seen, table, cells[i], cells[right]) != rank:
            continue  # one of the two was merged with another since
        end = _after(cells, right, stop)
        _join(cells, i, right, end, _symbol(made, rank))
        if i > begin:
            size = _offer(seen, table, cells, begin, _before(cells, i), i, stop, heap, size)
        size = _offer(seen, table, cells, begin, i, end, stop, heap, size)


@lean
def merged(data, start, n, of_bytes, seen, table, made, ids, keys, heap, cells, begin):  # type: ignore[no-untyped-def]
    """Writes the ids of the n > 0 bytes from `start` to `cells` from `begin` on, where n cells must be free; returns
    how many they are. A word beyond SHORT needs `heap_for(n)`."""
    stop = begin + n
    for i in range(n):
        cells[begin + i] = data[start + i]
    if n > SHORT:
        _merge_long(cells, begin, stop, seen, table, made, heap)
        return _packed(cells, begin, stop, ids)
    for i in range(n - 1):
        keys[i] = _key(np.int64(of_bytes[np.int64(data[start + i]) << 8 | np.int64(data[start + i + 1])]), i)
    for i in range(n - 1, (n + LANES - 1) // LANES * LANES):
        keys[i] = NO_KEY
    _merge_short(cells, begin, stop, seen, table, made, keys)
    return _packed(cells, begin, stop, ids)


@kernel
def _merge_words(edges, data, of_bytes, seen, table, made, ids, keys, heap, token_edges, out):  # type: ignore[no-untyped-def]
    end = 0
    for word in range(len(edges) - 1):
        start, n = edges[word], edges[word + 1] - edges[word]
        if n > 0:
            end += merged(data, start, n, of_bytes, seen, table, made, ids, keys, heap, out, end)
        token_edges[word + 1] = end
    return end
