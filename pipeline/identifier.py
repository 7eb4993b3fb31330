"""Training the project's own language identifier: which texts belong to which class, what it is made of at the end.

    learn({("text", "sw"): b"...", ("text", "de"): b"...", ("code", "python"): b"..."}, config) -> Model

Labels are the languages of ROOTS (Akan with Twi and both writings of Chinese are one class each), the programming
languages, and OTHER. Languages outside the 46 are put into lots: with those that are nearest to the same language of
ROOTS, by the cosine of their n-grams, and the very near ones alone. Each lot is a class: "like Swahili, and not
Swahili" is a line that can be learned, "none of them" is not.

Pure: bytes in, a model out; the same texts and settings give the same bytes on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipeline.document import CODE
from pipeline.errors import RunError
from pipeline.text.languages import LANGUAGES
from pipeline.text.lid_characters import CODE_BIT, LATIN, SCRIPT_OTHER, bare, pairs, table, toneless
from pipeline.text.lid_model import DIM, OTHER, Model
from pipeline.text.lid_training import counts, train
from pipeline.units import Share, Size

Group = tuple[str, str]  # (kind, language) as documents have them
JOINED = {"tw": "ak", "zh-hant": "zh-hans"}  # one class each: n-grams do not tell them apart
MOST_ROWS = 124_000  # 4 MB with what stands beside them
PROFILE, PROFILE_ROWS = 200_000, 1 << 15  # bytes of a language's text and size of the profile that it is compared by
NEIGHBOUR = 0.8  # a cosine from which on a language outside the 46 is a class of its own
NEIGHBOUR_WEIGHT = 4  # how much more often it is met than others of its size: there the mistakes are made
# Left out of "none of them": what readers call by the name of one of the 46, and what is written as it is
VARIETIES = {
    "ar": {"acm", "aeb", "ajp", "apc", "apd", "arb", "arq", "ars", "ary", "arz", "ayl", "mey"},
    "ak": {"abr", "fat"},
    "bm": {"dyu", "emk", "man", "mku", "msc", "mwk"},
    "ne": {"dty"},
    "sw": {"swc"},
    "zh-hans": {
        "cdo",
        "cjy",
        "cpx",
        "gan",
        "hak-hans",
        "hak-hant",
        "hsn",
        "lzh",
        "mnp",
        "nan-hans",
        "nan-hant",
        "wuu",
        "yue",
    },
}
LEAST_SCRIPT = 0.05  # of the letters of a class, for a script to be one that it is written in
LEAST_TEXT = 500  # bytes of a language: less is left out


class IdentifierConfig(BaseModel):
    """A language identifier trained on the documents' declared languages, for the stage `identify`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "identifier"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("numba", "numpy")

    samples: int = Field(3_000_000, ge=1, description="pieces of text to learn from, one after the other")
    rows: int = Field(MOST_ROWS, ge=1000, le=MOST_ROWS, description="of the table of features, 32 bytes each")
    rate: float = Field(0.5, gt=0, le=10, description="of learning, at the beginning; it falls to 0")
    alpha: float = Field(
        0.4, ge=0, le=1, description="a language of share p is met by p^alpha: 1 as it is, 0 all alike"
    )
    other: Share = Field(0.35, description="share of pieces in languages outside the 46 of ROOTS")
    code: Share = Field(0.1, description="share of pieces of source code")
    most: Size = Field(4_000_000, description="bytes of text of a language; documents are chosen by coin")
    seed: int = Field(0, ge=0, lt=2**63, description="of the coins that choose documents and pieces")
    calibration: tuple[tuple[float, float], ...] = Field(
        ((0, 0), (1, 1)), description="[score, how often it is right], measured on other text; straight lines between"
    )

    @field_validator("calibration")
    @classmethod
    def _rises(cls, value: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        columns = list(zip(*value, strict=True))
        inside = all(0 <= x <= 1 for pair in value for x in pair)
        if (
            len(value) < 2
            or not inside
            or any(list(c) != sorted(c) for c in columns)
            or len(set(columns[0])) < len(value)
        ):
            raise ValueError("must be two pairs or more of numbers from 0 to 1 that rise, such as [[0, 0], [1, 1]]")
        return value

    def parameters(self) -> dict[str, Any]:
        """What the model depends on, for the recipe."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Classes:
    """What each group is to the training: `of` its class, `labels` the label of each class."""

    groups: tuple[Group, ...]
    of: np.ndarray  # (G,) int64
    labels: np.ndarray  # (C,) int32
    names: tuple[str, ...]  # of labels
    code: tuple[str, ...]
    lots: Mapping[str, str]  # {other language: its lot}


def learn(texts: Mapping[Group, bytes], config: IdentifierConfig) -> tuple[Model, dict[str, Any]]:
    """The model, and what there is to say about it. Raises RunError where there is too little to learn from."""
    texts = {group: text for group, text in sorted(texts.items()) if len(text) >= LEAST_TEXT and _of_use(group, text)}
    classes = classify(texts)
    data = np.frombuffer(b"".join(texts.values()), np.uint8)
    ends = np.cumsum([len(text) for text in texts.values()])
    begins = ends - [len(text) for text in texts.values()]
    masks = _masks(data, begins, ends, classes)
    embedding = _first(config.rows, config.seed)
    output = np.zeros((DIM, len(classes.labels)), np.float32)
    loss, skipped = train(
        data, begins, ends, classes.of, _cumulative(texts, classes, config), masks, table(), *pairs(), bare(),
        toneless(), embedding, output, np.float64(config.rate), np.uint64(config.seed), config.samples,
    )  # fmt: skip
    rows, steps = quantised(embedding)
    told = {"samples": config.samples, "skipped": int(skipped), "loss": round(float(loss), 4)}
    model = Model(
        rows, steps, output, masks.astype(np.int32), classes.labels, classes.names, classes.code,
        config.calibration, told,
    )  # fmt: skip
    read = {f"{kind} {lang}": len(text) for (kind, lang), text in texts.items()}
    lots = {lang: lot[1:] for lang, lot in sorted(classes.lots.items())}
    return model, {**told, "labels": list(model.names), "classes": len(model.labels), "bytes": read, "lots": lots}


def _of_use(group: Group, text: bytes) -> bool:
    """Not a variety of one of the 46, and not in a script that none of them has: the script alone tells that."""
    code = group[1].lower()
    if {code, code.split("-")[0]} & set().union(*VARIETIES.values()):
        return False
    _, scripts = counts(np.frombuffer(text[:PROFILE], np.uint8), table(), *pairs(), np.uint64(PROFILE_ROWS))
    return bool(2 * scripts[SCRIPT_OTHER] < scripts[1:].sum())


def classify(texts: Mapping[Group, bytes]) -> Classes:
    """The classes and labels of these texts. Raises RunError where languages of ROOTS or others are missing."""
    ours = {lang: JOINED.get(lang, lang) for kind, lang in texts if kind != CODE and lang in LANGUAGES}
    code = sorted(lang for kind, lang in texts if kind == CODE)
    others = [lang for kind, lang in texts if kind != CODE and lang not in LANGUAGES]
    if len(set(ours.values())) < 2:
        raise RunError(
            f"identifier: there is text in {len(ours)} languages of ROOTS, and two are the least to tell apart",
            hint="each document must declare its language: `lang` or `meta.lang` of a line, or `lang:` of a source",
        )
    near = lots_of(texts, sorted(set(ours.values())), others)
    names = (*sorted(ours), *code, OTHER)
    lots = [*sorted(set(ours.values())), *code, *sorted(set(near.values()))]
    at = {lot: number for number, lot in enumerate(lots)}

    def lot(kind: str, lang: str) -> str:
        return lang if kind == CODE else ours.get(lang) or near[lang]

    labels = [names.index(lot) if lot in names else len(names) - 1 for lot in lots]
    return Classes(
        groups=tuple(texts),
        of=np.array([at[lot(*group)] for group in texts], np.int64),
        labels=np.array(labels, np.int32),
        names=names,
        code=tuple(code),
        lots=near,
    )


def lots_of(texts: Mapping[Group, bytes], ours: Sequence[str], others: Sequence[str]) -> dict[str, str]:
    """{other: `~` and the language of `ours` with the greatest cosine between the roots of their n-grams' counts; from
    NEIGHBOUR on with `~` and its own name}"""
    profiles = np.array([_profile(texts["text", lang]) if ("text", lang) in texts else _none() for lang in ours])
    # rounded, so that the order in which a machine adds cannot decide
    cosines = {lang: np.round((profiles * _profile(texts["text", lang])).sum(axis=1), 6) for lang in others}
    return {
        lang: f"~{lang if cosine.max() >= NEIGHBOUR else ours[int(cosine.argmax())]}"
        for lang, cosine in cosines.items()
    }


def _profile(text: bytes) -> np.ndarray:
    found, _ = counts(np.frombuffer(text[:PROFILE], np.uint8), table(), *pairs(), np.uint64(PROFILE_ROWS))
    roots = np.sqrt(found)
    return roots / max(np.sqrt(found.sum()), 1.0)


def _none() -> np.ndarray:
    return np.zeros(PROFILE_ROWS)


def _masks(data: np.ndarray, begins: np.ndarray, ends: np.ndarray, classes: Classes) -> np.ndarray:
    """(C,) int64: bit s is set where a language of the class has LEAST_SCRIPT of its letters in script s."""
    out = np.zeros(len(classes.labels), np.int64)
    for group, begin, end, which in zip(classes.groups, begins, ends, classes.of, strict=True):
        _, scripts = counts(data[begin : min(end, begin + PROFILE)], table(), *pairs(), np.uint64(PROFILE_ROWS))
        letters = max(int(scripts[1:].sum()), 1)
        wide = [s for s in range(1, len(scripts) - 1) if scripts[s] >= LEAST_SCRIPT * letters]
        out[which] |= CODE_BIT | 1 << LATIN if group[0] == CODE else sum(1 << s for s in wide)
    return out


def _cumulative(texts: Mapping[Group, bytes], classes: Classes, config: IdentifierConfig) -> np.ndarray:
    """(G,) float64: how often each group is met, added up to 1. By size^alpha within the three lots."""
    # rounded, so that the last bit of a machine's `pow` cannot decide about a sample
    weights = np.array([round(float(len(text)) ** config.alpha, 6) for text in texts.values()])
    lot = np.array([0 if kind == CODE else 1 if lang in LANGUAGES else 2 for kind, lang in texts])
    near = np.array([classes.lots.get(lang) == f"~{lang}" for _, lang in texts])
    weights[(lot == 2) & near] *= NEIGHBOUR_WEIGHT
    for number, share in enumerate((config.code, 1 - config.code - config.other, config.other)):
        weights[lot == number] *= share / max(weights[lot == number].sum(), 1e-9)
    return np.cumsum(weights) / weights.sum()


def _first(rows: int, seed: int) -> np.ndarray:
    """(rows, DIM) float32 to begin with, even over ±1/DIM: a function of the seed."""
    numbers = np.arange(rows * DIM, dtype=np.uint64) + np.uint64(seed % 2**32 << 32)
    spread = (numbers * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - 1
    return (spread / np.float32(DIM)).reshape(rows, DIM)


def quantised(embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, DIM) int8 and (DIM,) float32: one step a column, the largest of all but one value in 10,000 at ±127."""
    last = len(embedding) - 1 - len(embedding) // 10_000
    limits = np.sort(np.abs(embedding), axis=0)[last]
    steps = (np.maximum(limits, np.float32(1e-9)) / np.float32(127)).astype(np.float32)
    return np.clip(np.rint(embedding / steps), -127, 127).astype(np.int8), steps
