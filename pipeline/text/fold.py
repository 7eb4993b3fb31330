"""Cleaning layout, one pass over the bytes: line ends, controls, runs of blanks, blank lines.

In: Arrow texts (n) and for each a set of rules. Out: new bytes for the texts that change, and for each whether it
changed and whether its Unicode form has to be looked at. Nothing is normalised here: `unicodedata` does that for few.

lines        CR LF and CR become a line feed; with ALL_LINES also VT, FF, NEL, U+2028 and U+2029
controls     C0 and C1 but tab and line feed, DEL and the byte order mark are taken out
blanks       a run of blanks (Zs of Unicode, U+FFFC as in ROOTS, tab) becomes one: a tab if one is in it, else a space;
             none at the end of a line; at most two empty lines in a row; none of all this at either end of the text

What comes out, put in again, comes out unchanged. Output is never longer than input. Never write into Arrow's memory.
"""

import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import CODE_POINTS, U, decode
from pipeline.text.compiling import kernel, lean
from pipeline.text.hashing import load
from pipeline.text.utf8 import HIGHEST, at_least, store, trailing_zeros

LINES, ALL_LINES, CONTROLS, BLANKS, FORM = 1, 2, 4, 8, 16  # the rules, as bits; FORM: look at the Unicode form
CHANGED, LOOK = 1, 2  # bits of the answer: other bytes; perhaps not in form NFC

# A character's entry: its canonical combining class in the low 8 bits, and these
NEVER, MAYBE, BLANK, CONTROL, BREAK = 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12
MOST_FEEDS = 3  # two empty lines


@cache
def table() -> np.ndarray:
    """(0x110000,) uint16, read-only. NEVER and MAYBE are the quick check of NFC (UAX 15, section 9)."""
    out = np.zeros(CODE_POINTS, np.uint16)
    for code in (*range(0x40000), *range(0xE0000, 0xE1000)):
        char = chr(code)
        entry = unicodedata.combining(char) | BLANK * (unicodedata.category(char) == "Zs")
        form = unicodedata.decomposition(char)
        if form and not form.startswith("<"):
            whole = unicodedata.normalize("NFC", char) == char
            entry |= 0 if whole else NEVER
            parts = [int(part, 16) for part in form.split()]
            if whole and len(parts) == 2:
                out[parts[1]] |= MAYBE
        out[code] |= entry
    out[0x1161:0x1176] |= MAYBE  # vowels and final consonants of Hangul compose by rule, not by table
    out[0x11A8:0x11C3] |= MAYBE
    out[[*range(0x20), *range(0x7F, 0xA0), 0xFEFF]] |= CONTROL
    out[[0x0B, 0x0C, 0x85, 0x2028, 0x2029]] |= BREAK
    out[[0x09, 0xFFFC]] |= BLANK
    out[[0x09, 0x0A]] &= 0xFFFF ^ CONTROL
    out.flags.writeable = False
    return out


