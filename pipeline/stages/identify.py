"""Which language a document is in, by an engine that is named in the config.

docs -> Outcome(columns: {lang: string, lang_score: float64, lang_second: string, lang_second_share: float64}).
Drops nothing. Code keeps its declared language; code without one gets the programming language that was found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from pipeline.codes import checked
from pipeline.digest import file_sha256
from pipeline.document import CODE, UNDETERMINED
from pipeline.errors import ConfigError
from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.engines import Engine, distribution_of, engine
from pipeline.text.languages import canonical, same
from pipeline.text.lid_model import BUILT_IN
from pipeline.units import Share

# The language (None: it stays as it was), whether the engine's score stands beside it, the tally that counts it
_Answer = tuple[str | None, bool, str | None]
MOST_ANSWERS = 65_536  # kept of a shard: a hostile file may declare a new code in each row


class Identify(RowStage):
    """Finds the language of each document; code keeps the one it was declared in.

    Where the engine's score is `sure` or more, the language found is written, or `und` if it is none that the engine
    has a name for. Where it is less, the one that the source declares, or `und` if it declares none. A declared
    language that the engine does not know stands, with no score. Engines cannot tell Akan from Twi: the declared one
    stands. What the source declared stays in `lang_declared`.

    Engines: `seedbed` (default) is the project's own (docs/identification.md): the 46 languages of ROOTS, "none of
    them", and its 13 programming languages, so code among text is found too, and code whose language nobody declared
    is told. The score is calibrated: of texts scored .9, nine in ten are right. `pycld2` knows 42 of the 46, its score
    is the share of the text that it takes for that language, 0 where it calls itself unreliable. `langdetect` knows 22
    and is some hundred times slower. `fasttext` reads the file that `model` names (`pip install "seedbed[fasttext]"`).

    Codes are BCP-47 as ROOTS has them: en, sw, zh-hans. A source may declare them as eng, swa, zh-CN or sw_KE. With
    `languages`, a document found in any other language is `und`. Long documents are judged by pieces of their length.

    Writes: `lang`; `lang_score` (empty for languages that the engine does not know, and for code that was declared);
    `lang_second` and `lang_second_share`, the language of most of the rest and its share, where there is one (`seedbed`
    and `pycld2`). Drops nothing. Counts `as_declared`, `other_than_declared` and `undetermined` documents.

        - identify
        - identify: {engine: fasttext, model: lid.176.ftz, sure: 60%}
    """

    name: ClassVar[str] = "identify"
    version: ClassVar[int] = 2
    unicode_tables: ClassVar[bool] = True
    in_words: ClassVar[frozenset[str]] = frozenset({"lang_second"})

    engine: Literal["seedbed", "pycld2", "langdetect", "fasttext"] = Field(
        "seedbed", description="what tells the language"
    )
    model: Path | None = Field(
        None, description="of `fasttext`: the model's file; of `seedbed`: another one than the project's"
    )
    sure: Share = Field(0.7, description="score from which on the language found is believed")
    languages: tuple[str, ...] | None = Field(None, description="the languages that may be found; default: all")

    @field_validator("languages")
    @classmethod
    def _canonical(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return None if value is None else tuple(sorted({checked(code) for code in value}))

    @model_validator(mode="after")
    def _loads(self) -> Identify:
        """A model that cannot be loaded is told before anything runs."""
        if self.engine == "fasttext" and self.model is None:
            raise ValueError("engine fasttext needs a model: `identify: {engine: fasttext, model: lid.176.ftz}`")
        if self.model is not None and self.engine in ("pycld2", "langdetect"):
            raise ValueError(
                f"engine {self.engine} brings its own model, so `model` would have no effect: leave it out"
            )
        if self.model is not None:
            try:
                engine(self.engine, self.model)
            except ConfigError as error:
                raise ValueError(f"{error.message} ({error.hint})") from error
        return self

    @property
    def _engine(self) -> Engine:
        return engine(self.engine, self.model)

    def recipe_parameters(self) -> dict[str, Any]:
        """For the recipe: a model is told by its digest, wherever it lies; the one that comes with the project too."""
        told = self.model_dump(mode="json", exclude={"model"})
        path = self.model or (BUILT_IN if self.engine == "seedbed" else None)
        return told if path is None else {**told, "model": file_sha256(path)}

    @property
    def packages(self) -> tuple[str, ...]:
        if self.engine == "seedbed":
            return ()
        return (distribution_of("fasttext", "fasttext-predict"),) if self.engine == "fasttext" else (self.engine,)

    @property
    def writes(self) -> tuple[str, ...]:
        return ("lang_score", "lang_second", "lang_second_share")

    @property
    def bytes_per_text_byte(self) -> float:
        return 2.0

    def warm(self) -> None:
        self._engine.find(pa.chunked_array([["a b"]], pa.large_string()), np.zeros(1, bool))

    def apply(self, docs: pa.Table) -> Outcome:
        kinds, declared, langs = (docs.column(name).to_pylist() for name in ("kind", "lang_declared", "lang"))
        code = [kind == CODE for kind in kinds]
        found = self._engine.find(docs.column("text"), np.array(code, bool))
        unscored = np.zeros(len(langs), bool)
        tallies = {"as_declared": 0, "other_than_declared": 0, "undetermined": 0}
        answers: dict[Any, _Answer] = {}  # the same few are asked for again and again
        sure = (found.scores >= self.sure).tolist()
        for row, asked in enumerate(zip(code, declared, found.langs, sure, strict=True)):
            answer = answers.get(asked)
            if answer is None:
                answer = self._answer(*asked)
                if len(answers) < MOST_ANSWERS:
                    answers[asked] = answer
            lang, scored, tally = answer
            if lang is not None:
                langs[row] = lang
            if not scored:
                unscored[row] = True
            if tally is not None:
                tallies[tally] += 1
        columns = {
            "lang": pa.array(langs, pa.string()),
            # zero beneath a null, so that a layer's bytes depend on what is in it alone
            "lang_score": pa.array(np.where(unscored, 0.0, found.scores), pa.float64(), mask=unscored),
            "lang_second": pa.array(found.seconds, pa.string()),
            "lang_second_share": pa.array(found.shares, pa.float64(), mask=found.shares == 0),
        }
        return Outcome(columns=columns, tallies=tallies)

    def _answer(self, code: bool, declared: str | None, found: str | None, sure: bool) -> _Answer:
        """What is written of a document, given what it is, what its source says, and what the engine says."""
        told = canonical(declared) if declared not in (None, UNDETERMINED) else None
        if code and (told is not None or found is None):
            return None, False, None
        lang, scored = self._judge(found if sure else None, told)
        if lang == UNDETERMINED:
            return lang, scored, "undetermined"
        if told is None:
            return lang, scored, None
        return lang, scored, "as_declared" if lang == told else "other_than_declared"

    def _judge(self, found: str | None, declared: str | None) -> tuple[str, bool]:
        """The language, and whether the score stands beside it; `found` is what the engine is sure of."""
        if declared is not None and not self._engine.known(declared):
            return declared, False
        if found is None:
            return declared or UNDETERMINED, True
        lang = declared if declared is not None and same(declared, found) else found
        if self.languages is not None and lang not in self.languages:
            lang = UNDETERMINED
        return lang, True
