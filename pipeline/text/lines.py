"""Lines of texts: their hashes, which of them a text holds again, and texts without some of their lines.

In: Arrow texts (n). A line is what stands between line feeds, so a text of k line feeds has k + 1 lines, the empty ones
included; lines of all texts are numbered through. What counts of a line is what is left without white space (as Unicode
has it) at both ends, if that is `min_chars` characters or more; other lines never count and are never marked.

observed   -> of the distinct lines of a shard: hash, first row that holds it, in how many texts, how often
listed     -> (lines,) bool: lines whose hash is in a list
repeated   -> (lines,) bool: lines that stood above in the same text
holding    -> (lines,) bool: lines that hold one of some strings
without    -> the texts without the lines that are marked, null where none is

With `unit="paragraph"`, paragraphs stand for lines in all of this: `parts.py` says what one is.

A hash is of 64 bits, salted for each text: the same line under two salts is two lines. Among m distinct lines, a line
is taken for one that it is not with a chance of m / 2^64. Time is linear in the bytes.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import U, flags
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import START, STEP, load, mix
from pipeline.text.parts import LINE, PARAGRAPH, UNITS, feed, paragraph_end, trimmed

NONE = U(0)  # the hash of no line: a line that does not count


def line_starts(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(n + 1,) int64: the number of each text's first line, and behind the last how many there are."""
    offsets, data = buffers(texts)
    return _line_starts(data, offsets)


