"""Tokens that look like keys; a piece of `spans`, which says what they are.

In: UTF-8 bytes. Out: (m, 4) int64 spans: row, begin, end, 3. A token is a run of A-Z a-z 0-9 + / - _. Each byte belongs
to one token, and a private key ends where another begins, so time is linear.
"""

import numpy as np

from pipeline.text.characters import U
from pipeline.text.compiling import kernel, piece

PLACE = 3  # of `key` in spans.KINDS
LEAST = 10  # characters of the shortest token that matters: -----BEGIN
SHORTEST, LONGEST, DIFFERENT = 24, 256, 12  # of tokens that look drawn by chance
CHANGES, OF = 9, 20  # at so many steps of so many the class changes, at least
LONGEST_PEM = 16_384  # bytes between the first and the last line of a private key

# What tokens of known services begin with, and how many characters follow: at least, at most
PREFIXES = (
    ("AKIA", 16, 16), ("ASIA", 16, 16),  # Amazon Web Services
    ("AIza", 35, 35),  # Google
    ("ghp_", 36, 255), ("gho_", 36, 255), ("ghu_", 36, 255), ("ghs_", 36, 255), ("ghr_", 36, 255),  # GitHub
    ("github_pat_", 60, 255),
    ("glpat-", 20, 255),  # GitLab
    ("hf_", 30, 60),  # Hugging Face
    ("npm_", 36, 36), ("pypi-", 80, 255),
    ("sk-", 32, 255), ("sk_live_", 16, 255), ("rk_live_", 16, 255), ("sk_test_", 16, 255),  # OpenAI, Anthropic; Stripe
    ("xoxa-", 20, 255), ("xoxb-", 20, 255), ("xoxp-", 20, 255), ("xoxr-", 20, 255), ("xoxs-", 20, 255),  # Slack
)  # fmt: skip
_BYTES = np.zeros((len(PREFIXES), 16), np.uint8)
for _i, (_prefix, _, _) in enumerate(PREFIXES):
    _BYTES[_i, : len(_prefix)] = np.frombuffer(_prefix.encode(), np.uint8)
_LENGTHS = np.array([(len(prefix), least, most) for prefix, least, most in PREFIXES], np.int64)
_FIRST = np.zeros(256, np.bool_)  # bytes that a known token may begin with
_FIRST[_BYTES[:, 0]] = True

OTHER, LOWER, UPPER, DIGIT, SIGN = range(5)
_CLASS = np.zeros(256, np.uint8)
for _characters, _class in (("abcdefghijklmnopqrstuvwxyz", LOWER), ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", UPPER)):
    _CLASS[np.frombuffer(_characters.encode(), np.uint8)] = _class
_CLASS[np.frombuffer(b"0123456789", np.uint8)] = DIGIT
_CLASS[np.frombuffer(b"+/-_", np.uint8)] = SIGN
_BEGIN, _END, _PRIVATE = (np.frombuffer(text, np.uint8) for text in (b"-----BEGIN ", b"-----END ", b"PRIVATE KEY-----"))


@kernel
def find_keys(data, offsets, wanted):  # type: ignore[no-untyped-def]
    """(m, 4) int64 in order; rows whose `wanted` is 0 are passed over."""
    out = np.empty((64, 4), np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        i = begin
        while i < end and wanted[row]:
            first, last = _next_token(data, i, end)
            pem = _pem(data, first, last, end)
            found = pem > 0 or _known(data, first, last) or _drawn(data, first, last)
            last = max(last, pem)
            for _ in range(2):  # what fills up base64
                last += 1 if found and last < end and data[last] == 61 else 0
            if found:
                if count == len(out):
                    wide = np.empty((2 * count, 4), np.int64)
                    wide[:count] = out
                    out = wide
                out[count, 0], out[count, 1], out[count, 2], out[count, 3] = row, first - begin, last - begin, PLACE
                count += 1
            i = last
    return out[:count]


@piece
def _next_token(data, i, end):  # type: ignore[no-untyped-def]
    """The next token that is long enough for any kind of key, from the place `i`; (end, end) if there is none."""
    at, first, stop = U(i), U(i), U(end)
    while at < stop:
        if _CLASS[data[at]] == OTHER:
            if at - first >= U(LEAST):
                return np.int64(first), np.int64(at)
            first = at + U(1)
        at += U(1)
    return (np.int64(first), end) if stop - first >= U(LEAST) else (end, end)


@piece
def _matches(data, i, end, text):  # type: ignore[no-untyped-def]
    if i + len(text) > end:
        return False
    for ahead in range(len(text)):  # noqa: SIM110 (Numba compiles no generators)
        if data[i + ahead] != text[ahead]:
            return False
    return True


@piece
def _known(data, first, last):  # type: ignore[no-untyped-def]
    """Whether the token begins like those of a service, goes on as long, and is no run of plain words."""
    if last - first < 20 or not _FIRST[data[first]]:
        return False
    for which in range(len(_LENGTHS)):
        length, least, most = _LENGTHS[which]
        if least <= last - first - length <= most and _matches(data, first, last, _BYTES[which, :length]):
            classes = np.zeros(5, np.bool_)
            for i in range(first + length, last):
                classes[_CLASS[data[i]]] = True
            return np.int64(classes[LOWER]) + classes[UPPER] + classes[DIGIT] >= 2
    return False


@piece
def _drawn(data, first, last):  # type: ignore[no-untyped-def]
    """Whether the token looks drawn by chance."""
    if not SHORTEST <= last - first <= LONGEST:
        return False
    classes, seen = np.zeros(5, np.bool_), np.zeros(128, np.bool_)
    changes, steps, different = 0, -1, 0
    before = SIGN
    for i in range(first, last):
        now = _CLASS[data[i]]
        different += 0 if seen[data[i]] else 1
        seen[data[i]] = classes[now] = True
        if now != SIGN:  # signs part the words of paths and of snake_case: they say nothing about chance
            changes += 1 if now != before else 0
            steps += 1
            before = now
    mixed = classes[LOWER] and classes[UPPER] and classes[DIGIT]
    return mixed and different >= DIFFERENT and OF * (changes - 1) >= CHANGES * steps


@piece
def _pem(data, first, last, end):  # type: ignore[no-untyped-def]
    """The end of the private key that begins with this token, 0 if none does."""
    if last - first < len(_BEGIN) - 1 or not _matches(data, last - len(_BEGIN) + 1, end, _BEGIN):
        return 0
    i = last
    while i < min(end, last + 40) and not _matches(data, i, end, _PRIVATE):
        if data[i] == 10:
            return 0
        i += 1
    if not _matches(data, i, end, _PRIVATE):
        return 0
    i += len(_PRIVATE)
    stop = min(end, i + LONGEST_PEM)
    while i < stop and not _matches(data, i, end, _END):
        if _matches(data, i, end, _BEGIN):
            return 0
        i += 1
    i += len(_END)
    while i < min(end, stop + 60) and data[i] != 10:
        if _matches(data, i, end, _PRIVATE):
            return i + len(_PRIVATE)
        i += 1
    return 0
