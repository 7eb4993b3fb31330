"""Simplified and traditional Chinese, told by the characters that only one of them writes.

Out: `sides()`, (65536,) uint8: 1 for a character of simplified writing alone, 2 of traditional writing alone, else 0.

The rule needs no list: GB 2312, mainland China's set of 1980, holds simplified characters; Big5, Taiwan's of 1984,
holds traditional ones. What GB 2312 has and Big5 lacks is simplified; what Big5 has in its first plane, the 5,401
characters in frequent use, and GB 2312 lacks is traditional. Python's codecs know both sets.
"""

from functools import cache

import numpy as np

ONE_SIDE = (1, 2)  # simplified, traditional
_FREQUENT = 0xC67E  # the end of Big5's first plane


@cache
def sides() -> np.ndarray:
    """(65536,) uint8, read-only."""
    out = np.zeros(0x10000, np.uint8)
    for code in range(0x4E00, 0x9FB0):
        simplified, big5 = _encoded(code, "gb2312"), _encoded(code, "big5")
        if simplified and not big5:
            out[code] = ONE_SIDE[0]
        elif not simplified and 0 < big5 <= _FREQUENT:
            out[code] = ONE_SIDE[1]
    out.flags.writeable = False
    return out


def writing(text: str) -> str:
    """`zh-hans` or `zh-hant`, by which side's characters are more; simplified where none tells."""
    codes = np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32)
    found = np.bincount(sides()[codes[codes < 0x10000]], minlength=3)
    return "zh-hant" if found[ONE_SIDE[1]] > found[ONE_SIDE[0]] else "zh-hans"


def _encoded(code: int, charset: str) -> int:
    """The character's two bytes there as a number; 0 if the set lacks it."""
    try:
        return int.from_bytes(chr(code).encode(charset), "big")
    except UnicodeEncodeError:
        return 0