def fold(texts: pa.Array | pa.ChunkedArray, rules: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """(n,) large_string, null where unchanged, and (n,) uint8 bits CHANGED and LOOK. `rules` is (n,) uint8."""
    offsets, data = buffers(texts)
    ends, out, answers = _fold(data, offsets, rules, table())
    changed = answers & CHANGED != 0
    bits = pa.py_buffer(np.packbits(changed, bitorder="little"))
    array = pa.LargeStringArray.from_buffers(len(rules), pa.py_buffer(ends), pa.py_buffer(out), bits)
    return array, answers


@kernel
def _fold(data, offsets, rules, entries):  # type: ignore[no-untyped-def]
    """(n + 1,) int64 offsets into the new bytes, the new bytes, (n,) uint8 answers."""
    n = len(offsets) - 1
    ends, answers = np.zeros(n + 1, np.int64), np.zeros(n, np.uint8)
    out = np.empty(offsets[n] - offsets[0], np.uint8)  # what is never written takes no memory
    o = 0
    for d in range(n):
        size = offsets[d + 1] - offsets[d]
        stop, look = _fold_one(data, offsets[d], offsets[d + 1], rules[d], entries, out, o)
        if stop - o != size or not _equal(data, offsets[d], out, o, size):
            answers[d] = CHANGED
            o = stop
        if look and rules[d] & FORM:
            answers[d] |= LOOK
        ends[d + 1] = o
    return ends, out[:o], answers


@lean
def _fold_one(data, begin, end, rules, entries, out, base):  # type: ignore[no-untyped-def]
    """Writes the folded text at `out[base:]`; (its end, whether its form may not be NFC)."""
    i, stop, o = U(begin), U(end), U(base)
    look, before = False, np.int64(0)  # the combining class of the character before
    blank, feeds = U(0), 0  # what is held back until a visible character comes
    blanks, started = rules & BLANKS != 0, False
    while i < stop:
        if not blanks or (started and feeds == 0 and blank == 0):  # nothing is held back: most text is as it should be
            here = i
            i, o = _ascii(data, i, stop, blanks, out, o)
            if i > here:
                before = np.int64(0)
            i, o, look, before = _letters(data, i, stop, entries, out, o, look, before)
            if i == stop:
                break
        code, after = decode(data, i, stop)
        entry = entries[code]
        if rules & LINES and (code == U(13) or (rules & ALL_LINES and entry & BREAK)):
            if code == U(13) and after < stop and data[after] == 10:
                after += U(1)
            code, entry = U(10), entries[10]
        elif rules & CONTROLS and entry & CONTROL:
            i = after
            continue
        if blanks and code == U(10):
            feeds += 1
            blank = U(0)
        elif blanks and entry & BLANK:
            blank = U(9) if code == U(9) or blank == U(9) else U(32)
        else:
            if blanks:
                if started:
                    for _ in range(min(feeds, MOST_FEEDS)):
                        out[o] = 10
                        o += U(1)
                if started and blank:
                    out[o] = blank
                    o += U(1)
                started, feeds, blank = True, 0, U(0)
            if code == U(10):
                out[o] = 10  # one byte, whatever stood there
                o += U(1)
            else:
                while i < after:
                    out[o] = data[i]
                    o += U(1)
                    i += U(1)
        combining = np.int64(entry & 0xFF)
        look |= (entry & (NEVER | MAYBE) != 0) | (0 < combining < before)
        before = combining
        i = after
    return np.int64(o), look


@lean
def _ascii(data, i, stop, blanks, out, o):  # type: ignore[no-untyped-def]
    """Copies ASCII that no rule changes, 8 bytes at a time; the places behind it."""
    while i + U(8) <= stop:
        word = load(data, i)
        kept = _kept(word, blanks)
        store(out, o, word)  # what is more than kept is written over: the output is no longer than the input
        i += kept
        o += kept
        if kept < U(6):  # a blank at the end, or an empty line, is looked at with what follows it
            break
    return i, o


@lean
def _kept(word, blanks):  # type: ignore[no-untyped-def]
    """How many of 8 bytes stay, from the first on, if what stands before them is visible or blanks are not folded."""
    low = word & ~HIGHEST
    seen = at_least(low, 0x21) & ~at_least(low, 0x7F) & ~word
    feeds = at_least(low, 0x0A) & ~at_least(low, 0x0B) & ~word
    gaps = at_least(low, 0x20) & ~at_least(low, 0x21) & ~word | feeds
    if blanks:
        gaps &= seen >> U(8)  # one space or line feed, before something visible
        gaps |= feeds & ((gaps & feeds) >> U(8))  # or an empty line
    return trailing_zeros(~(seen | gaps) & HIGHEST) >> U(3)


@lean
def _letters(data, i, stop, entries, out, o, look, before):  # type: ignore[no-untyped-def]
    """Copies characters beyond ASCII that no rule changes, one space or line feed before each of them allowed; the
    places behind them, whether the form is to be looked at, the last combining class."""
    while i < stop:
        at = i + U((data[i] == 32 or data[i] == 10) and i + U(1) < stop)
        if data[at] < 0x80:
            break
        code, after = decode(data, at, stop)
        entry = entries[code]
        if entry & (BLANK | CONTROL | BREAK):
            break
        if at > i:
            before = np.int64(0)
        combining = np.int64(entry & 0xFF)
        look |= (entry & (NEVER | MAYBE) != 0) | (0 < combining < before)
        before = combining
        while i < after:
            out[o] = data[i]
            o += U(1)
            i += U(1)
    return i, o, look, before


@lean
def _equal(data, begin, out, base, size):  # type: ignore[no-untyped-def]
    i, o, stop = U(begin), U(base), U(begin + size)
    while i + U(8) <= stop:
        if load(data, i) != load(out, o):
            return False
        i += U(8)
        o += U(8)
    while i < stop:
        if data[i] != out[o]:
            return False
        i += U(1)
        o += U(1)
    return True
