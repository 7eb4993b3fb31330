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
    """Writes what stays of `data[begin:end]` at `o`; (the place after it, words that went)."""
    base, line, i = o, o, begin
    stayed, went, count = 0, 0, 0  # words of the line, and of the text
    skip = False  # the blanks that come go with the word before them
    while True:
        blank = i
        i = _blanks(data, i, end, kinds)
        if i == end or data[i] == 10:
            if went and not stayed:
                o = line
                if i == end and o > base:
                    o -= 1  # the feed before it
            else:
                if not skip:
                    o = copy(data, blank, i, out, o)
                if i < end:
                    out[o] = 10
                    o += 1
            if i == end:
                break
            i += 1
            line, stayed, went, skip = o, 0, 0, False
            continue
        word = i
        i, stays = _word(data, i, end, most, kinds, ends, strings, pairs)
        if stays:
            if not skip:
                o = copy(data, blank, word, out, o)
            o = copy(data, word, i, out, o)
            stayed, skip = stayed + 1, False
        else:
            if not stayed and not skip:
                o = copy(data, blank, word, out, o)
            skip = not stayed
            went, count = went + 1, count + 1
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
    begin, characters = i, 0
    first, before, last, within = (
        end,
        0,
        i,
        0,
    )  # what is left without SPECIAL: its bytes, characters before and up to its end
    while i < end:
        code, after = decode(data, U(i), U(end))
        kind = kinds[code]
        if kind & SPACE:
            break
        if kind & UNSPACED:
            if i == begin:
                return np.int64(after), True
            break
        i = np.int64(after)
        if not kind & SPECIAL:
            if first == end:
                first, before = i - 1, characters
                while data[first] & 0xC0 == 0x80 and first > begin:
                    first -= 1
            last, within = i, characters + 1
        characters += 1
    if most and characters > most and (first == end or within - before > most):
        return i, False
    for at in range(first, last):
        following = data[at + 1] if at + 1 < last else 0
        if pairs[np.int64(data[at]) << 8 | following]:
            for which in range(len(ends) - 1):
                if stands_at(data, at, last, strings, ends[which], ends[which + 1]):
                    return i, False
    return i, True
