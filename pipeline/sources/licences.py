"""Which licence source code is under: what a file says of itself, else the nearest licence file above it.

    declared(b"# SPDX-License-Identifier: MIT OR Apache-2.0")  -> "MIT OR Apache-2.0"
    recognise("Permission is hereby granted, free of charge...") -> "MIT"          None where it is not known
    allows("MIT OR GPL-3.0-only", ["MIT"])                     -> True

Licences are SPDX expressions. A licence's text does not say whether later versions may be used, so what COPYING tells
stays `GPL-2.0`; in a list of allowed licences `GPL-2.0` stands for `-only` and `-or-later` too. The phrase that comes
first in the text decides, blanks and case set aside; nothing is guessed beyond these phrases.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

HEAD = 4096  # bytes of a file in which its SPDX line is looked for
LONGEST = 200_000  # bytes of a licence file that are read

FILE_NAME = re.compile(r"(?:[a-z0-9.]+[-_])?(?:un)?licen[cs]e(?:[._-].*)?|copying(?:[._-].*)?", re.IGNORECASE)
NO_TEXT = (".html", ".htm", ".rtf", ".pdf", ".json", ".xml", ".spdx", ".png", ".svg")
SPDX = re.compile(rb"SPDX-License-Identifier:[ \t]*([A-Za-z0-9.+() \t-]+)")

_MIT = "permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated"
_ISC = "permission to use, copy, modify, and(?: or)? distribute this software for any purpose with or without fee"
_BSD = "redistribution and use (?:of this software )?in source and binary forms"
_MIT_ENDS = "the above copyright notice and this permission notice"
_BSD_4 = "all advertising materials mentioning"


class Phrase(NamedTuple):
    """What only this licence has. What stands anywhere behind it is looked for once, not behind each place where the
    words stand: texts that repeat them must cost no more than others."""

    licence: str  # SPDX identifier
    words: str  # a regular expression
    behind: tuple[str, ...] = ()  # one of these stands somewhere behind the words
    nowhere: tuple[str, ...] = ()  # none of these does


PHRASES = (
    Phrase("AGPL-3.0", r"gnu affero general public license,? version 3"),
    Phrase("LGPL-2.0", r"gnu library general public license,? version 2"),
    Phrase("LGPL-2.1", r"gnu lesser general public license,? version 2\.1"),
    Phrase("LGPL-3.0", r"gnu lesser general public license,? version 3"),
    Phrase("GPL-1.0", r"gnu general public license,? version 1"),
    Phrase("GPL-2.0", r"gnu general public license,? version 2"),
    Phrase("GPL-3.0", r"gnu general public license,? version 3"),
    Phrase("Apache-2.0", r"apache license,? (?:version|v) ?2\.0"),
    Phrase("MPL-2.0", r"mozilla public license,? (?:version|v\.?) ?2\.0"),
    Phrase("Unlicense", r"this is free and unencumbered software released into the public domain"),
    Phrase("PSF-2.0", r"python software foundation license version 2"),
    Phrase("BSL-1.0", r"boost software license,? (?:- )?version 1\.0"),
    Phrase("CC0-1.0", r"cc0 1\.0 universal"),
    Phrase("MIT", _MIT, behind=(_MIT_ENDS,)),
    Phrase("MIT-0", _MIT, nowhere=(_MIT_ENDS,)),
    Phrase(
        "ISC",
        rf"{_ISC} is hereby granted, provided that the above copyright notice",
        nowhere=("except as contained in this notice",),
    ),
    Phrase("0BSD", rf"{_ISC} is hereby granted\. the software"),
    Phrase("BSD-4-Clause", _BSD, behind=(_BSD_4,)),
    Phrase("BSD-3-Clause", _BSD, behind=("neither the name", "may not be used to endorse"), nowhere=(_BSD_4,)),
    Phrase("BSD-2-Clause", _BSD, nowhere=("neither the name", "endorse or promote", "all advertising materials")),
)
_PATTERNS = tuple((phrase, re.compile(phrase.words)) for phrase in PHRASES)
BRACKETS_AT_MOST = 100  # opened in an expression; more are no expression: each takes calls in calls to read


def is_licence_file(path: str) -> bool:
    """Whether a file of that name holds a licence: LICENSE, LICENCE.txt, MIT-LICENSE, COPYING.LESSER, UNLICENSE."""
    name = path.rsplit("/", 1)[-1]
    return FILE_NAME.fullmatch(name) is not None and not name.lower().endswith(NO_TEXT)


def declared(data: bytes) -> str | None:
    """The expression of the first SPDX line in the first 4 kB."""
    match = SPDX.search(data, 0, HEAD)
    return " ".join(match[1].decode("ascii").split()) or None if match else None


def recognise(text: str) -> str | None:
    """The SPDX identifier of a licence's text; of several licences in one text the one that comes first."""
    folded = re.sub(r"[\s*#/;]+", " ", text[:LONGEST].lower())  # and/or becomes and or
    found = [(begin, phrase.licence) for phrase, words in _PATTERNS if (begin := _begin(phrase, words, folded)) >= 0]
    return min(found, key=lambda hit: hit[0])[1] if found else None


