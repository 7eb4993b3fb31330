"""English names and groups of languages, for the report's labels and colours.

    name('sw') -> 'Swahili'        group('sw', 'text') -> 'Niger-Congo'

Names and families are those of `text/languages.py`, names of other languages those of ISO 639-3 (`text/codes.py`).
Groups are its families, the small ones in one, so that colours stay apart for colour-blind eyes. It must never decide
what happens to a document.
"""

from __future__ import annotations

from pipeline.document import CODE as CODE_KIND
from pipeline.document import TEXT, UNDETERMINED
from pipeline.text import codes
from pipeline.text.languages import LANGUAGES

OTHER, CODE = "Other", "Code"
GROUPS = ("Niger-Congo", "Indic", "Romance", "Germanic", "Sino-Tibetan", OTHER, CODE)


def name(lang: str, kind: str = TEXT) -> str:
    """The English name; the code itself where none is known."""
    if not lang:
        return "unreadable"
    if lang == UNDETERMINED:
        return "undetermined"
    if kind == CODE_KIND:
        return lang
    known = LANGUAGES.get(lang)
    return known.name if known else (codes.name(lang) or lang).partition(" (")[0]


def family(lang: str, kind: str = TEXT) -> str:
    """Its branch as the BLOOM paper groups languages; 'Other' where it is none of ROOTS', 'Code' for source code."""
    if kind == CODE_KIND:
        return CODE
    return LANGUAGES[lang].family if lang in LANGUAGES else OTHER


def group(lang: str, kind: str = TEXT) -> str:
    """One of GROUPS."""
    found = family(lang, kind)
    return found if found in GROUPS else OTHER
