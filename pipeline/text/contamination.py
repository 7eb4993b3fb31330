"""Which n-grams of some items (of an evaluation set, say) stand in texts: an index of the items, and a scan for them.

In: items as Arrow texts (q), texts to be searched (n). Out: for each text its hits: (number of the word it begins with,
entry of the index); for each entry, the items that hold it. Words are those of `shingles`: case, punctuation and layout
do not count, each character of a script without spaces is a word.

an item's n-grams   all its runs of `words` words; of `characters`, where more than half of its words are such
                    characters. An item that is shorter is one n-gram as a whole, if it has `shortest` words
                    (`shortest_characters`); if not, it has none. An n-gram counts once an item, and in none if more
                    than `common` items hold it
hit                 an n-gram stands in the text, word by word

An n-gram is told by a 64-bit hash, and looked up only where its first words, as many as the shortest n-gram has, are
told by another to begin one. So a text of N words hits one of M n-grams by mistake with a chance of N * M / 2^64 at
most, and of far less while few places of it begin like an n-gram. Time is linear in the bytes; memory is constant but
for the index, 130 bytes an n-gram at most.

Never depend on the machine: integers only, constants fixed. The twin is tests/pipeline/text/contamination_twin.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, STEP, mix, place_of
from pipeline.text.letters import CHAR, tables
from pipeline.text.shingles import AT, KEPT, astral_class, next_words, open_stream, workspace
from pipeline.text.utf8 import decode, trailing_zeros

U = np.uint64
LONGEST = 63  # words of an n-gram: sizes are bits of a uint64
UNIT = "auto"
BITS = 16  # of the filter for each run that begins an n-gram: every 16th other run is looked up in vain


@dataclass(frozen=True)
class Rule:
    """What the n-grams of an item are; sizes in words, and in characters of scripts without spaces."""

    words: int
    characters: int
    shortest: int
    shortest_characters: int
    common: int  # items that hold an n-gram, from more than which on it counts in none


@dataclass(frozen=True)
class Index:
    """Entry e is held by `items[starts[e]:starts[e + 1]]`, rising; item i has `grams[i]` entries."""

    sizes: np.ndarray  # (entries,) uint8: words of each
    starts: np.ndarray  # (entries + 1,) int64
    items: np.ndarray  # int32
    grams: np.ndarray  # (q,) int64; 0: the item cannot be found
    words: np.ndarray  # (q,) int64: of the whole item
    lookup: tuple[np.ndarray, ...]  # bits, heads and their sizes, keys and their entries
    first: int  # words of the runs by which n-grams are looked up
    last: int  # words of the longest n-gram

    @property
    def nbytes(self) -> int:
        held = (self.sizes, self.starts, self.items, self.grams, self.words, *self.lookup)
        return sum(array.nbytes for array in held)


def index_of(items: pa.Array | pa.ChunkedArray, rule: Rule) -> Index:
    """The index of all items. Takes some 100 bytes an n-gram while it is made."""
    offsets, data = buffers(items)
    classes, folded = tables(UNIT)
    ends = np.zeros(len(items) + 1, np.int64)
    hashes = _all_words(data, offsets, classes, folded, ends[1:])
    words = np.diff(ends)
    sizes = _sizes(words, _characters(data, offsets, classes), rule)
    first = int(sizes[sizes > 0].min(initial=LONGEST))
    keys, heads, held_by = _grams(hashes, ends, sizes, U(first))
    return _indexed(keys, heads, held_by, sizes, words, first, rule.common)


def _sizes(words: np.ndarray, characters: np.ndarray, rule: Rule) -> np.ndarray:
    """(q,) int64: words of each item's n-grams; 0 where it is too short for any."""
    wide = 2 * characters > words
    size = np.where(wide, rule.characters, rule.words)
    shortest = np.where(wide, rule.shortest_characters, rule.shortest)
    return np.where(words >= np.minimum(shortest, size), np.minimum(words, size), 0)


