"""Numbers about each document, for `keep` to judge by and for the report.

docs -> Outcome(columns: {name: (n,) int64 or float64}). Drops nothing, changes nothing. What each number is stands in
`pipeline/text/measures.py`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.lists import Lists, digests, read_lists
from pipeline.text import stopwords
from pipeline.text.measures import MEASURES, USUAL, measure
from pipeline.text.wordlists import WordLists

CHARACTERS, WORDS = 10, 5  # n-gram sizes of ROOTS (parameters_filtering.py), and where it has others:
CHARACTERS_OF = {"zh-hans": 3, "zh-hant": 3}
WORDS_OF = {"ur": 7}


class Measure(RowStage):
    """Measures each document: lengths, shares of symbols and stop words, repetition. Judging is left to `keep`.

    words, characters, bytes, lines        how many
    mean_word_length, max_word_length      in characters
    mean_line, longest_line                in characters
    symbol_ratio                           punctuation, digits, blanks, symbols, emoji, by character
    digit_ratio, alphanumeric_ratio        by character
    stopword_ratio                         small words of the language among its words; empty where there is no list
    char_repetition                        the most frequent runs of 10 characters (3 in Chinese), as in ROOTS
    word_repetition                        runs of 5 words (7 in Urdu) that occur more than once, as in ROOTS
    line_repetition                        bytes in lines that stood above

    flagged_ratio                          words of lists that you name; empty where there is none

    A word stands between blanks, without the punctuation at its ends; in scripts without blanks each character is one.
    Ratios go from 0 to 1, and are 0 for an empty document. Language is what `identify` found, so identify first.

    Lists of words are files of yours, a word a line (or a JSON list); an entry of two to four words matches these words
    in a row. A list of stop words takes the place of the one that is here for its language.

    Writes a column for each name. Leave names out to have all that need no list of yours; the repetitions are what
    takes most of the time.

        - measure
        - measure: {names: [words, char_repetition]}
        - measure: {names: [words, flagged_ratio], flagged: {en: lists/en.txt}}
    """

    name: ClassVar[str] = "measure"
    version: ClassVar[int] = 2  # 2: other stop words
    unicode_tables: ClassVar[bool] = True

    names: tuple[str, ...] = Field(USUAL, description="which; by default all that need no list of yours")
    stop_words: Lists = Field((), description="language: file of its stop words, instead of those that are here")
    flagged: Lists = Field((), description="language: file of its flagged words")

    @field_validator("stop_words", "flagged", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return read_lists(value)

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        strange = [name for name in names if name not in MEASURES]
        if strange or not names:
            what = f"there is no measure {strange[0]!r}" if strange else "no measure is named"
            raise ValueError(f"{what}; there are {', '.join(MEASURES)}")
        return tuple(name for name in MEASURES if name in names)  # in one order: it changes no byte

    @model_validator(mode="after")
    def _lists_are_used(self) -> Measure:
        if self.flagged and "flagged_ratio" not in self.names:
            raise ValueError("flagged: the lists would not be used; add flagged_ratio to names")
        if "flagged_ratio" in self.names and not self.flagged:
            raise ValueError("flagged_ratio has no lists; add flagged: {en: lists/en.txt}")
        if self.stop_words and "stopword_ratio" not in self.names:
            raise ValueError("stop_words: the lists would not be used; add stopword_ratio to names")
        return self

    def recipe_parameters(self) -> dict[str, Any]:
        lists = {name: digests(own) for name in ("stop_words", "flagged") if (own := getattr(self, name))}
        return {**self.model_dump(mode="json", exclude={"stop_words", "flagged"}), **lists}

    @property
    def writes(self) -> tuple[str, ...]:
        return self.names

    @property
    def bytes_per_text_byte(self) -> float:
        return 14.0  # for a shard that is one long text: a hash for each character, one for every second byte

    def warm(self) -> None:
        self.apply(pa.table({"text": pa.array(["a b"], pa.large_string()), "lang": ["en"]}))

    def apply(self, docs: pa.Table) -> Outcome:
        langs: list[Any] = docs.column("lang").to_pylist()
        characters = np.array([CHARACTERS_OF.get(lang, CHARACTERS) for lang in langs], np.int64)
        words = np.array([WORDS_OF.get(lang, WORDS) for lang in langs], np.int64)
        stop_words, flagged = _stop_words(self.stop_words), _tables(self.flagged)
        columns = measure(docs.column("text"), characters, words, langs, stop_words, self.names, flagged=flagged)
        return Outcome(columns=columns)


@cache
def _stop_words(own: Lists) -> WordLists:
    """The lists that are here, with the user's in the place of those of the same languages."""
    here = {lang: stopwords.words(lang) for lang in stopwords.listed()}
    return WordLists.of({**here, **dict(own)})


@cache
def _tables(lists: Lists) -> WordLists:
    return WordLists.of(dict(lists))
