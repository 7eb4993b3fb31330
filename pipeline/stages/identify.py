"""Which language a document is in, by an engine that is named in the config.

docs -> Outcome(columns: {lang: string, lang_score: float64}). Drops nothing. Code keeps its declared language.

An engine is a class with `known`, whether it can tell a language at all, and `find(data)`, UTF-8 -> (code, score) or
None. It must be a function of the bytes alone.
"""

from __future__ import annotations

import re
from functools import cache
from typing import ClassVar, Literal, Protocol

import numpy as np
import pyarrow as pa
import pycld2
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from langdetect.lang_detect_exception import LangDetectException
from pydantic import Field, field_validator

from pipeline.document import TEXT, UNDETERMINED
from pipeline.stages.base import Outcome, RowStage
from pipeline.text.buffers import buffers
from pipeline.text.languages import CLUSTERS, canonical, same
from pipeline.units import Share

Found = tuple[str, float]
FATHA = b"\xd9\x8e"  # U+064E, in every line of Arabic that is written with its vowels
VOWEL_SIGNS = re.compile(rb"\xd9[\x8b-\x92]|\xd9\xb0")  # U+064B to U+0652, U+0670; 0xd9 only begins a character
PIECE = 10_000  # bytes; a document of more than three is judged by its beginning, its middle and its end


