"""A table of spans that grows: (m, 4) int64, in which kernels lay down what they find, not knowing how much that is.

Rows are copied number by number: an array assigned to a part of an array makes the compiler prepare the words of an
error about their shapes, which takes it longer than all the rest of a small kernel.
"""

import numpy as np

from pipeline.text.compiling import piece


@piece
def with_room(rows):  # type: ignore[no-untyped-def]
    """The same rows and as many free ones behind them; (2 m, 4) int64."""
    out = np.empty((2 * len(rows), 4), np.int64)
    for row in range(len(rows)):
        copy_row(rows, row, out, row)
    return out


@piece
def copy_row(rows, row, out, at):  # type: ignore[no-untyped-def]
    for column in range(4):
        out[at, column] = rows[row, column]
