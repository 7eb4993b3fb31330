"""The identifier reads a text as its plain twin does, whatever the text."""

import numpy as np
import pytest
from hypothesis import given, settings

from pipeline.text.compiling import kernel
from pipeline.text.hashing import U
from pipeline.text.lid_characters import SCRIPTS, bare, pairs, table, toneless
from pipeline.text.lid_features import FEATURES_A_BYTE, ngrams, read_units
from tests.pipeline.text import lid_twin
from tests.pipeline.text.texts import ANY_TEXT

ROWS = 1 << 30  # so many that two features seldom share one


@kernel
def _read(data, table, keys, values, rows):
    units, out = np.zeros(len(data) + 8, np.uint32), np.zeros((len(data) + 8) * FEATURES_A_BYTE, np.uint32)
    scripts, start = np.zeros(len(SCRIPTS), np.int64), np.zeros(1, np.int64)
    m = read_units(data, 0, len(data), table, keys, values, units, scripts, rows, out, start)
    return units[:m], scripts, out[: ngrams(units, m, rows, out, start[0])]


def read(text):
    return _read(np.frombuffer(text.encode(), np.uint8), table(), *pairs(), U(ROWS))


@settings(deadline=None, max_examples=150)
@given(ANY_TEXT)
def test_units_scripts_and_features_are_those_of_the_twin(text):
    units, scripts, rows = read(text)
    chars, letters, signs = lid_twin.units(text)
    assert "".join(map(chr, units)) == chars
    assert {name: n for name, n in zip(SCRIPTS[1:], scripts[1:], strict=True) if n} == letters
    assert scripts[0] == signs
    assert sorted(rows.tolist()) == lid_twin.features(text, ROWS)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Hello,  World 12!", " hello world "),
        ("l\u2019\u00c9t\u00e9 E\u0301t\u00e9", " l'\u00e9t\u00e9 \u00e9t\u00e9 "),  # both apostrophes, both forms
        ("e\u0323\u0302", " \u1ec7 "),  # ẹ, then ệ
        ("كِتَابٌ كـــتاب", " كتاب كتاب "),  # vowel signs and the stretching stroke go
        ("co\u00adop \x00ab", " coop ab "),  # a soft hyphen and a control are passed over
        ("中文 Жук", " 中文 "),  # Cyrillic is counted, and is a gap
    ],
)
def test_units_by_hand(text, units):
    assert "".join(map(chr, read(text)[0])) == units


def test_letters_of_a_run_are_weighed_one_by_one():
    scripts = dict(zip(SCRIPTS, read("abc 中文字あ de")[1], strict=True))
    assert {name: n for name, n in scripts.items() if n} == {"Latn": 5, "Han": 3 * 3, "other": 12}


def test_features_of_a_word_by_hand():
    # "_ab_": 2-grams _a ab b_, 3-grams _ab ab_, the 4-gram _ab_; no word of four letters, no pair, no sign
    assert len(read("ab")[2]) == 6
    # "ab;": the looks a;  and ";" alone make a 2-gram, a 3-gram and a 4-gram, each with the blank before them
    assert len(read("ab;")[2]) == 6 + 3


@settings(deadline=None, max_examples=200)
@given(ANY_TEXT)
def test_there_is_room_for_every_feature(text):
    assert len(lid_twin.features(text, ROWS)) <= (len(text.encode()) + 8) * FEATURES_A_BYTE


def test_marks_go_in_training():
    assert [chr(bare()[ord(c)]) for c in "éẹữñ"] == ["e", "e", "u", "n"]
    assert [chr(toneless()[ord(c)]) for c in "éọǹñ"] == ["e", "ọ", "n", "ñ"]
    assert bare()[0x301] == toneless()[0x301] == 0  # a mark alone is nothing
