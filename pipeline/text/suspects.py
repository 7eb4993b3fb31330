"""Which texts hold a character, or two that stand together, of which a slower look may make something.

In: Arrow texts (n) and a table over all of Unicode. Out: (n,) bool. A text is suspect if it holds a character that is

ALONE     suspect by itself
JOINS     suspect beside another such character
FRONT     suspect unless a letter of ASCII follows

What the table says is the caller's; here nothing is judged. Time is linear in the bytes.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.ascii import letter
from pipeline.text.buffers import buffers
from pipeline.text.characters import U, decode
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import load
from pipeline.text.utf8 import HIGHEST

ALONE, JOINS, FRONT = 1, 2, 4


def suspects(texts: pa.Array | pa.ChunkedArray, table: np.ndarray) -> np.ndarray:
    """(n,) bool. `table` is (0x110000,) uint8."""
    offsets, data = buffers(texts)
    return _suspects(data, offsets, table, not table[:128].any())


@kernel
def _suspects(data, offsets, table, ascii_is_fine):  # type: ignore[no-untyped-def]
    out = np.zeros(len(offsets) - 1, np.bool_)
    for d in range(len(out)):
        out[d] = _suspect(data, U(offsets[d]), U(offsets[d + 1]), table, ascii_is_fine)
    return out


@piece
def _suspect(data, i, end, table, ascii_is_fine):  # type: ignore[no-untyped-def]
    joins = False  # the character before could join one
    while i < end:
        if ascii_is_fine:
            while i + U(8) <= end and not load(data, i) & HIGHEST:
                i += U(8)
                joins = False
            if i == end:
                break
        code, after = decode(data, i, end)
        kind = table[code]
        if kind:
            if kind & ALONE or (kind & JOINS and joins):
                return True
            if kind & FRONT and not (after < end and letter(data[after])):
                return True
        joins = kind & JOINS != 0
        i = after
    return False
