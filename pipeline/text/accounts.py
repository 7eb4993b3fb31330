"""Phone numbers, payment cards and bank accounts in texts: the second pass of `spans`, made when one is asked for.

In: UTF-8 bytes. Out: (m, 4) int64 spans: row, begin, end, place in `spans.KINDS`. Each run of digits is read once, from
its first digit, + or bracket; a span ends where the next may begin, so time is linear.
"""

import numpy as np

from pipeline.text.ascii import digit
from pipeline.text.cards import card
from pipeline.text.characters import U
from pipeline.text.compiling import kernel, piece
from pipeline.text.found import with_room
from pipeline.text.ibans import iban
from pipeline.text.nearby import follows
from pipeline.text.numbers import BEGIN, COUNT, END, MOST_DIGITS, PLUS, SHAPE, read_run, stands_free
from pipeline.text.phones import MOST_GROUPS, PHONE_WORDS, is_phone

PHONE, IBAN, CARD = 16, 32, 64  # bits of what is wanted
PHONE_PLACE, IBAN_PLACE, CARD_PLACE = 4, 5, 6  # in spans.KINDS
LEAST_DIGITS = 7

# Bytes that a run may begin with: digits, + and ( and the first of other scripts' digits
_BEGINS = np.zeros(256, np.bool_)
_BEGINS[[*b"0123456789+("]] = True
_BEGINS[sorted({chr(code).encode()[0] for code in range(0x80, 0x20000) if chr(code).isdecimal()})] = True


@kernel
def find_accounts(data, offsets, wanted, kinds, lower, values):  # type: ignore[no-untyped-def]
    """(m, 4) int64 in order; rows that want none of these are passed over."""
    out = np.empty((64, 4), np.int64)
    count = 0
    digits, gaps, ends = np.empty((3, MOST_DIGITS), np.int64)
    shape, sizes = np.empty(SHAPE, np.int64), np.empty(MOST_GROUPS, np.int64)
    for row in range(len(offsets) - 1):
        begin, end, asked = offsets[row], offsets[row + 1], wanted[row]
        done = begin
        i = _next_begin(data, begin, end) if asked & (PHONE | IBAN | CARD) else end
        while i < end:
            first, last, kind = i, i, IBAN_PLACE
            stop = iban(data, i, done, end) if asked & IBAN and digit(data[i]) else 0
            if stop:
                first, last = i - 2, stop
            elif asked & (PHONE | CARD):
                read_run(data, i, end, values, digits, gaps, ends, shape)
                last, kind = _classify(data, done, end, asked, kinds, lower, digits, gaps, ends, shape, sizes)
                first = shape[BEGIN]
            if first < last:
                if count == len(out):
                    out = with_room(out)
                out[count, 0], out[count, 1], out[count, 2], out[count, 3] = row, first - begin, last - begin, kind
                count += 1
                done = last
                i = last
            elif asked & (PHONE | CARD) and shape[COUNT] and stop == 0:
                i = shape[END]
            else:
                i = _after_digits(data, i, end)
            i = _next_begin(data, i, end)
    return out[:count]


@piece
def _next_begin(data, i, end):  # type: ignore[no-untyped-def]
    at, stop = U(i), U(end)
    while at < stop and not _BEGINS[data[at]]:
        at += U(1)
    return np.int64(at)


@piece
def _after_digits(data, i, end):  # type: ignore[no-untyped-def]
    """The place behind the ASCII digits at `i`, or behind the one byte."""
    i += 1
    while i < end and digit(data[i]) and digit(data[i - 1]):
        i += 1
    return i


@piece
def _classify(data, done, end, asked, kinds, lower, digits, gaps, ends, shape, sizes):  # type: ignore[no-untyped-def]
    """(end, place) of the card or the phone number that the run is or begins with; (BEGIN, 0): neither."""
    none = (shape[BEGIN], 0)
    if shape[COUNT] < LEAST_DIGITS:
        return none
    size = card(digits, gaps, shape) if asked & CARD else 0
    if size and stands_free(data, shape[BEGIN], ends[size - 1], done, end, kinds):
        return ends[size - 1], CARD_PLACE
    if not asked & PHONE or not stands_free(data, shape[BEGIN], shape[END], done, end, kinds):
        return none
    named = not shape[PLUS] and follows(data, shape[BEGIN], done, kinds, lower, PHONE_WORDS)
    return (shape[END], PHONE_PLACE) if is_phone(digits, gaps, shape, named, sizes) else none
