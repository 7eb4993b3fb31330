"""What each character is to a shingle: part of a word, a word of its own, nothing, or the gap between words.

Out: two tables over the 65,536 characters of the Basic Multilingual Plane, for a unit of `auto`, `words` or `chars`:
`classes`, uint8, and `folded`, uint16 (the lower-case character). Above them `astral_class` of shingles.py decides.

The ranges are written out here, not asked of `unicodedata`: the Unicode version of a Python must not move a signature.
Lower case is Python's, but only in blocks whose letters were all assigned by Unicode 7, and by Unicode's stability
policy their case never changes.
"""

from functools import cache

import numpy as np

GAP, WORD, CHAR, NOTHING = range(4)  # NOTHING is passed over and does not end a word
UNITS = ("auto", "words", "chars")

# Punctuation, symbols, spaces and controls outside ASCII. Combining marks are no gaps: they belong to their word.
_GAPS = [
    (0x0080, 0x00A9), (0x00AB, 0x00B4), (0x00B6, 0x00B9), (0x00BB, 0x00BF), (0x00D7, 0x00D7), (0x00F7, 0x00F7),
    (0x02C2, 0x02C5), (0x02D2, 0x02DF), (0x037E, 0x037E), (0x0387, 0x0387), (0x055A, 0x055F), (0x0589, 0x058A),
    (0x05BE, 0x05BE), (0x05C0, 0x05C0), (0x05C3, 0x05C3), (0x05F3, 0x05F4), (0x0606, 0x060F), (0x061B, 0x061F),
    (0x066A, 0x066D), (0x06D4, 0x06D4), (0x0700, 0x070D), (0x07F7, 0x07F9), (0x0964, 0x0965), (0x0970, 0x0970),
    (0x0E3F, 0x0E3F), (0x0E4F, 0x0E4F), (0x0E5A, 0x0E5B), (0x0F04, 0x0F14), (0x0F3A, 0x0F3D), (0x104A, 0x104F),
    (0x10FB, 0x10FB), (0x1360, 0x1368), (0x1400, 0x1400), (0x166D, 0x166E), (0x1680, 0x1680), (0x169B, 0x169C),
    (0x17D4, 0x17DB), (0x1800, 0x180A), (0x2000, 0x200B), (0x2010, 0x2029), (0x202F, 0x205F), (0x20A0, 0x20CF),
    (0x2190, 0x2BFF), (0x2E00, 0x2E7F), (0x3000, 0x3004), (0x3008, 0x3020), (0x3030, 0x3030), (0x303D, 0x303F),
    (0x30FB, 0x30FB), (0xA6F2, 0xA6F7), (0xD800, 0xF8FF), (0xFD3E, 0xFD3F), (0xFE10, 0xFE1F), (0xFE30, 0xFE6F),
    (0xFF00, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65), (0xFFE0, 0xFFFF),
]  # fmt: skip

# Soft hyphen, Arabic tatweel, joiners, directional marks, variation selectors, byte order mark.
_NOTHINGS = [
    (0x00AD, 0x00AD), (0x0640, 0x0640), (0x061C, 0x061C), (0x180B, 0x180F), (0x200C, 0x200F), (0x202A, 0x202E),
    (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
]  # fmt: skip

# Scripts written without spaces: Thai, Lao, Myanmar, Khmer, Tai scripts, Balinese, Javanese, Kana, Bopomofo, Han, Yi.
_CHARS = [
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0x1B00, 0x1B7F),
    (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3021, 0x312F), (0x31A0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0xA4CF),
    (0xA980, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0xFF66, 0xFF9F),
]  # fmt: skip

# Latin, Greek, Cyrillic, Armenian; Latin Extended Additional (Vietnamese, Yoruba) and Greek Extended; full-width Latin.
_CASED = [(0x0041, 0x024F), (0x0370, 0x0556), (0x1E00, 0x1FFF), (0xFF21, 0xFF3A)]


@cache
def tables(unit: str) -> tuple[np.ndarray, np.ndarray]:
    """(65536,) uint8 classes and (65536,) uint16 lower-case characters, read-only.

    `auto`: words, but each character of a script without spaces is a word. `words`: such characters join to words too.
    `chars`: every letter, digit and mark is a word.
    """
    assert unit in UNITS, unit
    classes = np.full(0x10000, CHAR if unit == "chars" else WORD, np.uint8)
    for ranges, kind in ((_CHARS, WORD if unit == "words" else CHAR), (_GAPS, GAP), (_NOTHINGS, NOTHING)):
        for first, last in ranges:
            classes[first : last + 1] = kind
    classes[[c for c in range(128) if not chr(c).isalnum()]] = GAP
    folded = np.arange(0x10000, dtype=np.uint16)
    for c in (c for first, last in _CASED for c in range(first, last + 1)):
        lower = chr(c).lower()
        if len(lower) == 1:  # U+0130 alone lowers to two characters, and stays
            folded[c] = ord(lower)
    classes.flags.writeable = folded.flags.writeable = False
    return classes, folded
