"""Sorts of ASCII bytes, for use inside kernels; no other byte is any of these."""

from pipeline.text.compiling import piece


@piece
def letter(byte):  # type: ignore[no-untyped-def]
    return 65 <= byte <= 90 or 97 <= byte <= 122


@piece
def digit(byte):  # type: ignore[no-untyped-def]
    return 48 <= byte <= 57


@piece
def alnum(byte):  # type: ignore[no-untyped-def]
    return letter(byte) or digit(byte)


@piece
def word(byte):  # type: ignore[no-untyped-def]
    return alnum(byte) or byte == 95
