"""Tables of characters agree with `unicodedata`, and decoding with Python, on every code point."""

import numpy as np
from numba import njit

from pipeline.text.characters import ALNUM, DIGIT, SPACE, SPECIAL, UNSPACED, decode, flags, lowered
from tests.pipeline.text.measures_twin import is_space, is_special, is_unspaced

SCALARS = [*range(0xD800), *range(0xE000, 0x110000)]


@njit
def decoded(data):
    out, count, i, end = np.zeros(len(data), np.uint32), 0, np.uint64(0), np.uint64(len(data))
    while i < end:
        out[count], i = decode(data, i, end)
        count += 1
    return out[:count]


def test_decoding_gives_every_code_point_back():
    data = np.frombuffer("".join(map(chr, SCALARS)).encode(), np.uint8)
    assert decoded(data).tolist() == SCALARS


def test_decoding_never_reads_behind_the_end():
    for cut in (b"\xf0\x9f\x98", b"a\xe4\xb8", b"\xc3", b"\x80\xff"):
        assert decoded(np.frombuffer(cut, np.uint8))[-1] == 0xFFFD


def test_kinds_are_those_of_unicode():
    sample = [*range(0x3000), *range(0x3000, 0x110000, 97), 0x3000, 0x4E00, 0xFEFF, 0x20000, 0xE0001, 0xF0000]
    table = flags()
    for code in (code for code in sample if not 0xD800 <= code < 0xE000):
        c = chr(code)
        assert bool(table[code] & SPACE) == is_space(c), hex(code)
        assert bool(table[code] & SPECIAL) == is_special(c), hex(code)
        assert bool(table[code] & UNSPACED) == is_unspaced(c), hex(code)
        assert bool(table[code] & DIGIT) == c.isdecimal(), hex(code)


def test_letters_marks_and_numbers_are_alphanumeric():
    assert all(flags()[ord(c)] & ALNUM for c in "aéहि中1½")
    assert not any(flags()[ord(c)] & ALNUM for c in " _-😀\n")


def test_lower_case_is_pythons_where_it_is_one_character():
    assert "".join(chr(lowered()[ord(c)]) for c in "AÉΣЖİẞ𝒳") == "aéσжİß𝒳"


def test_no_narrow_character_has_a_wide_lower_case():
    assert lowered()[:0x10000].max() < 0x10000
