"""Best fit: which row each piece goes to, so that rows are as full as they can be and no piece is cut.

    best_fit(lengths=[2, 4, 3, 5, 1], width=5) -> rows [1, 0, 1, 2, 0], of which there are 3

Longest first, each into the row with the least room that is enough, else into a new one: best fit decreasing, which
needs at most 11/9 of the least number of rows that would do, and 4 (Johnson, Demers, Ullman, Garey and Graham 1974,
"Worst-case performance bounds for simple one-dimensional packing algorithms"). A tree over the widths of room finds
that row in log2(width) steps. Never looks at a token but to copy it.
"""

import numpy as np

from pipeline.text.compiling import kernel, piece

NONE = np.int64(-1)
WIDTH_BYTES = 20  # that `best_fit` needs for each token of a row's width: the tree, and two numbers for each room


@kernel
def best_fit(lengths: np.ndarray, width: int) -> tuple[np.ndarray, int]:
    """(p,) int64 lengths in [1, width] -> (p,) int64 row of each piece, and the number of rows.

    Of pieces of one length the first goes first; of rows with as much room the one that was touched last is taken.
    Rows are numbered by the pieces that opened them: a row's place says nothing about how long its pieces are.
    """
    leaves = 1
    while leaves <= width:
        leaves *= 2
    there = np.zeros(2 * leaves, np.bool_)  # there[leaves + room]: a row has this much room; there[i]: one below i has
    top = np.full(width + 1, NONE)  # of each room the row that was touched last, and of each row the one before it
    below = np.empty(len(lengths), np.int64)
    row, opener, rows = np.empty(len(lengths), np.int64), np.zeros(len(lengths), np.bool_), 0
    for i in _longest_first(lengths, width):
        room = _least_room(there, leaves, lengths[i])
        if room == NONE:
            room, now = width, rows
            opener[i] = True
            rows += 1
        else:
            now = top[room]
            top[room] = below[now]
            if top[room] == NONE:
                _clear(there, leaves + room)
        row[i] = now
        room -= lengths[i]
        if room > 0:
            below[now] = top[room]
            top[room] = now
            _set(there, leaves + room)
    return _by_opener(row, opener, rows), rows


@piece
def _longest_first(lengths, width):  # type: ignore[no-untyped-def]
    """The pieces by falling length, those of one length in their order (a counting sort)."""
    begins = np.zeros(width + 2, np.int64)
    for i in range(len(lengths)):
        begins[width - lengths[i] + 1] += 1
    for shorter in range(width):
        begins[shorter + 1] += begins[shorter]
    order = np.empty(len(lengths), np.int64)
    for i in range(len(lengths)):
        at = width - lengths[i]
        order[begins[at]] = i
        begins[at] += 1
    return order


@piece
def _least_room(there, leaves, length):  # type: ignore[no-untyped-def]
    """The least room of `length` or more that a row has; NONE if none has."""
    i = leaves + length
    while not there[i]:
        while i & 1:  # a right branch: what has more room is to the right of its parent
            i >>= 1
        if i == 0:  # the root was one, too
            return NONE
        i += 1
    while i < leaves:
        i = 2 * i if there[2 * i] else 2 * i + 1
    return i - leaves


@piece
def _set(there, i):  # type: ignore[no-untyped-def]
    while i and not there[i]:
        there[i] = True
        i >>= 1


@piece
def _clear(there, i):  # type: ignore[no-untyped-def]
    there[i] = False
    while i > 1 and not there[i ^ 1]:
        i >>= 1
        there[i] = False


@piece
def _by_opener(row, opener, rows):  # type: ignore[no-untyped-def]
    """Numbers rows anew, by the place of the piece that opened each."""
    number, n = np.empty(rows, np.int64), 0
    for i in range(len(row)):
        if opener[i]:
            number[row[i]] = n
            n += 1
    for i in range(len(row)):
        row[i] = number[row[i]]
    return row


@kernel
def lay(stream: np.ndarray, begins: np.ndarray, lengths: np.ndarray, places: np.ndarray, out: np.ndarray) -> None:
    """Copies stream[begins[i]:begins[i] + lengths[i]] to out[places[i]:] for each piece i; int32, the others int64."""
    for i in range(len(begins)):
        begin, place = np.uint64(begins[i]), np.uint64(places[i])
        for k in range(np.uint64(lengths[i])):
            out[place + k] = stream[begin + k]


@kernel
def pad_rows(rows: np.ndarray, width: int, filled: np.ndarray, pad: int) -> None:
    """Writes `pad` behind the first filled[r] tokens of each row r; rows end to end, int32."""
    for r in range(len(filled)):
        for k in range(r * width + filled[r], (r + 1) * width):
            rows[k] = pad