def observed(
    texts: pa.Array | pa.ChunkedArray, salts: np.ndarray, min_chars: int, unit: str = "line"
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the distinct lines that count, by hash: (m,) uint64 hashes, int64 first rows, in how many texts, how often.

    `salts` is (n,) uint64."""
    offsets, data = buffers(texts)
    hashes, rows = _hashes(data, offsets, salts, min_chars, flags(), UNITS[unit])
    first, texts_with, times = _grouped(hashes, rows)
    keys = hashes[first]
    order = np.argsort(keys, kind="stable")
    first = first[order]
    return keys[order], rows[first], texts_with[order], times[order]


def listed(
    texts: pa.Array | pa.ChunkedArray,
    salts: np.ndarray,
    min_chars: int,
    hashes: np.ndarray,
    spared: np.ndarray,
    unit: str = "line",
) -> np.ndarray:
    """(lines,) bool: lines whose hash is among `hashes` (m,) uint64; where `spared` (m,) bool, the first one is not."""
    offsets, data = buffers(texts)
    starts = _part_starts(data, offsets, unit)
    return _listed(data, offsets, starts, salts, min_chars, flags(), hashes, spared, UNITS[unit])


def repeated(texts: pa.Array | pa.ChunkedArray, min_chars: int) -> np.ndarray:
    """(lines,) bool: lines that count and equal, without blanks at both ends, one above them in their text."""
    offsets, data = buffers(texts)
    return _repeated(data, offsets, _line_starts(data, offsets), min_chars, flags())


def holding(texts: pa.Array | pa.ChunkedArray, strings: tuple[str, ...]) -> np.ndarray:
    """(lines,) bool: lines that hold one of `strings`, byte by byte as they stand; none may be empty."""
    offsets, data = buffers(texts)
    return _holding(data, offsets, _line_starts(data, offsets), *packed(strings))


def packed(strings: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(k + 1,) int64 offsets and (m,) uint8 bytes of strings, as kernels read them."""
    encoded = [string.encode() for string in strings]
    assert all(encoded), "an empty string is everywhere"
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return ends, np.frombuffer(b"".join(encoded), np.uint8)


def without(texts: pa.Array | pa.ChunkedArray, marked: np.ndarray, unit: str = "line") -> tuple[pa.Array, np.ndarray]:
    """(n,) large_string, null where no line is marked, and (n,) int64 how many are. Lines are joined by line feeds."""
    offsets, data = buffers(texts)
    starts = _part_starts(data, offsets, unit)
    counts = _sums(marked, starts)
    ends, out = _without(data, offsets, starts, marked, counts, flags(), UNITS[unit])
    return array_of(ends, out, counts > 0), counts


def _part_starts(data: np.ndarray, offsets: np.ndarray, unit: str) -> np.ndarray:
    return _line_starts(data, offsets) if unit == "line" else _paragraph_starts(data, offsets, flags())


def array_of(ends: np.ndarray, out: np.ndarray, changed: np.ndarray) -> pa.Array:
    """(n,) large_string from (n + 1,) offsets and bytes, null where not `changed`."""
    bits = pa.py_buffer(np.packbits(changed, bitorder="little"))
    return pa.LargeStringArray.from_buffers(len(changed), pa.py_buffer(ends), pa.py_buffer(out), bits)


def blank(texts: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(n,) bool: texts of nothing but white space."""
    offsets, data = buffers(texts)
    return _blank(data, offsets, flags())


@piece
def _line_hash(data, first, last, salt, min_chars, kinds):  # type: ignore[no-untyped-def]
    """The hash of what counts of `data[first:last]`; NONE if it does not count."""
    if last - first < min_chars:
        return NONE
    first, last = trimmed(data, first, last, kinds)
    if last - first < min_chars:
        return NONE
    if last - first < 4 * min_chars:
        characters = 0
        for at in range(first, last):
            characters += data[at] & 0xC0 != 0x80
        if characters < min_chars:
            return NONE
    return max(mix(bytes_hash(data, first, last) ^ salt), U(1))


@piece
def bytes_hash(data, first, last):  # type: ignore[no-untyped-def]
    """Of `data[first:last]`, to be mixed: 8 bytes a step. The length is part of it: zeros behind it tell."""
    h = START ^ U(last - first)
    i, stop = U(first), U(last)
    while i + U(8) <= stop:
        h = (h ^ load(data, i)) * STEP
        h ^= h >> U(32)
        i += U(8)
    word = U(0)
    while i < stop:
        word = word << U(8) | U(data[i])
        i += U(1)
    return (h ^ word) * STEP


@kernel
def _line_starts(data, offsets):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    starts = np.zeros(n + 1, np.int64)
    for d in range(n):
        feeds = 0
        for i in range(offsets[d], offsets[d + 1]):
            feeds += data[i] == 10
        starts[d + 1] = starts[d] + feeds + 1
    return starts


@kernel
def _paragraph_starts(data, offsets, kinds):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    starts = np.zeros(n + 1, np.int64)
    for d in range(n):
        first, count = offsets[d], 0
        while first < offsets[d + 1]:
            first = paragraph_end(data, first, offsets[d + 1], kinds) + 1
            count += 1
        starts[d + 1] = starts[d] + count
    return starts


@kernel
def _hashes(data, offsets, salts, min_chars, kinds, unit):  # type: ignore[no-untyped-def]
    """(m,) uint64 hashes of the lines that count, in order, and (m,) int32 rows."""
    n = len(offsets) - 1
    most = (offsets[n] - offsets[0] + n) // (min_chars + 1) + 1
    hashes, rows = np.empty(most, np.uint64), np.empty(most, np.int32)
    count = 0
    for d in range(n):
        first, end = offsets[d], offsets[d + 1]
        while first < end:
            last = feed(data, first, end) if unit == LINE else paragraph_end(data, first, end, kinds)
            h = _line_hash(data, first, last, salts[d], min_chars, kinds)
            if h != NONE:
                hashes[count], rows[count] = h, d
                count += 1
            first = last + 1
    return hashes[:count], rows[:count]


@kernel
def _grouped(hashes, rows):  # type: ignore[no-untyped-def]
    """Of each distinct hash: where it stands first, in how many rows, how often. `rows` must rise."""
    table, mask = _table(len(hashes))
    first, last = np.empty(len(hashes), np.int64), np.empty(len(hashes), np.int32)
    texts, times = np.empty(len(hashes), np.int64), np.empty(len(hashes), np.int64)
    count = 0
    for i in range(len(hashes)):
        at = hashes[i] & mask
        while table[at] >= 0 and hashes[first[table[at]]] != hashes[i]:
            at = (at + U(1)) & mask
        group = table[at]
        if group < 0:
            table[at] = group = count
            first[group], last[group], texts[group], times[group] = i, rows[i], 1, 0
            count += 1
        texts[group] += last[group] != rows[i]
        last[group] = rows[i]
        times[group] += 1
    return first[:count], texts[:count], times[:count]


@piece
def _table(count):  # type: ignore[no-untyped-def]
    """Empty slots (-1) for so many keys, half of them free at least, and the mask of their places."""
    size = 16
    while size < 2 * count:
        size *= 2
    return np.full(size, -1, np.int64), U(size - 1)


@kernel
def _listed(data, offsets, starts, salts, min_chars, kinds, hashes, spared, unit):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    marked = np.zeros(starts[n], np.bool_)
    if not len(hashes):
        return marked
    table, mask = _table(len(hashes))
    for which in range(len(hashes)):
        at = hashes[which] & mask
        while table[at] >= 0:
            at = (at + U(1)) & mask
        table[at] = which
    waits = spared.copy()
    for d in range(n):
        first, end, line = offsets[d], offsets[d + 1], starts[d]
        while first < end:
            last = feed(data, first, end) if unit == LINE else paragraph_end(data, first, end, kinds)
            h = _line_hash(data, first, last, salts[d], min_chars, kinds)
            if h != NONE:
                at = h & mask
                while table[at] >= 0 and hashes[table[at]] != h:
                    at = (at + U(1)) & mask
                which = table[at]
                if which >= 0:
                    marked[line] = not waits[which]
                    waits[which] = False
            first = last + 1
            line += 1
    return marked


@kernel
def _repeated(data, offsets, starts, min_chars, kinds):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    marked = np.zeros(starts[n], np.bool_)
    longest = 0
    for d in range(n):
        longest = max(longest, starts[d + 1] - starts[d])
    table, mask = _table(longest)
    hashes = np.empty(longest, np.uint64)
    for d in range(n):
        if starts[d + 1] - starts[d] < 2:
            continue
        first, end, line, count = offsets[d], offsets[d + 1], starts[d], 0
        small = U(16)  # a table for this text alone: emptying a large one for each would not be linear
        while small < U(2 * (starts[d + 1] - starts[d])):
            small *= U(2)
        mask = small - U(1)
        table[: np.int64(small)] = -1
        while first < end:
            last = feed(data, first, end)
            h = _line_hash(data, first, last, U(0), min_chars, kinds)
            if h != NONE:
                at = h & mask
                while table[at] >= 0 and hashes[table[at]] != h:
                    at = (at + U(1)) & mask
                if table[at] >= 0:
                    marked[line] = True
                else:
                    table[at] = count
                    hashes[count] = h
                    count += 1
            first = last + 1
            line += 1
    return marked


@kernel
def _holding(data, offsets, starts, ends, strings):  # type: ignore[no-untyped-def]
    n, k = len(offsets) - 1, len(ends) - 1
    marked = np.zeros(starts[n], np.bool_)
    begins = np.zeros(256, np.bool_)
    for which in range(k):
        begins[strings[ends[which]]] = True
    for d in range(n):
        i, end, line = offsets[d], offsets[d + 1], starts[d]
        while i < end:
            byte = data[i]
            if byte == 10:
                line += 1
            elif begins[byte]:
                for which in range(k):
                    if stands_at(data, i, end, strings, ends[which], ends[which + 1]):
                        marked[line] = True
                        i = feed(data, i, end) - 1
                        break
            i += 1
    return marked


@piece
def stands_at(data, i, end, strings, begin, stop):  # type: ignore[no-untyped-def]
    """Whether `strings[begin:stop]` stands at byte `i` of `data[:end]`."""
    if stop - begin > end - i:
        return False
    at = 0
    while at < stop - begin and data[i + at] == strings[begin + at]:
        at += 1
    return at == stop - begin


@kernel
def _sums(marked, starts):  # type: ignore[no-untyped-def]
    counts = np.zeros(len(starts) - 1, np.int64)
    for d in range(len(counts)):
        for line in range(starts[d], starts[d + 1]):
            counts[d] += marked[line]
    return counts


@kernel
def _without(data, offsets, starts, marked, counts, kinds, unit):  # type: ignore[no-untyped-def]
    n, room = len(counts), 0
    for d in range(n):
        if counts[d]:
            room += offsets[d + 1] - offsets[d]
    out, ends = np.empty(room, np.uint8), np.zeros(n + 1, np.int64)
    o = 0
    for d in range(n):
        if counts[d]:
            first, end, line, begin = offsets[d], offsets[d + 1], starts[d], o
            while line < starts[d + 1]:
                last = feed(data, first, end) if unit == LINE else paragraph_end(data, first, end, kinds)
                if not marked[line]:
                    o = copy(data, first, min(last + 1, end), out, o)
                first = last + 1
                line += 1
            if marked[line - 1] and o > begin:
                o -= 1  # the feed between the last line that stays and the first of those behind it
                while unit == PARAGRAPH and o > begin and out[o - 1] == 10:
                    o -= 1  # and the blank lines between the paragraphs
        ends[d + 1] = o
    return ends, out[:o].copy()


@piece
def copy(data, begin, end, out, o):  # type: ignore[no-untyped-def]
    """Writes `data[begin:end]` to `out` at `o`; the place after it."""
    for i in range(end - begin):
        out[o + i] = data[begin + i]
    return o + end - begin


@kernel
def _blank(data, offsets, kinds):  # type: ignore[no-untyped-def]
    out = np.zeros(len(offsets) - 1, np.bool_)
    for d in range(len(out)):
        first, last = trimmed(data, offsets[d], offsets[d + 1], kinds)
        out[d] = first == last
    return out
