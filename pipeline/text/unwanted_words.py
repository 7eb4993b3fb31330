"""Texts without the words that hold some string, or are too long: ROOTS' "modifying documents".

In: Arrow texts (n), strings, and for each text the most characters of a word (0: any). Out: the texts without these
words, null where there are none, and how many.

word    a run of characters between white space; a character of a script without spaces is a word of its own, and stays
goes    if, without SPECIAL characters at both ends, it holds one of the strings, letter case counting; or if it has
        more characters than the most both with and without them (a row of dashes has none left, and goes too)

A word goes with the blanks in front of it; where no word of its line stays before it, with those behind it. A line of
which all words go, goes with them. Nothing else changes. Time is linear in the bytes.
(ROOTS, filtering.py: remove_words_with_incorrect_substrings, remove_long_words; it folds runs of blanks besides.)
"""

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import SPACE, SPECIAL, UNSPACED, U, decode, flags
from pipeline.text.compiling import kernel, piece
from pipeline.text.lines import array_of, copy, packed, stands_at


def without_words(
    texts: pa.Array | pa.ChunkedArray, strings: tuple[str, ...], most: np.ndarray
) -> tuple[pa.Array, np.ndarray]:
    """(n,) large_string, null where unchanged, and (n,) int64 words taken out. `most` is (n,) int64."""
    offsets, data = buffers(texts)
    ends, bytes_ = packed(strings)
    new, out, counts = _without_words(data, offsets, most, flags(), ends, bytes_, _pairs(strings))
    return array_of(new, out, counts > 0), counts


def _pairs(strings: tuple[str, ...]) -> np.ndarray:
    """(65536,) bool: whether a string may begin with these two bytes."""
    pairs = np.zeros((256, 256), bool)
    for string in strings:
        first, *rest = string.encode()
        pairs[first, rest[0] if rest else slice(None)] = True
    return pairs.ravel()


@kernel
def _without_words(data, offsets, most, kinds, ends, strings, pairs):  # type: ignore[no-untyped-def]
    n = len(offsets) - 1
    out, new, counts = np.empty(offsets[n] - offsets[0], np.uint8), np.zeros(n + 1, np.int64), np.zeros(n, np.int64)
    o = 0
    for d in range(n):
        if offsets[d] < offsets[d + 1] and (len(strings) or most[d]):
            stop, counts[d] = _one(data, offsets[d], offsets[d + 1], most[d], kinds, ends, strings, pairs, out, o)
            if counts[d]:
                o = stop
        new[d + 1] = o
    return new, out[:o].copy(), counts


@piece
def _one(data, begin, end, most, kinds, ends, strings, pairs, out, o):  # type: ignore[no-untyped-def]
    """Writes what stays of `data[begin:end]` at `o`, if a word goes; (the place after it, words that went)."""
    base, i, count = o, begin, 0
    done = begin  # all before it is written, or gone
    line, at_line = begin, o  # where the line begins, and in `out` if a word of it went
    stayed, went = 0, 0  # words of the line
    while True:
        blank = i
        i = _blanks(data, i, end, kinds)
        if i == end or data[i] == 10:
            if went and not stayed:
                o, done = at_line, min(i + 1, end)
                if i == end and o > base:
                    o -= 1  # the feed before it
            if i == end:
                break
            i += 1
            line, stayed, went = i, 0, 0
            continue
        word = i
        i, stays = _word(data, i, end, most, kinds, ends, strings, pairs)
        if stays:
            stayed += 1
            continue
        if not went:
            o = copy(data, done, line, out, o) if done < line else o
            at_line, done = o, max(done, line)
        if stayed:
            o = copy(data, done, blank, out, o)
            done = i
        else:
            o = copy(data, done, word, out, o) if done < word else o
            done = _blanks(data, i, end, kinds)
        went, count = went + 1, count + 1
    if count and done < end:
        o = copy(data, done, end, out, o)
    return o, count


@piece
def _blanks(data, i, end, kinds):  # type: ignore[no-untyped-def]
    """The place after white space other than line feeds."""
    while i < end and data[i] != 10:
        code, after = decode(data, U(i), U(end))
        if not kinds[code] & SPACE:
            break
        i = np.int64(after)
    return i


@piece
def _word(data, i, end, most, kinds, ends, strings, pairs):  # type: ignore[no-untyped-def]
    """The place after the word at `i`, and whether it stays."""
    begin, characters, doubtful, before = i, 0, False, np.int64(0)  # the byte before, in the higher half of a pair
    at, stop = U(i), U(end)
    while at < stop:
        code, after = decode(data, at, stop)
        kind = kinds[code]
        if kind & (SPACE | UNSPACED):
            if kind & UNSPACED and np.int64(at) == begin:
                return np.int64(after), True
            break
        while at < after:
            byte = np.int64(data[at])
            doubtful |= pairs[before | byte]
            before = byte << 8
            at += U(1)
        characters += 1
    doubtful |= pairs[before]
    i = np.int64(at)
    if not doubtful and not (most and characters > most):
        return i, True
    first, last, characters = _bare(data, begin, i, characters, kinds)
    if most and (characters > most or (first == last and i - begin > most and _count(data, begin, i) > most)):
        return i, False
    for place in range(first, last):
        for which in range(len(ends) - 1):
            if stands_at(data, place, last, strings, ends[which], ends[which + 1]):
                return i, False
    return i, True


@piece
def _bare(data, first, last, characters, kinds):  # type: ignore[no-untyped-def]
    """(first, last, characters) of a word without SPECIAL characters at both ends."""
    while first < last:
        code, after = decode(data, U(first), U(last))
        if not kinds[code] & SPECIAL:
            break
        first, characters = np.int64(after), characters - 1
    while first < last:
        begin = last - 1
        while begin > first and last - begin < 4 and data[begin] & 0xC0 == 0x80:
            begin -= 1
        code, after = decode(data, U(begin), U(last))
        if after != U(last):
            begin, code = last - 1, U(0xFFFD)  # a byte that is no UTF-8, as it is read from the front
        if not kinds[code] & SPECIAL:
            break
        last, characters = begin, characters - 1
    return first, last, characters


@piece
def _count(data, begin, end):  # type: ignore[no-untyped-def]
    count, i = 0, U(begin)
    while i < U(end):
        _, i = decode(data, i, U(end))
        count += 1
    return count
