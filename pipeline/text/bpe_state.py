"""What training knows at any moment, as arrays that a kernel can read: cells, tokens, pairs, their places, the queue.

A cell is a symbol of a piece or the edge between two pieces. A token that covers several cells has its id in the first
and ~id in the last, so that its neighbours are found from either side; what is between is never looked at.

    a b c . b c .       .  is EDGE; cells are  . 65 66 67 . 66 67 .
    a bc  . bc  .       after bc became 260:   . 65 260 ~260 . 260 ~260 .

A lot is a pair that may yet be merged: its count, and its places: positions of cells, rising, where it stood when it
came into being. Lots are numbered as they come, and their places stand in that order. All places of a pair come into
being in one merge, for no two pairs spell the same token. (Two occurrences of a string that no token crosses the ends
of are cut alike at any time: a merge of unlike tokens does the same in both, and in a run of like ones, merged from the
left, an odd number before the string would send a token across its end. So the pair that first spells it leaves none to
others.) Hence a pair's count only falls, and a pair below the least count need not be kept at all.

Pieces are laid out by rising count, so a few bounds tell the count of any position. Arrays that grow are grown between
two merges, by `grown`; nothing in them is ever moved.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import mix

U = np.uint64
EDGE, GONE = np.iinfo(np.int32).min, -1  # cells: between pieces; of a token that was merged with the one before it
NONE = -1
BUCKETS = 1 << 16  # lots of a lower count than this need no heap
LOTS, PLACES, HEAP, ACTIVE, LEVEL, TOKENS, MERGES, BYTES, PENDING, NEED = range(10)  # numbers of State.n
DONE, MORE_LOTS, MORE_EVENTS, MORE_BYTES = range(4)  # what a kernel asks for
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
    merges: np.ndarray  # (T, 3) int32: left, right, what they become
    pairs: np.ndarray  # grows; (L,) uint64: left << 32 | right, of each lot
    counts: np.ndarray  # grows; (L,) int64
    firsts: np.ndarray  # grows; (L + 1,) int32: the first of its places
    following: np.ndarray  # grows; (L,) int32: the next lot in the same bucket, or NONE
    table: np.ndarray  # grows; uint64: lots by pair: part of its hash << 32 | lot + 1; 0 is free
    places: np.ndarray  # (3 (S - W),) int32: cells where the left token of a pair begins, or began
    buckets: np.ndarray  # (BUCKETS,) int32: a lot of this count
    heap: np.ndarray  # grows; (L,) int32: lots of higher counts
    heap_counts: np.ndarray  # grows; (L,) int64
    active: np.ndarray  # grows; (L,) int32: a heap of the lots of the highest bucket
    sums: np.ndarray  # (T, 4) int64, for `_replace`: counts of pairs with this token that go and come, on either side
    cursors: np.ndarray  # (T, 2) int32
    touched: np.ndarray  # (T,) int32
    events: np.ndarray  # grows; (k, 4) int32
    n: np.ndarray  # (10,) int64


@piece
def pair_of(left: int, right: int) -> np.uint64:
    return (U(left) << U(32)) | U(right)


@piece
def slot_of(table, pairs, pair):  # type: ignore[no-untyped-def]
    """Where the pair's lot stands in the table, or the free slot where it would."""
    h = mix(pair)
    size = U(len(table))
    at = (h >> U(32)) * size >> U(32)
    while table[at] != U(0):
        if table[at] & ~LOW == h << U(32) and pairs[(table[at] & LOW) - U(1)] == pair:
            return at
        at += U(1)
        if at == size:
            at = U(0)
    return at


@piece
def put(table, slot, pair, lot):  # type: ignore[no-untyped-def]
    table[slot] = mix(pair) << U(32) | U(lot + 1)


@kernel
def _again(table, pairs, lots):  # type: ignore[no-untyped-def]
    for lot in range(lots):
        put(table, slot_of(table, pairs, pairs[lot]), pairs[lot], lot)


def grown(s: State, what: int) -> State:
    """The same with more room of the kind that a kernel asked for; `n[NEED]` says how much there has to be. Raises
    `ValueError` where that is more than is promised."""
    n, need = s.n, int(s.n[NEED])
    if what == MORE_LOTS:
        return _with_lots(s, need)
    if what == MORE_EVENTS:
        return s._replace(events=np.empty((need, 4), np.int32))
    assert what == MORE_BYTES
    return s._replace(token_bytes=_longer(s.token_bytes, n[BYTES], 2 * need))


def most_lots(symbols: int, tokens: int) -> int:
    """Lots that there may be. Text in many languages makes 1 for 4 symbols if every pair is merged, however rare, and
    for 9 if there are 250,680 tokens; random base64 for 11 if pairs must occur twice, but 4 for 3 if they need not."""
    return symbols // 3 + 2 * tokens + (1 << 20)


def slots_for(lots: int) -> int:
    """Slots of which so many lots take three quarters at most."""
    return 16 + lots * 4 // 3


def _with_lots(s: State, need: int) -> State:
    symbols = len(s.cells) - len(s.pieces)
    most = most_lots(symbols, len(s.lengths))
    if need > most:
        raise ValueError(
            f"{symbols:,} symbols make more than {most:,} different pairs, as no text does: leave out what is random, "
            "merge no pair that occurs but once, or ask for fewer tokens"
        )
    room, lots = min(need * 3 // 2, most), int(s.n[LOTS])
    s = s._replace(table=np.zeros(0, np.uint64), pairs=_longer(s.pairs, lots, room))
    s = s._replace(table=np.zeros(slots_for(room), np.uint64))
    _again(s.table, s.pairs, lots)
    for name, used in [
        *(("counts", lots), ("firsts", lots + 1), ("following", lots)),
        *(("heap", s.n[HEAP]), ("heap_counts", s.n[HEAP]), ("active", s.n[ACTIVE])),
    ]:
        s = s._replace(**{name: _longer(getattr(s, name), used, room + 1)})
    return s


def _longer(array: np.ndarray, used: int, room: int) -> np.ndarray:
    """A larger array; what is not in use takes no memory until it is written."""
    out = np.empty((room, *array.shape[1:]), array.dtype)
    out[:used] = array[:used]
    return out
