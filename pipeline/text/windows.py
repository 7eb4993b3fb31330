"""Which windows are equal, unit by unit: the runs of `winnow` held against each other.

In: the contents of runs, one behind the other, in bytes (`width` of them a unit). A run of v windows of `size` units
has v + size - 1 units. Out:

first_copies   of each run, the first of all runs with the same content
occurrences    of each window of runs under the same keys: how often it stands, said of the first; -1 of the others
stretches      the units that these windows cover, as spans
first_of_each  where a number of times begins, for a report of what stands most often

Whatever hashes say is held against the bytes themselves, so nothing is taken for equal that is not. Time is linear in
the contents for a given `size`: a window is compared with those that have its hash, and where a neighbour was equal
one unit more decides.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.characters import U
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, load, mix
from pipeline.text.lines import bytes_hash

REPEATED = np.int64(-1)  # this window stood before


def first_copies(data: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(m,) int64: of each `data[begins[i]:ends[i]]` the place of the first that is equal to it: itself, or one before.

    `begins` and `ends` are (m,) int64, in bytes."""
    return _first_copies(data, begins, ends)


def content_hashes(data: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """(m,) uint64: of each `data[begins[i]:ends[i]]`."""
    return _content_hashes(data, begins, ends)


def contents(data: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> pa.Array:
    """(m,) large_binary: each `data[begins[i]:ends[i]]`."""
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(ends - begins)])
    out = _copied(data, begins, starts)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(begins), [None, pa.py_buffer(starts), pa.py_buffer(out)]
    )


