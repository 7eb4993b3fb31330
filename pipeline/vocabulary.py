"""A vocabulary as something to look at: what each token spells, which ones are strange, and its smaller selves.

    Vocabulary.of(tokenizer)    .spells[281] -> b' the'     .strange[281] -> ''
    shortened(tokenizer, 8192)  -> the tokenizer that training would have stopped at with 8,192 tokens

Merges are learned one after the other, each from tokens that stand before it, so the first of them are a tokenizer
themselves: one training gives every smaller size. What tokens spell is text of the corpus and may be hostile: it is
shown through `spelled`, then escaped. It must never change a tokenizer that documents are encoded with.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from pipeline.tokenizer import byte_chars, merge_pairs

KINDS = ("digits", "repeated", "invisible", "mixed", "broken")
DIGITS = 5  # of a number or a date that was learned by heart
REPEATED = 8  # characters, of two at most
WHOLE = 4  # bytes: a longer token that is no text holds whole characters and a part of one more
JOINERS = "\u200c\u200d"  # scripts need them
SEEN = "\t\n\r "
EAST_ASIAN = {"CJK": "HAN", "HIRAGANA": "HAN", "KATAKANA": "HAN", "BOPOMOFO": "HAN"}  # written together
NO_SCRIPT = {"MICRO", "MODIFIER", "FEMININE", "MASCULINE", "FULLWIDTH", "HALFWIDTH", "MATHEMATICAL", "DOUBLE-STRUCK"}
SIGNS = {ord(" "): "␣", ord("\n"): "␊", ord("\t"): "␉", ord("\r"): "␍"}


@dataclass(frozen=True)
class Vocabulary:
    """By token id. `spells` is empty for special tokens and for ids that no token has."""

    spells: list[bytes]
    single: np.ndarray  # (size,) bool: one byte of a character that has several
    partial: np.ndarray  # (size,) bool: no whole characters; the single ones too
    strange: list[str]  # '' or one of KINDS

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Vocabulary:
        vocab = tokenizer.get_vocab(with_added_tokens=True)
        special = {id_ for id_, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        spells = [b""] * (max(vocab.values(), default=-1) + 1)
        values = {char: byte for byte, char in enumerate(byte_chars())}
        for token, id_ in vocab.items():
            if id_ not in special:
                spells[id_] = _bytes(token, values)
        single = np.array([len(token) == 1 and token[0] >= 0x80 for token in spells], bool)
        partial = np.array([not _is_text(token) for token in spells], bool)
        return cls(spells, single, partial, [strangeness(token) for token in spells])

    def __len__(self) -> int:
        return len(self.spells)


def _bytes(token: str, values: dict[str, int]) -> bytes:
    """What a token of a byte-level vocabulary spells; one that is not written so, as it stands."""
    found = [values.get(char) for char in token]
    return token.encode("utf-8", "surrogatepass") if None in found else bytes(found)  # type: ignore[arg-type]


def _is_text(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True


def strangeness(token: bytes) -> str:
    """Why one would look at a token twice; the first of KINDS that fits, '' if none does.

    digits      five digits or more in a row: a date or a number that was learned by heart
    repeated    eight characters or more, of two different ones at most: rules, blanks, `=-=-=-=-`
    invisible   control characters, private use, unassigned ones
    mixed       letters of two scripts
    broken      whole characters and a part of one more
    """
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return "broken" if len(token) > WHOLE else ""
    if re.search(rf"\d{{{DIGITS}}}", text):
        return "digits"
    if len(text) >= REPEATED and len(set(text)) <= 2:
        return "repeated"
    if not text.isprintable() and any(map(_invisible, text)):
        return "invisible"
    if text.isascii():  # most are, and have one script
        return ""
    return "mixed" if len({script for char in text if (script := _script(char))}) > 1 else ""


@lru_cache(maxsize=20_000)
def _invisible(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Co", "Cn") and char not in SEEN + JOINERS


@lru_cache(maxsize=20_000)
def _script(char: str) -> str:
    """The first word of a letter's name, which is its script; '' for what is none or belongs to all."""
    word = unicodedata.name(char, "").partition(" ")[0] if char.isalpha() else ""
    return "" if word in NO_SCRIPT else EAST_ASIAN.get(word, word)


def spelled(token: bytes) -> str:
    """A token that one can read: blanks as signs, bytes that are no text as `\\xe0`. Not yet fit for a page."""
    return token.decode("utf-8", "backslashreplace").translate(SIGNS)


def shortened(tokenizer: Tokenizer, size: int) -> Tokenizer:
    """Its first `size` tokens: those that no merge makes, and of the others those that are made first.

    Special tokens keep meaning themselves. Of a tokenizer that has no more than `size` tokens, all stays as it is; none
    gets smaller than what no merge makes. Only for BPE."""
    content = json.loads(tokenizer.to_str())
    model = content["model"]
    pairs = merge_pairs(model)
    made = list(dict.fromkeys("".join(pair) for pair in sorted(pairs, key=lambda pair: _born(model["vocab"], pair))))
    away = set(made[max(0, size - (len(model["vocab"]) - len(made))) :])
    model["vocab"] = {token: id_ for token, id_ in model["vocab"].items() if token not in away}
    model["merges"] = [list(pair) for pair in pairs if not away & {*pair, "".join(pair)}]
    return _ready(content)


def _born(vocab: dict[str, int], pair: tuple[str, str]) -> int:
    """Ids rise as tokens are made; a merge may be written down later, where it was made once more."""
    return vocab["".join(pair)]


def _ready(content: dict[str, Any]) -> Tokenizer:
    # ids have to be without holes: `tokenizers` takes others, but warns
    model = content["model"]
    order = sorted(model["vocab"], key=model["vocab"].__getitem__)
    model["vocab"] = {token: id_ for id_, token in enumerate(order)}
    for token in content["added_tokens"]:
        token["id"] = model["vocab"].get(token["content"], token["id"])
    made = Tokenizer.from_str(json.dumps(content))
    made.encode_special_tokens = True
    return made
