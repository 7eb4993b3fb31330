"""The natural languages of ROOTS: their codes, names, families, and how others spell them.

    canonical("eng") -> "en"    canonical("zh_TW") -> "zh-hant"    canonical("ger") -> "de"    canonical("c++") -> "c++"

Codes are BCP-47 in lower case, ISO 639-1 where it has one, and Chinese by its script. Any other language's
code is spelled by the same rule (codes.py); what is no code stays as it is: programming languages stand in the same
column. Never guess.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

from pipeline.text.codes import tag


@dataclass(frozen=True)
class Language:
    """One of the 46: `iso3` is its ISO 639-3 code, `family` its branch as the BLOOM paper groups them."""

    code: str
    iso3: str
    name: str
    family: str
    script: str  # ISO 15924


def _family(family: str, script: str, lines: str) -> list[Language]:
    rows = [line.split(maxsplit=2) for line in lines.strip().splitlines()]
    return [Language(code, iso3, name, family, script) for code, iso3, name in rows]


_ALL = [
    *_family("Niger-Congo", "Latn", """
        ak   aka  Akan
        bm   bam  Bambara
        fon  fon  Fon
        ig   ibo  Igbo
        ki   kik  Kikuyu
        lg   lug  Luganda
        ln   lin  Lingala
        nso  nso  Northern Sotho
        ny   nya  Chichewa
        rn   run  Kirundi
        rw   kin  Kinyarwanda
        sn   sna  chiShona
        st   sot  Sesotho
        sw   swh  Swahili
        tn   tsn  Setswana
        ts   tso  Xitsonga
        tum  tum  Chitumbuka
        tw   twi  Twi
        wo   wol  Wolof
        xh   xho  isiXhosa
        yo   yor  Yoruba
        zu   zul  isiZulu
    """),
    *_family("Indic", "Beng", "as asm Assamese\nbn ben Bengali"),
    *_family("Indic", "Deva", "hi hin Hindi\nmr mar Marathi\nne npi Nepali"),
    *_family("Indic", "Gujr", "gu guj Gujarati"),
    *_family("Indic", "Knda", "kn kan Kannada"),
    *_family("Indic", "Mlym", "ml mal Malayalam"),
    *_family("Indic", "Orya", "or ory Odia"),
    *_family("Indic", "Guru", "pa pan Punjabi"),
    *_family("Indic", "Taml", "ta tam Tamil"),
    *_family("Indic", "Telu", "te tel Telugu"),
    *_family("Indic", "Arab", "ur urd Urdu"),
    *_family("Romance", "Latn", "ca cat Catalan\nes spa Spanish\nfr fra French\npt por Portuguese"),
    *_family("Germanic", "Latn", "en eng English"),
    *_family("Basque", "Latn", "eu eus Basque"),
    *_family("Semitic", "Arab", "ar arb Arabic"),
    *_family("Austronesian", "Latn", "id ind Indonesian"),
    *_family("Austroasiatic", "Latn", "vi vie Vietnamese"),
    *_family("Sino-Tibetan", "Hans", "zh-hans cmn Simplified Chinese"),
    *_family("Sino-Tibetan", "Hant", "zh-hant cmn Traditional Chinese"),
]  # fmt: skip

LANGUAGES: dict[str, Language] = {language.code: language for language in sorted(_ALL, key=lambda one: one.code)}

# Languages that identifiers and sources do not tell apart: Twi is a variety of Akan (ISO 639-3: twi belongs to aka).
CLUSTERS = (frozenset({"ak", "tw"}),)

_CHINESE = ("zh", "zho", "chi", "cmn")
_CHINESE_BY = {  # script, or the script of a region
    "hans": "zh-hans", "cn": "zh-hans", "sg": "zh-hans", "my": "zh-hans",
    "hant": "zh-hant", "tw": "zh-hant", "hk": "zh-hant", "mo": "zh-hant",
}  # fmt: skip


@lru_cache(maxsize=65_536)  # rows declare codes, and a hostile file may declare a new one in each
def canonical(code: str) -> str:
    """The code as this project spells it; what is no language's code comes back as it was.

    A language written in another script than the table's (`hi-Latn`, `pa-Arab`) is none of the table's. Chinese of
    which no script or region is told is simplified, as most of it is.
    """
    first, *rest = code.strip().lower().replace("_", "-").split("-")
    if first in _CHINESE:
        told = [_CHINESE_BY[part] for part in rest if part in _CHINESE_BY]
        return told[0] if told else code if rest else "zh-hans"
    known = LANGUAGES.get(_spellings().get(first, first))
    scripts = [part for part in rest if len(part) == 4 and part.isalpha()]
    if known and scripts in ([], [known.script.lower()]):
        return known.code
    return tag(code) or code


@cache
def _spellings() -> dict[str, str]:
    return {language.iso3: language.code for language in _ALL if language.iso3 != "cmn"}


def same(one: str, other: str) -> bool:
    """Whether two canonical codes name one language, as far as identifiers can tell."""
    return one == other or any(one in cluster and other in cluster for cluster in CLUSTERS)
