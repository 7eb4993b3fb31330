"""Whether a token looks drawn by chance, and by what stands around it, whether it opens anything; pieces of `keys`.

In: UTF-8 bytes and a token, a run of A-Z a-z 0-9 + / - _. What looks drawn: 24 to 256 characters; an eighth of them
upper case and an eighth lower case; two runs of digits; 12 different ones at least; a class that changes at 9 of 20
steps (chance: 13 of 20); 13 in a row without a sign, and signs no more than a tenth; no more than a third of the
letters in runs of four small ones, which are words. Behind a word for a secret and = or :, 16 to 256 characters will
do with two digits, a letter, 16 in a row and no more than half of the letters in words, hexadecimal too.

What is drawn but public stays: the lines of a block of base64, base64 of readable text, paths of URLs, and what an =,
: or - ties to the name of a digest, of an encoding or of a public key (sha512-..., SHA256:..., PublicKey=...).
"""

import numpy as np

from pipeline.text.ascii import word
from pipeline.text.compiling import piece

SHORTEST, LONGEST, DIFFERENT = 24, 256, 12  # of tokens that look drawn by chance
LEAST_RUN = 13  # letters and digits without a sign between: a UUID has 12
CHANGES, OF = 9, 20  # at so many steps of so many the class changes, at least
SHORTEST_NAMED, DIFFERENT_NAMED = 16, 8  # of tokens behind a word for a secret
LONGEST_NAME, MOST_SIGNS = 40, 5  # bytes of the name in front, and signs between it and the token
LEAST_LINE, MOST_GAP = 40, 48  # bytes of a line of base64, and between two of them

SAMPLE = (
    24  # characters of base64, 18 bytes, of which two thirds must be ASCII's visible ones to be text; chance: 0.6 %
)

