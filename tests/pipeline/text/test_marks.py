"""The table of marks: bits that do not share a place, and a few characters by hand."""

import string

import numpy as np

from pipeline.text import characters, marks

OWN = ("ALPHABETIC", "BLANK", "BREAK", "PUNCTUATION", "TERMINAL", "LATIN_END", "CLOSER", "UPPER", "LOWER")


def test_no_two_bits_share_a_place():
    bits = [getattr(marks, name) for name in (*OWN, "ASCII_PUNCTUATION")]
    bits += [characters.SPACE, characters.DIGIT, characters.SPECIAL, characters.ALNUM, characters.UNSPACED]
    assert all(bit.bit_count() == 1 for bit in bits)
    assert sum(bits) == np.bitwise_or.reduce(bits) == np.iinfo(np.uint16).max >> 1
    assert marks.marks().dtype == np.uint16


def test_a_character_is_alphabetic_as_python_says():
    table = marks.marks()
    for code in (*range(0x3000), *range(0x3000, 0x30000, 53)):
        if not 0xD800 <= code < 0xE000:
            assert bool(table[code] & marks.ALPHABETIC) == chr(code).isalpha(), hex(code)


def test_what_characters_share_with_flags_is_the_same():
    assert np.array_equal(marks.marks() & marks.SHARED, characters.flags() & marks.SHARED)
    assert all(marks.marks()[ord(c)] & marks.ASCII_PUNCTUATION for c in string.punctuation)
