"""Stretches of a text around some of its words, in bytes.

In: one Arrow text, runs of its words as (first, last), and how many characters around them belong to them. Out: the
stretches from the first byte of each run to behind its last, so much wider on both sides, joined where they touch.

Words are those of `shingles`, numbered from 0; characters are code points, and none is cut.
The twin is tests/pipeline/text/stretches_twin.py.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel
from pipeline.text.letters import CHAR, NOTHING, WORD, tables
from pipeline.text.shingles import astral_class
from pipeline.text.utf8 import decode

U = np.uint64


def stretches(
    text: pa.Array | pa.ChunkedArray, firsts: np.ndarray, lasts: np.ndarray, around: int, unit: str = "auto"
) -> tuple[np.ndarray, np.ndarray]:
    """(k,) int64 begins and ends within the text (an array of one), rising.

    `firsts` and `lasts` are (m,) int64 words of the text, each rising, the runs apart from each other.
    """
    offsets, data = buffers(text)
    begins, ends = _bytes_of(data, U(offsets[0]), U(offsets[1]), firsts, lasts, tables(unit)[0])
    begins, ends = _widened(data, offsets[0], offsets[1], begins, ends, around)
    return begins - offsets[0], ends - offsets[0]


@kernel
def _bytes_of(data, start, stop, firsts, lasts, classes):  # type: ignore[no-untyped-def]
    """Where in `data` the first words begin and the last ones end."""
    begins, ends = np.empty(len(firsts), np.int64), np.empty(len(firsts), np.int64)
    a, b, word, inside, i = 0, 0, -1, False, start
    while i < stop:
        char, length = decode(data, i, stop)
        kind = classes[char] if char < U(0x10000) else astral_class(char, classes)
        if kind in (WORD, CHAR):
            if kind == CHAR or not inside:
                word += 1
                b += b < len(lasts) and lasts[b] < word
                if a < len(firsts) and firsts[a] == word:
                    begins[a] = i
                    a += 1
            if b < len(lasts) and lasts[b] == word:
                ends[b] = i + length
        if kind != NOTHING:
            inside = kind == WORD
        i += length
    return begins, ends


@kernel
def _widened(data, start, stop, begins, ends, around):  # type: ignore[no-untyped-def]
    """The stretches, wider by `around` characters on both sides; those that touch are one."""
    k = 0
    for run in range(len(begins)):
        begin, end = begins[run], ends[run]
        before = ends[k - 1] if k else start
        after = begins[run + 1] if run + 1 < len(begins) else stop
        for _ in range(around):
            if begin <= before:
                break
            begin -= 1
            while begin > before and data[begin] & 0xC0 == 0x80:
                begin -= 1
        for _ in range(around):
            if end >= after:
                break
            end += 1
            while end < after and data[end] & 0xC0 == 0x80:
                end += 1
        if k and begin <= before:
            ends[k - 1] = end
        else:
            begins[k], ends[k] = begin, end
            k += 1
    return begins[:k], ends[:k]
