"""BLOOM's pre-tokenizer over UTF-8: where each piece begins that no token may cross.

    "def f(x): return x." -> |def| f|(|x|)|:| return| x|.|

In: offsets (n+1,) int64 and data (m,) uint8 of n texts in valid UTF-8. Out: edges of the pieces, and how many pieces
each text has. The pieces of a text lie end to end and together are the text.

The rule is the regular expression ` ?[^(\\s|[.,!?…。，、।۔،])]+`, matches and gaps both being pieces, as Oniguruma
reads it: a run of characters that are no white space, none of `(|)` and none of `.,!?…。，、।۔،`, with one blank before
it if there is one. Python's `re` reads the nested class otherwise, so the test holds this kernel to `tokenizers`.
Where a piece ends follows from where it begins, so a kernel that meets pieces one by one needs no list of them.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.compiling import kernel, piece

SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
BREAKS = SPACES + "()|.,!?…。，、।۔،"
BLANK = 0x20
_INSIDE, _BREAK, _LEAD = 0, 1, 2  # classes of bytes: of a run, a break, the first of what may be a longer break


def _byte_classes() -> np.ndarray:
    """(256,) uint8: continuation bytes count as inside, for a break of several bytes is taken whole at its first."""
    classes = np.zeros(256, np.uint8)
    for char in BREAKS:
        lead, *rest = char.encode()
        classes[lead] = _LEAD if rest else _BREAK
    return classes


def _long_breaks() -> np.ndarray:
    """(65536,) bool, by code point: breaks of two or three bytes."""
    long = np.zeros(1 << 16, np.bool_)
    long[[ord(c) for c in BREAKS if not c.isascii()]] = True
    return long


CLASSES, LONG = _byte_classes(), _long_breaks()  # what `piece_end` reads


@piece
def _break_width(data: np.ndarray, i: int, end: int, classes: np.ndarray, long: np.ndarray) -> int:
    """Bytes of the break that begins at `i`; 0 if none does."""
    kind = classes[data[i]]
    if kind == _INSIDE:
        return 0
    if kind == _BREAK:
        return 1
    width = 2 if data[i] < 0xE0 else 3
    if i + width > end:
        return 0
    char = (np.int64(data[i]) & 0x1F) << 6 | (np.int64(data[i + 1]) & 0x3F)
    if width == 2:
        return 2 if long[char] else 0
    char = (char & 0x3FF) << 6 | (np.int64(data[i + 2]) & 0x3F)
    return 3 if long[char] else 0


@piece
def piece_end(data, begin, stop, classes, long):  # type: ignore[no-untyped-def]
    """Where the piece ends that begins at `begin`, in a text that ends at `stop` > `begin`."""
    i = begin + 1 if data[begin] == BLANK else begin
    if i < stop and _break_width(data, i, stop, classes, long) == 0:
        while i < stop and _break_width(data, i, stop, classes, long) == 0:
            i += 1
        return i
    i = begin
    while i < stop:
        width = _break_width(data, i, stop, classes, long)
        if width == 0:
            return i - 1 if data[i - 1] == BLANK else i  # the last blank goes with the run
        i += width
    return i


@kernel
def _cut(offsets, data, classes, long, ends, counts):  # type: ignore[no-untyped-def]
    """Writes the ends of pieces as far as `ends` has room, and counts them all."""
    total = 0
    for text in range(len(offsets) - 1):
        at, stop = offsets[text], offsets[text + 1]
        before = total
        while at < stop:
            at = piece_end(data, at, stop, classes, long)
            if total < len(ends):
                ends[total] = at
            total += 1
        counts[text] = total - before
    return total


def pretokens(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cuts texts into pieces.

    Returns `edges` (pieces + 1,) int64, so that piece p is `data[edges[p]:edges[p + 1]]`, and `counts` (n,) int64,
    pieces of each text. The texts must lie end to end, as Arrow's do."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    pieces = _cut(offsets, data, CLASSES, LONG, np.empty(0, np.int64), counts)
    edges = np.empty(pieces + 1, np.int64)
    edges[0] = offsets[0]
    _cut(offsets, data, CLASSES, LONG, edges[1:], counts)
    return edges, counts
