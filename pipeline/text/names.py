"""E-mail addresses and user names in texts; pieces of the kernel in `spans`, which says what they are.

In: UTF-8 bytes and the place of an @. Out: (begin, end, place in `spans.KINDS`) of what stands around it; begin = end
where there is nothing. Never looks before `done`, and behind the next @ only if it belongs to no address.
"""

import numpy as np

from pipeline.text.ascii import alnum, digit, letter, word
from pipeline.text.characters import ALNUM, UNSPACED, U, decode
from pipeline.text.compiling import piece

EMAIL, USER = 1, 2  # bits of what is wanted
LONGEST_LOCAL, LONGEST_DOMAIN = 64, 253  # characters; RFC 5321, 4.5.3.1, has as many octets
LEAST_HANDLE, LONGEST_HANDLE = 3, 64  # characters without the @; ROOTS has the same least


@piece
def _letter_before(data, i, done, kinds):  # type: ignore[no-untyped-def]
    """Bytes of the non-ASCII letter, mark or number that ends at `i`, 0 if there is none; not of unspaced scripts."""
    first = i - 1
    while first > done and i - first < 4 and data[first] & 0xC0 == 0x80:
        first -= 1
    if data[first] < 0x80:
        return 0
    code, after = decode(data, U(first), U(i))
    return i - first if after == U(i) and kinds[code] & (ALNUM | UNSPACED) == ALNUM else 0


@piece
def _letter_at(data, i, end, kinds):  # type: ignore[no-untyped-def]
    """Bytes of the non-ASCII letter, mark or number at `i`, as above."""
    if data[i] < 0x80:
        return 0
    code, after = decode(data, U(i), U(end))
    return np.int64(after) - i if kinds[code] & (ALNUM | UNSPACED) == ALNUM else 0


@piece
def around_at(data, at, done, end, wanted, kinds):  # type: ignore[no-untyped-def]
    """(begin, end, kind) of the address or the user name around the @; begin = end where there is neither."""
    first, length = at, 0  # of the local part: where it begins, characters
    while first > done and length <= LONGEST_LOCAL:
        byte = data[first - 1]
        size = 1 if word(byte) or byte in (37, 43, 45, 46) else 0  # % + - .
        if byte >= 0x80:
            size = _letter_before(data, first, done, kinds)
        if size == 0:
            break
        first -= size
        length += 1
    free = first == at  # nothing that could be a local part stands in front
    while first < at and (data[first] == 46 or data[first] == 45):
        first += 1
        length -= 1
    if wanted & EMAIL and 0 < length <= LONGEST_LOCAL and data[at - 1] != 46:
        last = _domain(data, at + 1, end, kinds)
        if last:
            return first, last, 0
    if wanted & USER and free:
        last = _handle(data, at + 1, end, kinds)
        if last:
            return at, last, 1
    return at, at, 0


@piece
def _domain(data, begin, end, kinds):  # type: ignore[no-untyped-def]
    """The end of the longest domain from `begin` on, 0 if there is none."""
    best, labels, length = 0, 0, 0
    letters, size, pure = 0, 0, True  # of the label: letters, bytes, whether there is nothing but letters
    i = begin
    while i < end and length < LONGEST_DOMAIN:
        length += 1
        byte = data[i]
        step = 1 if letter(byte) else _letter_at(data, i, end, kinds)
        if step:
            letters += 1
        elif digit(byte) or (byte == 45 and size):
            pure, step = False, 1
        elif byte == 46 and size:
            labels += 1
            letters, size, pure = 0, 0, True
            i += 1
            continue
        else:
            break
        size += step
        i += step
        if labels and pure and letters >= 2 and not _alnum_at(data, i, end, kinds):
            best = i
    return best


@piece
def _alnum_at(data, i, end, kinds):  # type: ignore[no-untyped-def]
    return i < end and (alnum(data[i]) or _letter_at(data, i, end, kinds) > 0)


@piece
def _handle(data, begin, end, kinds):  # type: ignore[no-untyped-def]
    """The end of the user name from `begin` on, 0 if there is none."""
    i, last = begin, begin
    length, sure = 0, 0  # characters, and up to the last that may end a name
    while i < end and length <= LONGEST_HANDLE:
        byte = data[i]
        step = 1 if word(byte) else _letter_at(data, i, end, kinds)
        if step:
            i += step
            length += 1
            last, sure = i, length
        elif (byte == 46 or byte == 45) and last == i and i > begin:  # one . or - between two parts
            i += 1
            length += 1
        else:
            break
    return last if LEAST_HANDLE <= sure <= LONGEST_HANDLE else 0
