"""How kernels are compiled: `kernel` is called from Python and kept on disk, `piece` is called from kernels alone.

Both run without the interpreter's lock, in one thread, with the arithmetic as written. A piece has no entry from
Python; the compiler copies short ones into their callers.

Numba by itself optimises each function twice, makes machine code of it, and does so again in each of its callers, up
to the kernel. Here whatever a kernel calls, Numba's own functions too, is optimised once where it stands and linked
into its callers; the kernel alone becomes machine code. (Without the first, kernels came out up to 2.5 times slower.)
Never call a piece from Python: there is no machine code of it.

`lean` is a piece that counts no references to arrays. Numba counts them where a function branches and calls others
with them, by a locked instruction each, which can cost more than the function does (7 to 20 ns a call). It must make no
array and return none: nobody would own it.
"""

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import NativeLowering


class _WithoutEntry:
    """The code generator as a function sees it that has no address: nothing can be told to it."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def set_env(self, name: str, env: Any) -> None:
        """Numba would write to the function's address: to 0, here."""


class _Linked(JITCodeLibrary):
    """A function for its callers alone: it is linked into them."""

    @property
    def codegen(self) -> Any:
        return _WithoutEntry(self._codegen)

    def get_pointer_to_function(self, name: str) -> int:
        return 0

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout  # the module as a whole is optimised, that is enough

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()  # a function that reads the address of something cannot be kept on disk
        self._verify_declare_only_symbols()
        self._finalized = True


class _Whole(JITCodeLibrary):
    """A kernel and all that it calls."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerKernel(NativeLowering):
    _name = "lower_kernel"

    def run_pass(self, state: Any) -> bool:
        codegen = state.targetctx.codegen()
        state.library = _Whole(codegen, state.func_id.func_qualname)
        state.library.enable_object_caching()
        return bool(super().run_pass(state))


class _KernelCompiler(CompilerBase):
    def compile_extra(self, func: Callable[..., Any]) -> Any:
        codegen = self.state.targetctx.codegen()
        before, codegen._library_class = codegen._library_class, _Linked  # of all that is compiled for the kernel
        try:
            return super().compile_extra(func)
        finally:
            codegen._library_class = before

    def define_pipelines(self) -> list[PassManager]:
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes = [(_LowerKernel if step is NativeLowering else step, told) for step, told in passes.passes]
        passes.finalize()
        return [passes]


kernel = njit(cache=True, nogil=True, pipeline_class=_KernelCompiler)
piece = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[call-overload] # stubs lag
lean = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)  # type: ignore[call-overload]
