"""How often each piece of some texts occurs: what a tokenizer is trained on, and all that it is trained on.

    count_pieces(["a b a", "b</s>b"]) -> PieceCounts of  b" a" 1, b" b" 1, b"a" 1, b"b" 2       in the order of bytes

In: Arrow texts. Out: each distinct piece of BLOOM's pre-tokenizer once, sorted, with a 64-bit count. Special tokens
that texts spell are taken out, and what stands on either side of them is cut apart, as if it were two texts. The result
depends on the content alone: not on the order of texts, nor on how they were dealt out to calls that `merge_counts`
adds up. As both lists are sorted, what lies `between` two bounds can be merged without the rest.

Time is linear in the bytes, apart from the sorting; a text or a piece may be as long as Arrow allows. Memory is told by
`bytes_to_count` and `bytes_to_merge`. Never changes a text, never keeps one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import load
from pipeline.text.inline_keys import INLINE, LONG_KEY, first_bytes, hash_of, key_of
from pipeline.text.piece_merging import merge
from pipeline.text.pretokens import CLASSES, LONG, piece_end
from pipeline.text.utf8 import HIGHEST, LOWEST

U = np.uint64
SPECIALS = ("<unk>", "<s>", "</s>", "<pad>")
FEWEST = 1 << 12  # distinct pieces that a new table has room for
TEXT, AT, DISTINCT = range(3)  # where a count that is under way stands
LOW, HIGH, FIRST, COUNT = range(4)  # columns of what was found: the key, where it stands first, how often
INDEX = U(0xFFFFFFFF)  # the lower half of a slot: which piece, and one more; the upper half: of its hash


@dataclass(frozen=True)
class PieceCounts:
    """n distinct pieces in the order of their bytes; piece p is `data[edges[p]:edges[p + 1]]`, not empty."""

    edges: np.ndarray  # (n + 1,) int64, from 0 on
    data: np.ndarray  # (edges[-1],) uint8
    counts: np.ndarray  # (n,) int64, at least 1

    @classmethod
    def of(cls, counts: Mapping[bytes, int]) -> PieceCounts:
        """From a dict, for tests and for little."""
        told = sorted(counts)
        edges = np.cumsum([0, *map(len, told)], dtype=np.int64)
        return cls(edges, np.frombuffer(b"".join(told), np.uint8), np.array([counts[p] for p in told], np.int64))

    def __len__(self) -> int:
        return len(self.counts)

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        for (begin, end), count in zip(pairwise(self.edges.tolist()), self.counts.tolist(), strict=True):
            yield self.data[begin:end].tobytes(), count

    def between(self, low: bytes, high: bytes | None = None) -> PieceCounts:
        """Pieces from `low` on and below `high` (None: to the last); views of this one's memory, but for the edges."""
        first = self._rank(low)
        last = len(self) if high is None else max(first, self._rank(high))
        edges = self.edges[first : last + 1]
        return PieceCounts(edges - edges[0], self.data[edges[0] : edges[-1]], self.counts[first:last])

    def _rank(self, bound: bytes) -> int:
        """How many pieces stand before `bound`."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.data[self.edges[middle] : self.edges[middle + 1]].tobytes() < bound:
                low = middle + 1
            else:
                high = middle
        return low


def count_pieces(texts: pa.Array | pa.ChunkedArray, specials: Sequence[str] = SPECIALS) -> PieceCounts:
    """Counts the pieces of texts in valid UTF-8. `specials` are taken out; of two at one place the one named first."""
    offsets, data = buffers(texts)
    return _sorted(_found(offsets, data, [special.encode() for special in specials if special]), data)


def _found(offsets: np.ndarray, data: np.ndarray, specials: list[bytes]) -> np.ndarray:
    """(n, 4) uint64: each distinct piece, as it was met."""
    special_edges = np.cumsum([0, *map(len, specials)], dtype=np.int64)
    special_data = np.frombuffer(b"".join(specials), np.uint8)
    starts = np.zeros(256, np.bool_)
    starts[special_data[special_edges[:-1]]] = True
    only = U(special_data[0]) if starts.sum() == 1 else U(0)
    about = (special_edges, special_data, starts, only, CLASSES, LONG)
    found, state = np.empty((FEWEST, 4), np.uint64), np.array([0, offsets[0], 0], np.int64)
    while not _count(offsets, data, *about, _slots(len(found)), found, state):
        before, found = found, np.empty((2 * len(found), 4), np.uint64)
        found[: len(before)] = before
    return found[: state[DISTINCT]].copy()


def bytes_to_count(text_bytes: int, distinct: int | None = None) -> int:
    """Memory that `count_pieces` needs beside the texts, at most; less where `distinct` pieces are known to be few.

    128 bytes for each distinct piece: what was found of it takes 32 and its slots as much, and while they grow there
    is twice the room beside what was found before. Its own bytes twice. Real text has a distinct piece in every 40
    (many languages, little text) to 200 bytes."""
    pieces = text_bytes if distinct is None else min(distinct, text_bytes)
    # of pieces in this many bytes, few can be short ones: 256 of 1 byte, 65,536 of 2
    pieces = min(pieces, 66_000 + text_bytes // 3)
    return 400_000 + 2 * text_bytes + 128 * pieces


def _slots(pieces: int) -> np.ndarray:
    """For a table that holds so many pieces, a power of two of them, in half of its slots at most."""
    if pieces > 1 << 31:
        raise ValueError("more than 2^31 distinct pieces in one call: count fewer texts at once and merge the counts")
    return np.zeros(2 * pieces, np.uint64)


@piece
def _same(data, a, b, n):  # type: ignore[no-untyped-def]
    for i in range(0, n, 8):  # noqa: SIM110 # a kernel has no `all`
        if first_bytes(data, a + i, n - i) != first_bytes(data, b + i, n - i):
            return False
    return True


@piece
def _slot(slots, found, data, begin, n, low, high, h):  # type: ignore[no-untyped-def]
    """The slot of this piece, or the free one where it would stand."""
    mask = U(len(slots) - 1)
    at = h & mask
    while slots[at] != U(0):
        if slots[at] & ~INDEX == h & ~INDEX:
            known = (slots[at] & INDEX) - U(1)
            same_key = found[known, LOW] == low and found[known, HIGH] == high
            if same_key and (n <= INLINE or _same(data, np.int64(found[known, FIRST]), begin, n)):
                return at
        at = (at + U(1)) & mask
    return at


@piece
def _special_at(data, i, stop, edges, specials):  # type: ignore[no-untyped-def]
    """Bytes of the special token that begins at i; 0 if none does."""
    for which in range(len(edges) - 1):
        n = edges[which + 1] - edges[which]
        same = 0
        while same < n and i + n <= stop and data[i + same] == specials[edges[which] + same]:
            same += 1
        if same == n:
            return n
    return 0


@piece
def _next_special(data, i, stop, edges, specials, starts, only):  # type: ignore[no-untyped-def]
    """Where the first special token from i on begins, and how long it is; `stop` and 0 if there is none."""
    while i < stop:
        while i + 8 <= stop and only != U(0):  # eight bytes at once, if all special tokens begin alike
            other = load(data, U(i)) ^ only * LOWEST
            if (other - LOWEST) & ~other & HIGHEST != U(0):
                break
            i += 8
        if i < stop and starts[data[i]]:
            n = _special_at(data, i, stop, edges, specials)
            if n > 0:
                return i, n
        i += 1
    return stop, 0


@piece
def _again(slots, found, distinct):  # type: ignore[no-untyped-def]
    """Puts what was found before into a larger table."""
    mask = U(len(slots) - 1)
    for known in range(distinct):
        h = hash_of(found[known, LOW], found[known, HIGH])
        at = h & mask
        while slots[at] != U(0):
            at = (at + U(1)) & mask
        slots[at] = (h & ~INDEX) | U(known + 1)


@kernel
def _count(offsets, data, special_edges, specials, starts, only, classes, long, slots, found, state):  # type: ignore[no-untyped-def]
    """Goes on from `state` to the end, or until the table is full: then it is False."""
    distinct = state[DISTINCT]
    _again(slots, found, distinct)
    for text in range(state[TEXT], len(offsets) - 1):
        at = max(offsets[text], state[AT])
        while at < offsets[text + 1]:
            stop, width = _next_special(data, at, offsets[text + 1], special_edges, specials, starts, only)
            while at < stop:
                end = piece_end(data, at, stop, classes, long)
                low, high = key_of(data, at, end - at)
                h = hash_of(low, high)
                slot = _slot(slots, found, data, at, end - at, low, high, h)
                if slots[slot] == U(0):
                    if distinct == len(found):
                        state[TEXT], state[AT], state[DISTINCT] = text, at, distinct
                        return False
                    found[distinct, LOW], found[distinct, HIGH] = low, high
                    found[distinct, FIRST], found[distinct, COUNT] = U(at), U(0)
                    distinct += 1
                    slots[slot] = (h & ~INDEX) | U(distinct)
                found[(slots[slot] & INDEX) - U(1), COUNT] += U(1)
                at = end
            at = stop + width
    state[DISTINCT] = distinct
    return True


@kernel
def _gather(found, order, data, edges, out):  # type: ignore[no-untyped-def]
    """Copies pieces in the given order; `edges[0]` is 0."""
    to = 0
    for p in range(len(order)):
        begin = np.int64(found[order[p], FIRST])
        for i in range(begin, begin + edges[p + 1] - edges[p]):
            out[to] = data[i]
            to += 1


def _gathered(found: np.ndarray, order: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.zeros(len(order) + 1, np.int64)
    np.cumsum(_lengths(found[order, HIGH]), out=edges[1:])
    out = np.empty(edges[-1], np.uint8)
    _gather(found, order, data, edges, out)
    return edges, out


def _lengths(high: np.ndarray) -> np.ndarray:
    """(n,) int64, bytes of the pieces with these keys."""
    return np.where(high >= LONG_KEY, high & ~LONG_KEY, high >> U(56)).astype(np.int64)


def _sorted(found: np.ndarray, data: np.ndarray) -> PieceCounts:
    edges, raw = _gathered(found, np.arange(len(found)), data)
    pieces = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(found), [None, pa.py_buffer(edges), pa.py_buffer(raw)]
    )
    order = pc.sort_indices(pieces).to_numpy().astype(np.int64)
    edges, out = _gathered(found, order, data)
    return PieceCounts(edges, out, found[order, COUNT].astype(np.int64))


def merge_counts(parts: Sequence[PieceCounts]) -> PieceCounts:
    """Adds up the counts of each piece over all parts, in time linear in their bytes but for log(len(parts))."""
    first = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    begins = np.cumsum([0, *(len(part.data) for part in parts)], dtype=np.int64)
    edges = [part.edges[:-1] + begin for part, begin in zip(parts, begins, strict=False)]
    data = np.concatenate([part.data for part in parts]) if parts else np.empty(0, np.uint8)
    counts = np.concatenate([part.counts for part in parts]) if parts else np.empty(0, np.int64)
    return PieceCounts(*merge(first, np.concatenate([*edges, begins[-1:]]), data, counts))


def bytes_to_merge(parts_bytes: int, pieces: int) -> int:
    """Memory that `merge_counts` needs beside parts of so many bytes and pieces: them joined, and up to two of what
    comes of them."""
    return 1_000_000 + 3 * (parts_bytes + 16 * pieces)
