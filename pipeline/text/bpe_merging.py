"""The merges themselves: takes the next pair from the queue, makes a token of it and replaces it wherever it stands.

    learn_on(state, vocab_size, least, longest) -> DONE, or what `state` needs more room for: give it that and call again

One merge of x and y to z, at each of its places from left to right:

    p x y n   ->   p z n        (p, x) and (y, n) go, (p, z) and (z, n) come; p or n may be z by now

Counts of what goes and comes are summed by p and by n, so each pair is looked up once a merge. Time goes with the places
of the merge's own lot. If two merges spell the same token, its pairs may have several lots in the queue at once: then the
trainer of `tokenizers`, which keeps whole pieces where this keeps places, also merges those places of other lots that
stand in a piece of this lot, and so does `_gather`.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.bpe_queue import first_lot, pop, push
from pipeline.text.bpe_state import (
    BYTES,
    DEAD,
    DONE,
    EDGE,
    GONE,
    LOTS,
    LOW,
    MERGES,
    MORE_BYTES,
    MORE_EVENTS,
    MORE_GATHERED,
    MORE_LOTS,
    MORE_MERGES,
    MORE_PLACES,
    NEED,
    PENDING,
    PLACES,
    TOKENS,
    pair_of,
    put,
    slot_of,
)
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, mix

U = np.uint64
LEFT_GOES, RIGHT_GOES, LEFT_COMES, RIGHT_COMES = range(4)  # columns of State.sums: p of (p, x), n of (y, n), ...


@kernel
def learn_on(s, vocab_size, least, longest):  # type: ignore[no-untyped-def]
    n = s.n
    while n[TOKENS] < vocab_size:
        lot = n[PENDING]
        if lot < 0:
            lot, count = pop(s)
            if lot < 0 or count < least:
                return DONE
            n[PENDING] = lot
        wants = _wants(s, lot)
        if wants != DONE:
            return wants
        n[PENDING] = -1
        _merge(s, lot, longest)
    return DONE


@piece
def _wants(s, lot):  # type: ignore[no-untyped-def]
    """What there is too little room of for this merge; `n[NEED]` says how much there has to be."""
    n = s.n
    first = first_lot(s, lot)
    at, places = np.int64(s.older[first]), _places(s, first)
    while at != first:
        places += _places(s, at)
        at = np.int64(s.older[at])
    several = s.older[first] != first
    made = 2 * min(places, n[TOKENS] + 1)
    width = s.lengths[np.int64(s.pairs[lot] >> U(32))] + s.lengths[np.int64(s.pairs[lot] & LOW)]
    for what, need, room in (
        (MORE_LOTS, n[LOTS] + made, len(s.pairs)),
        (MORE_PLACES, n[PLACES] + 2 * places, len(s.places)),
        (MORE_EVENTS, places, len(s.events)),
        (MORE_GATHERED, places if several else 0, len(s.gathered)),
        (MORE_BYTES, n[BYTES] + width, len(s.token_bytes)),
        (MORE_MERGES, n[MERGES] + 1, len(s.merges)),
    ):
        if need > room:
            n[NEED] = need
            return what
    return DONE


@piece
def _places(s, lot):  # type: ignore[no-untyped-def]
    return np.int64(s.firsts[lot + 1] - s.firsts[lot])


@piece
def _merge(s, lot, longest):  # type: ignore[no-untyped-def]
    n = s.n
    x, y = np.int64(s.pairs[lot] >> U(32)), np.int64(s.pairs[lot] & LOW)
    z = _token(s, x, y)
    row = s.merges[n[MERGES]]
    row[0], row[1], row[2] = x, y, z
    n[MERGES] += 1
    s.following[lot] = DEAD
    if s.older[lot] == lot:
        touched = _replace(s, s.places, s.firsts[lot], s.firsts[lot + 1], x, y, z, longest)
    else:
        touched = _replace(s, s.gathered, 0, _gather(s, lot), x, y, z, longest)
    _account(s, touched, x, y, z)


# The token


@piece
def _token(s, x, y):  # type: ignore[no-untyped-def]
    """The token that x and y spell together: one there is, or a new one."""
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
def _replace(s, places, begin, end, x, y, z, longest):  # type: ignore[no-untyped-def]
    """Writes z for x, y at these places, where they still stand; returns how many tokens stood beside it. Sums up, for
    each of these, counts that go and come, and lists what comes in `events`."""
    cells, sums, lengths, events, bounds = s.cells, s.sums, s.lengths, s.events, s.bounds
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
                side = 0 if after == z else 1  # (z, z) comes from either side and is one lot
                sums[after, LEFT_COMES + side] += weight
                s.cursors[after, side] += 1
                events[i - begin, 2], events[i - begin, 3] = after, at
        cells[at + x_width] = GONE
        cells[at + width - 1] = ~z
        cells[at] = z
    s.n[NEED] = end - begin
    return touched


@piece
def _piece_at(pieces, at):  # type: ignore[no-untyped-def]
    low, high = 0, len(pieces) - 1
    while high - low > 1:
        middle = (low + high) >> 1
        if pieces[middle] <= at:
            low = middle
        else:
            high = middle
    return low


@piece
def _from(places, low, high, at):  # type: ignore[no-untyped-def]
    """The first of these places that is not below `at`."""
    while low < high:
        middle = (low + high) >> 1
        if places[middle] < at:
            low = middle + 1
        else:
            high = middle
    return low


@piece
def _gather(s, lot):  # type: ignore[no-untyped-def]
    """Writes the places of a lot to `gathered`, and those of the pair's other lots in the same pieces; how many."""
    begin, end = s.firsts[lot], s.firsts[lot + 1]
    size = 0
    for i in range(begin, end):
        s.gathered[size] = s.places[i]
        size += 1
    first = first_lot(s, lot)
    other = np.int64(s.older[first])
    while True:
        if other != lot and s.following[other] != DEAD:
            size = _gather_from(s, other, begin, end, size)
        if other == first:
            break
        other = np.int64(s.older[other])
    s.gathered[:size].sort()
    return size


