"""Features of a piece of text for the language identifier: hashed n-grams of characters, words, and the look of code.

In: UTF-8 bytes `data[at:end]`. Out: row numbers in a table of `rows` rows, one for each

    n-gram of 2 to 5 characters in lower case; a gap (all that is no letter) is one blank, at its ends only
    single character beyond ASCII
    word of four letters or more, and pair of neighbouring words
    2 to 4 looks of characters (runs of `a`, `A`, `0` and blanks count once) with an ASCII sign among them

and the letters of each script. Letters of scripts outside SCRIPTS are gaps that are counted. Time is linear in the
bytes; at most FEATURES_A_BYTE features come of each.
"""

import numpy as np

from pipeline.text.characters import decode
from pipeline.text.compiling import lean
from pipeline.text.hashing import U
from pipeline.text.lid_characters import (
    GAP,
    HAN,
    KIND_AT,
    LETTER,
    LOOK_AT,
    MARK,
    NOTHING,
    SCRIPT_AT,
    SCRIPT_OTHER,
    SIGN_AT,
    SIGNS,
    compose,
    weight,
)

FEATURES_A_BYTE = 10
LONGEST = 5  # characters of an n-gram
P = U(0x9E3779B97F4A7C15)
M = U(0xD6E8FEB86659FD93)
WORD, PAIR, LOOK = U(0x5851F42D4C957F2D), U(0x14057B7EF767814F), U(0x2545F4914F6CDD1D)
BLANK = U(32)
LOW = U(0xFFFFFFFF)


@lean
def row_of(h, rows):  # type: ignore[no-untyped-def]
    """The row for a 64-bit hash: its upper bits, mixed, scaled to the rows there are."""
    h = (h ^ (h >> U(29))) * M
    return (h >> U(32)) * rows >> U(32)


@lean
def read_units(data, at, end, table, keys, values, units, scripts, rows, out, found):  # type: ignore[no-untyped-def]
    """Writes the units of a piece into `units` (room for end - at + 2), blanks at both ends; how many.

    Counts letters into `scripts`, (14,) int64. The looks go into `out` from `found[0]` on, which is moved.
    """
    i, stop = U(at), U(end)
    units[0] = BLANK
    m = U(1)
    o = U(found[0])
    looks, last, signs = U(0), U(0), U(0)
    like, of, letters = U(0), U(0), 0  # entry of the letter before but for its unit; its script; more like it
    while i < stop:
        code, i = decode(data, i, stop)
        if code < U(0x10000):
            entry = U(table[code])
        elif code >= U(0x20000) and code < U(0x40000):
            entry = U(0xFFFF | HAN << SCRIPT_AT | LETTER << KIND_AT | 97 << LOOK_AT)
        elif code < U(0x1E000):
            entry = U(0xFFFF | SCRIPT_OTHER << SCRIPT_AT | LETTER << KIND_AT | 97 << LOOK_AT)
        else:
            entry = U(32 | 32 << LOOK_AT)
        if entry >> U(SCRIPT_AT) == like:  # one more letter of the same script and look: so are four in five
            letters += weight(code)
            units[m] = entry & U(0xFFFF)
            m += U(1)
            continue
        scripts[of] += letters
        like, letters = U(0), 0
        kind = entry >> U(KIND_AT) & U(3)
        if kind == U(NOTHING):
            continue
        look = entry >> U(LOOK_AT)
        sign = look > BLANK and look != U(48) and look != U(65) and look != U(97)
        if sign or look != last:
            looks = looks << U(8) | look
            signs = signs << U(1) | U(sign)
            last = look
            if signs & U(3):
                out[o] = row_of((looks & U(0xFFFF)) * LOOK + U(2), rows)
                o += U(1)
            if signs & U(7):
                out[o] = row_of((looks & U(0xFFFFFF)) * LOOK + U(3), rows)
                out[o + U(1)] = row_of((looks & LOW) * LOOK + U(4), rows)
                o += U(2)
        unit = entry & U(0xFFFF)
        if kind == U(GAP):
            scripts[SIGNS] += np.int64(entry >> U(SIGN_AT) & U(1))
            if U(units[m - U(1)]) != BLANK:
                units[m] = BLANK
                m += U(1)
            continue
        script = entry >> U(SCRIPT_AT) & U(15)
        if kind == U(MARK):
            whole = compose(U(units[m - U(1)]), unit, keys, values)
            if whole:
                units[m - U(1)] = whole
                continue
        if script:
            scripts[script] += weight(code)
            if script != U(SCRIPT_OTHER) and kind == U(LETTER):
                like, of = entry >> U(SCRIPT_AT), script
        if script == U(SCRIPT_OTHER):
            if U(units[m - U(1)]) != BLANK:
                units[m] = BLANK
                m += U(1)
            continue
        units[m] = unit
        m += U(1)
    scripts[of] += letters
    if U(units[m - U(1)]) != BLANK:
        units[m] = BLANK
        m += U(1)
    found[0] = np.int64(o)
    return np.int64(m)


@lean
def ngrams(units, count, rows, out, first):  # type: ignore[no-untyped-def]
    """Appends the rows of the units' n-grams and words to `out` from `first` on; where they end."""
    o, stop = U(first), U(count)
    begin, word, before = U(1), U(0), U(0)
    for place in range(U(1), stop):
        i = U(place)
        unit = U(units[i])
        h = unit + U(1)
        if unit >= U(128):
            out[o] = row_of(h * P, rows)
            o += U(1)
        for back in range(1, LONGEST):
            if U(back) > i:
                break
            previous = U(units[i - U(back)])
            h = h * P + previous
            out[o] = row_of(h, rows)
            o += U(1)
            if previous == BLANK:
                break
        if unit != BLANK:
            word = word * P + unit
            continue
        if i - begin > U(3):
            out[o] = row_of(word * WORD, rows)
            o += U(1)
        if before and word:
            out[o] = row_of(before * PAIR + word * WORD, rows)
            o += U(1)
        before, word, begin = word, U(0), i + U(1)
    return np.int64(o)
