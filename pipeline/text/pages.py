"""What C4 and SlimPajama ask of a page: filler text, curly brackets, and how long it is without its punctuation.

In: a text's code points and their marks. Out: counts. Pieces of the kernel in `quality`.
"""

from pipeline.text.compiling import piece
from pipeline.text.marks import ASCII_PUNCTUATION, BLANK, BREAK
from pipeline.text.phrases import CASE, LOREM, phrase_at

BRACKET = 0x7B
CAPITAL_DOTTED_I = 0x130  # the only character whose lower case is two


@piece
def filler(codes, kinds, count, lower):  # type: ignore[no-untyped-def]
    """(lorem ipsum, curly brackets in the lines above the first with lorem ipsum).

    C4 goes through the lines and leaves at the first that condemns the page; in a line, lorem ipsum comes first.
    """
    pairs, brackets = 0, 0
    for i in range(count):
        brackets += codes[i] == BRACKET
    for i in range(count - 1):
        pairs += ((codes[i] | CASE) == 112) & ((codes[i + 1] | CASE) == 115)  # `ps`, where it is looked for
    if pairs == 0:
        return 0, brackets
    lorem, above, so_far = 0, 0, 0
    for i in range(count):
        if codes[i] == BRACKET:
            so_far += 1
        elif kinds[i] & BREAK:
            above = so_far if lorem == 0 else above
        elif codes[i] | CASE == 112 and phrase_at(codes, 0, count, i, lower) & LOREM:
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
