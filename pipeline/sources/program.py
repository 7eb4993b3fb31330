r"""One file of source code judged: is it text, in which language and encoding, under which licence.

    judge(Place(row=3, path="a.h"), b"namespace x {}\n", "c", above="MIT", rules=Rules())
    -> Record(3, b"namespace x {}\n", "code", "cpp", '{"licence":"MIT"}', path="a.h")

Text is UTF-8; a Python file may declare another encoding in its first two lines (PEP 263). Opens nothing.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Any

from pipeline.programming import settle
from pipeline.sources.base import Bad, Record
from pipeline.sources.jsonl import dump
from pipeline.sources.licences import allows, declared
from pipeline.sources.lines import without_bom
from pipeline.sources.text import utf8_problem

BINARY_HEAD = 8192  # a NUL in the first so many bytes tells what is no text, as git has it
CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # PEP 263
TEXT_CODECS = re.compile(
    r"iso8859-|cp\d|koi8-|gb|big5|euc_|shift_jis|mac-|johab|tis-620"
)  # no unicode_escape, no rot13


@dataclass(frozen=True, slots=True)
class Rules:
    """What may pass: None allows all."""

    max_document: int = 64_000_000  # bytes
    lang: str | None = None  # declared for all
    languages: frozenset[str] | None = None
    licences: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stands."""

    row: int
    path: str
    offset: int = 0

    def bad(self, reason: str, detail: str, **more: Any) -> Bad:
        return Bad(self.row, reason, self.offset, detail, path=self.path, **more)

    def too_large(self, size: int, rules: Rules) -> Bad:
        detail = f"{size} bytes in one file"
        return self.bad("too_large", detail, value=float(size), limit=float(rules.max_document))


def judge(place: Place, data: bytes, named: str, above: str | None, rules: Rules) -> Record | Bad:
    """The record of a file whose name says the language `named`; `above` is the licence of its folder."""
    if len(data) > rules.max_document:
        return place.too_large(len(data), rules)
    if b"\0" in data[:BINARY_HEAD]:
        return place.bad("binary", "a NUL in its first 8 kB", counts=False)
    language = settle(named, place.path, data)
    if language is None or (rules.languages is not None and language not in rules.languages):
        return place.bad("language", f"named like {named}, but is {language or 'not known'}", counts=False)
    licence = declared(data) or above
    if rules.licences is not None and not allows(licence, rules.licences):
        return place.bad("licence", f"{licence or 'no known licence'}: not among those allowed", counts=False)
    text = decoded(place, without_bom(data), language)
    if isinstance(text, Bad):
        return text
    meta = dump({"licence": licence}) if licence else None
    return Record(place.row, text, "code", rules.lang or language, meta, place.path)


def decoded(place: Place, data: bytes, language: str) -> bytes | str | Bad:
    """UTF-8 as it is; Python in the encoding it declares; else a `Bad` that says where it breaks."""
    problem = utf8_problem(place.row, 0, data)
    if not problem:
        return data
    codec = declared_codec(data) if language == "python" else None
    try:
        return data.decode(codec) if codec else place.bad("invalid_utf8", f"at byte {problem.offset}: {problem.detail}")
    except UnicodeDecodeError as error:
        return place.bad("invalid_utf8", f"declared {codec}, but at byte {error.start}: {error.reason}")


def declared_codec(data: bytes) -> str | None:
    """The codec of PEP 263's line, if it is one for plain text."""
    match = next((m for line in data.split(b"\n", 2)[:2] if (m := CODING.match(line))), None)
    try:
        name = codecs.lookup(match[1].decode("ascii")).name if match else ""
    except (LookupError, UnicodeDecodeError):
        return None
    return name if TEXT_CODECS.match(name) else None
