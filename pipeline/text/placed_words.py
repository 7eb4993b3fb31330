"""The words of texts as hashes, each with the place where it stands.

    placed_words(texts) -> Words(offsets (n + 1,) int64, hashes, begins, ends)      one entry a word

Words are those of `shingles` with the unit `auto`: case, punctuation and layout do not count, and a character of a
script written without spaces is a word. Two words with one hash are taken for one: among m different words this happens
with a chance of m^2 / 2^65. Never reads outside a text.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import U
from pipeline.text.compiling import kernel
from pipeline.text.hashing import START, mix, step
from pipeline.text.letters import CHAR, NOTHING, WORD, tables
from pipeline.text.shingles import astral_class
from pipeline.text.utf8 import decode


class Words(NamedTuple):
    """Words of n texts; those of text t are from `offsets[t]` to `offsets[t + 1]`."""

    offsets: np.ndarray  # (n + 1,) int64
    hashes: np.ndarray  # (m,) uint64
    begins: np.ndarray  # (m,) uint32, bytes of the text
    ends: np.ndarray  # (m,) uint32


def placed_words(texts: pa.Array | pa.ChunkedArray) -> Words:
    """All words, in order. Takes 16 bytes a word."""
    offsets, data = buffers(texts)
    assert not len(offsets) or np.diff(offsets).max(initial=0) < 2**32, "a text of 4 GB"
    classes, folded = tables("auto")
    ends = _count(data, offsets, classes)
    return Words(ends, *_placed(data, offsets, classes, folded, ends[-1]))


@kernel
def _count(data, offsets, classes):  # type: ignore[no-untyped-def]
    ends = np.zeros(len(offsets), np.int64)
    for t in range(len(offsets) - 1):
        i, stop, inside, count = U(offsets[t]), U(offsets[t + 1]), False, 0
        while i < stop:
            char, length = decode(data, i, stop)
            i += length
            kind = classes[char] if char < U(0x10000) else astral_class(char, classes)
            if kind != NOTHING:
                count += kind == CHAR or (kind == WORD and not inside)
                inside = kind == WORD
        ends[t + 1] = ends[t] + count
    return ends


@kernel
def _placed(data, offsets, classes, folded, count):  # type: ignore[no-untyped-def]
    hashes = np.empty(count, np.uint64)
    begins, ends = np.empty(count, np.uint32), np.empty(count, np.uint32)
    m = 0
    for t in range(len(offsets) - 1):
        first, i, stop, inside, h = offsets[t], U(offsets[t]), U(offsets[t + 1]), False, START
        while i < stop:
            char, length = decode(data, i, stop)
            at = np.int64(i) - first
            i += length
            kind = classes[char] if char < U(0x10000) else astral_class(char, classes)
            if kind == NOTHING:
                continue
            if inside and kind != WORD:
                hashes[m] = mix(h)
                m += 1
                inside = False
            if kind in (WORD, CHAR):
                if not inside:
                    h, begins[m] = START, at
                h = step(h, U(folded[char]) if char < U(0x10000) else char)
                ends[m] = at + np.int64(length)
                inside = True
            if kind == CHAR:
                hashes[m] = mix(h)
                m += 1
                inside = False
        if inside:
            hashes[m] = mix(h)
            m += 1
    return hashes, begins, ends
