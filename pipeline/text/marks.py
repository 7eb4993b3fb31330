"""What each character is to the filters of Gopher, C4, FineWeb and SlimPajama: one table over all of Unicode.

Out: `marks()`, (0x110000,) uint16: SHARED bits of `characters.flags`, and those below. Which characters a filter means
is taken from its authors' code, the rest from this Python's `unicodedata`, so a stage that reads it sets
`unicode_tables`.

Never write to the table: all kernels read the same one.
"""

import string
import unicodedata
from functools import cache

import numpy as np

from pipeline.text.characters import ALNUM, CODE_POINTS, DIGIT, SPACE, SPECIAL, UNSPACED, flags

SHARED = SPACE | DIGIT | SPECIAL | ALNUM | UNSPACED  # the lowest five bits; FEED, the sixth, stays behind
ALPHABETIC = 1 << 5  # letters, as `str.isalpha` has them: a vowel sign is none
BLANK = 1 << 6  # what `str.isspace` and `\s` of a regular expression take for white space
BREAK = 1 << 7  # what ends a line for `str.splitlines`
PUNCTUATION = 1 << 8  # datatrove's PUNCTUATION_SET: a word of nothing else is a symbol
TERMINAL = 1 << 9  # datatrove's TERMINAL_PUNCTUATION: ends a sentence in some script
LATIN_END = 1 << 10  # of these the marks of Latin, Greek and Cyrillic script, and the ellipsis: white space must follow
CLOSER = 1 << 11  # quotes and brackets that may stand between the mark and the white space
UPPER, LOWER = 1 << 12, 1 << 13
ASCII_PUNCTUATION = 1 << 14  # `string.punctuation`

_BLANKS = [(0x09, 0x0D), (0x1C, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029),
           (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000)]  # fmt: skip
_BREAKS = [(0x0A, 0x0D), (0x1C, 0x1E), (0x85, 0x85), (0x2028, 0x2029)]
_CONTROLS = [(0x00, 0x08), (0x0B, 0x0C), (0x0D, 0x1F), (0x7F, 0x9F)]
_SYMBOLS = "«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～"
_LATIN_ENDS = ".!?…‼‽⁇⁈⁉"
# Unicode's Sentence_Terminal but for some rare ones, with three marks of Khmer (datatrove 0.10.1, utils/text.py)
_TERMINALS = [
    (0x21, 0x21), (0x2E, 0x2E), (0x3F, 0x3F), (0x589, 0x589), (0x61D, 0x61F), (0x6D4, 0x6D4), (0x700, 0x702),
    (0x7F9, 0x7F9), (0x837, 0x837), (0x839, 0x839), (0x83D, 0x83E), (0x964, 0x965), (0x104A, 0x104B), (0x1362, 0x1362),
    (0x1367, 0x1368), (0x166E, 0x166E), (0x1735, 0x1736), (0x17D4, 0x17D6), (0x17D9, 0x17DA), (0x1803, 0x1803),
    (0x1809, 0x1809), (0x1944, 0x1945), (0x1AA8, 0x1AAB), (0x1B5A, 0x1B5B), (0x1B5E, 0x1B5F), (0x1B7D, 0x1B7E),
    (0x1C3B, 0x1C3C), (0x1C7E, 0x1C7F), (0x203C, 0x203D), (0x2047, 0x2049), (0x2E2E, 0x2E2E), (0x2E3C, 0x2E3C),
    (0x2E53, 0x2E54), (0x3002, 0x3002), (0xA4FF, 0xA4FF), (0xA60E, 0xA60F), (0xA6F3, 0xA6F3), (0xA6F7, 0xA6F7),
    (0xA876, 0xA877), (0xA8CE, 0xA8CF), (0xA92F, 0xA92F), (0xA9C8, 0xA9C9), (0xAA5D, 0xAA5F), (0xAAF0, 0xAAF1),
    (0xABEB, 0xABEB), (0xFE52, 0xFE52), (0xFE56, 0xFE57), (0xFF01, 0xFF01), (0xFF0E, 0xFF0E), (0xFF1F, 0xFF1F),
    (0xFF61, 0xFF61), (0x10A56, 0x10A57), (0x10F55, 0x10F59), (0x10F86, 0x10F89), (0x11047, 0x11048),
    (0x110BE, 0x110C1), (0x11141, 0x11143), (0x111C5, 0x111C6), (0x111CD, 0x111CD), (0x111DE, 0x111DF),
    (0x11238, 0x11239),
    (0x1123B, 0x1123C), (0x112A9, 0x112A9), (0x1144B, 0x1144C), (0x115C2, 0x115C3), (0x115C9, 0x115D7),
    (0x11641, 0x11642), (0x1173C, 0x1173E), (0x11944, 0x11944), (0x11946, 0x11946), (0x11A42, 0x11A43),
    (0x11A9B, 0x11A9C), (0x11C41, 0x11C42), (0x11EF7, 0x11EF8), (0x11F43, 0x11F44), (0x16A6E, 0x16A6F),
    (0x16AF5, 0x16AF5), (0x16B37, 0x16B38), (0x16B44, 0x16B44), (0x16E98, 0x16E98), (0x1BC9F, 0x1BC9F),
    (0x1DA88, 0x1DA88),
]  # fmt: skip
_ASKED = (*range(0x40000), *range(0xE0000, 0xE1000))  # beyond these there is no character with a category of interest


@cache
def marks() -> np.ndarray:
    """(0x110000,) uint16, read-only: the bits above, and SHARED ones of `characters.flags`, for each code point."""
    out = (flags() & SHARED).astype(np.uint16)
    for code in _ASKED:
        out[code] |= _by_category(unicodedata.category(chr(code)))
    ranges = ((BLANK, _BLANKS), (BREAK, _BREAKS), (PUNCTUATION, _CONTROLS), (TERMINAL | PUNCTUATION, _TERMINALS))
    for bits, pairs in ranges:
        for first, last in pairs:
            out[first : last + 1] |= bits
    listed = ((ASCII_PUNCTUATION | PUNCTUATION, string.punctuation), (PUNCTUATION, _SYMBOLS), (LATIN_END, _LATIN_ENDS))
    for bits, characters in (*listed, (CLOSER, "\"'")):
        out[[ord(c) for c in characters]] |= bits
    assert len(out) == CODE_POINTS
    out.flags.writeable = False
    return out


def _by_category(category: str) -> int:
    closer = category in ("Pe", "Pf", "Pi")  # an opening quote closes in German: „so“
    letter = ALPHABETIC * (category[0] == "L")
    return letter | UPPER * (category == "Lu") | LOWER * (category == "Ll") | CLOSER * closer
