"""How surprised a language model is by each document: KenLM models that the user names, one a language.

docs -> Outcome(columns: {perplexity: (n,) float64, null where the document's language has no model}). Drops nothing,
changes nothing. The only files it opens are the models, which are part of the recipe by their digests.

KenLM and SentencePiece are imported when a config asks for this stage, never before: most runs do without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field, field_validator, model_validator

from pipeline.codes import by_language
from pipeline.errors import InputError
from pipeline.stages.base import Outcome, RowStage

Files = tuple[tuple[str, Path], ...]  # (language, its file), sorted

PIECE = 100_000  # characters of a line that are scored at once: bounds the memory of a text of any length
LARGEST_EXPONENT = 300  # of a perplexity: beyond, a float would overflow
BINARY, ARPA, PACKED = b"mmap lm http://kheafield.com/code", b"\\data\\", (b"\x1f\x8b", b"BZh", b"\xfd7zXZ")
HEAD = 4096  # bytes in which a model shows what it is

# ROOTS (normalization.py, filtering.py), where it took them from cc_net. A full-width digit 1 stands there among the
# punctuation as a quotation mark; digits are zeros by then, so it never became one.
NON_PRINTING = re.compile("[\x00-\x1f\x7f-\x9f]")
DIGIT = re.compile(r"\d")
SPACES = dict.fromkeys(map(ord, "\u2009\u200a\u202f\u2005\u3000\u2002\xa0\u2008\u2003\ufffc"), " ")
PUNCTUATION = SPACES | {
    ord(sign): plain
    for plain, signs in {
        ",": "，、", '"': "„”“«»」「《》", "'": "´’", ":": "∶：", "?": "？", "!": "！", "(": "（", ")": "）",
        ";": "；", "-": "–━►", " - ": "—", ".": "。", ". ": "．", "~": "～", "...": "…",
        "<": "〈", ">": "〉", "[": "【", "]": "】", "%": "％",
    }.items()
    for sign in signs
}  # fmt: skip


class Perplexity(RowStage):
    """Scores each document by the n-gram model of its language: low where the text reads like the model's own.

    `models` names a KenLM file for each language, as ARPA text or (much faster to load) in KenLM's binary format;
    `sentencepiece` the SentencePiece model by which that file's text was cut, where it was: without one, words are what
    stands between blanks. ROOTS took both from cc_net, trained on Wikipedia.

    Before, each line is normalized as in ROOTS: controls go, blanks at the ends go, white space is a blank, digits are
    0, full-width and typographic punctuation is ASCII. Perplexity is 10^(-log10 probability / tokens) with the end of
    each line as a token, rounded to one decimal. ROOTS deleted the line feeds with the controls, so that it scored a
    document as one line whose words grew together at the seams: `joined: true` does that, for limits that were chosen
    so. Of a line over 100,000 characters, each piece of that length (cut at a blank) is scored alone.

    Writes `perplexity`, empty for languages without a model: such a document breaks no bound of `keep`. Drops nothing.
    Needs the packages kenlm and sentencepiece: `pip install 'seedbed[perplexity]'`. Memory: each ARPA file as
    a whole, and the largest binary file.

        - perplexity:
            models: {en: models/en.arpa.bin, fr: models/fr.arpa.bin}
            sentencepiece: {en: models/en.sp.model, fr: models/fr.sp.model}
        - keep: {lang: {en: {perplexity: [null, 1500]}, fr: {perplexity: [null, 1770]}}}
    """

    name: ClassVar[str] = "perplexity"
    unicode_tables: ClassVar[bool] = True  # of digits and white space

    models: Files = Field(description="language: KenLM file")
    sentencepiece: Files = Field((), description="language: SentencePiece file of that model")
    joined: bool = Field(False, description="all lines as one, without anything between them, as ROOTS scored them")

    @field_validator("models", "sentencepiece", mode="before")
    @classmethod
    def _by_language(cls, value: Any) -> Any:
        if not isinstance(value, Mapping | list | tuple):
            raise ValueError("write the language before each file: {en: models/en.arpa.bin}")
        return by_language(value)

    @field_validator("models", "sentencepiece")
    @classmethod
    def _there(cls, value: Files) -> Files:
        for lang, path in value:
            if not path.is_file():
                raise ValueError(f"there is no file {str(path)!r}; name where the model of {lang!r} lies")
        return value

    @model_validator(mode="after")
    def _loadable(self) -> Perplexity:
        if not self.models:
            raise ValueError("no model is named: models: {en: models/en.arpa.bin}")
        if strange := sorted(dict(self.sentencepiece).keys() - dict(self.models).keys()):
            raise ValueError(f"sentencepiece: {strange[0]!r} has no model to cut text for; name it under `models`")
        for package in self.packages:
            if find_spec(package) is None:
                raise ValueError(f"the package {package} is not installed: pip install 'seedbed[perplexity]'")
        for _, path in self.models:
            if not _is_model(path):
                raise ValueError(f"{str(path)!r} is no KenLM model: name an ARPA file or what build_binary made of it")
        return self

    @property
    def packages(self) -> tuple[str, ...]:
        return ("kenlm", "sentencepiece") if self.sentencepiece else ("kenlm",)

    @property
    def files(self) -> dict[str, Path]:
        named = (("models", self.models), ("sentencepiece", self.sentencepiece))
        return {f"{field}.{lang}": path for field, value in named for lang, path in value}

    def recipe_parameters(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"models", "sentencepiece"})

    @property
    def writes(self) -> tuple[str, ...]:
        return ("perplexity",)

    def memory(self, text_bytes: int, documents: int) -> int:
        sizes = [(path.stat().st_size, _is_binary(path)) for _, path in self.models]
        mapped = max((size for size, binary in sizes if binary), default=0)
        return super().memory(text_bytes, documents) + mapped + sum(size for size, binary in sizes if not binary)

    @property
    def bytes_per_text_byte(self) -> float:
        return 9.0  # for a shard that is one long text: itself, as a string, normalized, and the lists of its lines

    def apply(self, docs: pa.Table) -> Outcome:
        texts, langs = docs.column("text"), docs.column("lang").to_pylist()
        scores: list[float | None] = [None] * docs.num_rows
        cutters = dict(self.sentencepiece)
        for (
            lang,
            path,
        ) in self.models:  # by language: a model is loaded once a shard, and one at a time
            rows = [row for row, found in enumerate(langs) if found == lang]
            score = _scorer(path, cutters.get(lang)) if rows else None
            for row in rows:
                assert score is not None
                scores[row] = perplexity(texts[row].as_py(), score, self.joined)
        return Outcome(columns={"perplexity": pa.array(scores, pa.float64())})


Score = Callable[[str], tuple[float, int]]  # a normalized line without its end -> log10 probability, tokens


def normalized(line: str) -> str:
    """A line as ROOTS gave it to its models (filtering.py, `normalization`)."""
    line = NON_PRINTING.sub("", line).strip().translate(SPACES)
    return DIGIT.sub("0", line).translate(PUNCTUATION)


def perplexity(text: str, score: Score, joined: bool = False) -> float:
    """10^(-log10 probability of all lines / (their tokens + an end each)), rounded to one decimal."""
    log, length = 0.0, 0
    for line in [text] if joined else text.split("\n"):
        for piece in _pieces(normalized(line)):
            score_of_piece, tokens = score(piece)
            log += score_of_piece
            length += tokens + 1
    return round(10.0 ** min(-log / length, LARGEST_EXPONENT), 1)


def _pieces(line: str) -> Iterator[str]:
    """The line, or pieces of PIECE characters of it, each as long as its last blank allows."""
    begin = 0
    while len(line) - begin > PIECE:
        blank = line.rfind(" ", begin, begin + PIECE)
        end = blank if blank > begin else begin + PIECE
        yield line[begin:end]
        begin = end + (blank > begin)
    yield line[begin:]


def _is_binary(path: Path) -> bool:
    return _head(path).startswith(BINARY)


def _is_model(path: Path) -> bool:
    """By its first bytes: KenLM's binary format, ARPA text, or either of them compressed."""
    head = _head(path)
    return head.startswith(BINARY) or ARPA in head or head.startswith(PACKED)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _scorer(path: Path, cutter: Path | None) -> Score:
    """Raises InputError when the files hold no model after all."""
    model = _mapped(path) if _is_binary(path) else _read(path)
    pieces = _cutter(cutter) if cutter is not None else str.split

    def score(line: str) -> tuple[float, int]:
        tokens = pieces(line)
        return model.score(" ".join(tokens)), len(tokens)

    return score


@lru_cache(maxsize=1)
def _mapped(path: Path) -> Any:
    """A binary model: mapped, so that loading it again costs little, and one at a time."""
    return _load(path)


@cache
def _read(path: Path) -> Any:
    """A model that has to be read as a whole stays."""
    return _load(path)


def _load(path: Path) -> Any:
    import kenlm

    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    config.load_method = kenlm.LoadMethod.LAZY
    try:
        return kenlm.Model(str(path), config)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path} cannot be loaded: {error}", hint="make the KenLM model again") from error


@cache
def _cutter(path: Path) -> Callable[[str], list[str]]:
    import sentencepiece

    try:
        model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path} is no SentencePiece model: {error}", hint="name the right file") from error

    def cut(line: str) -> list[str]:
        return model.encode(line, out_type=str)

    return cut
