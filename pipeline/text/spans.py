"""Where texts hold what points at a person or opens a door: addresses, names, keys, numbers of phones and accounts.

In: Arrow texts (n) and for each the KINDS to look for. Out: spans (row, begin, end, kind), bytes of the row's text, in
order and disjoint; where two overlap they are one, of the kind of the first, so nothing of either is left.

email   local part @ domain. Local part: letters, digits and . _ % + - (at most 64); domain: labels of letters, digits
        and -, the last of two letters at least or xn--. A script without spaces (Han, Kana, Thai) is a boundary, not a
        letter. What is none: `names`; the spelled-out form: `disguised`
user    @handle of 3 to 64 characters: letters, digits, _ and inner . and -, two letters at least; in front no letter,
        digit or _. What is nobody: `handles`
ip      IPv4 as four numbers to 255 without leading zeros, IPv6 of any form. Addresses that lead to nobody stay:
        private, loopback, link-local, multicast, documentation (RFC 1918, 5737, 3849 and so on), whole networks; and
        versions and sections: `versions`
key     what begins like the tokens of known services: `services`; private keys in PEM: `pem`; what looks drawn by
        chance: `drawn`
phone, iban, card       `phones`, `ibans`, `cards`

Time is linear in the bytes, on any input: each byte is looked at a bounded number of times. No regular expressions.
Context is looked for behind the span found before, never in it: or redacting twice would find more.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.accounts import CARD, IBAN, PHONE, find_accounts
from pipeline.text.buffers import buffers
from pipeline.text.characters import U, flags, lowered
from pipeline.text.compiling import kernel, piece
from pipeline.text.disguised import disguised
from pipeline.text.found import copy_row, with_room
from pipeline.text.ips import ipv4, ipv6
from pipeline.text.keys import find_keys
from pipeline.text.names import EMAIL, USER, around_at
from pipeline.text.numbers import values

KINDS = ("email", "user", "ip", "key", "phone", "iban", "card")
IP, KEY = 4, 8  # bits of what is wanted, with EMAIL, USER, PHONE, IBAN and CARD


def spans(texts: pa.Array | pa.ChunkedArray, wanted: np.ndarray) -> np.ndarray:
    """(m, 4) int64: row, begin, end, place in KINDS. `wanted` is (n,) uint8, bits of the kinds to look for."""
    offsets, data = buffers(texts)
    passes = [_find(data, offsets, wanted, flags(), lowered())]
    if (wanted & KEY).any():
        passes.append(find_keys(data, offsets, wanted & KEY))
    if (wanted & (PHONE | IBAN | CARD)).any():
        passes.append(find_accounts(data, offsets, wanted, flags(), lowered(), values()))
    found = np.concatenate(passes)
    return _joined(found[np.lexsort((found[:, 3], found[:, 1], found[:, 0]))])


def replaced(texts: pa.Array | pa.ChunkedArray, found: np.ndarray, marks: list[bytes]) -> pa.Array:
    """(n,) large_string, null where nothing was found: each span replaced by the mark of its kind."""
    offsets, data = buffers(texts)
    lengths = np.array([len(mark) for mark in marks], np.int64)
    table = np.zeros((len(marks), int(lengths.max())), np.uint8)
    for kind, mark in enumerate(marks):
        table[kind, : len(mark)] = np.frombuffer(mark, np.uint8)
    rows = np.unique(found[:, 0])
    sizes = np.zeros(len(offsets) - 1, np.int64)
    sizes[rows] = np.diff(offsets)[rows]
    np.add.at(sizes, found[:, 0], lengths[found[:, 3]] - (found[:, 2] - found[:, 1]))
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    out = _write_marks(data, offsets, found, table, lengths, ends)
    changed = np.zeros(len(sizes), bool)
    changed[rows] = True
    bits = pa.py_buffer(np.packbits(changed, bitorder="little"))
    return pa.LargeStringArray.from_buffers(len(sizes), pa.py_buffer(ends), pa.py_buffer(out), bits)


@kernel
def _write_marks(data, offsets, found, marks, lengths, ends):  # type: ignore[no-untyped-def]
    out = np.empty(ends[-1], np.uint8)
    o, which = 0, 0
    while which < len(found):
        row = found[which, 0]
        at = offsets[row]
        while which < len(found) and found[which, 0] == row:
            begin, end, kind = offsets[row] + found[which, 1], offsets[row] + found[which, 2], found[which, 3]
            o = _copy(data, at, begin, out, o)
            o = _copy(marks[kind], 0, lengths[kind], out, o)
            at = end
            which += 1
        o = _copy(data, at, offsets[row + 1], out, o)
    return out


@piece
def _copy(data, begin, end, out, o):  # type: ignore[no-untyped-def]
    for i in range(end - begin):
        out[o + i] = data[begin + i]
    return o + end - begin


@kernel
def _joined(found):  # type: ignore[no-untyped-def]
    """Spans sorted by (row, begin) with those that overlap made one."""
    out = np.empty((len(found), 4), np.int64)
    count = 0
    for i in range(len(found)):
        if count and found[i, 0] == out[count - 1, 0] and found[i, 1] < out[count - 1, 2]:
            out[count - 1, 2] = max(out[count - 1, 2], found[i, 2])
        else:
            copy_row(found, i, out, count)
            count += 1
    return out[:count]


@kernel
def _find(data, offsets, wanted, kinds, lower):  # type: ignore[no-untyped-def]
    """E-mail addresses, user names and IP addresses: each is looked at from its sign (@ . : ...), which is rare."""
    out = np.empty((64, 4), np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        begin, end = offsets[row], offsets[row + 1]
        done = begin  # nothing before it is part of what is found
        asked = wanted[row]
        i = _next_sign(data, begin, end) if asked & (EMAIL | USER | IP) else end
        while i < end:
            byte = data[i]
            first, last, kind = i, i, 0
            if byte == 46:
                if asked & IP:
                    first, last = ipv4(data, i, begin, done, end, kinds, lower)
                    kind = 2
            elif byte == 58:
                if asked & IP:
                    first, last = ipv6(data, i, done, end)
                    kind = 2
            elif byte == 64 or byte == 0xEF:
                width = 1 if byte == 64 else _full_width_at(data, i, end)
                if width and asked & (EMAIL | USER):
                    first, last, kind = around_at(data, i, width, begin, done, end, asked, kinds, lower)
            elif asked & EMAIL and i + 2 < end and (data[i + 1] | 32 == 97 or data[i + 1] == 32):
                first, last = disguised(data, i, done, end, kinds)
            if first < last:
                if count == len(out):
                    out = with_room(out)
                out[count, 0], out[count, 1], out[count, 2], out[count, 3] = row, first - begin, last - begin, kind
                count += 1
                done = last
            i = _next_sign(data, max(i + 1, last), end)
    return out[:count]


@piece
def _full_width_at(data, i, end):  # type: ignore[no-untyped-def]
    return 3 if i + 2 < end and data[i + 1] == 0xBC and data[i + 2] == 0xA0 else 0


_SIGN = np.zeros(256, np.bool_)
_SIGN[[*b"@.:([{<", 0xEF]] = True  # U+FF20, the @ of full width, begins with EF


@piece
def _next_sign(data, i, end):  # type: ignore[no-untyped-def]
    """The place of the next sign, or `end`. Most bytes are seen here alone."""
    at, stop = U(i), U(end)
    while at < stop and not _SIGN[data[at]]:
        at += U(1)
    return np.int64(at)
