"""BLOOM's tokenizer: which documents it learns from, how it is trained, and what a ready one must be like.

    budgets({"en": 10**9, "sw": 10**6}, total=10**8, alpha=0.5) -> {"en": 99_000_000, "sw": 1_000_000}     bytes
    train(texts, vocab_size=8192) -> Tokenizer         byte-level BPE, specials <unk> 0, <s> 1, </s> 2, <pad> 3
    load(tokenizer.json)          -> Tokenizer         checked: gives any text back byte for byte

The pre-tokenizer, the decoder and the special tokens are those of bigscience/bloom, so files go both ways. Never learns
a token that spells a special one: `</s>` written in a document stays four characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from pipeline.digest import coins, file_sha256
from pipeline.errors import InputError
from pipeline.units import Size, say_bytes

SPECIALS = {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "pad": "<pad>"}  # in the order of their ids
SMALLEST = len(SPECIALS) + 256  # tokens before the first merge
LARGEST_SAMPLE = 10**9  # bytes
PATTERN = r" ?[^(\s|[.,!?…。，、।۔،])]+"
# every byte that UTF-8 has, blanks and marks at the edges, marks that combine, scripts, emoji, controls
PROBE = (
    "".join(map(chr, range(0x250)))
    + " \u0301a  \n\t नमस्ते 中文。 سلام، 👩‍👩‍👧 \U0010ffff\u0000"
    + "".join(chr(c) for c in range(0x800, 0x10FFFF, 0x0C3F) if not 0xD800 <= c < 0xE000)
)


class TokenizerConfig(BaseModel):
    """A byte-level BPE tokenizer trained on a share of each language, or a ready one (`path`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "tokenizer"
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ("tokenizers",)

    vocab_size: int = Field(8192, ge=SMALLEST, description="tokens, the 4 special ones and the 256 bytes included")
    alpha: float = Field(
        0.5, ge=0, le=1, description="a language of share p is taken by p^alpha: 1 as it is, 0 all alike"
    )
    sample: Size = Field(100_000_000, description="bytes of text to learn from")
    seed: int = Field(0, ge=0, lt=2**63, description="of the coins that choose documents")
    min_frequency: int = Field(2, ge=1, description="a pair seen less often is not merged")
    path: Path | None = Field(None, description="a ready tokenizer.json instead: byte-level BPE with </s>, as BLOOM's")

    @field_validator("sample")
    @classmethod
    def _countable(cls, value: int) -> int:
        if value > LARGEST_SAMPLE:
            raise ValueError(
                f"{say_bytes(value)} is more than the trainer can count: it keeps pairs in 32 bits. Write 1GB or less; "
                "merges hardly change beyond some hundred MB"
            )
        return value

    @model_validator(mode="after")
    def _ready(self) -> TokenizerConfig:
        if self.path is None:
            return self
        if idle := sorted(self.model_fields_set - {"path"}):
            raise ValueError(
                f"path names a ready tokenizer, so {', '.join(idle)} would have no effect: leave out either"
            )
        try:
            load(self.path)
        except InputError as error:
            raise ValueError(f"{error.message} ({error.hint})") from error
        return self

    def parameters(self) -> dict[str, Any]:
        """What the bytes of the tokenizer depend on, for its recipe; of a ready one its digest, wherever it lies."""
        return self.model_dump(exclude={"path"}) if self.path is None else {"sha256": file_sha256(self.path)}


def budgets(available: Mapping[str, int], total: int, alpha: float) -> dict[str, int]:
    """Bytes to take of each language: by p^alpha, none more than it has; what is left over goes to the others.

    (Conneau and Lample 2019, arXiv:1901.07291, sec. 3.1, there for sentences.)"""
    everything = sum(available.values())
    weight = {lang: (size / everything) ** alpha for lang, size in sorted(available.items()) if size > 0}
    out: dict[str, int] = dict.fromkeys(sorted(available), 0)
    left = float(min(total, everything))
    while weight:
        scale = left / sum(weight.values())
        full = [lang for lang in weight if weight[lang] * scale >= available[lang]]
        for lang in full or weight:
            out[lang] = available[lang] if full else int(weight[lang] * scale)
        if not full:
            break
        left -= sum(available[lang] for lang in full)
        weight = {lang: w for lang, w in weight.items() if lang not in full}
    return out


def shares(available: Mapping[str, int], total: int, alpha: float) -> dict[str, float]:
    """The share of each language's documents to take, in [0, 1], for `chosen`."""
    taken = budgets(available, total, alpha)
    # rounded, so that the last bit of a machine's `pow` cannot decide about a document
    return {lang: round(taken[lang] / size, 9) if size else 1.0 for lang, size in sorted(available.items())}


def chosen(ids: list[str], langs: list[str], share: Mapping[str, float], seed: int) -> np.ndarray:
    """(n,) bool: whether the toss for a document falls under its language's share. Shards cannot matter."""
    tosses = coins(seed, [f"sample {name}" for name in ids]) >> np.uint64(11)  # 53 bits, which a float holds exactly
    return tosses < np.array([share[lang] for lang in langs], np.float64) * 2.0**53


def untrained() -> Tokenizer:
    """BLOOM's tokenizer without a vocabulary."""
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train(texts: Iterable[str], vocab_size: int, min_frequency: int = 2) -> Tokenizer:
    """Byte-level BPE of at most `vocab_size` tokens; fewer where no pair is left that occurs `min_frequency` times.

    Counts are sums and ties go to the smaller pair, so neither the order of texts nor the number of threads matters."""
    tokenizer = untrained()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=list(SPECIALS.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_without_specials(texts), trainer)
    return tokenizer


def _without_specials(texts: Iterable[str]) -> Iterator[str]:
    # else frequent merges could spell `</s>`, and the trainer would give them the special token's own id
    special = re.compile("|".join(map(re.escape, SPECIALS.values())))
    for text in texts:
        yield from special.split(text)


def load(path: Path) -> Tokenizer:
    """A tokenizer for encoding documents: special tokens in their text are plain text, nothing is cut or padded.

    Raises InputError where the file is no byte-level BPE with `</s>` or does not give text back byte for byte."""
    try:
        text = path.read_text("utf-8")
        tokenizer = Tokenizer.from_str(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="set tokenizer.path to a tokenizer.json") from error
    except Exception as error:  # `from_str` raises bare Exception for whatever is wrong: there is nothing narrower
        raise InputError(f"{path} is no tokenizer: {error}", hint="set tokenizer.path to a tokenizer.json") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    if fault := _fault(tokenizer, json.loads(text)):
        raise InputError(f"{path} {fault[0]}", hint=fault[1])
    return tokenizer


def _fault(tokenizer: Tokenizer, content: dict[str, Any]) -> tuple[str, str] | None:
    """What keeps this tokenizer from documents, and a deed; None if it fits."""
    if content["model"].get("type") != "BPE":
        return f"is {content['model'].get('type')}, not byte-level BPE", "use one like BLOOM's or GPT-2's, or train one"
    if special_ids(tokenizer)["eos"] is None:
        return "has no token </s> to end documents with", "add it as a special token, or train a tokenizer"
    if content.get("normalizer") is not None:
        deed = "set its normalizer to null; the stage `normalize` does such work"
        return f"changes text (normalizer {content['normalizer']['type']})", deed
    if tokenizer.decode(encode_one(tokenizer, PROBE), skip_special_tokens=False) != PROBE:
        return "does not give text back byte for byte", "its model must hold all 256 bytes, with add_prefix_space false"
    spelled = [s for s in SPECIALS.values() if tokenizer.token_to_id(s) in encode_one(tokenizer, f"a{s} {s}{s}")]
    if spelled:
        return f"has merges that spell {spelled[0]}, so that a document could end itself", "train another tokenizer"
    return None


def encode_one(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids


def special_ids(tokenizer: Tokenizer) -> dict[str, Any]:
    """{"unk": 0, "bos": 1, "eos": 2, "pad": 3}; what a tokenizer lacks is its `</s>`, or None if it has none."""
    eos = tokenizer.token_to_id(SPECIALS["eos"])
    found = {name: tokenizer.token_to_id(token) for name, token in SPECIALS.items()}
    return {name: eos if id_ is None else id_ for name, id_ in found.items()}


def transformers_config(tokenizer: Tokenizer, max_length: int | None = None) -> dict[str, Any]:
    """tokenizer_config.json: what transformers 4 and 5 need to load the tokenizer beside it."""
    names = {f"{name}_token": tokenizer.id_to_token(id_) for name, id_ in special_ids(tokenizer).items()}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,  # transformers would take blanks before full stops away
        "padding_side": "left",  # as BLOOM's, for generation
        **names,
    }
    return config if max_length is None else {**config, "model_max_length": max_length}
