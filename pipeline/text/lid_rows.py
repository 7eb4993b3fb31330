"""Sums of rows of int8: what a model of hashed features does for each text.

    add_rows(table, rows, count, sums)     sums (DIM,) int32 += table[rows[:count]], table (rows, DIM) int8 as uint64

Written as vector instructions of LLVM, because its compiler makes none of the plain loop, which takes fifty times as
long. They are those of no machine in particular: each has some for them, and integers add up the same on all.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from pipeline.text.compiling import lean
from pipeline.text.lid_model import DIM

AT_ONCE = 256  # rows: 256 times -128 is the least that 16 bits hold
BYTES, HALVES, SUMS = (ir.VectorType(ir.IntType(bits), DIM) for bits in (8, 16, 32))


def _add_some(typing, table, rows, first, last, sums):  # type: ignore[no-untyped-def]
    """Adds `table[rows[first:last]]` to `sums`; at most AT_ONCE rows."""

    def emit(context, builder, signature, args):  # type: ignore[no-untyped-def]
        table_at, rows_at, sums_at = (
            context.make_array(signature.args[at])(context, builder, args[at]).data for at in (0, 1, 4)
        )
        bytes_at = builder.bitcast(table_at, BYTES.as_pointer())
        ints_at = builder.bitcast(sums_at, SUMS.as_pointer())
        so_far = cgutils.alloca_once(builder, HALVES)  # the compiler keeps it in registers
        builder.store(ir.Constant(HALVES, None), so_far)
        one = ir.Constant(ir.IntType(64), 1)
        with cgutils.for_range_slice(builder, args[2], args[3], one, inc=True) as (at, _):
            row = builder.zext(builder.load(builder.gep(rows_at, [at])), ir.IntType(64))
            here = builder.load(builder.gep(bytes_at, [row]), align=1)
            builder.store(builder.add(builder.load(so_far), builder.sext(here, HALVES)), so_far)
        whole = builder.add(builder.load(ints_at, align=4), builder.sext(builder.load(so_far), SUMS))
        builder.store(whole, ints_at, align=4)
        return context.get_dummy_value()

    return types.void(table, rows, types.int64, types.int64, sums), emit


_add: Any = intrinsic(_add_some)


@lean
def add_rows(table, rows, count, sums):  # type: ignore[no-untyped-def]
    """Adds `count` rows of a table of int8, which is given as (rows, DIM / 8) uint64, to `sums`, (DIM,) int32."""
    for first in range(0, count, AT_ONCE):
        _add(table, rows, first, min(first + AT_ONCE, count), sums)
