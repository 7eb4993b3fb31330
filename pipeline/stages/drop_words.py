"""Take words out of texts that hold certain strings (addresses of pages), or that are too long for their language.

docs -> Outcome(columns: {text: large_string, null where unchanged; dropped_words: int64}, dropped: emptied documents).
What a word is, and what goes with it, stands in `pipeline/text/unwanted_words.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator

from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.editing import bytes_out, edited, overlaid, prose
from pipeline.text.unwanted_words import without_words

ADDRESSES = (".com", "//", "href", "http", "www")  # sorted, as what a config gives is: one spelling
# ROOTS, parameters_filtering.py: length_word_max_cutoff where cond_remove_long_words is on
ROOTS_LENGTHS = {
    "ar": 25, "bn": 20, "ca": 20, "en": 25, "es": 25, "eu": 28,
    "fr": 45, "hi": 25, "id": 30, "pt": 19, "ur": 20, "vi": 25,
}  # fmt: skip
Lengths = tuple[tuple[str, Annotated[int, Field(ge=1)] | None], ...]


class DropWords(RowStage):
    """Takes out words that hold `http`, `www` and the like, and words that are too long: ROOTS' modifying documents.

    A word is a run of characters between white space; a character of a script without spaces is a word of its own and
    stays. Without punctuation, digits and symbols at both ends, a word goes if one of `holding` stands in it, letter
    case counting, or if it has more characters than the limit of its document's language under `lang`, or than
    `max_word_length` where the language has none. A row of dashes or dots that is longer than the limit goes, too.
    What you write under `lang` is laid over the limits of ROOTS for twelve languages: those that you do not name keep
    theirs, and `null` takes a language's away.

    A word goes with the blanks before it; a line of which all words go, goes whole. All else stays as it is. Code is
    not touched. A document of which nothing is left is dropped: reason `emptied`.

        - drop_words
        - drop_words: {holding: [], max_word_length: 50, lang: {fr: 60, pt: null}}

    Writes: `text` where it changed, and `dropped_words`, how many were taken out of each document. Counts `words` and
    `bytes`.
    """

    name: ClassVar[str] = "drop_words"
    unicode_tables: ClassVar[bool] = True

    holding: tuple[str, ...] = Field(ADDRESSES, description="strings; a word that holds one goes")
    max_word_length: int | None = Field(
        None, ge=1, description="characters of a word at most, in other languages; null: any"
    )
    lang: Lengths = Field(
        tuple(sorted(ROOTS_LENGTHS.items())), description="language: characters of a word at most; null: any"
    )

    @field_validator("holding")
    @classmethod
    def _strings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for string in value:
            if not string or any(c.isspace() for c in string):
                raise ValueError(f"{string!r} stands in every word or in none; give strings without white space")
        return tuple(sorted(set(value)))

    @field_validator("lang", mode="before")
    @classmethod
    def _by_language(cls, value: Any) -> Any:
        return overlaid(ROOTS_LENGTHS, value)

    @property
    def writes(self) -> tuple[str, ...]:
        return ("dropped_words",)

    @property
    def bytes_per_text_byte(self) -> float:
        return 4.0

    def warm(self) -> None:
        texts = pa.array(["a http://b"], pa.large_string())
        self.apply(pa.table({"text": texts, "kind": ["text"], "lang": ["en"]}))

    def apply(self, docs: pa.Table) -> Outcome:
        texts, limits = prose(docs), dict(self.lang)
        most = [limits.get(lang, self.max_word_length) or 0 for lang in docs.column("lang").to_pylist()]
        new, counts = without_words(texts, self.holding, np.array(most, np.int64))
        return edited(new, counts, "dropped_words", {"words": int(counts.sum()), "bytes": bytes_out(texts, new)})
