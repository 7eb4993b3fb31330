"""Reading a text in blocks of code points, for kernels that need no more than some at a time.

In: UTF-8 bytes. Out: up to `most` characters, decoded into `codes` (uint32) behind the last `before` of the block
before. A piece of kernels; those that want a whole text at once take `decoding`.
"""

import numpy as np

from pipeline.text.characters import U, decode
from pipeline.text.compiling import piece
from pipeline.text.decoding import HIGH_BITS
from pipeline.text.hashing import load


@piece
def read_block(data, at, end, codes, before, most):  # type: ignore[no-untyped-def]
    """Decodes up to `most` characters from byte `at` into `codes[before:]`; the byte after them and how many."""
    i, stop, o, full = U(at), U(end), U(before), U(before + most)
    while i < stop and o < full:
        while i + U(8) <= stop and o + U(8) <= full:
            if load(data, i) & HIGH_BITS:
                break
            for ahead in range(8):
                codes[o + U(ahead)] = data[i + U(ahead)]
            i += U(8)
            o += U(8)
        pause = min(o + U(8), full)
        while i < stop and o < pause:
            code, i = decode(data, i, stop)
            codes[o] = code
            o += U(1)
    return np.int64(i), np.int64(o) - before
