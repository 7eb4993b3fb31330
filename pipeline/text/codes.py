"""The code of any language of the world as this project spells it, from any of the spellings of the standards.

    tag("eng") -> "en"    tag("ger") -> "de"    tag("sr_Latn_RS") -> "sr-Latn"    tag("Cyrl") -> None
    nearest("englsh") -> "en"       the code that a misspelt one is nearest to, for a hint

A tag is the shortest ISO 639 code (639-1, else 639-3) and, where it is not the one that the language is taken to be
written in, the script. Regions and variants are left out. ISO 639-2/B, ISO 639-3 of a macrolanguage's main member and
withdrawn codes are understood. Never guesses: what is no code is None.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("data") / "languages.tsv"

# The member that a macrolanguage's code stands for in practice (RFC 5646, 4.1.1, would write the macrolanguage's)
MAIN_MEMBERS = {
    "als": "sq", "arb": "ar", "azj": "az", "ekk": "et", "gaz": "om", "khk": "mn", "knn": "kok", "lvs": "lv",
    "npi": "ne", "ory": "or", "pbt": "ps", "pes": "fa", "plt": "mg", "swh": "sw", "uzn": "uz", "ydd": "yi", "zsm": "ms",
    "cmn": "zh", "kmr": "ku", "nob": "nb", "nno": "nn",
}  # fmt: skip
WITHDRAWN = {"in": "id", "iw": "he", "ji": "yi", "jw": "jv", "mo": "ro", "mol": "ro", "scc": "sr", "scr": "hr"}
NOT_A_LANGUAGE = {"mis", "mul", "und", "zxx"}
SUBTAGS = re.compile(  # RFC 5646, 2.1: language, extensions of it, script, region, variants, singletons
    r"[a-z]{2,3}(-[a-z]{3}){0,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?"
    r"(-([a-z0-9]{5,8}|\d[a-z0-9]{3}))*(-[a-z0-9](-[a-z0-9]{2,8})+)*"
)


class Row(NamedTuple):
    """One language of ISO 639-3; `iso1` and `bibliographic` (639-2/B, where it differs) may be empty."""

    iso3: str
    iso1: str
    bibliographic: str
    script: str  # ISO 15924; empty where the registry names none
    name: str

    @property
    def code(self) -> str:
        return self.iso1 or self.iso3


def tag(code: str) -> str | None:
    """The code as the project spells it, None if it is none: "pt_BR" -> "pt", "aze-Cyrl" -> "az-Cyrl"."""
    text = code.strip().lower().replace("_", "-")
    if not SUBTAGS.fullmatch(text):
        return None
    first, *rest = text.split("-")
    language = rows().get(MAIN_MEMBERS.get(first, WITHDRAWN.get(first, first)))
    if language is None or language.iso3 in NOT_A_LANGUAGE:
        return None
    script = next((part.title() for part in rest if len(part) == 4 and part.isalpha()), language.script)
    return language.code if script == language.script else f"{language.code}-{script}"


def name(code: str) -> str | None:
    """A language's name in English, of any spelling of its code."""
    found = tag(code)
    return rows()[found.split("-")[0]].name if found else None


def nearest(code: str, also: tuple[str, ...] = ()) -> str | None:
    """The known code nearest to a spelling that is none: "swaa" -> "sw", "english" -> "en", "kinya" -> "rw".

    `also` holds further spellings that are known where it is asked. None if nothing is near enough.
    """
    text = code.strip().lower().replace("_", "-")
    first = re.split(r"[^a-z]", text)[0]
    if tag(first):  # what follows it is wrong
        return tag(first)
    names = _names() | {one: one for one in also}
    if text in names:
        return names[text]
    if len(first) in (3, 4) and (close := get_close_matches(first, _common(), 1, cutoff=0.66)):
        return tag(close[0])
    if len(text) > 3 and (longer := [one for one in names if one.startswith(text)]):
        return names[min(longer, key=len)]
    close = get_close_matches(text, names, 1, cutoff=0.75) if len(text) > 3 else []
    return names[close[0]] if close else None


@cache
def rows() -> dict[str, Row]:
    """Each language by every code it has."""
    found: dict[str, Row] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        row = Row(*line.split("\t"))
        found |= {code: row for code in (row.iso3, row.iso1, row.bibliographic) if code}
    return found


@cache
def _names() -> dict[str, str]:
    """Names in lower case without what stands in brackets; of two languages of one name the one with the short code."""
    ordered = sorted(rows().values(), key=lambda row: len(row.code), reverse=True)
    return {row.name.partition(" (")[0].lower(): row.code for row in ordered if row.iso3 not in NOT_A_LANGUAGE}


@cache
def _common() -> list[str]:
    """Codes that people mean: those of languages that have one of two letters."""
    return sorted(code for code, row in rows().items() if row.iso1 and len(code) == 3)
