"""How training begins: which bytes are symbols, the pieces laid out as cells, and all pairs with their places.

    Alphabet.of(pieces, ["<unk>", "<s>"], ...) -> ids of bytes, the tokens before the first merge
    begin(pieces, alphabet, vocab_size, least) -> State

Never changes the pieces: the state has cells of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.text.bpe_queue import push
from pipeline.text.bpe_state import (
    BUCKETS,
    BYTES,
    EDGE,
    LEVEL,
    LOTS,
    MOST,
    NONE,
    PENDING,
    PLACES,
    TOKENS,
    State,
    pair_of,
    put,
    slot_of,
    slots_for,
)
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, mix
from pipeline.text.piece_counts import PieceCounts

U = np.uint64
# A byte-level vocabulary writes a byte that can be seen as itself, others as characters from U+0100 on, and sorts by
# them (`bytes_to_unicode` of GPT-2's encoder)
SEEN = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
BYTE_ORDER = (*SEEN, *(byte for byte in range(256) if byte not in SEEN))
CHARACTERS = {chr(byte) if i < len(SEEN) else chr(0x100 + i - len(SEEN)): byte for i, byte in enumerate(BYTE_ORDER)}


@dataclass(frozen=True)
class Alphabet:
    """The tokens before the first merge, by id, and the id of each byte; NONE of one that is taken out of pieces."""

    tokens: list[bytes]
    spelled: list[bool]  # whether merges can spell it: special tokens of other than byte-level characters they cannot
    byte_ids: np.ndarray  # (256,) int32

    @classmethod
    def of(cls, pieces: PieceCounts, specials: Sequence[str], initial: bytes, limit: int | None = None) -> Alphabet:
        """As `tokenizers` does it: a special token of one byte-level character is that byte."""
        ids: dict[bytes, int] = {}
        tokens, spelled = [], []
        for special in dict.fromkeys(specials):
            levels = all(char in CHARACTERS for char in special)
            tokens.append(bytes(CHARACTERS[char] for char in special) if levels else special.encode())
            spelled.append(levels)
            if levels:
                ids[tokens[-1]] = len(tokens) - 1
        for byte in _letters(pieces, initial, limit):
            if bytes([byte]) not in ids:
                ids[bytes([byte])] = len(tokens)
                tokens.append(bytes([byte]))
                spelled.append(True)
        return cls(tokens, spelled, np.array([ids.get(bytes([byte]), NONE) for byte in range(256)], np.int32))


def _letters(pieces: PieceCounts, initial: bytes, limit: int | None) -> list[int]:
    counts = np.zeros(256, np.int64)
    _count_bytes(pieces.edges, pieces.data, pieces.counts, counts)
    letters = [byte for byte in BYTE_ORDER if byte in initial or counts[byte] > 0]
    if limit is not None and len(letters) > limit:
        # those asked for are all worth the same; `sorted` leaves equals in their order
        kept = sorted(letters, key=lambda byte: -np.inf if byte in initial else -counts[byte])[:limit]
        letters = [byte for byte in BYTE_ORDER if byte in kept]
    return letters


@kernel
def _count_bytes(edges, data, counts, out):  # type: ignore[no-untyped-def]
    for p in range(len(counts)):
        for i in range(edges[p], edges[p + 1]):
            out[data[i]] += counts[p]


def most_frequent(edges: np.ndarray, data: np.ndarray) -> int:
    """How many places the pair has, of two bytes, that stands in more places than others: no pair has more of them."""
    places = np.zeros((256, 256), np.int64)
    _count_pairs(edges, data, places)
    return int(places.max())


@kernel
def _count_pairs(edges, data, out):  # type: ignore[no-untyped-def]
    for p in range(len(edges) - 1):
        for i in range(edges[p], edges[p + 1] - 1):
            out[data[i], data[i + 1]] += 1


@kernel
def _symbols(edges, data, byte_ids, out):  # type: ignore[no-untyped-def]
    """How many symbols each piece has."""
    for p in range(len(out)):
        for i in range(edges[p], edges[p + 1]):
            out[p] += byte_ids[data[i]] != NONE


@kernel
def _lay(edges, data, byte_ids, order, cells, pieces):  # type: ignore[no-untyped-def]
    """Writes the pieces as cells, in this order."""
    cells[0] = EDGE
    at = 1
    for p in range(len(order)):
        pieces[p] = at
        for i in range(edges[order[p]], edges[order[p] + 1]):
            if byte_ids[data[i]] != NONE:
                cells[at] = byte_ids[data[i]]
                at += 1
        cells[at] = EDGE
        at += 1
    pieces[len(order)] = at


def begin(pieces: PieceCounts, alphabet: Alphabet, vocab_size: int, least: int) -> State:
    """Everything as it is before the first merge. Raises `ValueError` if counts or places are too many to be kept."""
    symbols = np.zeros(len(pieces), np.int64)
    _symbols(pieces.edges, pieces.data, alphabet.byte_ids, symbols)
    order = np.argsort(pieces.counts, kind="stable")
    order = order[symbols[order] > 1]  # others have no pair
    total = int(symbols[order].sum())
    _check(pieces.counts[order], symbols[order])
    cells, firsts = np.empty(total + len(order) + 1, np.int32), np.empty(len(order) + 1, np.int32)
    _lay(pieces.edges, pieces.data, alphabet.byte_ids, order, cells, firsts)
    counts = pieces.counts[order]
    where = np.flatnonzero(np.diff(counts, prepend=0))
    weights, bounds = counts[where], firsts[where]
    del counts, order, symbols
    tokens = max(len(alphabet.tokens), min(vocab_size, len(alphabet.tokens) + total)) + 1
    state = _empty(cells, firsts, bounds, weights, tokens)
    _begin_tokens(state, alphabet)
    counts, places = np.zeros((2, 256, 256), np.int64)
    letters = np.full(len(alphabet.tokens), NONE, np.int32)
    letters[alphabet.byte_ids[alphabet.byte_ids != NONE]] = np.flatnonzero(alphabet.byte_ids != NONE)
    _begin_pairs(state, letters, counts, places, least)
    return state


def _check(counts: np.ndarray, symbols: np.ndarray) -> None:
    if len(counts) and (counts[0] < 1 or float(counts.astype(np.float64) @ symbols) >= 2.0**63):
        raise ValueError("counts of pieces must be 1 or more, and below 2^63 together, each for all its bytes")
    if 3 * int(symbols.sum()) + len(symbols) > MOST:
        raise ValueError(f"{symbols.sum():,} symbols in pieces are more than training has places for: 700 million")


def _empty(cells: np.ndarray, pieces: np.ndarray, bounds: np.ndarray, weights: np.ndarray, tokens: int) -> State:
    """With room for the first lots."""
    pairs = len(cells) + 1 - 2 * len(pieces)
    lots = min(pairs, 1 << 16)
    n = np.zeros(10, np.int64)
    n[LEVEL], n[PENDING] = BUCKETS, NONE
    return State(
        cells=cells,
        pieces=pieces,
        bounds=bounds,
        weights=weights,
        lengths=np.ones(tokens, np.int32),
        token_edges=np.zeros(tokens + 1, np.int64),
        token_bytes=np.empty(1 << 16, np.uint8),
        hashes=np.empty((tokens, 2), np.uint64),
        spelled=np.zeros(1 << (2 * tokens).bit_length(), np.int32),
        merges=np.empty((tokens, 3), np.int32),
        pairs=np.empty(lots, np.uint64),
        counts=np.empty(lots, np.int64),
        firsts=np.zeros(lots + 1, np.int32),
        following=np.empty(lots, np.int32),
        table=np.zeros(slots_for(lots), np.uint64),
        places=np.empty(3 * pairs, np.int32),  # no memory before it is written
        buckets=np.full(BUCKETS, NONE, np.int32),
        heap=np.empty(lots, np.int32),
        heap_counts=np.empty(lots, np.int64),
        active=np.empty(lots, np.int32),
        sums=np.zeros((tokens, 4), np.int64),
        cursors=np.zeros((tokens, 2), np.int32),
        touched=np.empty(tokens, np.int32),
        events=np.empty((1 << 10, 4), np.int32),
        n=n,
    )


def _begin_tokens(s: State, alphabet: Alphabet) -> None:
    told = b"".join(alphabet.tokens)
    assert len(told) <= len(s.token_bytes)
    s.token_bytes[: len(told)] = np.frombuffer(told, np.uint8)
    known = len(alphabet.tokens)
    s.lengths[:known] = [len(token) for token in alphabet.tokens]
    s.token_edges[1 : known + 1] = np.cumsum(s.lengths[:known])
    s.n[TOKENS], s.n[BYTES] = known, len(told)
    _spell(s, np.array(alphabet.spelled, np.bool_))


@kernel
def _spell(s, spelled):  # type: ignore[no-untyped-def]
    """Hashes the tokens there are, so that merges that spell them are seen."""
    mask = U(len(s.spelled) - 1)
    for token in range(len(spelled)):
        h, power = U(0), U(1)
        for i in range(s.token_edges[token], s.token_edges[token + 1]):
            h, power = h * BASE + U(s.token_bytes[i]) + U(1), power * BASE
        s.hashes[token, 0], s.hashes[token, 1] = h, power
        if spelled[token]:
            slot = mix(h) & mask
            while s.spelled[slot] != 0:
                slot = (slot + U(1)) & mask
            s.spelled[slot] = token + 1


@kernel
def _begin_pairs(s, letters, counts, places, least):  # type: ignore[no-untyped-def]
    """Counts all pairs and writes where the frequent ones stand, a lot each. `counts` and `places`: 0, by two bytes."""
    cells, n = s.cells, s.n
    c = 0
    for at in range(1, len(cells) - 1):
        if c + 1 < len(s.bounds) and at >= s.bounds[c + 1]:
            c += 1
        if cells[at] != EDGE and cells[at + 1] != EDGE:
            left, right = letters[cells[at]], letters[cells[at + 1]]
            counts[left, right] += s.weights[c]
            places[left, right] += 1
    for x in range(len(letters)):
        for y in range(len(letters)):
            if letters[x] != NONE and letters[y] != NONE and counts[letters[x], letters[y]] >= least:
                _first(s, pair_of(x, y), counts[letters[x], letters[y]], places[letters[x], letters[y]])
                places[letters[x], letters[y]] = s.firsts[n[LOTS] - 1]
    for at in range(1, len(cells) - 1):
        if cells[at] != EDGE and cells[at + 1] != EDGE:
            left, right = letters[cells[at]], letters[cells[at + 1]]
            if counts[left, right] >= least:
                s.places[places[left, right]] = at
                places[left, right] += 1


@piece
def _first(s, pair, count, places):  # type: ignore[no-untyped-def]
    lot = s.n[LOTS]
    s.n[LOTS] += 1
    s.n[PLACES] += places
    s.firsts[lot + 1] = s.n[PLACES]
    s.pairs[lot], s.counts[lot] = pair, count
    put(s.table, slot_of(s.table, s.pairs, pair), pair, lot)
    push(s, lot, count)
