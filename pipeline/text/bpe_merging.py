"""The merges themselves: takes the next pair from the queue, makes a token of it and replaces it wherever it stands.

    learn_on(state, vocab_size, least, longest) -> DONE, or what there must be more room for: call again with that

One merge of x and y to z, at each of its places from left to right:

    p x y n   ->   p z n        (p, x) and (y, n) go, (p, z) and (z, n) come; p or n may be z by now

Counts of what goes and comes are summed by p and by n, so each pair is looked up once a merge. Time goes with the
places of the pair that is merged.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.bpe_queue import pop, push
from pipeline.text.bpe_state import (
    BYTES,
    DONE,
    EDGE,
    GONE,
    LOTS,
    LOW,
    MERGES,
    MORE_BYTES,
    MORE_EVENTS,
    MORE_LOTS,
    NEED,
    NONE,
    PENDING,
    PLACES,
    TOKENS,
    pair_of,
    put,
    slot_of,
)
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import mix

U = np.uint64
LEFT_GOES, RIGHT_GOES, LEFT_COMES, RIGHT_COMES = range(4)  # columns of State.sums: p of (p, x), n of (y, n), ...


@kernel
def learn_on(s, vocab_size, least, longest):  # type: ignore[no-untyped-def]
    n = s.n
    while n[TOKENS] < vocab_size:
        if n[PENDING] == NONE:
            n[PENDING] = pop(s, least)
            if n[PENDING] == NONE:
                return DONE
        wants = _wants(s, n[PENDING])
        if wants != DONE:
            return wants
        _merge(s, n[PENDING], least, longest)
        n[PENDING] = NONE
    return DONE


@piece
def _wants(s, lot):  # type: ignore[no-untyped-def]
    """What there is too little room of for this merge; `n[NEED]` says how much there has to be."""
    n = s.n
    places = np.int64(s.firsts[lot + 1] - s.firsts[lot])
    width = s.lengths[np.int64(s.pairs[lot] >> U(32))] + s.lengths[np.int64(s.pairs[lot] & LOW)]
    for what, need, room in (
        (MORE_LOTS, n[LOTS] + 2 * min(places, n[TOKENS] + 1), len(s.pairs)),
        (MORE_EVENTS, places, len(s.events)),
        (MORE_BYTES, n[BYTES] + width, len(s.token_bytes)),
    ):
        if need > room:
            n[NEED] = need
            return what
    return DONE


@piece
def _merge(s, lot, least, longest):  # type: ignore[no-untyped-def]
    n = s.n
    x, y = np.int64(s.pairs[lot] >> U(32)), np.int64(s.pairs[lot] & LOW)
    z = _token(s, x, y)
    row = s.merges[n[MERGES]]
    row[0], row[1], row[2] = x, y, z
    n[MERGES] += 1
    begin, end = np.int64(s.firsts[lot]), np.int64(s.firsts[lot + 1])
    touched = _replace(s, begin, end, x, y, z, longest)
    _account(s, touched, end - begin, x, y, z, least)


# The token


@piece
def _token(s, x, y):  # type: ignore[no-untyped-def]
    """The token that x and y spell together: a new one, or a special one that looks like it."""
    n = s.n
    h, power = s.hashes[x, 0] * s.hashes[y, 1] + s.hashes[y, 0], s.hashes[x, 1] * s.hashes[y, 1]
    mask = U(len(s.spelled) - 1)
    slot = mix(h) & mask
    while s.spelled[slot] != 0:
        if _spells(s, np.int64(s.spelled[slot]) - 1, h, x, y):
            return np.int64(s.spelled[slot]) - 1
        slot = (slot + U(1)) & mask
    z = n[TOKENS]
    s.hashes[z, 0], s.hashes[z, 1] = h, power
    s.spelled[slot] = z + 1
    for part in (x, y):
        for i in range(s.token_edges[part], s.token_edges[part + 1]):
            s.token_bytes[n[BYTES]] = s.token_bytes[i]
            n[BYTES] += 1
    s.token_edges[z + 1] = n[BYTES]
    s.lengths[z] = s.lengths[x] + s.lengths[y]
    n[TOKENS] += 1
    return z


@piece
def _spells(s, z, h, x, y):  # type: ignore[no-untyped-def]
    if s.hashes[z, 0] != h or s.lengths[z] != s.lengths[x] + s.lengths[y]:
        return False
    at = s.token_edges[z]
    for part in (x, y):
        for i in range(s.token_edges[part], s.token_edges[part + 1]):
            if s.token_bytes[at] != s.token_bytes[i]:
                return False
            at += 1
    return True


# Its places


@piece
def _class_of(bounds, at, c):  # type: ignore[no-untyped-def]
    """Which count the pieces at cell `at` have; not below c. Takes the log of how far that is."""
    stride = 1
    while c + stride < len(bounds) and bounds[c + stride] <= at:
        c += stride
        stride *= 2
    while stride > 1:
        stride >>= 1
        if c + stride < len(bounds) and bounds[c + stride] <= at:
            c += stride
    return c


@piece
def _touch(s, token, touched):  # type: ignore[no-untyped-def]
    """Remembers a token whose pairs change, if it is the first time; how many there are then."""
    if s.sums[token, LEFT_GOES] == 0 and s.sums[token, RIGHT_GOES] == 0:
        s.touched[touched] = token
        return touched + 1
    return touched


@piece
def _replace(s, begin, end, x, y, z, longest):  # type: ignore[no-untyped-def]
    """Writes z for x, y at these places, where they still stand; returns how many tokens stood beside it. Sums up, for
    each of these, counts that go and come, and lists what comes in `events`."""
    cells, sums, lengths, events, bounds, places = s.cells, s.sums, s.lengths, s.events, s.bounds, s.places
    x_width, width = np.int64(lengths[x]), np.int64(lengths[z])
    touched, c = 0, 0
    for i in range(begin, end):
        at = np.int64(places[i])
        events[i - begin, 0] = events[i - begin, 2] = EDGE
        if cells[at] != x or cells[at + x_width] != y:
            continue  # one of the two was merged with another since, or just now
        c = _class_of(bounds, at, c)
        weight = s.weights[c]
        before, after = np.int64(cells[at - 1]), np.int64(cells[at + width])
        if before != EDGE:
            before = ~before if before < 0 else before
            touched = _touch(s, before, touched)
            sums[before, LEFT_GOES] += weight
            if lengths[before] + width < longest:
                sums[before, LEFT_COMES] += weight
                s.cursors[before, 0] += 1
                events[i - begin, 0], events[i - begin, 1] = before, at - lengths[before]
        if after != EDGE:
            touched = _touch(s, after, touched)
            sums[after, RIGHT_GOES] += weight
            if lengths[after] + width < longest:
                sums[after, RIGHT_COMES] += weight
                s.cursors[after, 1] += 1
                events[i - begin, 2], events[i - begin, 3] = after, at
        cells[at + x_width] = GONE
        cells[at + width - 1] = ~z
        cells[at] = z
    return touched


# What changes beside them


@piece
def _account(s, touched, events, x, y, z, least):  # type: ignore[no-untyped-def]
    """Books what `_replace` summed up: new lots and their places, counts, and the queue."""
    n = s.n
    before = n[LOTS]
    for i in range(touched):
        token = np.int64(s.touched[i])
        _new_lot(s, pair_of(token, z), token, 0, least)
        _new_lot(s, pair_of(z, token), token, 1, least)
    for i in range(events):
        for side in range(2):
            token = np.int64(s.events[i, 2 * side])
            if token != EDGE and s.cursors[token, side] != NONE:
                s.places[s.cursors[token, side]] = s.events[i, 2 * side + 1]
                s.cursors[token, side] += 1
    for i in range(touched):
        token = np.int64(s.touched[i])
        _lose(s, pair_of(token, x), s.sums[token, LEFT_GOES])
        _lose(s, pair_of(y, token), s.sums[token, RIGHT_GOES])
        s.sums[token, :] = 0
        s.cursors[token, :] = 0
    for lot in range(before, n[LOTS]):
        if s.counts[lot] >= least:
            push(s, lot, s.counts[lot])


@piece
def _new_lot(s, pair, token, side, least):  # type: ignore[no-untyped-def]
    """Makes a lot for as many places as the cursor says, and makes the cursor the first of them; or NONE, where the
    pair is too rare to be merged ever."""
    n = s.n
    places = s.cursors[token, side]
    s.cursors[token, side] = NONE
    if s.sums[token, LEFT_COMES + side] < least:
        return
    lot = n[LOTS]
    s.cursors[token, side] = n[PLACES]
    n[PLACES] += places
    n[LOTS] += 1
    s.firsts[lot + 1] = n[PLACES]
    s.pairs[lot], s.counts[lot] = pair, s.sums[token, LEFT_COMES + side]
    put(s.table, slot_of(s.table, s.pairs, pair), pair, lot)


@piece
def _lose(s, pair, count):  # type: ignore[no-untyped-def]
    """Takes from the pair's count; pairs that are too long or too rare to be merged have none."""
    if count == 0:
        return
    slot = slot_of(s.table, s.pairs, pair)
    if s.table[slot] != U(0):
        s.counts[np.int64(s.table[slot] & LOW) - 1] -= count
