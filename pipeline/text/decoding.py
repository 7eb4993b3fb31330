"""A whole text as code points in an array, narrow or wide, and what sort of character each is.

In: UTF-8 bytes. Out: `text`, (m + PAD,) uint16 where no character of it lies above the Basic Multilingual Plane, else
uint32, with PAD zeros behind; `kinds`, (m + PAD,) uint8, the flags of each (`characters`), zeros behind.

Everything that reads a text loads four characters (narrow) or two (wide) at a time, so hashes of a narrow text and a
wide one are not to be compared: tables of words come in both widths. Pieces of the kernel in `measures`.
"""

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from pipeline.text.characters import ALNUM, DIGIT, FEED, SPECIAL, U, decode
from pipeline.text.compiling import piece
from pipeline.text.hashing import load
from pipeline.text.utf8 import HIGHEST, LOWEST, trailing_zeros

PAD = 8  # characters behind a text that may be read but are none
ASTRAL = 0xF0  # the least first byte of a character above the Basic Multilingual Plane


def _ones(typing, x):  # type: ignore[no-untyped-def]
    """How many bits of a uint64 are set."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), emit


ones: Any = intrinsic(_ones)


def four(text, i):  # type: ignore[no-untyped-def]
    """A uint64 of the characters from `i` (uint64) on: four of a narrow text, two of a wide one."""
    raise NotImplementedError("for kernels only")


@overload(four, inline="always")
def _four(text, i):  # type: ignore[no-untyped-def]
    if text.dtype == types.uint16:
        return lambda text, i: (
            U(text[i]) | U(text[i + U(1)]) << U(16) | U(text[i + U(2)]) << U(32) | U(text[i + U(3)]) << U(48)
        )
    return lambda text, i: U(text[i]) | U(text[i + U(1)]) << U(32)


def per_load(text):  # type: ignore[no-untyped-def]
    """How many characters `four` takes."""
    raise NotImplementedError("for kernels only")


@overload(per_load, inline="always")
def _per_load(text):  # type: ignore[no-untyped-def]
    if text.dtype == types.uint16:
        return lambda text: 4
    return lambda text: 2


@piece
def is_wide(data, begin, end):  # type: ignore[no-untyped-def]
    """Whether a text has characters above the Basic Multilingual Plane."""
    most = 0
    for byte in data[begin:end]:
        most = max(most, byte)
    return most >= ASTRAL


@piece
def read(data, begin, end, text):  # type: ignore[no-untyped-def]
    """Decodes `data[begin:end]` into `text`, which is long enough; how many characters."""
    i, stop, o = U(begin), U(end), U(0)
    while i < stop:
        while i + U(8) <= stop:
            if load(data, i) & HIGHEST:
                break
            for ahead in range(8):
                text[o + U(ahead)] = data[i + U(ahead)]
            i += U(8)
            o += U(8)
        pause = o + U(8)
        while i < stop and o < pause:
            code, i = decode(data, i, stop)
            text[o] = code
            o += U(1)
    for ahead in range(PAD):
        text[o + U(ahead)] = 0
    return np.int64(o)


@piece
def look_up(text, count, table, kinds):  # type: ignore[no-untyped-def]
    """The kind of each character."""
    for i in range(count):
        kinds[i] = table[text[i]]
    for i in range(count, count + PAD):
        kinds[i] = 0


@piece
def lower_case(text, count, lower):  # type: ignore[no-untyped-def]
    """In place: no lower case is wide where its upper case is narrow."""
    for i in range(count):
        text[i] = lower[text[i]]


@piece
def count_kinds(kinds, count):  # type: ignore[no-untyped-def]
    """(SPECIAL, DIGIT, ALNUM, FEED) characters, of the kinds as eights in a uint64."""
    specials, digits, alnums, feeds = U(0), U(0), U(0), U(0)
    for eight in kinds[: (count + 7) // 8]:
        specials += ones(eight & (LOWEST * U(SPECIAL)))
        digits += ones(eight & (LOWEST * U(DIGIT)))
        alnums += ones(eight & (LOWEST * U(ALNUM)))
        feeds += ones(eight & (LOWEST * U(FEED)))
    return np.int64(specials), np.int64(digits), np.int64(alnums), np.int64(feeds)


@piece
def count_of(text, count, code):  # type: ignore[no-untyped-def]
    """How often a character occurs."""
    found = 0
    for i in range(count):
        found += text[i] == code
    return found


@piece
def longest_line(kinds, count):  # type: ignore[no-untyped-def]
    """Characters of the longest line, its line feed aside, of the kinds as eights in a uint64."""
    longest, begin = 0, 0
    for at in range((count + 7) // 8):
        feeds = kinds[at] & (LOWEST * U(FEED))
        while feeds:
            place = 8 * at + int(trailing_zeros(feeds) >> U(3))
            longest = max(longest, place - begin)
            begin = place + 1
            feeds &= feeds - U(1)
    return max(longest, count - begin)


@piece
def ends_line(kinds, count):  # type: ignore[no-untyped-def]
    """Whether the last of the characters is a line feed."""
    return kinds[count - 1] & FEED != 0