def _indexed(
    keys: np.ndarray,
    heads: np.ndarray,
    held_by: np.ndarray,
    sizes: np.ndarray,
    words: np.ndarray,
    first: int,
    common: int,
) -> Index:
    order = np.lexsort((held_by, keys))
    keys, heads, held_by = keys[order], heads[order], held_by[order]
    again = (np.diff(keys, prepend=~keys[:1]) == 0) & (np.diff(held_by, prepend=-1) == 0)
    keys, heads, held_by = keys[~again], heads[~again], held_by[~again]
    begins = np.flatnonzero(np.diff(keys, prepend=~keys[:1]))
    many = np.diff(begins, append=len(keys))
    rare = np.repeat(many <= common, many)
    keys, heads, held_by = keys[rare], heads[rare], held_by[rare]
    begins = np.flatnonzero(np.diff(keys, prepend=~keys[:1]))
    entry_sizes = sizes[held_by[begins]].astype(np.uint8)
    return Index(
        sizes=entry_sizes,
        starts=np.append(begins, len(keys)),
        items=held_by.astype(np.int32),
        grams=np.bincount(held_by, minlength=len(sizes)),
        words=words,
        lookup=_lookup(keys[begins], heads[begins], entry_sizes),
        first=first,
        last=int(entry_sizes.max(initial=first)),
    )