@piece
def _gather_from(s, other, begin, end, size):  # type: ignore[no-untyped-def]
    at, stop, known = np.int64(s.firsts[other]), np.int64(s.firsts[other + 1]), -1
    for i in range(begin, end):
        which = _piece_at(s.pieces, s.places[i])
        if which == known:
            continue
        known = which
        at = _from(s.places, at, stop, s.pieces[which])
        while at < stop and s.places[at] < s.pieces[which + 1]:
            s.gathered[size] = s.places[at]
            size += 1
            at += 1
    return size


# What changes beside them


@piece
def _account(s, touched, x, y, z):  # type: ignore[no-untyped-def]
    """Books what `_replace` summed up: new lots, their places, counts, and the queue."""
    n = s.n
    before, events = n[LOTS], n[NEED]
    for i in range(touched):
        token = np.int64(s.touched[i])
        if s.cursors[token, 0] > 0:
            _new_lot(s, pair_of(token, z), token, 0)
        if s.cursors[token, 1] > 0:
            _new_lot(s, pair_of(z, token), token, 1)
    for i in range(events):
        for side in range(2):
            token = np.int64(s.events[i, 2 * side])
            if token != EDGE:
                _place(s, token, 0 if token == z else side, s.events[i, 2 * side + 1])
    for i in range(touched):
        token = np.int64(s.touched[i])
        _lose(s, pair_of(token, x), s.sums[token, LEFT_GOES])
        _lose(s, pair_of(y, token), s.sums[token, RIGHT_GOES])
        s.sums[token, :] = 0
        s.cursors[token, :] = 0
    for lot in range(before, n[LOTS]):
        count = s.counts[first_lot(s, lot)]
        if count > 0:
            push(s, lot, count)
        else:
            s.following[lot] = DEAD


@piece
def _place(s, token, side, at):  # type: ignore[no-untyped-def]
    s.places[s.cursors[token, side]] = at
    s.cursors[token, side] += 1


@piece
def _new_lot(s, pair, token, side):  # type: ignore[no-untyped-def]
    """Makes a lot for as many places as the cursor says, and makes the cursor the first of them."""
    n = s.n
    lot = n[LOTS]
    places = s.cursors[token, side]
    s.cursors[token, side] = n[PLACES]
    n[PLACES] += places
    n[LOTS] += 1
    s.firsts[lot + 1] = n[PLACES]
    s.pairs[lot] = pair
    slot = slot_of(s.table, s.pairs, pair)
    if s.table[slot] == U(0):
        put(s.table, slot, pair, lot)
        s.older[lot] = lot
        s.counts[lot] = s.sums[token, LEFT_COMES + side]
    else:
        first = np.int64(s.table[slot] & LOW) - 1
        s.older[lot] = s.older[first]
        s.older[first] = lot
        s.counts[first] += s.sums[token, LEFT_COMES + side]


@piece
def _lose(s, pair, count):  # type: ignore[no-untyped-def]
    """Takes from the pair's count; pairs too long to be merged have none."""
    if count == 0:
        return
    slot = slot_of(s.table, s.pairs, pair)
    if s.table[slot] != U(0):
        s.counts[np.int64(s.table[slot] & LOW) - 1] -= count
