"""Small sets of words that kernels look up, and the word that stands in front of a place.

In: words of any script. Out: `slots(words)`, a table of 64-bit hashes with open addressing, which kernels hold as a
constant. A word is hashed from its last letter to its first, lower-cased, so that a kernel can read it backwards from
what it is in front of. Sets are told by hashes alone: use them where a chance of 2^-60 is none.
"""

from collections.abc import Iterable

import numpy as np

from pipeline.text.characters import ALNUM, DIGIT, UNSPACED, U, decode
from pipeline.text.compiling import piece
from pipeline.text.hashing import BASE, mix

LONGEST_WORD = 32  # letters of a word in a set
MOST_BETWEEN = 4  # characters between the word and what it is in front of


def slots(words: Iterable[str]) -> np.ndarray:
    """(2^k,) uint64, zero where there is none; at least half of it is. Words are lower-cased letter by letter."""
    hashes = {_hashed(word) for word in words}
    table = np.zeros(1 << (2 * len(hashes)).bit_length(), np.uint64)
    for h in sorted(hashes):
        at = h & (len(table) - 1)
        while table[at]:
            at = (at + 1) & (len(table) - 1)
        table[at] = h
    return table


def _hashed(word: str) -> int:
    assert 0 < len(word) <= LONGEST_WORD, word
    h = 0
    for c in reversed(word):
        h = (h * int(BASE) + ord(c.lower() if len(c.lower()) == 1 else c)) & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        return int(mix.py_func(U(h)))


@piece
def among(table, h):  # type: ignore[no-untyped-def]
    """Whether a word is in the set; `h` is its polynomial, not yet mixed."""
    h = mix(h)
    mask = len(table) - 1
    at = np.int64(h & U(mask))
    while table[at] != U(0):
        if table[at] == h:
            return True
        at = (at + 1) & mask
    return False


@piece
def before(data, i, floor):  # type: ignore[no-untyped-def]
    """(character, its first byte) that ends at `i` > `floor`; U+FFFD and `i - 1` where the bytes are no UTF-8."""
    first = i - 1
    while first > floor and i - first < 4 and data[first] & 0xC0 == 0x80:
        first -= 1
    code, after = decode(data, U(first), U(i))
    if after != U(i):
        return U(0xFFFD), i - 1
    return code, first


@piece
def spelled(data, first, last, lower, table):  # type: ignore[no-untyped-def]
    """Whether these bytes, lower-cased, are a word of the set."""
    h, i, letters = U(0), last, 0
    while i > first:
        code, i = before(data, i, first)
        h = h * BASE + U(lower[code])
        letters += 1
        if letters > LONGEST_WORD:
            return False
    return among(table, h)


@piece
def follows(data, i, floor, kinds, lower, table):  # type: ignore[no-untyped-def]
    """Whether a word of the set stands in front of `i`, with at most MOST_BETWEEN characters between.

    What is between is no letter, digit, line feed or angle bracket. In a script without spaces the word may be the end
    of a longer run; in others it is the whole run of letters.
    """
    code, at = U(0), i
    for _ in range(MOST_BETWEEN + 1):
        if at <= floor:
            return False
        code, at = before(data, at, floor)
        if kinds[code] & ALNUM:
            break
        if code == U(10) or code == U(60) or code == U(62):
            return False
    h = U(0)
    for letters in range(LONGEST_WORD + 1):
        kind = kinds[code]
        if letters == LONGEST_WORD or kind & ALNUM == 0 or kind & DIGIT:
            break
        if kind & UNSPACED and among(table, h):
            return True
        h = h * BASE + U(lower[code])
        if kind & UNSPACED and among(table, h):
            return True
        if at <= floor:
            return among(table, h)
        code, at = before(data, at, floor)
    return kinds[code] & ALNUM == 0 and h != U(0) and among(table, h)
