"""What each character is to the kernels: tables over all of Unicode, and how a kernel steps through UTF-8.

Out: `flags()`, (0x110000,) uint8, bits SPACE, DIGIT, SPECIAL, ALNUM, UNSPACED, FEED of each code point; `lowered()`,
(0x110000,) uint32, its simple lower case (a character whose lower case is longer than one stays as it is).

The categories are those of this Python's `unicodedata`, so a stage that reads them sets `unicode_tables`.
Never write to the tables: all kernels read the same ones.
"""

import sys
import unicodedata
from functools import cache

import numpy as np

from pipeline.text.compiling import lean
from pipeline.text.letters import CHAR, tables

U = np.uint64

SPACE = 1  # white space as Unicode has it, the line ends included
DIGIT = 2  # decimal digits of any script
SPECIAL = 4  # punctuation, symbols, digits and other numbers, white space, controls, format and private-use characters
ALNUM = 8  # letters, marks and numbers: a vowel sign of Devanagari is no symbol
UNSPACED = 16  # scripts written without spaces, where each character counts as a word: `letters.CHAR`, and Han above
FEED = 32  # the line feed alone

CODE_POINTS = sys.maxunicode + 1
JOINERS = (0x200C, 0x200D)  # they shape letters of Indic and Arabic scripts, inside words
# Planes 4 to 13 hold nothing, 15 and 16 private use alone: asking for each of their characters would cost 0.3 s
_ASKED = (*range(0x40000), *range(0xE0000, 0xE1000))


@cache
def flags() -> np.ndarray:
    """(0x110000,) uint8, read-only: the bits above for each code point."""
    out = np.zeros(CODE_POINTS, np.uint8)
    out[0xF0000:0xFFFFE] = out[0x100000:0x10FFFE] = SPECIAL  # private use
    for code in _ASKED:
        out[code] = _bits(code, unicodedata.category(chr(code)))
    out[:0x10000][tables("auto")[0] == CHAR] |= UNSPACED
    out[0x20000:0x40000] |= UNSPACED  # Han
    out[ord("\n")] |= FEED
    out.flags.writeable = False
    return out


def _bits(code: int, category: str) -> int:
    space = category[0] == "Z" or 0x9 <= code <= 0xD or code == 0x85
    special = category[0] in "PSZ" or category in ("Nd", "No", "Cc", "Cf", "Co")
    bits = SPACE * space | DIGIT * (category == "Nd") | ALNUM * (category[0] in "LMN")
    return bits | SPECIAL * (special and code not in JOINERS)


@cache
def lowered() -> np.ndarray:
    """(0x110000,) uint32, read-only: the simple lower case of each code point."""
    out = np.arange(CODE_POINTS, dtype=np.uint32)
    for code in _ASKED:
        lower = chr(code).lower()
        if len(lower) == 1:
            out[code] = ord(lower)
    out.flags.writeable = False
    return out


@lean
def decode(data, i, end):  # type: ignore[no-untyped-def]
    """The code point at byte `i` and the place after it; U+FFFD and `i + 1` where the bytes are no UTF-8.

    All are uint64: Numba makes a float of uint64 with int64, and signed indices are slower. Never reads at `end` or
    behind it. Surrogates and overlong forms are not looked for: Arrow text has none.
    """
    first = U(data[i])
    if first < U(0x80):
        return first, i + U(1)
    if U(0xE0) <= first < U(0xF0) and i + U(2) < end:
        low = (U(data[i + U(1)]) & U(63)) << U(6) | U(data[i + U(2)]) & U(63)
        return (first & U(15)) << U(12) | low, i + U(3)
    if U(0xC0) <= first < U(0xE0) and i + U(1) < end:
        return (first & U(31)) << U(6) | U(data[i + U(1)]) & U(63), i + U(2)
    if first >= U(0xF0) and i + U(3) < end:
        low = (U(data[i + U(2)]) & U(63)) << U(6) | U(data[i + U(3)]) & U(63)
        code = (first & U(7)) << U(18) | (U(data[i + U(1)]) & U(63)) << U(12) | low
        return min(code, U(0x10FFFF)), i + U(4)
    return U(0xFFFD), i + U(1)