def found(keys: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """(m,) int64: where each key stands in `listed`, (k,) uint64 without repeats; -1 where it does not."""
    return _found(keys, listed)


def occurrences(
    data: np.ndarray, starts: np.ndarray, keys: np.ndarray, counts: np.ndarray, size: int, width: int
) -> np.ndarray:
    """(windows,) int64: how often each window's content stands, and REPEATED for all but the first of equal ones.

    Runs stand in the order of (key, place in the corpus): content r is `data[starts[r]:starts[r + 1]]`, all of it
    stands `counts[r]` times, (m,) int64. Windows are those of run 0, then of run 1, and so on."""
    assert width in (1, 8)
    return _occurrences(data, starts // width, keys, counts, size, width, U(pow(int(BASE), size - 1, 1 << 64)))


def stretches(
    totals: np.ndarray, starts: np.ndarray, places: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where windows beside each other are REPEATED, or stand twice or more: (s,) int64 run, begin and end in units of
    its text, and (s,) bool, whether they go.

    `starts` are (m + 1,) of windows, `places` (m,) where the first window of each run begins in its text."""
    return _stretches(totals, starts, places, size)


def first_of_each(totals: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(s,) int64 run and place among its windows: where windows that stand twice or more begin to stand another number
    of times than the window before. `starts` are (m + 1,) of windows."""
    return _first_of_each(totals, starts)


@kernel
def _content_hashes(data, begins, ends):  # type: ignore[no-untyped-def]
    out = np.empty(len(begins), np.uint64)
    for i in range(len(begins)):
        out[i] = mix(bytes_hash(data, begins[i], ends[i]))
    return out


@kernel
def _copied(data, begins, starts):  # type: ignore[no-untyped-def]
    out = np.empty(starts[-1], np.uint8)
    for i in range(len(begins)):
        for j in range(starts[i + 1] - starts[i]):
            out[starts[i] + j] = data[begins[i] + j]
    return out


@piece
def _equal(data, a, b, length):  # type: ignore[no-untyped-def]
    """Whether `length` bytes from `a` on are those from `b` on."""
    i, j, left = U(a), U(b), length
    while left >= 8:
        if load(data, i) != load(data, j):
            return False
        i += U(8)
        j += U(8)
        left -= 8
    while left > 0:
        if data[i] != data[j]:
            return False
        i += U(1)
        j += U(1)
        left -= 1
    return True


@piece
def _slots(count):  # type: ignore[no-untyped-def]
    size = 16
    while size < 2 * count:
        size *= 2
    return size


@kernel
def _first_copies(data, begins, ends):  # type: ignore[no-untyped-def]
    n = len(begins)
    slots = _slots(n)
    table, hashes = np.full(slots, -1, np.int64), np.empty(slots, np.uint64)
    mask = U(slots - 1)
    out = np.empty(n, np.int64)
    for i in range(n):
        length = ends[i] - begins[i]
        h = mix(bytes_hash(data, begins[i], ends[i]))
        at = h & mask
        while table[at] >= 0:
            other = table[at]
            alike = hashes[at] == h and ends[other] - begins[other] == length
            if alike and _equal(data, begins[other], begins[i], length):
                break
            at = (at + U(1)) & mask
        if table[at] < 0:
            table[at], hashes[at] = i, h
        out[i] = table[at]
    return out


@kernel
def _found(keys, listed):  # type: ignore[no-untyped-def]
    slots = _slots(len(listed))
    table, mask = np.full(slots, -1, np.int64), U(slots - 1)
    for which in range(len(listed)):
        at = listed[which] & mask
        while table[at] >= 0:
            at = (at + U(1)) & mask
        table[at] = which
    out = np.empty(len(keys), np.int64)
    for i in range(len(keys)):
        at = keys[i] & mask
        while table[at] >= 0 and listed[table[at]] != keys[i]:
            at = (at + U(1)) & mask
        out[i] = table[at]
    return out


@piece
def _unit(data, i, width):  # type: ignore[no-untyped-def]
    return U(data[U(i)]) if width == 1 else load(data, U(i) * U(8))


@kernel
def _occurrences(data, starts, keys, counts, size, width, power):  # type: ignore[no-untyped-def]
    rows, shorter = len(starts) - 1, size - 1  # run r has its length less `shorter` windows
    totals = np.zeros(starts[rows] - starts[0] - rows * shorter, np.int64)
    most, first = 0, 0
    for r in range(1, rows + 1):  # room for the windows of the largest group
        if r == rows or keys[r] != keys[first]:
            most = max(most, starts[r] - starts[first] - (r - first) * shorter)
            first = r
    places, owners = np.empty(_slots(most), np.int64), np.empty(_slots(most), np.int64)
    hashes = np.empty(_slots(most), np.uint64)
    first = 0
    while first < rows:
        last = first + 1
        while last < rows and keys[last] == keys[first]:
            last += 1
        slots = _slots(starts[last] - starts[first] - (last - first) * shorter)
        mask = U(slots - 1)
        places[:slots] = -1
        for r in range(first, last):
            h, gone, place, owner = U(0), U(0), -1, 0
            for i in range(starts[r], starts[r] + shorter):
                h = h * BASE + _unit(data, i, width)
            for p in range(starts[r], starts[r + 1] - shorter):
                h = (h - gone * power) * BASE + _unit(data, p + shorter, width)
                gone = _unit(data, p, width)
                if place >= 0:  # the window before was equal to that at `place`: is its neighbour's the same?
                    place += 1
                    if (
                        place >= starts[owner + 1] - shorter
                        or totals[place - starts[0] - owner * shorter] == REPEATED
                        or _unit(data, place + shorter, width) != _unit(data, p + shorter, width)
                    ):
                        place = -1
                if place < 0:
                    mixed = mix(h)
                    at = mixed & mask
                    while places[at] >= 0:
                        if hashes[at] == mixed and _equal(data, places[at] * width, p * width, size * width):
                            break
                        at = (at + U(1)) & mask
                    place, owner = places[at], owners[at]
                    if place < 0:
                        places[at], owners[at], hashes[at] = p, r, mixed
                window = p - starts[0] - r * shorter
                if place < 0:
                    totals[window] = counts[r]
                else:
                    totals[place - starts[0] - owner * shorter] += counts[r]
                    totals[window] = REPEATED
        first = last
    return totals


@kernel
def _stretches(totals, starts, places, size):  # type: ignore[no-untyped-def]
    count = 0
    for fill in range(2):
        if fill:
            rows, begins = np.empty(count, np.int64), np.empty(count, np.int64)
            ends, goes = np.empty(count, np.int64), np.empty(count, np.bool_)
        count = 0
        for r in range(len(places)):
            i = starts[r]
            while i < starts[r + 1]:
                begin, kind = i, _kind(totals[i])
                while i < starts[r + 1] and _kind(totals[i]) == kind:
                    i += 1
                if kind:
                    if fill:
                        rows[count], goes[count] = r, kind < 0
                        begins[count] = places[r] + begin - starts[r]
                        ends[count] = places[r] + i - 1 - starts[r] + size
                    count += 1
    return rows, begins, ends, goes


@kernel
def _first_of_each(totals, starts):  # type: ignore[no-untyped-def]
    count = 0
    for fill in range(2):
        if fill:
            rows, places = np.empty(count, np.int64), np.empty(count, np.int64)
        count = 0
        for r in range(len(starts) - 1):
            before = np.int64(0)
            for i in range(starts[r], starts[r + 1]):
                if totals[i] > 1 and totals[i] != before:
                    if fill:
                        rows[count], places[count] = r, i - starts[r]
                    count += 1
                before = totals[i]
    return rows, places


@piece
def _kind(total):  # type: ignore[no-untyped-def]
    """-1: goes; 1: the first of windows that go; 0: neither."""
    if total == REPEATED:
        return -1
    return 1 if total > 1 else 0
