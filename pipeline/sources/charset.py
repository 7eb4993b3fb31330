r"""From a page's bytes to its text: which encoding it is in, and what becomes of bytes that are none in it.

    decoded(b"\xef\xbb\xbf<p>caf\xc3\xa9", None)                  -> Decoded("<p>café", "utf-8", replaced=0)
    decoded(b'<meta charset="windows-1251">\xef\xf0', None)       -> Decoded('...пр', "cp1251", replaced=0)

The order is that of the HTML standard: byte order mark, what the server said, what the page says in its first 1024
bytes, and if nobody says anything UTF-8 where it fits, else what a detector (uchardet) thinks. Two mends, for servers
and pages that are wrong: text that is valid UTF-8 beyond ASCII is not read as a one-byte encoding, whoever says so, and
an encoding that does not fit gives way to the next that does. Where none fits, bytes become U+FFFD and are counted.
Labels are those of the WHATWG: `iso-8859-1` is windows-1252. Lone surrogates never come out.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

META_BYTES = 1024  # the standard's: behind them a page's own word does not count
META = re.compile(rb"<meta[^>]*?charset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.I)
XML = re.compile(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']+)", re.I)
BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# what the standard's name means to a browser, where Python's codec of that name knows fewer characters
WIDER = {"gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs", "iso8859-11": "cp874"}
SEVERAL_BYTES = frozenset(("gb18030", "cp932", "cp949", "big5hkscs", "euc_jp", "iso2022_jp", "utf-16-le", "utf-16-be"))


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, the Python codec it was read with, and how many times U+FFFD stands for what could not be."""

    text: str
    codec: str
    replaced: int = 0


def decoded(data: bytes, declared: str | None, markup: bool = True) -> Decoded:
    """The text of a page (of plain text where `markup` is false); `declared` is what the server said, if anything."""
    for mark, codec in BOMS:
        if data.startswith(mark):
            return _read(data[len(mark) :], [codec])
    if data.isascii():
        return Decoded(data.decode("ascii"), "utf-8")
    said = [codec for codec in _said(data, declared, markup) if codec]
    if all(codec not in SEVERAL_BYTES for codec in said[:1]) or "utf-8" in said[:1]:
        said.insert(0, "utf-8")
    return _read(data, list(dict.fromkeys([*said, "utf-8"])))


def _said(data: bytes, declared: str | None, markup: bool) -> Iterator[str | None]:
    yield known(declared)
    if markup:
        meta = META.search(data, 0, META_BYTES) or XML.match(data, 0, META_BYTES)
        codec = known(meta[1].decode("ascii", "replace")) if meta else None
        yield "utf-8" if codec in ("utf-16-le", "utf-16-be") else codec  # it was read as ASCII, so it cannot be


def known(label: str | None) -> str | None:
    """The Python codec of a label as pages write them; None for one that the standard does not have."""
    codec = map_encoding_to_html5(label, fallback_utf8=False) if label else None
    return codecs.lookup(WIDER.get(codec, codec)).name if codec else None


def _read(data: bytes, candidates: list[str]) -> Decoded:
    """By the first that fits, the detector's last; by the best of them with replacements where none does."""
    for codec in candidates:
        try:
            return Decoded(data.decode(codec), codec)
        except UnicodeDecodeError:
            continue
    guess = known(detect_encoding(data)) or "utf-8"
    tries = [_replaced(data, codec) for codec in dict.fromkeys([*candidates, guess])]
    return min(tries, key=lambda one: one.replaced)  # the first of the best


def _replaced(data: bytes, codec: str) -> Decoded:
    text = data.decode(codec, "replace")
    return Decoded(text, codec, text.count("\ufffd"))
