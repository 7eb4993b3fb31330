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
    """Writes what stays of `data[begin:end]` at `o`, if a word goes; (the place after it, words that went).

    One loop, with calls for doubtful words alone: a call counts references to each array, and costs a word's time."""
    base, count = o, 0
    done = begin  # all before it is written, or gone
    line, at_line = begin, o  # where the line begins, and in `out` if a word of it went
    stayed, went = 0, 0  # words of the line
    at, stop = U(begin), U(end)
    while True:
        blank = np.int64(at)
        while at < stop and data[at] != 10:
            code, after = decode(data, at, stop)
            if not kinds[code] & SPACE:
                break
            at = after
        if at == stop or data[at] == 10:
            if went and not stayed:
                o, done = at_line, np.int64(min(at + U(1), stop))
                if at == stop and o > base:
                    o -= 1  # the feed before it
            if at == stop:
                break
            at += U(1)
            line, stayed, went = np.int64(at), 0, 0
            continue
        word, characters = np.int64(at), 0
        doubtful, before = U(0), U(0)  # the byte before, in the higher half of a pair
        while at < stop:
            code, after = decode(data, at, stop)
            kind = kinds[code]
            if kind & (SPACE | UNSPACED):
                if kind & UNSPACED and not characters:
                    at = after  # a word by itself
                break
            while at < after:
                doubtful |= U(pairs[before | U(data[at])])
                before = U(data[at]) << U(8)
                at += U(1)
            characters += 1
        doubtful |= U(pairs[before])
        last = np.int64(at)
        if not (doubtful or (most and characters > most)) or not characters:
            stayed += 1
            continue
        if not _goes(data, word, last, characters, most, kinds, ends, strings):
            stayed += 1
            continue
        if not went:
            if done < line:
                o, done = copy(data, done, line, out, o), line
            at_line = o
        if stayed:
            o, done = copy(data, done, blank, out, o), last
        else:
            if done < word:
                o = copy(data, done, word, out, o)
            done = _blanks(data, last, end, kinds)
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
def _goes(data, begin, end, characters, most, kinds, ends, strings):  # type: ignore[no-untyped-def]
    """Whether the word `data[begin:end]` of so many characters goes."""
    first, last, bare = _bare(data, begin, end, characters, kinds)
    if most and characters > most and (bare == 0 or bare > most):
        return True
    for place in range(first, last):
        for which in range(len(ends) - 1):
            if stands_at(data, place, last, strings, ends[which], ends[which + 1]):
                return True
    return False


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
