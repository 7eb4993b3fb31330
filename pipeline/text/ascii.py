"""Sorts of ASCII bytes, for use inside kernels; no other byte is any of these."""

from numba import njit


@njit(inline="always")
def letter(byte):  # type: ignore[no-untyped-def]
    return 65 <= byte <= 90 or 97 <= byte <= 122


@njit(inline="always")
def digit(byte):  # type: ignore[no-untyped-def]
    return 48 <= byte <= 57


@njit(inline="always")
def alnum(byte):  # type: ignore[no-untyped-def]
    return letter(byte) or digit(byte)


@njit(inline="always")
def word(byte):  # type: ignore[no-untyped-def]
    return alnum(byte) or byte == 95
