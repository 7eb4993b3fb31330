"""Keys and tokens in texts; a piece of `spans`, which says what they are.

In: UTF-8 bytes. Out: (m, 4) int64 spans: row, begin, end, 3. A token is a run of A-Z a-z 0-9 + / - _. It is a key when
it begins like the tokens of a known service (`services`), when it is the first line of a private key (`pem`), or when
it looks drawn by chance and is not known to be public (`drawn`). Each byte belongs to one token, and what is looked at
beyond it is bounded, so time is linear.
"""

import numpy as np

from pipeline.text.ascii import alnum, digit, word
from pipeline.text.characters import U
from pipeline.text.compiling import kernel, piece
from pipeline.text.drawn import CLASS, LOWER, OTHER, begins_public, encodes_text, is_block_line, is_named, looks_drawn
from pipeline.text.found import with_room
from pipeline.text.pem import matches, pem
from pipeline.text.services import ANY, BEGINS, FIRST, FRONT_SIZES, FRONTS, LETTERS, SIZES, WORD

PLACE = 3  # of `key` in spans.KINDS
LEAST = 10  # characters of the shortest token that matters: -----BEGIN
LEAST_KNOWN = 20  # characters of the shortest token of a service
_EYJ, _SLACK, _DISCORD, _SERVICES, _WEBHOOKS = (
    np.frombuffer(text, np.uint8)
    for text in (b"eyJ", b"hooks.slack.", b"discord.", b"com/services/", b"com/api/webhooks/")
)  # eyJ is {" in base64: how the parts of a JSON Web Token begin


