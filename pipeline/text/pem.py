"""Blocks between -----BEGIN ...----- and -----END ...-----: private keys go, certificates and signatures stay whole.

In: UTF-8 bytes and a token that ends in -----BEGIN. Out: (end of the block, whether it is a private key); (0, False)
where none ends. A block ends where another begins, so time is linear in the bytes.
"""

import numpy as np

from pipeline.text.compiling import piece

LONGEST_PRIVATE, LONGEST_PUBLIC = 16_384, 1 << 20  # bytes between the first line and the last
_BEGIN, _END, _PRIVATE, _DASHES = (
    np.frombuffer(text, np.uint8) for text in (b"-----BEGIN ", b"-----END ", b"PRIVATE KEY", b"-----")
)


@piece
def matches(data, i, end, text):  # type: ignore[no-untyped-def]
    """Whether these bytes stand at `i`."""
    if i + len(text) > end:
        return False
    for ahead in range(len(text)):  # noqa: SIM110 (Numba compiles no generators)
        if data[i + ahead] != text[ahead]:
            return False
    return True


@piece
def pem(data, first, last, end):  # type: ignore[no-untyped-def]
    """(end, is private) of the block whose first line begins with the token `data[first:last]`."""
    if last - first < len(_BEGIN) - 1 or not matches(data, last - len(_BEGIN) + 1, end, _BEGIN):
        return 0, False
    i, private = _label(data, last + 1, end)
    stop = min(end, i + (LONGEST_PRIVATE if private else LONGEST_PUBLIC)) if i else 0
    while i < stop and not matches(data, i, end, _END):
        if data[i] == 45 and matches(data, i, end, _BEGIN):
            return 0, False
        i += 1
    if i >= stop:
        return 0, False
    i, also = _label(data, i + len(_END), end)
    return (i, private) if i and also == private else (0, False)


@piece
def _label(data, i, end):  # type: ignore[no-untyped-def]
    """(end, is private) of a label such as RSA PRIVATE KEY with five dashes behind; (0, False): none on the line."""
    private, stop = False, min(end, i + 60)
    while i < stop and data[i] != 10:
        if data[i] == 45 and matches(data, i, end, _DASHES):
            return i + len(_DASHES), private
        private = private or (data[i] == 80 and matches(data, i, end, _PRIVATE))
        i += 1
    return 0, False
