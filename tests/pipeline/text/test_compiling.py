"""A kernel and all that it calls are compiled as one, and compute what they would alone."""

import numpy as np
import pytest
from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.errors import TypingError
from numba.core.registry import cpu_target

from pipeline.text.compiling import _KernelCompiler, piece

kernel = njit(pipeline_class=_KernelCompiler)  # not kept on disk, or a second run of these tests would compile nothing


@piece
def squares(n):
    out = np.zeros(n, np.int64)
    for i in range(n):
        out[i] = i * i
    return out


@piece
def checked(n):
    if n < 0:
        raise ValueError("negative")
    return squares(n)


@pytest.fixture
def machine_code(monkeypatch):
    """Names of the functions that became machine code."""
    names = []
    finish = JITCodeLibrary._finalize_specific
    monkeypatch.setattr(JITCodeLibrary, "_finalize_specific", lambda self: (names.append(self.name), finish(self)))
    return names


def test_the_kernel_alone_becomes_machine_code(machine_code):
    @kernel
    def total(n):
        return checked(n).sum()

    assert total(4) == 0 + 1 + 4 + 9
    assert [name.split(".")[-1] for name in machine_code if name != "nrt"] == ["total"]  # nrt: Numba's, once a process


def test_an_error_in_a_piece_reaches_python():
    @kernel
    def total(n):
        return checked(n).sum()

    with pytest.raises(ValueError, match="negative"):
        total(-1)


def test_a_kernel_may_call_a_kernel():
    @kernel
    def inner(n):
        return squares(n)[-1]

    @kernel
    def outer(n):
        return inner(n) + squares(n)[0]

    assert (outer(4), inner(5)) == (9, 16)  # the second through the entry of the inner one


def test_functions_of_others_are_compiled_as_ever_even_after_a_kernel_that_cannot_be(machine_code):
    @kernel
    def wrong(n):
        return n + squares

    with pytest.raises(TypingError):
        wrong(1)
    assert cpu_target.target_context.codegen()._library_class is JITCodeLibrary

    @njit
    def theirs(n):
        return squares(n)[-1]

    assert theirs(4) == 9
    assert "theirs" in machine_code[-1]
