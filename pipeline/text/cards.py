"""Numbers of payment cards in runs of digits; a piece of `spans`.

In: a run as `numbers` reads it. Out: how many of its digits, from the first on, are a card's number; 0 if none are.
Three things must hold: the issuer's range with its length, the check digit (Luhn; ISO/IEC 7812-1, annex B), and a form
that people use: all digits together, or groups of 4-4-4-4, 4-4-4-4-3, 4-6-5 or 4-6-4 with the same sign between.
Visa's old numbers of 13 digits are left out: a tenth of the bar codes of Germany would be such.
"""

import numpy as np

from pipeline.text.compiling import piece
from pipeline.text.numbers import BLANK, COUNT, HYPHEN, NONE, OPENED, PLUS

# First four digits from, to; lengths from, to (as the schemes publish them)
ISSUERS = np.array(
    [
        (4000, 4999, 16, 16), (4000, 4999, 19, 19),  # Visa
        (5100, 5599, 16, 16), (2221, 2720, 16, 16),  # Mastercard
        (3400, 3499, 15, 15), (3700, 3799, 15, 15),  # American Express
        (6011, 6011, 16, 19), (6440, 6599, 16, 19),  # Discover; 65 is RuPay's too
        (3000, 3059, 14, 14), (3095, 3095, 14, 14), (3600, 3699, 14, 14), (3800, 3999, 14, 14),  # Diners Club
        (3528, 3589, 16, 19),  # JCB
        (6200, 6299, 16, 19), (8100, 8171, 16, 19),  # UnionPay
        (5018, 5018, 16, 19), (5020, 5020, 16, 19), (5038, 5038, 16, 19), (5893, 5893, 16, 19),  # Maestro
        (6304, 6304, 16, 19), (6759, 6759, 16, 19), (6761, 6763, 16, 19),
        (2200, 2204, 16, 19), (5060, 5061, 16, 19), (5078, 5079, 16, 16), (6521, 6522, 16, 16),  # Mir; Verve; RuPay
    ],
    np.int64,
)  # fmt: skip
SHORTEST, LONGEST = 14, 19


@piece
def card(digits, gaps, shape):  # type: ignore[no-untyped-def]
    """How many digits are the number, from the first on; 0 if it is none."""
    if shape[PLUS] or shape[OPENED] >= 0 or shape[COUNT] < SHORTEST:
        return 0
    size = _form(gaps, shape[COUNT])
    return size if size and _issued(digits, size) and _checks(digits, size) else 0


@piece
def _form(gaps, count):  # type: ignore[no-untyped-def]
    """How many digits stand in a form that cards are written in."""
    first = 1
    while first < count and gaps[first] == NONE:
        first += 1
    if first >= SHORTEST:
        return first if first <= LONGEST else 0
    sign = gaps[first] if first < count else NONE
    if first != 4 or sign not in (BLANK, HYPHEN):
        return 0
    if _grouped(gaps, count, 16, 4, 8, 12, sign):
        return 19 if count >= 19 and gaps[16] == sign and _together(gaps, 17, 19) and _ends(gaps, count, 19) else 16
    if _grouped(gaps, count, 15, 4, 10, 10, sign):
        return 15
    return 14 if _grouped(gaps, count, 14, 4, 10, 10, sign) else 0


@piece
def _ends(gaps, count, size):  # type: ignore[no-untyped-def]
    return count == size or (count > size and gaps[size] != NONE)


@piece
def _together(gaps, first, last):  # type: ignore[no-untyped-def]
    for i in range(first, last):  # noqa: SIM110
        if gaps[i] != NONE:
            return False
    return True


@piece
def _grouped(gaps, count, size, a, b, c, sign):  # type: ignore[no-untyped-def]
    """Whether `size` digits have this sign in front of the a-th, b-th and c-th (from 0), and nowhere else."""
    if not _ends(gaps, count, size):
        return False
    for i in range(1, size):  # noqa: SIM110
        if gaps[i] != (sign if i in (a, b, c) else NONE):
            return False
    return True


@piece
def _issued(digits, size):  # type: ignore[no-untyped-def]
    begin = ((digits[0] * 10 + digits[1]) * 10 + digits[2]) * 10 + digits[3]
    for which in range(len(ISSUERS)):
        first, last, least, most = ISSUERS[which]
        if first <= begin <= last and least <= size <= most:
            return True
    return False


@piece
def _checks(digits, size):  # type: ignore[no-untyped-def]
    """Luhn: every second digit from the right doubled, its digits added, the sum a multiple of ten."""
    total = 0
    for place in range(size):
        value = digits[size - 1 - place]
        if place % 2:
            value = 2 * value - 9 if value > 4 else 2 * value
        total += value
    return total % 10 == 0