@kernel
def find_keys(data, offsets, wanted):  # type: ignore[no-untyped-def]
    """(m, 4) int64 in order; rows whose `wanted` is 0 are passed over."""
    out = np.empty((64, 4), np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        i, done = begin, begin
        while i < end and wanted[row]:
            first, last = _next_token(data, i, end)
            first += _escape(data, first, last, begin)
            block, private = pem(data, first, last, end)
            found = private
            i = max(last, block)
            if private:
                last = block
            elif block == 0:
                first, last, found = _key(data, first, last, begin, done, end)
                i = max(i, last)
            if found:
                if count == len(out):
                    out = with_room(out)
                out[count, 0], out[count, 1], out[count, 2], out[count, 3] = row, first - begin, last - begin, PLACE
                count += 1
                done = i
    return out[:count]


@piece
def _next_token(data, i, end):  # type: ignore[no-untyped-def]
    """The next token that is long enough for any kind of key, from the place `i`; (end, end) if there is none."""
    at, first, stop = U(i), U(i), U(end)
    while at < stop:
        if CLASS[data[at]] == OTHER:
            if at - first >= U(LEAST):
                return np.int64(first), np.int64(at)
            first = at + U(1)
        at += U(1)
    return (np.int64(first), end) if stop - first >= U(LEAST) else (end, end)


@piece
def _escape(data, first, last, begin):  # type: ignore[no-untyped-def]
    """1 where the first letter belongs to an escape written out, \\n, \\r or \\t, and not to the token."""
    return 1 if begin < first < last and data[first - 1] == 92 and data[first] in (110, 114, 116) else 0


@piece
def _key(data, first, last, begin, done, end):  # type: ignore[no-untyped-def]
    """(begin, end, whether it is one) of the key in or around a token."""
    if last - first >= LEAST_KNOWN:
        start, stop = _known(data, first, last, done)
        if start < stop:
            return start, _filled(data, stop, end), True
    start, stop = _dotted(data, first, last, done, end)
    if start < stop:
        return start, stop, True
    drawn = looks_drawn(data, first, last)
    if drawn == 0:
        return first, last, False
    if not is_named(data, first, done, True):
        public = begins_public(data, first, last) or is_named(data, first, done, False)
        public = public or drawn == 1 or encodes_text(data, first, last) or _in_url(data, first, last, done)
        if public or is_block_line(data, first, last, begin, end):
            return first, last, False
    return first, _filled(data, last, end), True


@piece
def _in_url(data, first, last, done):  # type: ignore[no-untyped-def]
    """Whether it is the path of a URL from the top-level domain on: .com/document/d/..."""
    i = first
    while i < last and i - first <= 12 and CLASS[data[i]] == LOWER:
        i += 1
    return first > done and data[first - 1] == 46 and 2 <= i - first <= 12 and i < last and data[i] == 47


@piece
def _filled(data, last, end):  # type: ignore[no-untyped-def]
    """The end with what fills up base64."""
    for _ in range(2):
        last += 1 if last < end and data[last] == 61 else 0
    return last


@piece
def _known(data, first, last, done):  # type: ignore[no-untyped-def]
    """(begin, end) of a known service's token within the token: at its beginning or behind a / or +."""
    if data[first] == 99:
        if matches(data, first, last, _SERVICES) and _stands_before(data, first, done, _SLACK):
            return first + len(_SERVICES), last
        if matches(data, first, last, _WEBHOOKS) and _stands_before(data, first, done, _DISCORD):
            return first + len(_WEBHOOKS), last
    at = first
    while last - at >= LEAST_KNOWN:
        if FIRST[data[at]]:
            stop = _form(data, at, last)
            if stop:
                return at, stop
        while at < last and not (data[at] == 47 or data[at] == 43):
            at += 1
        at += 1
    return first, first


@piece
def _form(data, at, last):  # type: ignore[no-untyped-def]
    """The end of the service's token at `at`, 0 if there is none."""
    for which in range(len(SIZES)):
        if BEGINS[which, 0] != data[at]:
            continue
        length, sort, least, most = SIZES[which]
        if not matches(data, at, last, BEGINS[which, :length]):
            continue
        i, stop = at + length, min(last, at + length + most + 1)
        if sort == ANY:
            i = stop
        else:
            while i < stop and LETTERS[sort, data[i]]:
                i += 1
        size = i - at - length
        if least <= size <= most and not (i < last and word(data[i])) and _is_mixed(data, at + length, i):
            return i
    return 0


@piece
def _is_mixed(data, first, last):  # type: ignore[no-untyped-def]
    """Whether lower case, upper case and digits, two of them at least, are in it: xxxxxxxx in a manual is no key."""
    classes = np.zeros(5, np.bool_)
    for i in range(first, last):
        classes[CLASS[data[i]]] = True
    return np.int64(classes[1]) + classes[2] + classes[3] >= 2


@piece
def _stands_before(data, first, done, text):  # type: ignore[no-untyped-def]
    return first - done >= len(text) and matches(data, first - len(text), first, text)


@piece
def _run(data, i, end):  # type: ignore[no-untyped-def]
    """The end of the run of A-Z a-z 0-9 - _ from `i` on."""
    while i < end and LETTERS[WORD, data[i]]:
        i += 1
    return i


@piece
def _dotted(data, first, last, done, end):  # type: ignore[no-untyped-def]
    """(begin, end) of a token whose parts are tied by . ~ or : (JSON Web Tokens and others); begin = end: none."""
    none = (first, first)
    if last - first >= 20 and matches(data, first, last, _EYJ):
        stop = _json_web_token(data, last, end)
        return (first, stop) if stop else none
    if first == done:
        return none
    sign = data[first - 1]
    if sign == 46:
        return _fronted(data, first, last, done, end)
    if (
        sign == 126 and first - 6 >= done and data[first - 2] == 81 and digit(data[first - 3])
    ):  # Microsoft Entra: abc8Q~ and 31 to 34 more
        return _entra(data, first, done, end)
    if sign == 58 and last - first == 35 and data[first] == 65 and data[first + 1] == 65:  # Telegram: 8 to 10 digits:AA
        i = first - 1
        while i > done and first - i < 12 and digit(data[i - 1]):
            i -= 1
        return (i, last) if 8 <= first - 1 - i <= 10 and not (i > done and alnum(data[i - 1])) else none
    return none


@piece
def _json_web_token(data, i, end):  # type: ignore[no-untyped-def]
    """The end of the second and the third part, whose first dot is at `i`; 0 if they are not there."""
    if not (i < end and data[i] == 46 and matches(data, i + 1, end, _EYJ)):
        return 0
    second = _run(data, i + 1, end)
    if second - i < 18 or not (second < end and data[second] == 46):
        return 0
    third = _run(data, second + 1, end)
    return third if third > second + 10 else second


@piece
def _fronted(data, first, last, done, end):  # type: ignore[no-untyped-def]
    for which in range(len(FRONT_SIZES)):
        length, least, most = FRONT_SIZES[which]
        start = first - 1 - length
        if start < done or not matches(data, start, first, FRONTS[which, :length]):
            continue
        free = start == done or not (alnum(data[start - 1]) or data[start - 1] == 95)
        if free and least <= last - first <= most and _is_mixed(data, first, last):
            more = last < end and data[last] == 46
            stop = _run(data, last + 1, end) if more else last
            return start, stop if stop - last > 20 else last
    return first, first


@piece
def _entra(data, first, done, end):  # type: ignore[no-untyped-def]
    start = first - 6  # three characters, the digit, Q~
    if not (alnum(data[start]) and alnum(data[start + 1]) and alnum(data[start + 2])):
        return first, first
    i = first
    while i < end and i - first <= 34 and (LETTERS[WORD, data[i]] or data[i] == 126 or data[i] == 46):
        i += 1
    free = start == done or not alnum(data[start - 1])
    return (start, i) if free and 31 <= i - first <= 34 else (first, first)
