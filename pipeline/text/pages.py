"""What C4 and SlimPajama ask of a page: filler text, curly brackets, and how long it is without its punctuation.

In: a text's code points and their marks. Out: counts. Pieces of the kernel in `quality`.
"""

from pipeline.text.compiling import piece
from pipeline.text.marks import ASCII_PUNCTUATION, BLANK, BREAK
from pipeline.text.phrases import LOREM, phrase_at

BRACKET = 0x7B
CAPITAL_DOTTED_I = 0x130  # the only character whose lower case is two


@piece
def filler(codes, kinds, count, lower):  # type: ignore[no-untyped-def]
    """(lorem ipsum, curly brackets in the lines above the first with lorem ipsum).

    C4 goes through the lines and leaves at the first that condemns the page; in a line, lorem ipsum comes first.
    """
    lorem, brackets, above = 0, 0, 0
    for i in range(count):
        if codes[i] == BRACKET:
            brackets += 1
        elif kinds[i] & BREAK:
            above = brackets if lorem == 0 else above
        elif phrase_at(codes, 0, count, i, lower) & LOREM:
            lorem += 1
    return lorem, brackets if lorem == 0 else above


@piece
def bare_length(codes, kinds, count):  # type: ignore[no-untyped-def]
    """Characters in lower case, without ASCII punctuation, runs of white space as one, none at either end.

    SlimPajama (Cerebras modelzoo, data_preparation/nlp/slimpajama/preprocessing/filter.py).
    """
    length, gap = 0, 0
    for i in range(count):
        kind = kinds[i]
        if kind & BLANK:
            gap = min(length, 1)
        elif not kind & ASCII_PUNCTUATION:
            length += 1 + gap + (codes[i] == CAPITAL_DOTTED_I)
            gap = 0
    return length
