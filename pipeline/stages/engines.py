"""What tells the language of a text: engines by name, all asked in the same way.

    engine(name, model).find(texts, only_code) -> Findings(langs, scores, seconds, shares)     n each

An engine knows some languages and can be asked which. Its findings are functions of each text alone. `seedbed` is the
project's own; the others are packages. Never guesses: what an engine does not know it leaves open (None).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pycld2
from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory
from langdetect.lang_detect_exception import LangDetectException

from pipeline.document import UNDETERMINED
from pipeline.errors import ConfigError
from pipeline.text.buffers import buffers
from pipeline.text.han import writing
from pipeline.text.languages import CLUSTERS, canonical
from pipeline.text.lid_model import Model, built_in, load
from pipeline.text.lid_scan import find

Found = tuple[str, float]
FATHA = b"\xd9\x8e"  # U+064E, in every line of Arabic that is written with its vowels
VOWEL_SIGNS = re.compile(rb"\xd9[\x8b-\x92]|\xd9\xb0")  # U+064B to U+0652, U+0670; 0xd9 only begins a character
PIECE = 10_000  # bytes; packages judge a document of more than three by its beginning, its middle and its end


@dataclass(frozen=True)
class Findings:
    """Of each text: the language (UNDETERMINED: one that the engine has no name for; None: nothing to go by), the
    score in [0, 1], the language of most of the rest (None: none, or not told), and its share of the text."""

    langs: list[str | None]
    scores: np.ndarray  # (n,) float64
    seconds: list[str | None]
    shares: np.ndarray  # (n,) float64, 0 where there is no second


class Engine(Protocol):
    def known(self, lang: str) -> bool: ...

    def find(self, texts: pa.ChunkedArray, only_code: np.ndarray) -> Findings: ...


class Seedbed:
    """The project's own: all texts of a shard in one call of a compiled kernel; natural and programming languages."""

    def __init__(self, model: Model | None = None) -> None:
        self._model = model or built_in()
        self._names = [*self._model.names[:-1], UNDETERMINED, None]  # the last one is reached by -1
        self._known = set(self._model.names[:-1])

    def known(self, lang: str) -> bool:
        return _known(lang, self._known)

    def find(self, texts: pa.ChunkedArray, only_code: np.ndarray) -> Findings:
        labels, scores, seconds, shares = find(texts, self._model, only_code)
        # the fourth digit is more than the score is worth; rounded, it is no matter how a machine adds
        scores, shares = np.round(scores, 4), np.round(shares, 4)
        langs, others = ([self._names[i] for i in which.tolist()] for which in (labels, seconds))
        return Findings(langs, scores, others, shares)


class _OneByOne:
    """A package that is asked for one text at a time. It leaves texts alone that are known to be code."""

    def find(self, texts: pa.ChunkedArray, only_code: np.ndarray) -> Findings:
        offsets, data = buffers(texts)
        langs: list[str | None] = [None] * len(only_code)
        seconds = list(langs)
        scores, shares = np.zeros(len(langs)), np.zeros(len(langs))
        for row in np.flatnonzero(~only_code):
            found = self.find_one(pieces(data[offsets[row] : offsets[row + 1]]))
            if found:
                langs[row], scores[row] = found[0]
            if len(found) > 1:
                seconds[row], shares[row] = found[1]
        return Findings(langs, scores, seconds, shares)

    def find_one(self, text: bytes) -> Sequence[Found]:
        """The language and its score; then, if the package tells, the second and its share. Empty: it cannot say."""
        raise NotImplementedError


def pieces(text: np.ndarray) -> bytes:
    """The text, or three pieces of a long one, as UTF-8: characters that were cut through are left out."""
    if len(text) <= 3 * PIECE:
        return text.tobytes()
    middle = (len(text) - PIECE) // 2
    parts = (text[:PIECE], text[middle : middle + PIECE], text[-PIECE:])
    return "\n".join(part.tobytes().decode("utf-8", errors="ignore") for part in parts).encode()


# What CLD2 calls by a withdrawn code, and Chinese by its script (its `zh` is simplified)
CLD2_CODES = {"iw": "he", "jw": "jv", "zh": "zh-hans", "zh-Hant": "zh-hant"}
# Controls and noncharacters, for which CLD2 calls a text invalid. A space in their place splits words, as they do.
UNWELCOME = dict.fromkeys((*range(9), 11, *range(14, 32), *range(127, 160), *range(64976, 65008)), " ")
UNWELCOME |= {plane << 16 | low: " " for plane in range(17) for low in (0xFFFE, 0xFFFF)}