def _lookup(keys: np.ndarray, heads: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, ...]:
    order = np.argsort(heads, kind="stable")
    heads, masks = heads[order], U(1) << sizes[order].astype(np.uint64)
    begins = np.flatnonzero(np.diff(heads, prepend=~heads[:1]))
    masks = np.bitwise_or.reduceat(masks, begins) if len(begins) else masks
    heads = heads[begins]
    bits = np.zeros(_room(max(1024, BITS * len(heads))) // 64, np.uint64)
    return (
        _marked(heads, bits),
        *_table(heads, masks, _room(2 * len(heads) + 2)),
        *_table(keys, np.arange(len(keys), dtype=np.int32), _room(2 * len(keys) + 2)),
    )


def _room(least: int) -> int:
    return 1 << (least - 1).bit_length()


def hits(texts: pa.Array | pa.ChunkedArray, index: Index) -> np.ndarray:
    """(n,) int64: how many n-grams of the index stand in each text, each as often as it stands."""
    offsets, data = buffers(texts)
    return _count(data, offsets, index.lookup, _numbers(index), tables(UNIT))


def hits_in(text: pa.Array | pa.ChunkedArray, index: Index, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of one text (an array of one), which has `count` hits: (count,) int64 words they begin with, rising, and (count,)
    int32 entries."""
    offsets, data = buffers(text)
    places, entries = np.empty(count, np.int64), np.empty(count, np.int32)
    _fill(data, offsets, index.lookup, _numbers(index), tables(UNIT), places, entries)
    return places, entries


def _numbers(index: Index) -> tuple[np.uint64, ...]:
    return U(index.first), U(index.last), U(pow(int(BASE), index.first - 1, 1 << 64))


@kernel
def _all_words(data, offsets, classes, folded, ends):  # type: ignore[no-untyped-def]
    """The hash of every word of every text; `ends[t]` is where those of text t end."""
    stream, words, hashes, _ = workspace(U(1))
    out, n = np.empty(1024 + (offsets[-1] - offsets[0]) // 4, np.uint64), U(0)
    for t in range(len(offsets) - 1):
        open_stream(stream, U(offsets[t]), U(offsets[t + 1]))
        while stream[AT] < U(offsets[t + 1]):
            found = next_words(data, stream, words, hashes, classes, folded)
            if n + found > len(out):
                wider = np.empty(U(2) * (n + found), np.uint64)
                wider[:n] = out[:n]
                out = wider
            out[n : n + found] = hashes[:found]
            n += found
        ends[t] = n
    return out[:n]


@kernel
def _characters(data, offsets, classes):  # type: ignore[no-untyped-def]
    """(n,) int64: characters of each text that are words of their own."""
    out = np.zeros(len(offsets) - 1, np.int64)
    for t in range(len(out)):
        i, stop = U(offsets[t]), U(offsets[t + 1])
        while i < stop:
            char, length = decode(data, i, stop)
            kind = classes[char] if char < U(0x10000) else astral_class(char, classes)
            out[t] += kind == CHAR
            i += length
    return out


@kernel
def _grams(hashes, ends, sizes, first):  # type: ignore[no-untyped-def]
    """Of every n-gram of every item, repeats included: its hash, that of its first words, and the item."""
    count = 0
    for item in range(len(sizes)):
        if sizes[item]:
            count += ends[item + 1] - ends[item] - sizes[item] + 1
    keys, heads, items = np.empty(count, np.uint64), np.empty(count, np.uint64), np.empty(count, np.int64)
    n = 0
    for item in range(len(sizes)):
        if sizes[item]:
            for begin in range(ends[item], ends[item + 1] - sizes[item] + 1):
                keys[n] = _key(hashes, U(begin), U(sizes[item]))
                heads[n] = max(mix(_run(hashes, U(begin), first)), U(1))
                items[n] = item
                n += 1
    return keys, heads, items


@piece
def _run(hashes, begin, size):  # type: ignore[no-untyped-def]
    """A run of words as a polynomial in BASE modulo 2^64."""
    e = U(0)
    for j in range(begin, begin + size):
        e = e * BASE + hashes[j]
    return e


@piece
def _key(hashes, begin, size):  # type: ignore[no-untyped-def]
    """The hash of an n-gram, never 0; runs of other sizes have others."""
    return max(mix(_run(hashes, begin, size) + size * STEP), U(1))


@kernel
def _marked(heads, bits):  # type: ignore[no-untyped-def]
    """Sets a bit for each: the highest of a hash say which."""
    shift = U(58) - trailing_zeros(U(len(bits)))
    for head in heads:
        bit = head >> shift
        bits[bit >> U(6)] |= U(1) << (bit & U(63))
    return bits


@kernel
def _table(keys, values, room):  # type: ignore[no-untyped-def]
    """An open table of `room` slots: keys, 0 where there is none, and their values."""
    slots, held, mask = np.zeros(room, np.uint64), np.zeros(room, values.dtype), U(room - 1)
    for i in range(len(keys)):
        at = keys[i] & mask
        while slots[at] != U(0):
            at = (at + U(1)) & mask
        slots[at], held[at] = keys[i], values[i]
    return slots, held


@kernel
def _count(data, offsets, lookup, numbers, tables):  # type: ignore[no-untyped-def]
    room = workspace(numbers[1])
    nowhere, nothing = np.empty(0, np.int64), np.empty(0, np.int32)
    out = np.zeros(len(offsets) - 1, np.int64)
    for t in range(len(out)):
        out[t] = _scan(data, U(offsets[t]), U(offsets[t + 1]), lookup, numbers, tables, room, nowhere, nothing)
    return out


@kernel
def _fill(data, offsets, lookup, numbers, tables, places, entries):  # type: ignore[no-untyped-def]
    room = workspace(numbers[1])
    _scan(data, U(offsets[0]), U(offsets[1]), lookup, numbers, tables, room, places, entries)


@piece
def _scan(data, start, stop, lookup, numbers, tables, room, places, entries):  # type: ignore[no-untyped-def]
    """How many hits a text has; as many as there is room for are written to `places` and `entries`."""
    first, last, power = numbers
    bits, classes, folded = lookup[0], tables[0], tables[1]
    stream, words, hashes, runs = room
    shift = U(58) - trailing_zeros(U(len(bits)))
    open_stream(stream, start, stop)
    before, found = U(0), 0  # words that are no more in `hashes`; hits
    while stream[AT] < stop:
        m = next_words(data, stream, words, hashes, classes, folded)
        reach = first if stream[AT] == stop else last
        begins = m - reach + U(1) if m >= reach else U(0)  # runs after which an n-gram would be here whole
        e = U(0)
        for j in range(min(begins, U(1)) * (first - U(1))):
            e = e * BASE + hashes[j]
        for j in range(begins):
            e = e * BASE + hashes[j + first - U(1)]
            runs[j] = e
            e -= hashes[j] * power
        for j in range(begins):  # a loop of its own, as it runs in vector registers
            runs[j] = mix(runs[j])
        for j in range(begins):
            bit = runs[j] >> shift
            if bits[bit >> U(6)] >> (bit & U(63)) & U(1):
                found = _look(max(runs[j], U(1)), hashes, j, m, before, lookup, places, entries, found)
        for j in range(m - begins):
            hashes[j] = hashes[begins + j]
        stream[KEPT] = m - begins
        before += begins
    return found


@piece
def _look(head, hashes, j, m, before, lookup, places, entries, found):  # type: ignore[no-untyped-def]
    """Hits among the n-grams that begin with this run, shortest first."""
    _, heads, masks, keys, numbers = lookup
    at = place_of(heads, head)
    if heads[at] != head:
        return found
    sizes = masks[at]
    while sizes:
        size = trailing_zeros(sizes)
        sizes &= sizes - U(1)
        if j + size <= m:
            key = _key(hashes, j, size)
            slot = place_of(keys, key)
            if keys[slot] == key:
                if found < len(places):
                    places[found], entries[found] = before + j, numbers[slot]
                found += 1
    return found
