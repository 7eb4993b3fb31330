"""The phrases by which C4 knows boilerplate and filler, found in a run of characters whatever their case.

In: code points. Out: where a phrase begins, or which of them are there. Source: Raffel et al. 2020 (arXiv:1910.10683,
section 2.2) and what their published code adds (tensorflow_datasets, text/c4_utils.py).

Each is looked for at two letters of it that seldom meet, so most characters cost one comparison.
"""

import numpy as np

from pipeline.text.compiling import piece

LOREM, SCRIPT, POLICY = 1, 2, 4
_PHRASES = [  # the phrase, the two letters at which it is looked for, what it is
    ("lorem ipsum", "ps", LOREM),
    ("javascript", "ja", SCRIPT),
    ("terms of use", "ms", POLICY),
    ("privacy policy", "va", POLICY),
    ("cookie policy", "ki", POLICY),
    ("uses cookies", "ki", POLICY),
    ("use of cookies", "ki", POLICY),
    ("use cookies", "ki", POLICY),
]
_LONGEST = 14
_CODES = np.array([[ord(c) for c in phrase.ljust(_LONGEST)] for phrase, _, _ in _PHRASES], np.uint32)
_LENGTHS = np.array([len(phrase) for phrase, _, _ in _PHRASES], np.int64)
_PIVOTS = np.array([phrase.index(pair) for phrase, pair, _ in _PHRASES], np.int64)
_KINDS = np.array([kind for _, _, kind in _PHRASES], np.int64)
_SECOND = np.zeros(128, np.uint32)  # of the two letters, by the first
_SECOND[[ord(pair[0]) for _, pair, _ in _PHRASES]] = [ord(pair[1]) for _, pair, _ in _PHRASES]
COUNT = len(_PHRASES)
CASE = np.uint32(32)
KELVIN = 0x212A  # the sign of the unit, whose lower case is k; its bit of CASE is set


@piece
def phrase_at(codes, begin, end, at, lower):  # type: ignore[no-untyped-def]
    """The kinds of phrases that stand within `codes[begin:end]` and have their two letters at `at`; 0 for most."""
    letter = lower[codes[at]]
    if letter >= 128 or _SECOND[letter] == 0 or at + 1 >= end or lower[codes[at + 1]] != _SECOND[letter]:
        return 0
    kinds = 0
    for which in range(COUNT):
        first = at - _PIVOTS[which]
        if first >= begin and first + _LENGTHS[which] <= end:
            kinds |= _KINDS[which] * _stands(codes, first, which, lower)
    return kinds


@piece
def _stands(codes, first, which, lower):  # type: ignore[no-untyped-def]
    for i in range(_LENGTHS[which]):
        if lower[codes[first + i]] != _CODES[which, i]:
            return 0
    return 1


@piece
def phrases_in(codes, begin, end, lower):  # type: ignore[no-untyped-def]
    """The kinds of phrases in `codes[begin:end]`, as bits."""
    kinds = 0
    for at in range(begin, end - 1):
        first, second = codes[at] | CASE, codes[at + 1] | CASE  # of ASCII letters the lower case; the Kelvin sign stays
        if (
            (first == 112 and second == 115)
            or (first == 106 and second == 97)
            or (first == 109 and second == 115)
            or (first == 118 and second == 97)
            or ((first == 107 or first == KELVIN) and second == 105)
        ):
            kinds |= phrase_at(codes, begin, end, at, lower)
    return kinds
