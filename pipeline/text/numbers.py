"""Runs of digits as people write them, from which phones, cards and account numbers are told; a piece of `spans`.

In: UTF-8 bytes and the place of a digit, + or ( that may begin a run. Out: what a run holds, in arrays of the caller:

digits   (MOST_DIGITS,) their values; decimal digits of any script count (٠١٢, 012, ０１２)
gaps     (MOST_DIGITS,) the sort of what stands in front of each digit: NONE, BLANK, HYPHEN, DOT, SLASH or CLOSED
ends     (MOST_DIGITS,) where each digit ends
shape    (SHAPE,) how many digits, where the run begins and ends, whether + is in front, which digit a bracket opens

A gap is one sign, with blanks at either side of a hyphen or bracket, three characters at most; CLOSED is a bracket's
end. Marks of writing direction are passed over. Of longer runs the first MOST_DIGITS are read. Time is linear.
"""

import unicodedata
from functools import cache

import numpy as np

from pipeline.text.ascii import alnum, digit
from pipeline.text.characters import ALNUM, CODE_POINTS, UNSPACED, U, decode
from pipeline.text.compiling import piece
from pipeline.text.nearby import before

MOST_DIGITS = 32
MOST_BEFORE_BRACKET = 4  # digits: a country code, with 00 or not
NONE, BLANK, HYPHEN, DOT, SLASH, CLOSED = range(6)
COUNT, BEGIN, END, PLUS, OPENED, SHAPE = range(6)


@cache
def values() -> np.ndarray:
    """(0x110000,) int8, read-only: the value of each decimal digit, -1 for other characters."""
    out = np.full(CODE_POINTS, -1, np.int8)
    for code in range(0x20000):
        out[code] = unicodedata.decimal(chr(code), -1)
    out.flags.writeable = False
    return out


@piece
def gap_of(code):  # type: ignore[no-untyped-def]
    """The sort of gap that a character is, NONE for no gap."""
    if code == U(32) or code == U(0xA0) or code == U(0x202F) or code == U(0x2009) or code == U(0x3000):
        return BLANK
    if code == U(45) or (U(0x2010) <= code <= U(0x2013)) or code == U(0x2212) or code == U(0xFF0D):
        return HYPHEN
    if code == U(46) or code == U(0xB7):
        return DOT
    return SLASH if code == U(47) else NONE


@piece
def is_mark(code):  # type: ignore[no-untyped-def]
    """Whether it only tells the direction of writing: LRM, RLM, ALM, embeddings and isolates."""
    return (
        U(0x200E) <= code <= U(0x200F)
        or U(0x202A) <= code <= U(0x202E)
        or U(0x2066) <= code <= U(0x2069)
        or code == U(0x61C)
    )


@piece
def stands_free(data, first, last, floor, end, kinds):  # type: ignore[no-untyped-def]
    """Whether no letter, digit or joining sign touches `data[first:last]`; a script without spaces may."""
    if first > floor:
        byte = data[first - 1]
        if byte < 0x80:
            if alnum(byte) or (byte in (95, 45, 46, 43, 36, 35, 37, 64, 92, 61) and not _ties(data, first, floor)):
                return False
            if byte == 47 and not (first - 1 > floor and data[first - 2] == 32):
                return False
            if byte in (44, 58, 39) and first - 1 > floor and digit(data[first - 2]):  # 0,389 and 08:06 and 1'000
                return False
        else:
            code, _ = before(data, first, floor)
            if kinds[code] & (ALNUM | UNSPACED) == ALNUM or code == U(0xA3) or U(0x20A0) <= code <= U(0x20CF):
                return False
    return not _goes_on(data, last, end, kinds)


@piece
def _ties(data, first, floor):  # type: ignore[no-untyped-def]
    """Whether it is = with a name in front (tel=030...), which parts as a colon does."""
    return data[first - 1] == 61 and first - 1 > floor and alnum(data[first - 2])


@piece
def _goes_on(data, last, end, kinds):  # type: ignore[no-untyped-def]
    """Whether what stands behind belongs to the number: a letter, %, a currency, a decimal part."""
    if last >= end:
        return False
    byte = data[last]
    if byte >= 0x80:
        code, _ = decode(data, U(last), U(end))
        return kinds[code] & (ALNUM | UNSPACED) == ALNUM or U(0x20A0) <= code <= U(0x20CF)
    if alnum(byte) or byte in (95, 37, 36, 64, 61, 92):
        return True
    more = last + 1 < end and alnum(data[last + 1])
    return more and byte in (45, 46, 47, 43, 58, 44)


@piece
def read_run(data, i, end, values, digits, gaps, ends, shape):  # type: ignore[no-untyped-def]
    """Fills the arrays with the run that begins at `i`. Where there is none, or a bracket stays open, COUNT is 0."""
    shape[:] = 0
    shape[BEGIN] = shape[END] = i
    shape[OPENED] = -1
    count, gap, signs, opened, inside = 0, NONE, 0, False, i
    while i < end and count < MOST_DIGITS:
        code, after = decode(data, U(i), U(end))
        i = np.int64(after)
        if values[code] >= 0:
            digits[count], gaps[count], ends[count] = values[code], gap, i
            shape[END] = i
            count += 1
            gap, signs = NONE, 0
            continue
        if is_mark(code):
            continue
        sort = gap_of(code)
        if code == U(43) or code == U(0xFF0B):
            if count or shape[PLUS]:
                break
            shape[PLUS] = 1
        elif code == U(40) or code == U(0xFF08):
            if shape[OPENED] >= 0 or signs > 1 or count > MOST_BEFORE_BRACKET:
                break
            opened, shape[OPENED], inside = True, count, i
            gap, signs = max(gap, BLANK), signs + 1
        elif code == U(41) or code == U(0xFF09):
            if not opened or count == shape[OPENED] or gap != NONE:
                break
            opened, gap, signs = False, CLOSED, 1
        elif sort == NONE or signs > 2 or count == 0:
            break
        elif gap in (NONE, BLANK):
            gap, signs = sort, signs + 1
        elif sort == BLANK or (gap == CLOSED and sort == HYPHEN):
            signs += 1
        else:
            break
    if shape[OPENED] >= 0 and (shape[OPENED] == count or gap == CLOSED):  # it holds nothing, or all: no part of the run
        shape[BEGIN] = inside if shape[OPENED] == 0 else shape[BEGIN]
        whole = shape[OPENED] in (0, count)
        shape[OPENED] = -1
        shape[COUNT] = count if whole else 0
        return
    shape[COUNT] = 0 if opened else count
