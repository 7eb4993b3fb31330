"""What each character is to the language identifier: its folded form, its script, and its look in code.

Out: `table()`, (65536,) uint32, one entry a character of the Basic Multilingual Plane, in which

    bits 0-15   the character in lower case, which n-grams are made of
    bits 16-19  its script, one of SCRIPTS; 0 for marks that any script may take
    bit 22      one of CODE_SIGNS
    bits 20-21  KIND: GAP (between words), LETTER (marks included), NOTHING (passed over), MARK (joins the letter before
                it where Unicode has one character for both, so that composed and decomposed text look the same)
    bits 24-31  its look: `a`, `A`, `0`, blank, line feed, or an ASCII sign as it is; what code is told by

`pairs()` is the table of those compositions; `bare()` and `toneless()` take marks off, for training.

The categories are those of this Python's `unicodedata`, so whatever reads them sets `unicode_tables`.
Never write to the tables: all kernels read the same ones.
"""

import unicodedata
from functools import cache

import numpy as np

from pipeline.text.compiling import lean
from pipeline.text.hashing import U

GAP, LETTER, NOTHING, MARK = range(4)
SCRIPTS = (
    "none", "Latn", "Arab", "Deva", "Beng", "Guru", "Gujr", "Orya", "Taml", "Telu", "Knda", "Mlym", "Han", "other",
)  # fmt: skip
LATIN, HAN, SCRIPT_OTHER = SCRIPTS.index("Latn"), SCRIPTS.index("Han"), SCRIPTS.index("other")
SIGNS = 0  # where a count of letters by script has the count of signs that text has seldom and code often
CODE_SIGNS = "{}=<>[]$_\\*&|;#@^~"
CODE_BIT = 1 << 15  # of a class's scripts: it is a programming language
BYTES_A_SIGN = 64  # a text with fewer signs is not code
SCRIPT_AT, KIND_AT, SIGN_AT, LOOK_AT = 16, 20, 22, 24
# Where characters are syllables or words, each counts for three letters; a kana for twelve, because Japanese is written
# in Han too, and Chinese is not written in kana
SYLLABLE, KANA_WEIGHT = 3, 12
SPACE = 32  # the unit that stands for any gap
APOSTROPHE = 0x27

_RANGES = {
    "Latn": [(0x41, 0x24F), (0x250, 0x2FF), (0x1D00, 0x1DBF), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF),
             (0xAB30, 0xAB6F), (0xFB00, 0xFB06), (0xFF21, 0xFF5A)],
    "Arab": [(0x600, 0x6FF), (0x750, 0x77F), (0x870, 0x8FF), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)],
    "Deva": [(0x900, 0x97F), (0xA8E0, 0xA8FF)],
    "Beng": [(0x980, 0x9FF)],
    "Guru": [(0xA00, 0xA7F)],
    "Gujr": [(0xA80, 0xAFF)],
    "Orya": [(0xB00, 0xB7F)],
    "Taml": [(0xB80, 0xBFF)],
    "Telu": [(0xC00, 0xC7F)],
    "Knda": [(0xC80, 0xCFF)],
    "Mlym": [(0xD00, 0xD7F)],
    "Han": [(0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x3029), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)],
}  # fmt: skip
# Arabic written with its vowels is the language that it is without: they go, and the stroke that stretches a word
_ARABIC_VOWELS = [*range(0x64B, 0x653), 0x670, 0x640]
_APOSTROPHES = [0x27, 0x2019, 0x2BC, 0xFF07, 0x60, 0xB4, 0x2B9, 0x2BB, 0xA78C]
_TONES = "\u0300\u0301\u0302\u0304\u030c"  # grave, acute, circumflex, macron, caron


@cache
def table() -> np.ndarray:
    """(65536,) uint32, read-only: the entries above."""
    out = np.zeros(0x10000, np.uint32)
    scripts = _scripts()
    for code in range(0x10000):
        out[code] = _entry(code, int(scripts[code]))
    seconds = np.unique(pairs()[0][pairs()[0] != 0] & np.uint32(0xFFFF))
    out[seconds] = out[seconds] & ~np.uint32(3 << KIND_AT) | np.uint32(MARK << KIND_AT)
    out.flags.writeable = False
    return out


def _scripts() -> np.ndarray:
    out = np.full(0x10000, SCRIPT_OTHER, np.uint8)
    for name, ranges in _RANGES.items():
        for first, last in ranges:
            out[first : last + 1] = SCRIPTS.index(name)
    return out


