"""The phrases by which C4 knows boilerplate and filler, found in a run of characters whatever their case.

In: code points. Out: where a phrase begins, or which of them are there. Source: Raffel et al. 2020 (arXiv:1910.10683,
section 2.2) and what their published code adds (tensorflow_datasets, text/c4_utils.py).

Each is looked for at a letter of it that is rare in text, so most characters cost one comparison.
"""

import numpy as np

from pipeline.text.compiling import piece

LOREM, SCRIPT, POLICY = 1, 2, 4
_PHRASES = [  # the phrase, where in it the letter stands at which it is looked for, what it is
    ("lorem ipsum", 7, LOREM),  # p
    ("javascript", 0, SCRIPT),  # j
    ("terms of use", 7, POLICY),  # f
    ("privacy policy", 3, POLICY),  # v
    ("cookie policy", 3, POLICY),  # k
    ("uses cookies", 8, POLICY),
    ("use of cookies", 10, POLICY),
    ("use cookies", 7, POLICY),
]
_LONGEST = 14
_CODES = np.array([[ord(c) for c in phrase.ljust(_LONGEST)] for phrase, _, _ in _PHRASES], np.uint32)
_LENGTHS = np.array([len(phrase) for phrase, _, _ in _PHRASES], np.int64)
_PIVOTS = np.array([at for _, at, _ in _PHRASES], np.int64)
_KINDS = np.array([kind for _, _, kind in _PHRASES], np.int64)
_LETTERS = np.array([ord(phrase[at]) for phrase, at, _ in _PHRASES], np.uint32)
_RARE = np.zeros(128, np.bool_)
_RARE[_LETTERS] = True
COUNT = len(_PHRASES)


@piece
def phrase_at(codes, begin, end, at, lower):  # type: ignore[no-untyped-def]
    """The kinds of phrases that stand within `codes[begin:end]` and have their rare letter at `at`; 0 for most."""
    letter = lower[codes[at]]
    if letter >= 128 or not _RARE[letter]:
        return 0
    kinds = 0
    for which in range(COUNT):
        if _LETTERS[which] == letter:
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
    for at in range(begin, end):
        kinds |= phrase_at(codes, begin, end, at, lower)
    return kinds
