"""Texts that hypothesis tries on kernels: characters of every sort that they tell apart, and any others."""

import pyarrow as pa
from hypothesis import strategies as st

# letters of many widths, cases and scripts; marks; every sort of blank, line end, control, digit, symbol and joiner
ALPHABET = (
    "aBzé́\u05b1\u05b0ßİſΣςЖأـहिनी்ாမကកខไทย中国カかㄅ한글각😀𠀀𝒳👩‍🚀019٣२½²Ⅷ _.,-@:/\\'\"()!?«»…—。、。"
    " \t\n\r\x0b\x0c\x1c\x00\x7f\x84\x85\x92\u00a0\u00ad\u1680\u2003\u2028\u2029\u200b\u200c\u200d\u3000\ufeff"
    "\ufffc\ufffd\ue000\U0010fffe"
)
CHARACTERS = st.sampled_from(ALPHABET) | st.characters(exclude_categories=["Cs"])
TEXT = st.text(CHARACTERS, max_size=60)
# repeats, which chance seldom makes
REPEATED = st.builds(
    lambda part, times, tail: part * times + tail, st.text(CHARACTERS, max_size=8), st.integers(0, 12), TEXT
)
ANY_TEXT = TEXT | REPEATED


def array(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())
