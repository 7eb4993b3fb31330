"""Numbers about each document, for `keep` to judge by and for the report.

docs -> Outcome(columns: {name: (n,) int64 or float64}). Drops nothing, changes nothing. What each number is stands in
`pipeline/text/measures.py` and, of Gopher, C4, FineWeb and SlimPajama, in `pipeline/text/quality.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from pipeline.stages.base import Outcome, RowStage
from pipeline.stages.lists import Lists, digests, read_lists
from pipeline.text import stopwords
from pipeline.text.measures import MEASURES, USUAL, measure
from pipeline.text.quality import FAMILIES as QUALITY_FAMILIES
from pipeline.text.quality import LIMIT, QUALITY, quality
from pipeline.text.stoplists import StopLists
from pipeline.text.wordlists import WordLists

CHARACTERS, WORDS = 10, 5  # n-gram sizes of ROOTS (parameters_filtering.py), and where it has others:
CHARACTERS_OF = {"zh-hans": 3, "zh-hant": 3}
WORDS_OF = {"ur": 7}
NAMES = (*MEASURES, *QUALITY)  # in this order they are written: it changes no byte how they are named
ROOTS = (
    "words", "max_word_length", "char_repetition", "word_repetition", "symbol_ratio", "stopword_ratio", "flagged_ratio",
)  # fmt: skip
_TEXTUAL = {*USUAL, *ROOTS}  # what MEASURES has beyond these is about code
CODE = ("longest_line", "mean_line", "alphanumeric_ratio", *(name for name in MEASURES if name not in _TEXTUAL))
FAMILIES: dict[str, tuple[str, ...]] = {
    "default": USUAL,
    "roots": ROOTS,
    "code": CODE,
    **QUALITY_FAMILIES,
    "all": NAMES,
}


class Measure(RowStage):
    """Measures each document: lengths, shares of symbols and stop words, repetition. Judging is left to `keep`.

    A name is a measure or a family of them: default, roots, code, gopher, fineweb, c4, slimpajama, all.

    default
    words, characters, bytes, lines        how many
    mean_word_length, max_word_length      in characters
    mean_line, longest_line                in characters
    symbol_ratio                           punctuation, digits, blanks, symbols, emoji, by character
    digit_ratio, alphanumeric_ratio        by character
    stopword_ratio                         small words of the language among its words; empty where there is no list
    char_repetition                        the most frequent runs of 10 characters (3 in Chinese), as in ROOTS
    word_repetition                        runs of 5 words (7 in Urdu) that occur more than once, as in ROOTS
    line_repetition                        bytes in lines that stood above

    roots                                  of these what ROOTS judged by, and
    flagged_ratio                          words of lists that you name; empty where there is none

    gopher                                 decisions of configs/gopher.yaml
    gopher_words, gopher_mean_word_length  words, numbers that stand alone among them, but no lone marks; characters
    hashes_per_word, ellipses_per_word     `#`, and `...` or `…`, over words and lone marks
    bullet_line_ratio                      lines that begin with a bullet or a hyphen
    ellipsis_line_ratio                    lines that end in `...` or `…`
    alphabetic_word_ratio                  words with a letter in them, over words and lone marks
    gopher_stop_words                      how many of: the be to of and that have with
    stop_words_met                         how many different stop words of the language; empty where there is no list
    paragraphs                             0 for an empty text
    duplicate_paragraph_ratio, duplicate_paragraph_characters
    duplicate_line_ratio, duplicate_line_characters
                                           what stood before: share of their number, and share of characters in it
    top_2_gram, top_3_gram, top_4_gram     share of characters in the most frequent run of words, all its occurrences;
                                           over 1 where these overlap
    duplicate_5_grams ... duplicate_10_grams
                                           share of characters in runs of words that stood before

    fineweb                                decisions of configs/fineweb.yaml
    filled_lines                           lines with more than white space
    ended_line_ratio                       of these, those with a final mark of any script at their end
    short_line_ratio                       of these, those of up to 30 characters
    duplicate_filled_characters            share of characters in those that stood before
    feeds_per_word                         line feeds over words and lone marks

    c4                                     decisions of configs/c4.yaml, behind `c4_lines`
    curly_brackets, lorem_ipsum            how many; the brackets above the first lorem ipsum
    sentences                              by the marks of all scripts; a line end ends one

    slimpajama
    bare_characters                        characters without ASCII punctuation and repeated white space

    code                                   of these the lines and the letters, and
    nonword_ratio                          characters that are no letter, number or underscore
    hex_ratio, base64_ratio                bytes in hexadecimal numbers, in long runs of base64
    token_spread                           standard deviation of the length of what stands between blanks
    autogenerated, licence_header, shebang 1 if the first lines have a mark of it, else 0

    A word stands between blanks, without the punctuation at its ends; in scripts without blanks each character is one.
    A lone mark is a run between blanks of nothing but punctuation and symbols: `-`, `=>`. Ratios go from 0 to 1, and
    are 0 for an empty document. Language is what `identify` found, so identify first.

    Lists of words are files of yours, a word a line (or a JSON list); an entry of two to four words matches these words
    in a row (but for stop_words_met, which looks for single words). A list of stop words takes the place of the one
    that is here for its language.

    Writes a column for each name; what is not named takes no time.

        - measure
        - measure: {names: [words, char_repetition]}
        - measure: {names: [gopher, fineweb]}
        - measure: {names: [roots], flagged: {en: lists/en.txt}}
    """

    name: ClassVar[str] = "measure"
    version: ClassVar[int] = 3  # 2: other stop words; 3: stop_words_met goes by the user's lists, too
    unicode_tables: ClassVar[bool] = True

    names: tuple[str, ...] = Field(USUAL, description="measures or families of them; default: the family `default`")
    stop_words: Lists = Field((), description="language: file of its stop words, instead of those that are here")
    flagged: Lists = Field((), description="language: file of its flagged words")

    @field_validator("stop_words", "flagged", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return read_lists(value)

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        strange = [name for name in names if name not in NAMES and name not in FAMILIES]
        if strange or not names:
            what = f"there is no measure {strange[0]!r}" if strange else "no measure is named"
            raise ValueError(f"{what}; there are {', '.join(NAMES)}; and families: {', '.join(FAMILIES)}")
        wanted = {measure for name in names for measure in FAMILIES.get(name, (name,))}
        return tuple(name for name in NAMES if name in wanted)

    @model_validator(mode="after")
    def _lists_are_used(self) -> Measure:
        if self.flagged and "flagged_ratio" not in self.names:
            raise ValueError("flagged: the lists would not be used; add flagged_ratio to names")
        if self.stop_words and not {"stopword_ratio", "stop_words_met"} & set(self.names):
            raise ValueError("stop_words: the lists would not be used; add stopword_ratio or stop_words_met to names")
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

    def memory(self, text_bytes: int, documents: int) -> int:
        """As of any stage, and the lists of words of one long text, which end at so many words."""
        words = min(text_bytes // 2, LIMIT) if self._named(QUALITY) else 0
        return super().memory(text_bytes, documents) + 128 * words  # hashes, n-grams, their table

    def warm(self) -> None:
        self.apply(pa.table({"text": pa.array(["a b"], pa.large_string()), "lang": ["en"]}))

    def _named(self, known: dict[str, pa.DataType]) -> tuple[str, ...]:
        return tuple(name for name in self.names if name in known)

    def apply(self, docs: pa.Table) -> Outcome:
        langs: list[Any] = docs.column("lang").to_pylist()
        texts, columns = docs.column("text"), {}
        if names := self._named(MEASURES):
            characters = np.array([CHARACTERS_OF.get(lang, CHARACTERS) for lang in langs], np.int64)
            words = np.array([WORDS_OF.get(lang, WORDS) for lang in langs], np.int64)
            stop_words, flagged = _stop_words(self.stop_words), _tables(self.flagged)
            columns = measure(texts, characters, words, langs, stop_words, names, flagged=flagged)
        if names := self._named(QUALITY):
            columns |= quality(texts, langs, _single_words(self.stop_words), names)
        return Outcome(columns=columns)


@cache
def _stop_words(own: Lists) -> WordLists:
    return WordLists.of(_with_own(own))


@cache
def _single_words(own: Lists) -> StopLists:
    """The same for the kernel that knows entries of one word only."""
    return StopLists.of(_with_own(own)) if own else StopLists.all()


def _with_own(own: Lists) -> dict[str, Sequence[str]]:
    """The lists that are here, with the user's in the place of those of the same languages."""
    return {**{lang: stopwords.words(lang) for lang in stopwords.listed()}, **dict(own)}


@cache
def _tables(lists: Lists) -> WordLists:
    return WordLists.of(dict(lists))
