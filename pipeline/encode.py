"""Texts to token ids: a list a document, ended by `</s>`; decoding gives the text back byte for byte.

    Encoder(load(tokenizer.json)).encode(["a b", ""]) -> [[66, 281, 2], [2]]     pa.ListArray of int32

Exactly the ids that `tokenizers` gives, which stays the oracle. A tokenizer with BLOOM's pre-tokenizer is applied by
kernels, which look up each word in what they met before; any other one by the library itself, text by text. Never
finds a special token in a text: what a document spells is text.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from pipeline.errors import InputError
from pipeline.text.bpe import MOST_MERGES, Merges
from pipeline.text.buffers import buffers
from pipeline.text.encoding import Words
from pipeline.text.token_cache import TokenCache
from pipeline.tokenizer import byte_chars, merge_pairs, special_ids, untrained

MOST = 2**31 - 1  # bytes of a text, tokens of a shard (the offsets of its lists have 32 bits), and a token's id
Lists = tuple[np.ndarray, np.ndarray]  # edges (n + 1,) int64 and all tokens, int32
PLAIN = {  # settings of a BPE model under which merging bytes by the table is all there is to it
    "dropout": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "byte_fallback": False,
    "ignore_merges": False,
}


class Encoder:
    """Encodes with one tokenizer; `by_kernel` says whether kernels do it. Keeps what it learned of words for the next
    texts, and is not to be used by two threads at once. Raises InputError where a token id has more than 31 bits."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        if (largest := max(tokenizer.get_vocab().values())) > MOST:
            raise InputError(
                f"the tokenizer has the token id {largest:,}, and ids are stored in 32 bits with a sign",
                hint="number its tokens anew, or train a tokenizer",
            )
        self.vocab_size = tokenizer.get_vocab_size()
        merges = _merges(tokenizer)
        self.eos: int = special_ids(tokenizer)["eos"]
        self._words = None if merges is None else Words(merges, TokenCache.empty())
        self._tokenizer = tokenizer if merges is None else None  # large, and done with

    @property
    def by_kernel(self) -> bool:
        return self._words is not None

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> pa.ListArray:
        """n texts -> n lists of int32, each ended by `</s>`.

        Every text has ids. Raises InputError where a text has more than MOST bytes, or all together more tokens."""
        offsets, data = buffers(texts)
        _limit(int(np.diff(offsets).max(initial=0)), "bytes in one text")
        edges, ids = self._whole(texts) if self._words is None else self._words.encode(offsets, data, self.eos)
        _limit(int(edges[-1]), "tokens in one shard")
        return pa.ListArray.from_arrays(pa.array(edges.astype(np.int32)), pa.array(ids))

    def _whole(self, texts: pa.Array | pa.ChunkedArray) -> Lists:
        assert self._tokenizer is not None
        lists = [np.zeros(0, np.int32)]
        for text in texts:  # one at a time: the library needs some hundred bytes for each byte of its input
            encoding = self._tokenizer.encode_batch_fast([text.as_py() or ""], add_special_tokens=False)[0]
            lists.append(np.array([*encoding.ids, self.eos], np.int32))
        return np.cumsum([len(ids) for ids in lists], dtype=np.int64), np.concatenate(lists)

    def warm(self) -> None:
        """Compiles the kernels; to be called once, before workers start."""
        self.encode(pa.array(["a b"], pa.large_string()))


def _limit(found: int, what: str) -> None:
    if found > MOST:
        raise InputError(
            f"{found:,} {what}, and {MOST:,} are the most that can be encoded",
            hint="set `max_document`, or `shard_size`, of the source to 1GB or less",
        )


def _merges(tokenizer: Tokenizer) -> Merges | None:
    """The table for the kernels, or None where they would not do exactly what this tokenizer does."""
    content = json.loads(tokenizer.to_str())
    model, vocab = content["model"], content["model"]["vocab"]
    plain = all(model.get(name, default) == default for name, default in PLAIN.items())
    # tokens that are not special are looked for in the text before it is cut
    only_special = all(token["special"] for token in content["added_tokens"])
    chars = byte_chars()
    pairs = merge_pairs(model)
    named = {*chars, *(token for a, b in pairs for token in (a, b, a + b))}
    # of two tokens with one id the library writes down one, so that the merges of the other are without it
    known = len(pairs) <= MOST_MERGES and vocab.keys() >= named
    if not (plain and only_special and known and _cuts_like_bloom(content)):
        return None
    return Merges.of([vocab[c] for c in chars], [(vocab[a], vocab[b], vocab[a + b]) for a, b in pairs])


def _cuts_like_bloom(content: dict[str, Any]) -> bool:
    ours = json.loads(untrained().to_str())
    return content["normalizer"] is None and _cut(content) == _cut(ours)


def _cut(content: dict[str, Any]) -> list[dict[str, Any]]:
    parts = (content["pre_tokenizer"] or {}).get("pretokenizers", [])
    return [{k: v for k, v in part.items() if k != "trim_offsets"} for part in parts]  # offsets are not used
