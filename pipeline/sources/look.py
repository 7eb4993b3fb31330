"""A look at the beginning of a source's first file: what it holds, in words for the one who named it wrongly.

    look(Jsonl(name="a", path="a.jsonl")) -> Look("its fields are: content, id; set `text_field: content`", "content")

For errors and for `init` alone: what it finds changes no byte of any step. It reads HEAD bytes and must never raise for
what it finds there.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pipeline.errors import SeedbedError
from pipeline.sources.base import Source
from pipeline.sources.decompress import Damage
from pipeline.sources.files import FileSource
from pipeline.sources.jsonl import Jsonl, parse
from pipeline.sources.jsonl import look as value_at
from pipeline.sources.lines import without_bom

HEAD = 1 << 16  # bytes
LINES = 20  # of these, at most, are asked for their fields
SHOWN = 12  # fields


@dataclass(frozen=True)
class Look:
    """`mend` is a deed, empty where nothing is wrong; `text_field` is where the text stands, if elsewhere."""

    mend: str = ""
    text_field: str = ""


def look(source: Source) -> Look:
    """What the beginning of its first file tells; nothing where it cannot be opened."""
    if not isinstance(source, FileSource):
        return Look()
    head = _head(source)
    if mend := _encoding(head):
        return Look(mend)
    return _fields(source, head) if isinstance(source, Jsonl) else Look()


def _head(source: FileSource) -> bytes:
    head = b""
    try:
        for block in source.blocks(source.files()[0]):
            head += block
            if len(head) >= HEAD:
                break
    except (SeedbedError, Damage):
        return head
    return head[:HEAD]


def _encoding(head: bytes) -> str:
    if head.startswith(b"%PDF"):
        return "it is a PDF, which is not read here: take its text out first, into .txt or JSON lines"
    evens, odds = head[0::2].count(0), head[1::2].count(0)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or max(evens, odds) > len(head) // 5 > 0:
        return "it looks like UTF-16: convert it, `iconv -f UTF-16 -t UTF-8 OLD > NEW`"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < HEAD)  # HEAD may cut a character
    except UnicodeDecodeError:
        return "it is not UTF-8, perhaps Windows-1252: convert it, `iconv -f CP1252 -t UTF-8 OLD > NEW`"
    return ""


def _fields(source: Jsonl, head: bytes) -> Look:
    text = without_bom(head).lstrip()
    if text.startswith(b"["):
        return Look("it is one array, not one object a line: `jq -c '.[]' OLD.json > NEW.jsonl` makes lines of it")
    lengths: dict[str, int] = {}
    for line in islice(text.split(b"\n"), LINES):
        try:
            value = parse(line)
        except ValueError:
            continue
        if isinstance(value_at(value, tuple(source.text_field.split("."))), str):
            return Look()
        for name, size in _strings(value).items():
            lengths[name] = lengths.get(name, 0) + size
    longest = max(lengths, key=lambda name: lengths[name], default="")
    if not longest:
        return Look()
    names = ", ".join(list(lengths)[:SHOWN])
    return Look(
        f"there is no text in {source.text_field!r}; its fields are: {names}; set `text_field: {longest}`", longest
    )


def _strings(value: Any, above: str = "") -> dict[str, int]:
    """{field: characters} of the strings of an object, and of the objects in it, by the names a config gives them."""
    out: dict[str, int] = {}
    for name, own in value.items() if isinstance(value, dict) else ():
        if isinstance(own, str):
            out[above + name] = len(own)
        elif isinstance(own, dict) and not above:
            out |= _strings(own, f"{name}.")
    return out
