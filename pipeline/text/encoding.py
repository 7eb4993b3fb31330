"""Texts to token ids in one pass over their bytes: cut into pieces, each looked up, and merged where it is new.

    words = Words(merges, TokenCache.empty())
    words.encode(offsets, data, eos) -> edges (n+1,) int64, ids int32      text i: ids[edges[i]:edges[i + 1]]

Each text ends with `eos`. What a cache remembers of earlier texts changes the speed and no id. Memory: 4 bytes for
each token, reserved for one token a byte and used as they come; for a piece beyond `bpe.SHORT` bytes 16 a byte while
it is merged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.text.bpe import SHORT, Merges, heap_for, merged, short_keys
from pipeline.text.compiling import kernel
from pipeline.text.inline_keys import hash_of, key_of
from pipeline.text.pretokens import CLASSES, LONG, piece_end
from pipeline.text.token_cache import CACHED, TokenCache, fetch, keep, recall, slot_of

GROUP = 64  # pieces that are looked up at once: while one is, the slots of others are on their way from memory
ROOM = 1 << 16  # bytes of a piece for which there is a heap once there is any: it takes no memory before it is used
SLACK = 3  # a slot of the cache is written out whole
_TEXT, _BYTE, _AT = range(3)  # where a kernel goes on that had to stop: text, byte in the data, place in the ids


@dataclass(frozen=True)
class Words:
    """The merges of a tokenizer and what is known of words already. Not to be used by two threads at once."""

    merges: Merges
    cache: TokenCache

    def encode(self, offsets: np.ndarray, data: np.ndarray, eos: int) -> tuple[np.ndarray, np.ndarray]:
        """n texts of UTF-8, end to end -> their ids, as the top of the file says."""
        cache = self.cache.slots, self.cache.ring, self.cache.written
        texts = len(offsets) - 1
        edges, ids = np.zeros(texts + 1, np.int64), np.empty(offsets[-1] - offsets[0] + texts + SLACK, np.int32)
        state, heap = np.array([0, offsets[0], 0], np.int64), heap_for(0)
        while longest := _encode(
            offsets, data, CLASSES, LONG, *self.merges.arrays, short_keys(), heap, *cache, state, edges, ids, eos
        ):
            heap = heap_for(max(longest, ROOM))
        return edges, ids[: edges[-1]]


@kernel
def _encode(
    offsets, data, classes, long, of_bytes, seen, table, made, tokens, keys, heap, slots, ring, written, state, edges,
    ids, eos,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Goes on at `state`. Returns 0 at the end, or the bytes of a piece for which the heap is too small."""
    ends, words = np.empty(GROUP, np.int64), np.empty((GROUP, 3), np.uint64)  # hash and key of each
    begin, at = state[_BYTE], state[_AT]
    for text in range(state[_TEXT], len(offsets) - 1):
        stop = offsets[text + 1]
        while begin < stop:
            group, end = 0, begin
            while group < GROUP and end < stop:
                first, end = end, piece_end(data, end, stop, classes, long)
                ends[group] = end
                if end - first <= CACHED:
                    low, high = key_of(data, first, end - first)
                    h = hash_of(low, high)
                    fetch(slots, h)
                    words[group, 0], words[group, 1], words[group, 2] = h, low, high
                group += 1
            for i in range(group):
                end = ends[i]
                n = end - begin
                if n > CACHED:
                    if n > SHORT and 2 * n > len(heap):
                        state[_TEXT], state[_BYTE], state[_AT] = text, begin, at
                        return n
                    at += merged(data, begin, n, of_bytes, seen, table, made, tokens, keys, heap, ids, at)
                else:
                    h, low, high = words[i, 0], words[i, 1], words[i, 2]
                    slot = slot_of(slots, h, low, high)
                    count = recall(slots, ring, written, slot, low, high, data, begin, n, ids, at)
                    if count == 0:
                        count = merged(data, begin, n, of_bytes, seen, table, made, tokens, keys, heap, ids, at)
                        keep(slots, ring, written, slot, low, high, data, begin, n, ids, at, count)
                    at += count
                begin = end
        ids[at] = eos
        at += 1
        edges[text + 1] = at
    return 0
