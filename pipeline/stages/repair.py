"""Repair of damaged Unicode by ftfy, for `normalize`: only texts and lines that ftfy could change are shown to it.

    repaired(texts, rows, "encoding") -> {row: text}, the rows that changed

encoding   mojibake alone, line by line: `itâ€™s` becomes `it’s`. ftfy looks at the letters of a piece of text
           together, so an emoji in one line must not keep another line from being repaired
text       all that `ftfy.fix_text` does, in form NFC, as in SlimPajama: straight quotes, ligatures and full-width
           letters taken apart, entities unescaped where no < stands, terminal escapes and controls taken out

What ftfy could change is read off its own tables: it leaves a line alone unless its regular expression of mojibake
matches, of which every branch needs a control of C1, two neighbours of its character classes, or one of few letters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import ftfy
import numpy as np
import pyarrow as pa
from ftfy import badness, chardata

from pipeline.text.suspects import ALONE, FRONT, JOINS, suspects

PIECE = 1_000_000  # characters of a line that ftfy sees at once, as in `ftfy.fix_text`
BEFORE_SPACE = "ÃÂØÙ"  # letters that make mojibake with a plain space behind them
LIGATURES = "Œœ"  # mojibake unless a plain letter follows


@cache
def mojibake() -> np.ndarray:
    """(0x110000,) uint8 for `suspects`: what ftfy's expression of mojibake can match."""
    table = np.zeros(0x110000, np.uint8)
    classes = re.findall(r"\[([^]^][^]]*)\]", badness.BADNESS_RE.pattern)
    inside = re.compile("[" + "".join(c.removeprefix("-") for c in classes) + "]")
    literal = {c for c in badness.BADNESS_RE.pattern if c > "\x7f"}
    for code in range(0x80, 0x10000):
        if chr(code) in literal or inside.match(chr(code)):
            table[code] = JOINS
    table[0x80:0xA0] |= ALONE
    table[[ord(c) for c in BEFORE_SPACE]] |= ALONE
    table[[ord(c) for c in LIGATURES]] |= FRONT
    return table


@cache
def unusual() -> np.ndarray:
    """(0x110000,) uint8 for `suspects`: what `ftfy.fix_text` can change, its Unicode form aside."""
    table = mojibake().copy()
    tables = (chardata.LIGATURES, chardata.WIDTH_MAP, chardata.CONTROL_CHARS)
    table[[code for known in tables for code in known]] |= ALONE
    table[[*map(ord, "&\r\x1b\x85\u2028\u2029")]] |= ALONE
    quotes = (chardata.SINGLE_QUOTE_RE, chardata.DOUBLE_QUOTE_RE)
    table[[code for code in range(0x10000) if any(quote.match(chr(code)) for quote in quotes)]] |= ALONE
    return table


def repaired(texts: pa.Array, rows: np.ndarray, how: str) -> dict[int, str]:
    """Those of these rows that change, and the texts that they become; `how` is `encoding` or `text`."""
    some = texts.take(pa.array(rows))
    doubtful = suspects(some, mojibake() if how == "encoding" else unusual())
    out = {}
    for row, doubt in zip(rows.tolist(), doubtful.tolist(), strict=True):
        if not doubt and how == "encoding":
            continue
        text = texts[row].as_py()
        if doubt or not unicodedata.is_normalized("NFC", text):
            fixed = _encoding(text) if how == "encoding" else ftfy.fix_text(text, normalization="NFC")
            if fixed != text:
                out[row] = fixed
    return out


def _encoding(text: str) -> str:
    """The text with the mojibake of each line repaired."""
    lines = text.split("\n")
    for at in np.flatnonzero(suspects(pa.array(lines, pa.large_string()), mojibake())).tolist():
        line = lines[at]
        lines[at] = "".join(ftfy.fix_encoding(line[i : i + PIECE]) for i in range(0, len(line), PIECE))
    return "\n".join(lines)