def _begin(phrase: Phrase, words: re.Pattern[str], text: str) -> int:
    """Where the phrase begins, -1 where it is not in the text."""
    behind = max((text.rfind(part) for part in phrase.behind), default=len(text))
    nowhere = max((text.rfind(part) for part in phrase.nowhere), default=-1)
    return next((match.start() for match in words.finditer(text) if nowhere < match.end() <= behind), -1)


def together(licences: Iterable[str | None]) -> str | None:
    """Of all licence files of a folder: joined by AND, since nothing says one may choose; LGPL comes with GPL."""
    names = sorted({name for name in licences if name})
    if any(name.startswith("LGPL") for name in names):
        names = [name for name in names if not name.startswith("GPL")]
    return " AND ".join(names) or None


def nearest(path: str, by_folder: dict[str, str]) -> str | None:
    """The licence of the nearest folder above `path` ("" is the root) that has one."""
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in by_folder:
            return by_folder[folder]
    return by_folder.get("")


def allows(expression: str | None, allowed: Collection[str]) -> bool:
    """Whether the licences in `allowed` permit use under `expression` (AND, OR, WITH and brackets as SPDX has them).
    Unknown licences and what is no expression are not allowed."""
    if (expression or "").count("(") > BRACKETS_AT_MOST:
        return False
    tokens = re.findall(r"[()]|[^\s()]+", expression or "")
    names = {name.lower() for name in allowed}
    try:
        verdict, rest = _either(tokens, names)
    except (IndexError, ValueError):
        return False
    return verdict and not rest


def _either(tokens: list[str], names: set[str]) -> tuple[bool, list[str]]:
    verdict, tokens = _both(tokens, names)
    while tokens and tokens[0].upper() == "OR":
        other, tokens = _both(tokens[1:], names)
        verdict = verdict or other
    return verdict, tokens


def _both(tokens: list[str], names: set[str]) -> tuple[bool, list[str]]:
    verdict, tokens = _one(tokens, names)
    while tokens and tokens[0].upper() == "AND":
        other, tokens = _one(tokens[1:], names)
        verdict = verdict and other
    return verdict, tokens


def _one(tokens: list[str], names: set[str]) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        verdict, tokens = _either(tokens[1:], names)
        if tokens[0] != ")":  # looked at whatever the verdict: an expression is one or it is none
            raise ValueError(tokens[0])
        return verdict, tokens[1:]
    name, tokens = tokens[0].lower(), tokens[1:]
    if tokens and tokens[0].upper() == "WITH":  # an exception permits more, never less
        _, _, *tokens = tokens
    return name in names or re.sub(r"(-only|-or-later|\+)$", "", name) in names, tokens