def _entry(code: int, script: int) -> int:
    char = chr(code)
    category = unicodedata.category(char)
    look = _look(char, category)
    if code in _APOSTROPHES:
        return APOSTROPHE | LETTER << KIND_AT | look << LOOK_AT
    if (category[0] not in "LM" and category not in ("Cf", "Cc")) or char in "\t\n\v\f\r\x85":
        return SPACE | look << LOOK_AT | (char in CODE_SIGNS) << SIGN_AT
    if category[0] == "C" or code in _ARABIC_VOWELS:
        return NOTHING << KIND_AT
    lower = char.lower()
    folded = ord(lower) if len(lower) == 1 and ord(lower) < 0x10000 else code
    shared = category[0] == "M" and script in (SCRIPT_OTHER, LATIN)
    return folded | (0 if shared else script) << SCRIPT_AT | LETTER << KIND_AT | look << LOOK_AT


def _look(char: str, category: str) -> int:
    if category in ("Lu", "Lt"):
        return ord("A")
    if category[0] in "LM":
        return ord("a")
    if category[0] == "N":
        return ord("0")
    if char == "\n":
        return 10
    return ord(char) if "!" <= char <= "~" else 32


@cache
def pairs() -> tuple[np.ndarray, np.ndarray]:
    """Open addressing, (4096,) uint32 each: keys, `letter << 16 | mark` in lower case, 0 is empty; and characters."""
    keys, values = np.zeros(4096, np.uint32), np.zeros(4096, np.uint32)
    found = {}
    for code in range(0x10000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and parts[0][0] != "<" and unicodedata.normalize("NFC", chr(code)) == chr(code):
            first, second, whole = (ord(chr(c).lower()[0]) for c in (int(parts[0], 16), int(parts[1], 16), code))
            found[first << 16 | second] = whole
    for key in sorted(found):
        at = slot(key)
        while keys[at]:
            at = (at + 1) & 4095
        keys[at], values[at] = key, found[key]
    keys.flags.writeable = values.flags.writeable = False
    return keys, values


def slot(key: int) -> int:
    """Where the search for a pair begins."""
    return (key * 0x9E3779B1 & 0xFFFFFFFF) >> 20


@lean
def weight(code):  # type: ignore[no-untyped-def]
    """How many letters a character (uint64) counts for."""
    if code < U(0x2E80):
        return 1
    if (U(0x3041) <= code <= U(0x3096)) or (U(0x30A1) <= code <= U(0x30FA)):
        return KANA_WEIGHT
    wide = code <= U(0xA4CF) or (U(0xAC00) <= code <= U(0xD7AF)) or (U(0xF900) <= code <= U(0xFAFF))
    return SYLLABLE if wide or U(0x20000) <= code < U(0x40000) else 1


@lean
def dominant(scripts):  # type: ignore[no-untyped-def]
    """The script that most letters are of; 0 where there is no letter."""
    best = 0
    for s in range(1, len(SCRIPTS)):
        if scripts[s] > scripts[best] or (best == 0 and scripts[s] > 0):
            best = s
    return best


@lean
def compose(letter, mark, keys, values):  # type: ignore[no-untyped-def]
    """The character for a letter and a mark (uint64 units); 0 if there is none."""
    key = letter << U(16) | mark
    at = (key * U(0x9E3779B1) & U(0xFFFFFFFF)) >> U(20)
    while keys[at]:
        if keys[at] == key:
            return U(values[at])
        at = (at + U(1)) & U(4095)
    return U(0)


@cache
def bare() -> np.ndarray:
    """(65536,) uint16: each character without its marks; a mark alone is 0."""
    return _without(None)


@cache
def toneless() -> np.ndarray:
    """(65536,) uint16: each character without its tone marks (grave, acute, circumflex, macron, caron)."""
    return _without(_TONES)


def _without(marks: str | None) -> np.ndarray:
    out = np.arange(0x10000, dtype=np.uint16)
    for code in (*range(0xC0, 0x370), *range(0x1E00, 0x1F00)):
        parts = unicodedata.normalize("NFD", chr(code))
        kept = "".join(c for c in parts if not (unicodedata.combining(c) if marks is None else c in marks))
        whole = unicodedata.normalize("NFC", kept)
        out[code] = ord(whole) if len(whole) == 1 else (0 if not whole else ord(kept[0]))
    out.flags.writeable = False
    return out