class Cld2(_OneByOne):
    """Compact Language Detector 2 by pycld2, taking what it can get from short texts."""

    def __init__(self) -> None:
        codes: dict[str, str] = dict(pycld2.LANGUAGES)
        detected = {codes[name] for name in pycld2.DETECTED_LANGUAGES if name in codes}
        self._languages = {CLD2_CODES.get(code, code) for code in detected}

    def known(self, lang: str) -> bool:
        return _known(lang, self._languages)

    def find_one(self, text: bytes) -> Sequence[Found]:
        if FATHA in text:
            text = VOWEL_SIGNS.sub(b"", text)  # it takes fully vowelled Arabic for Bosnian, and is sure of it
        try:
            reliable, _, details = pycld2.detect(text, bestEffort=True)
        except pycld2.error:
            clean = text.decode("utf-8", errors="ignore").translate(UNWELCOME)
            reliable, _, details = pycld2.detect(clean.encode(), bestEffort=True)
        found = [(CLD2_CODES.get(code, canonical(code)), percent / 100) for _, code, percent, _ in details]
        if details[0][1] == "un":
            return ()
        second = found[1:2] if details[1][1] != "un" else []
        return [(found[0][0], found[0][1] if reliable else 0.0), *second]


class Langdetect(_OneByOne):
    """langdetect draws random numbers: with a seed it draws the same ones for each text anew."""

    def __init__(self) -> None:
        self._factory = DetectorFactory()
        self._factory.load_profile(PROFILES_DIRECTORY)
        self._factory.seed = 0
        self._languages = {canonical(code) for code in self._factory.langlist}

    def known(self, lang: str) -> bool:
        return _known(lang, self._languages)

    def find_one(self, text: bytes) -> Sequence[Found]:
        detector = self._factory.create()
        detector.append(text.decode("utf-8", errors="ignore"))
        try:
            best = detector.get_probabilities()[:1]
        except LangDetectException:  # no letters of any language it knows
            return ()
        return [(canonical(one.lang), one.prob) for one in best]


class FastText(_OneByOne):
    """A fastText model that the user names: lid.176, GlotLID, OpenLID, ... Labels such as `__label__swh_Latn`."""

    def __init__(self, path: Path) -> None:
        self._predict = _load_fasttext(path)
        self._languages = {_plain(label) for _, label in self._predict("a\n", -1, 0.0, "strict")}

    def known(self, lang: str) -> bool:
        return _known(lang, self._languages)

    def find_one(self, text: bytes) -> Sequence[Found]:
        line = " ".join(text.decode("utf-8", errors="ignore").split())  # it reads one line
        found = self._predict(line + "\n", 1, 0.0, "strict") if line else ()
        return [(_plain(label, line), min(float(chance), 1.0)) for chance, label in found]


def _known(lang: str, codes: set[str]) -> bool:
    """By the language alone where a region or a script is told too: `de-AT` is known to one that knows `de`."""
    near = {lang, lang.split("-")[0].lower()}.union(*(cluster for cluster in CLUSTERS if lang in cluster))
    return not near.isdisjoint(codes)


def _plain(label: str, text: str = "") -> str:
    """Our code for `__label__swh_Latn`; where a model tells no writing of Chinese, the characters of `text` do."""
    code = label.removeprefix("__label__")
    return writing(text) if code in ("zh", "zho", "cmn") else canonical(code)


def distribution_of(module: str, otherwise: str) -> str:
    """The package that brings a module, where several do."""
    return packages_distributions().get(module, [otherwise])[0]


def _load_fasttext(path: Path) -> Callable[..., Sequence[tuple[float, str]]]:
    """The model's `predict`, beneath the package's Python layer, which in some builds fails with NumPy 2."""
    if find_spec("fasttext") is None:
        raise ConfigError(
            "the engine `fasttext` needs a package that is not installed",
            hint='pip install "seedbed[fasttext]", or leave out `engine` for the one that comes with the project',
        )
    import fasttext

    if not path.is_file():
        raise ConfigError(f"there is no model {path}", hint="`model` names a fastText file such as lid.176.ftz")
    try:
        predict: Callable[..., Sequence[tuple[float, str]]] = fasttext.load_model(str(path)).f.predict
    except (ValueError, RuntimeError) as error:
        raise ConfigError(
            f"{path} is no fastText model: {error}", hint="name a supervised model, .bin or .ftz"
        ) from error
    return predict


@cache
def engine(name: str, model: Path | None = None) -> Engine:
    """The engine of this name, loaded once a process. Raises ConfigError where it cannot be loaded."""
    if name == "fasttext":
        assert model is not None, name
        return FastText(model)
    if name == "seedbed":
        return Seedbed(_own(model) if model else None)
    packages: dict[str, type[Engine]] = {"pycld2": Cld2, "langdetect": Langdetect}
    return packages[name]()


def _own(path: Path) -> Model:
    try:
        return load(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} is no identifier of this project: {error}",
            hint="name the identifier.safetensors that `pipeline run configs/lid.yaml` made, or leave out `model`",
        ) from error
