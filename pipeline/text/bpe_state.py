"""What training knows at any moment, as arrays that a kernel can read: cells, tokens, pairs and their places, the queue.

A cell is a symbol of a piece or the edge between two pieces. A token that covers several cells has its id in the first
and ~id in the last, so that its neighbours are found from either side; what is between is never looked at.

    a b c . b c .       .  is EDGE; cells are  . 65 66 67 . 66 67 .
    a bc  . bc  .       after bc became 260:   . 65 260 ~260 . 260 ~260 .

A lot is a pair and some places of it that came into being together: positions of cells, rising. The first lot of a pair
keeps the count of the pair; a pair has more lots only where two merges spell the same token. Lots are numbered as they
come, and their places stand in that order. Pieces are laid out by rising count, so a few bounds tell the count of any
position. All arrays that grow are grown between two merges, by `grown`; nothing is ever moved in them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import mix

U = np.uint64
EDGE, GONE = np.iinfo(np.int32).min, -1  # cells: between pieces; of a token that was merged with the one before it
NONE, DEAD = -1, -2  # in `following`: the last of its bucket; in no queue, for its places were merged
BUCKETS = 1 << 16  # lots of a lower count than this need no heap
LOTS, PLACES, HEAP, ACTIVE, LEVEL, TOKENS, MERGES, BYTES, PENDING, NEED = range(10)  # numbers of State.n
DONE, MORE_LOTS, MORE_PLACES, MORE_EVENTS, MORE_GATHERED, MORE_BYTES, MORE_MERGES = range(7)  # what a kernel asks for
MOST = np.iinfo(np.int32).max
LOW = U(0xFFFFFFFF)


class State(NamedTuple):
    """Arrays of the training. S symbols in W pieces, T tokens at most, L lots at most."""

    cells: np.ndarray  # (S + W + 1,) int32
    pieces: np.ndarray  # (W + 1,) int32: the first cell of each piece, and behind the last
    bounds: np.ndarray  # (c,) int32: the first cell of the pieces of each count, rising
    weights: np.ndarray  # (c,) int64: those counts
    lengths: np.ndarray  # (T,) int32, cells of a token
    token_edges: np.ndarray  # (T + 1,) int64
    token_bytes: np.ndarray  # grows; uint8, of token t: [token_edges[t]:token_edges[t + 1]]
    hashes: np.ndarray  # (T, 2) uint64: of its bytes, and the base to the power of its length
    spelled: np.ndarray  # a power of two, int32: tokens by their hash, and one more; 0 is free
    merges: np.ndarray  # grows; (m, 3) int32: left, right, what they become
    pairs: np.ndarray  # grows; (L,) uint64: left << 32 | right, of each lot
    counts: np.ndarray  # grows; (L,) int64, of a pair's first lot: how often the pair was counted
    firsts: np.ndarray  # grows; (L + 1,) int32: the first of its places
    older: np.ndarray  # grows; (L,) int32: a pair's lot before this one; of its first the newest, which may be itself
    following: np.ndarray  # grows; (L,) int32: the next lot in the same bucket, NONE or DEAD
    table: np.ndarray  # grows; a power of two, uint64: first lots by pair: part of its hash << 32 | lot + 1; 0 is free
    places: np.ndarray  # grows; int32: cells where the left token of a pair begins, or began
    buckets: np.ndarray  # (BUCKETS,) int32: a lot of this count
    heap: np.ndarray  # grows; (L,) int32: lots of higher counts, or that were told too late for their bucket
    heap_counts: np.ndarray  # grows; (L,) int64
    active: np.ndarray  # grows; (L,) int32: a heap of the lots of the highest bucket
    sums: np.ndarray  # (T, 4) int64, for `_replace`: counts of pairs with this token that go and come, on either side
    cursors: np.ndarray  # (T, 2) int32
    touched: np.ndarray  # (T,) int32
    events: np.ndarray  # grows; (k, 4) int32
    gathered: np.ndarray  # grows; int32
    n: np.ndarray  # (10,) int64


@piece
def pair_of(left: int, right: int) -> np.uint64:
    return (U(left) << U(32)) | U(right)


@piece
def slot_of(table, pairs, pair):  # type: ignore[no-untyped-def]
    """Where the pair's first lot stands in the table, or the free slot where it would."""
    h = mix(pair)
    mask = U(len(table) - 1)
    at = h & mask
    while table[at] != U(0):
        if table[at] & ~LOW == h & ~LOW and pairs[np.int64(table[at] & LOW) - 1] == pair:
            return at
        at = (at + U(1)) & mask
    return at


@piece
def put(table, slot, pair, lot):  # type: ignore[no-untyped-def]
    table[slot] = (mix(pair) & ~LOW) | U(lot + 1)


@kernel
def _again(table, pairs, lots):  # type: ignore[no-untyped-def]
    for lot in range(lots):
        slot = slot_of(table, pairs, pairs[lot])
        if table[slot] == U(0):
            put(table, slot, pairs[lot], lot)


def grown(s: State, what: int) -> State:
    """The same with more room of the kind that a kernel asked for; `n[NEED]` says how much there has to be."""
    n, need = s.n, int(s.n[NEED])
    if need > MOST:
        raise ValueError("more than 2^31 places of pairs: train on fewer pieces")
    if what == MORE_LOTS:
        return _with_lots(s, need)
    if what == MORE_PLACES:
        return s._replace(places=_longer(s.places, n[PLACES], max(need, len(s.places) * 5 // 4)))
    if what == MORE_EVENTS:
        return s._replace(events=np.empty((need, 4), np.int32))
    if what == MORE_GATHERED:
        return s._replace(gathered=np.empty(2 * need, np.int32))
    if what == MORE_BYTES:
        return s._replace(token_bytes=_longer(s.token_bytes, n[BYTES], 2 * need))
    assert what == MORE_MERGES
    return s._replace(merges=_longer(s.merges, n[MERGES], 2 * need))


def _with_lots(s: State, need: int) -> State:
    size = slots_for(need)
    room, lots = size * 3 // 4, int(s.n[LOTS])
    s = s._replace(table=np.zeros(0, np.uint64), pairs=_longer(s.pairs, lots, room))
    s = s._replace(table=np.zeros(size, np.uint64), counts=_longer(s.counts, lots, room))
    _again(s.table, s.pairs, lots)
    return s._replace(
        firsts=_longer(s.firsts, lots + 1, room + 1),
        older=_longer(s.older, lots, room),
        following=_longer(s.following, lots, room),
        heap=_longer(s.heap, s.n[HEAP], room),
        heap_counts=_longer(s.heap_counts, s.n[HEAP], room),
        active=_longer(s.active, s.n[ACTIVE], room),
    )


def slots_for(lots: int) -> int:
    """A power of two of which so many lots take three quarters at most."""
    return 1 << max(4, (lots * 4 // 3).bit_length())


def _longer(array: np.ndarray, used: int, room: int) -> np.ndarray:
    """A larger array; what is not in use takes no memory until it is written."""
    out = np.empty((room, *array.shape[1:]), array.dtype)
    out[:used] = array[:used]
    return out