class Identify(RowStage):
    """Finds the language of each document; code keeps the one it was declared in.

    Where the engine's score is `sure` or more, the language found is written. Where it is less, the one that the source
    declares, or `und` if it declares none. A declared language that the engine does not know (Bambara, Fon, Kikuyu and
    Chitumbuka for both engines) stands, with no score. Engines cannot tell Akan from Twi: the declared one stands.

    Engines: `pycld2` (default) knows 42 of the 46 languages of ROOTS; the score is the share of the text that it takes
    for that language, 0 where it calls itself unreliable. `langdetect` knows 22 and is some fifty times slower; the
    score is its probability, with chance seeded anew for each document.

    Codes are BCP-47 as ROOTS has them: en, sw, zh-hans. A source may declare them as eng, swa, zh-CN or sw_KE. With
    `languages`, a document found in any other language is `und`. Documents over 30 kB are judged by three pieces.

    Writes: `lang`, and `lang_score` (empty for code and for languages that the engine does not know). Drops nothing.
    Counts `as_declared`, `other_than_declared` and `undetermined` documents.

        - identify
        - identify: {engine: langdetect, sure: 90%}
    """

    name: ClassVar[str] = "identify"

    engine: Literal["pycld2", "langdetect"] = Field("pycld2", description="what tells the language")
    sure: Share = Field(0.7, description="score from which on the language found is believed")
    languages: tuple[str, ...] | None = Field(None, description="the languages that may be found; default: all")

    @field_validator("languages")
    @classmethod
    def _canonical(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(sorted({canonical(code) for code in value}))

    @property
    def packages(self) -> tuple[str, ...]:
        return (self.engine,)

    @property
    def writes(self) -> tuple[str, ...]:
        return ("lang_score",)

    @property
    def bytes_per_text_byte(self) -> float:
        return 2.0

    def warm(self) -> None:
        _engine(self.engine)

    def apply(self, docs: pa.Table) -> Outcome:
        offsets, data = buffers(docs.column("text"))
        kinds, declared, langs = (docs.column(name).to_pylist() for name in ("kind", "lang_declared", "lang"))
        scores: list[float | None] = [None] * len(langs)
        tallies = {"as_declared": 0, "other_than_declared": 0, "undetermined": 0}
        for row in (row for row, kind in enumerate(kinds) if kind == TEXT):
            told = canonical(declared[row]) if declared[row] else None
            langs[row], scores[row] = self._judge(data[offsets[row] : offsets[row + 1]], told)
            if langs[row] == UNDETERMINED:
                tallies["undetermined"] += 1
            elif told is not None:
                tallies["as_declared" if langs[row] == told else "other_than_declared"] += 1
        columns = {"lang": pa.array(langs, pa.string()), "lang_score": pa.array(scores, pa.float64())}
        return Outcome(columns=columns, tallies=tallies)

    def _judge(self, text: np.ndarray, declared: str | None) -> tuple[str, float | None]:
        engine = _engine(self.engine)
        if declared is not None and not engine.known(declared):
            return declared, None
        found = engine.find(_pieces(text))
        if found is None or found[1] < self.sure:
            return declared or UNDETERMINED, found[1] if found else 0.0
        lang = declared if declared is not None and same(declared, found[0]) else found[0]
        if self.languages is not None and lang not in self.languages:
            lang = UNDETERMINED
        return lang, found[1]


def _pieces(text: np.ndarray) -> bytes:
    """The text, or three pieces of a long one, as UTF-8: characters that were cut through are left out."""
    if len(text) <= 3 * PIECE:
        return text.tobytes()
    middle = (len(text) - PIECE) // 2
    parts = (text[:PIECE], text[middle : middle + PIECE], text[-PIECE:])
    return "\n".join(part.tobytes().decode("utf-8", errors="ignore") for part in parts).encode()


class Engine(Protocol):
    def known(self, lang: str) -> bool: ...

    def find(self, text: bytes) -> Found | None: ...


# What CLD2 calls by a withdrawn code, and Chinese by its script (its `zh` is simplified)
CLD2_CODES = {"iw": "he", "jw": "jv", "zh": "zh-hans", "zh-Hant": "zh-hant"}
# Controls and noncharacters, for which CLD2 calls a text invalid. A space in their place splits words, as they do.
UNWELCOME = dict.fromkeys((*range(9), 11, *range(14, 32), *range(127, 160), *range(64976, 65008)), " ")
UNWELCOME |= {plane << 16 | low: " " for plane in range(17) for low in (0xFFFE, 0xFFFF)}


class Cld2:
    """Compact Language Detector 2 by pycld2, taking what it can get from short texts."""

    def __init__(self) -> None:
        codes: dict[str, str] = dict(pycld2.LANGUAGES)
        detected = {codes[name] for name in pycld2.DETECTED_LANGUAGES if name in codes}
        self._known = {CLD2_CODES.get(code, code) for code in detected}

    def known(self, lang: str) -> bool:
        return _known(lang, self._known)

    def find(self, text: bytes) -> Found | None:
        if FATHA in text:
            text = VOWEL_SIGNS.sub(b"", text)  # it takes fully vowelled Arabic for Bosnian, and is sure of it
        try:
            reliable, _, details = pycld2.detect(text, bestEffort=True)
        except pycld2.error:
            clean = text.decode("utf-8", errors="ignore").translate(UNWELCOME)
            reliable, _, details = pycld2.detect(clean.encode(), bestEffort=True)
        _, code, percent, _ = details[0]
        if code == "un":
            return None
        return CLD2_CODES.get(code, canonical(code)), percent / 100 if reliable else 0.0


class Langdetect:
    """langdetect draws random numbers: with a seed it draws the same ones for each text anew."""

    def __init__(self) -> None:
        self._factory = DetectorFactory()
        self._factory.load_profile(PROFILES_DIRECTORY)
        self._factory.seed = 0
        self._known = {canonical(code) for code in self._factory.langlist}

    def known(self, lang: str) -> bool:
        return _known(lang, self._known)

    def find(self, text: bytes) -> Found | None:
        detector = self._factory.create()
        detector.append(text.decode("utf-8", errors="ignore"))
        try:
            best = detector.get_probabilities()[:1]
        except LangDetectException:  # no letters of any language it knows
            return None
        return (canonical(best[0].lang), best[0].prob) if best else None


def _known(lang: str, codes: set[str]) -> bool:
    """By the language alone where a region or a script is told too: `de-AT` is known to one that knows `de`."""
    near = {lang, lang.split("-")[0].lower()}.union(*(cluster for cluster in CLUSTERS if lang in cluster))
    return not near.isdisjoint(codes)


@cache
def _engine(name: str) -> Engine:
    engines: dict[str, type[Engine]] = {"pycld2": Cld2, "langdetect": Langdetect}
    return engines[name]()