OTHER, LOWER, UPPER, DIGIT, SIGN = range(5)
CLASS = np.zeros(256, np.uint8)
for _characters, _class in (("abcdefghijklmnopqrstuvwxyz", LOWER), ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", UPPER)):
    CLASS[np.frombuffer(_characters.encode(), np.uint8)] = _class
CLASS[np.frombuffer(b"0123456789", np.uint8)] = DIGIT
CLASS[np.frombuffer(b"+/-_", np.uint8)] = SIGN


def _needles(words: str) -> np.ndarray:
    rows = [word.encode() for word in words.split()]
    out = np.zeros((len(rows), max(map(len, rows)) + 1), np.uint8)  # the length stands first
    for row, needle in enumerate(rows):
        out[row, 0] = len(needle)
        out[row, 1 : 1 + len(needle)] = np.frombuffer(needle, np.uint8)
    return out


NO_SECRETS = "public challenge signature"  # PublicKeyToken
SECRETS = "bearer secret token passw passphrase apikey api_key api-key accesskey access_key access-key private_key "
SECRETS += "privatekey auth_key authkey account_key accountkey shared_key credential contrase senha"
PUBLIC = "sha1 sha224 sha256 sha384 sha512 sha3 md5 blake2b blake2s base64 h1 integrity checksum digest"
PUBLIC += " fingerprint hash public"
_SECRETS, _NO_SECRETS, _PUBLIC = _needles(SECRETS), _needles(NO_SECRETS), _needles(PUBLIC)


@piece
def looks_drawn(data, first, last):  # type: ignore[no-untyped-def]
    """2 if the token looks drawn by chance; 1 if it may be one behind a word for a secret; 0 if it is none."""
    size = last - first
    if not SHORTEST_NAMED <= size <= LONGEST:
        return 0
    classes, seen = np.zeros(5, np.int64), np.zeros(128, np.bool_)
    changes, different, run, longest, numbers, small, spelt = 0, 0, 0, 0, 0, 0, 0
    before = SIGN
    for i in range(first, last):
        now = CLASS[data[i]]
        different += 0 if seen[data[i]] else 1
        seen[data[i]] = True
        classes[now] += 1
        run = 0 if now == SIGN else run + 1
        longest = max(longest, run)
        small = small + 1 if now == LOWER else 0
        spelt += 4 if small == 4 else 1 if small > 4 else 0
        if now != SIGN:  # signs part the words of paths and of snake_case: they say nothing about chance
            changes += 1 if now != before else 0
            numbers += 1 if now == DIGIT and now != before else 0
            before = now
    letters = classes[LOWER] + classes[UPPER]
    if letters == 0 or classes[DIGIT] < 2 or different < DIFFERENT_NAMED or 2 * spelt > letters:
        return 0
    steps = size - classes[SIGN] - 1
    words = 3 * spelt > letters
    mixed = 8 * classes[LOWER] >= size and 8 * classes[UPPER] >= size and numbers >= 2 and 10 * classes[SIGN] <= size
    quick = OF * (changes - 1) >= CHANGES * steps
    if mixed and quick and not words and size >= SHORTEST and different >= DIFFERENT and longest >= LEAST_RUN:
        return 2
    return 1 if longest >= SHORTEST_NAMED else 0


@piece
def is_named(data, first, floor, secret):  # type: ignore[no-untyped-def]
    """Whether the word in front of the token is one for a secret (or else for what is public), tied to it by = or :."""
    if not secret and first > floor and data[first - 1] == 63:  # =?UTF-8?B?...: a header in base64 (RFC 2047)
        return True
    i, tied = first, False
    while i > floor and first - i < MOST_SIGNS and data[i - 1] in (32, 34, 39, 61, 58, 62, 40, 44, 96):  # "'=:>(,`
        tied = tied or data[i - 1] == 61 or data[i - 1] == 58 or (data[i - 1] == 44 and not secret)
        i -= 1
    start = i
    while start > floor and i - start < LONGEST_NAME and (word(data[start - 1]) or data[start - 1] == 45):
        start -= 1
    if not secret:
        return tied and _holds(data, start, i, _PUBLIC) >= 0
    which = _holds(data, start, i, _SECRETS)
    return (which == 0 or (which > 0 and tied)) and _holds(data, start, i, _NO_SECRETS) < 0


@piece
def _holds(data, first, last, needles):  # type: ignore[no-untyped-def]
    """Which of the needles is in these bytes, in any case; -1 if none."""
    for which in range(len(needles)):
        size = np.int64(needles[which, 0])
        for at in range(first, last - size + 1):
            if _same(data, at, needles[which, 1 : 1 + size]):
                return which
    return -1


@piece
def _same(data, i, text):  # type: ignore[no-untyped-def]
    for ahead in range(len(text)):
        byte = data[i + ahead]
        if (byte | 32 if 65 <= byte <= 90 else byte) != text[ahead]:
            return False
    return True


@piece
def begins_public(data, first, last):  # type: ignore[no-untyped-def]
    """Whether the token itself begins with the name of a digest and a hyphen: sha512-..."""
    for which in range(len(_PUBLIC)):
        size = np.int64(_PUBLIC[which, 0])
        if first + size < last and data[first + size] == 45 and _same(data, first, _PUBLIC[which, 1 : 1 + size]):
            return True
    return False


@piece
def encodes_text(data, first, last):  # type: ignore[no-untyped-def]
    """Whether the token, read as base64, begins with what is readable."""
    if last - first < SAMPLE:
        return False
    visible, bits = 0, np.int64(0)
    for i in range(SAMPLE):
        byte, sort = np.int64(data[first + i]), CLASS[data[first + i]]
        sign = np.int64(62 if byte == 43 or byte == 45 else 63)
        value = byte - 65 if sort == UPPER else byte - 71 if sort == LOWER else sign if sort == SIGN else byte + 4
        bits = np.int64(bits << 6 | value)
        if i % 4 == 3:
            for shift in (16, 8, 0):
                visible += 1 if 32 <= (bits >> shift & 255) < 127 else 0
            bits = np.int64(0)
    return 3 * visible >= 2 * (SAMPLE // 4 * 3)


@piece
def is_block_line(data, first, last, begin, end):  # type: ignore[no-untyped-def]
    """Whether the line before or behind holds one long token too, and nothing more: a line of a block of base64."""
    if last - first < LEAST_LINE:
        return _is_last_line(data, first, begin)
    i, stop, feeds = last, min(end, last + MOST_GAP), 0
    while i < stop and CLASS[data[i]] in (OTHER, SIGN):
        feeds += 1 if data[i] == 10 or (data[i] == 92 and i + 1 < end and data[i + 1] == 110) else 0
        i += 2 if data[i] == 92 else 1  # \n written out
    if feeds and i < stop and _long_from(data, i, end):
        return True
    return _is_last_line(data, first, begin)


@piece
def _long_from(data, i, end):  # type: ignore[no-untyped-def]
    if i + LEAST_LINE > end:
        return False
    for at in range(i, i + LEAST_LINE):  # noqa: SIM110
        if CLASS[data[at]] == OTHER:
            return False
    return True


@piece
def _is_last_line(data, first, begin):  # type: ignore[no-untyped-def]
    """Whether the line above ends in a long token."""
    i, stop, feeds = first, max(begin, first - MOST_GAP), 0
    while i > stop:
        byte = data[i - 1]
        if i - 1 > begin and data[i - 2] == 92:  # an escape written out
            feeds += 1 if byte == 110 or byte == 10 else 0
            i -= 2
            continue
        if CLASS[byte] != OTHER and CLASS[byte] != SIGN:
            break
        feeds += 1 if byte == 10 else 0
        i -= 1
    if feeds == 0 or i - LEAST_LINE < begin:
        return False
    for at in range(i - LEAST_LINE, i):  # noqa: SIM110
        if CLASS[data[at]] == OTHER:
            return False
    return True
