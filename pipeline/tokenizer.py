"""BLOOM's tokenizer: how it is trained, and what a ready one must be like.

    train(texts, vocab_size=8192) -> Tokenizer         byte-level BPE, specials <unk> 0, <s> 1, </s> 2, <pad> 3
    trained(pieces, config)       -> Tokenizer         the same, from counted pieces
    load(tokenizer.json)          -> Tokenizer         checked: gives any text back byte for byte

The pre-tokenizer, the decoder and the special tokens are those of bigscience/bloom, so files go both ways. Never learns
a token that spells a special one: `</s>` written in a document stays four characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

from pipeline.codes import by_language
from pipeline.errors import ConfigError, InputError
from pipeline.ready import Ready, source_of
from pipeline.sampling import Part, in_bytes
from pipeline.text.bpe_training import bytes_to_learn, learn
from pipeline.text.piece_counts import PieceCounts, count_pieces
from pipeline.units import Size, say_bytes

SPECIALS = {"unk": "<unk>", "bos": "<s>", "eos": "</s>", "pad": "<pad>"}  # in the order of their ids
BYTES = 256
MOST_PIECES = 45_000_000  # bytes of distinct pieces: learning from so many fits in run.memory 4GB
TOKEN_MEMORY = 1800  # bytes that a token takes while tokenizer.json is made and read again (measured: 1750)
SMALLEST = len(SPECIALS) + BYTES  # tokens before the first merge
PATTERN = r" ?[^(\s|[.,!?…。，、।۔،])]+"
# every byte that UTF-8 has, blanks and marks at the edges, marks that combine, scripts, emoji, controls
PROBE = (
    "".join(map(chr, range(0x250)))
    + " \u0301a  \n\t नमस्ते 中文。 سلام، 👩‍👩‍👧 \U0010ffff\u0000"
    + "".join(chr(c) for c in range(0x800, 0x10FFFF, 0x0C3F) if not 0xD800 <= c < 0xE000)
)


class TokenizerConfig(BaseModel):
    """A byte-level BPE tokenizer trained on a share of each language, or a ready one (`path`).

    The sample: `alpha` gives each language its bytes, 1 as the corpus is, 0 all alike; `languages` fixes what single
    ones get, in bytes or as a share of the sample, and leaves the rest to the others. None gets more than it has.

        tokenizer: {vocab_size: 250680, sample: 10GB}
        tokenizer: {vocab_size: 32768, sample: 1GB, alpha: 1}                            # natural shares
        tokenizer: {vocab_size: 32768, sample: 1GB, languages: {en: 30%, sw: 5MB, python: 0}}
        tokenizer: {path: data/tokenizer.json}
        tokenizer: {path: bigscience/bloom-560m}                                         # BLOOM's own, from the hub

    A line that stands in the sample more than once counts once (`dedup_lines`), blanks at its ends aside: menus and
    licences would buy tokens else. docs/tokenizer.md tells how it is trained and what stands in the manifest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str] = "tokenizer"
    version: ClassVar[int] = 2  # 2: lines count once, pieces beyond `most_pieces` are left out
    packages: ClassVar[tuple[str, ...]] = ("tokenizers",)

    vocab_size: int = Field(8192, ge=SMALLEST, description="tokens, the 4 special ones and the 256 bytes included")
    alpha: float = Field(
        0.5, ge=0, le=1, description="a language of share p is taken by p^alpha: 1 as it is, 0 all alike"
    )
    sample: Size = Field(100_000_000, description="bytes of text to learn from")
    languages: tuple[tuple[str, Part], ...] = Field(
        (), description="what single languages get of the sample, `{en: 30%, sw: 5MB}`; the others share the rest"
    )
    dedup_lines: bool = Field(True, description="a line that stands more than once in the sample counts once")
    seed: int = Field(0, ge=0, lt=2**63, description="of the coins that choose documents")
    min_frequency: int = Field(2, ge=1, description="a pair seen less often is not merged")
    max_token_length: int | None = Field(
        None, ge=2, description="tokens have fewer bytes than this, or two, as the public trainer has it"
    )
    limit_alphabet: int | None = Field(
        None, ge=BYTES, description="as the public trainer has it; all 256 bytes are needed, so it leaves out none"
    )
    most_pieces: Size = Field(
        MOST_PIECES, ge=1, description="bytes of distinct pieces to learn from; beyond it the rarest are left out"
    )
    path: Path | None = Field(
        None, description="a ready tokenizer.json instead, or a name of the hub: byte-level BPE with </s>, as BLOOM's"
    )
    revision: str | None = Field(None, description="of a name of the hub: the full commit hash (40 hex digits)")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="what the file at `path` must have")

    @field_validator("languages", mode="before")
    @classmethod
    def _by_language(cls, value: Any) -> Any:
        return by_language(value)

    @model_validator(mode="after")
    def _enough(self) -> TokenizerConfig:
        fixed = sum(in_bytes(part, self.sample) for _, part in self.languages)
        if fixed > self.sample + len(self.languages):  # each may have been rounded up
            raise ValueError(
                f"languages come to {say_bytes(fixed)}, and the sample is {say_bytes(self.sample)}: raise `sample`, or "
                "take them lower"
            )
        return self

    @model_validator(mode="after")
    def _ready(self) -> TokenizerConfig:
        if self.path is None:
            if alone := sorted(self.model_fields_set & {"revision", "sha256"}):
                raise ValueError(f"{', '.join(alone)} tell about a ready tokenizer: set `path`, or leave them out")
            return self
        if idle := sorted(self.model_fields_set - {"path", "revision", "sha256"}):
            raise ValueError(
                f"path names a ready tokenizer, so {', '.join(idle)} would have no effect: leave out either"
            )
        try:
            if not self.ready.hub:
                load(self.path)
        except (ConfigError, InputError) as error:
            raise ValueError(f"{error.message} ({error.hint})") from error
        return self

    @property
    def ready(self) -> Ready:
        """Where the ready tokenizer is to be had. Raises ConfigError or InputError where there is none such."""
        assert self.path is not None
        return source_of(self.path, self.revision, self.sha256)

    def parameters(self) -> dict[str, Any]:
        """What the bytes of the tokenizer depend on, for its recipe; of a ready one its digest, wherever it lies."""
        if self.path is not None:
            return self.ready.recipe()
        return self.model_dump(mode="json", exclude={"path", "revision", "sha256"})


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

    Counts are sums and ties go to the smaller pair, so the order of texts does not matter."""
    pieces = count_pieces(pa.array(texts, pa.large_string()))
    return trained(pieces, TokenizerConfig(vocab_size=vocab_size, min_frequency=min_frequency))


def trained(pieces: PieceCounts, config: TokenizerConfig) -> Tokenizer:
    """Byte-level BPE from counted pieces: byte for byte the file that the public trainer makes of the same text."""
    learned = learn(pieces, config.vocab_size, config.min_frequency, config.max_token_length, config.limit_alphabet)
    chars = byte_chars()
    tokens = ["".join(map(chars.__getitem__, token)) for token in learned.tokens()[len(SPECIALS) :]]
    return _tokenizer([*SPECIALS.values(), *tokens], learned.merges)


def smallest() -> Tokenizer:
    """The tokenizer of no merges: special tokens and bytes."""
    return _tokenizer([*SPECIALS.values(), *sorted(byte_chars())], np.zeros((0, 3), np.int32))


def _tokenizer(spelled: Sequence[str], merged: np.ndarray) -> Tokenizer:
    """From tokens in the order of their ids, and (m, 3) ids of what is merged, left and right."""
    merges = [(spelled[left], spelled[right]) for left, right, _ in merged.tolist()]
    tokenizer = untrained()
    tokenizer.model = models.BPE(vocab={token: id_ for id_, token in enumerate(spelled)}, merges=merges)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS.values()])
    return tokenizer


def memory_to_train(pieces: PieceCounts, vocab_size: int) -> int:
    """Bytes that `trained` takes and then the finished tokenizer, the pieces included."""
    learning, finishing = bytes_to_learn(pieces, vocab_size), TOKEN_MEMORY * vocab_size
    return len(pieces.data) + 16 * len(pieces) + max(learning, finishing)


def byte_chars() -> list[str]:
    """The 256 characters that stand for bytes in a byte-level vocabulary: those that can be seen for themselves, the
    others from U+0100 on (`bytes_to_unicode` of GPT-2's encoder)."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    unseen = [byte for byte in range(256) if byte not in seen]
    return [chr(byte) if byte in seen else chr(0x100 + unseen.index(byte)) for byte in range(256)]


def merge_pairs(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The merges of the `model` of a tokenizer.json, which writes each as a list, or in older files as "left right"."""
    return [tuple(pair if isinstance(pair, list) else pair.split(" ")) for pair in model["merges"]]


def load(path: Path) -> Tokenizer:
    """A tokenizer for encoding documents: special tokens in their text are plain text, nothing is cut or padded.

    Raises InputError where the file is no byte-level BPE with `</s>` or does not give text back byte for byte."""
    tokenizer = read(path, "set tokenizer.path to a tokenizer.json")
    if fault := _fault(tokenizer, json.loads(path.read_text("utf-8"))):
        raise InputError(f"{path} {fault[0]}", hint=fault[1])
    return tokenizer


def read(path: Path, hint: str) -> Tokenizer:
    """Any tokenizer.json: special tokens in a text are text, nothing is cut or padded.

    Raises InputError with `hint` where it cannot be read."""
    try:
        tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint=hint) from error
    except Exception as error:  # `from_str` raises bare Exception for whatever is wrong: there is nothing narrower
        raise InputError(f"{path} is no tokenizer: {error}", hint=hint) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
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
    if (highest := max(tokenizer.get_vocab().values())) >= tokenizer.get_vocab_size():
        return (
            f"has {tokenizer.get_vocab_size():,} tokens with ids up to {highest:,}",
            "number its tokens from 0 on without a gap",
        )
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
