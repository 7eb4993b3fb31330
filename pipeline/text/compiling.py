"""How kernels are compiled: `kernel` is called from Python and kept on disk, `piece` is called from kernels alone.

Both run without the interpreter's lock, in one thread, with the arithmetic as written. A piece has no entry from
Python, which makes its compilation shorter; the compiler copies short ones into their callers.
"""

from numba import njit

kernel = njit(cache=True, nogil=True)
piece = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[call-overload] # stubs lag
