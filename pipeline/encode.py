"""Texts to token ids: a list a document, ended by `</s>`; decoding gives the text back byte for byte.

    Encoder(load(tokenizer.json)).encode(["a b", ""]) -> [[66, 281, 2], [2]]     pa.ListArray of int32

Exactly the ids that `tokenizers` gives, which stays the oracle. A tokenizer with BLOOM's pre-tokenizer is applied by
kernels, each word once a batch; any other one by the library itself, whole texts at a time. Never finds a special token
in a text: what a document spells is text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from pipeline.text.bpe import Merges
from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel
from pipeline.text.pretokens import pretokens
from pipeline.tokenizer import special_ids, untrained

BATCH_BYTES = 4_000_000  # of text at once; a longer text is a batch of its own
PLAIN = {  # settings of a BPE model under which merging bytes by the table is all there is to it
    "dropout": None,
    "continuing_subword_prefix": None,
    "end_of_word_suffix": None,
    "byte_fallback": False,
    "ignore_merges": False,
}

Lists = tuple[np.ndarray, np.ndarray]  # numbers of tokens (n,) int64, and all tokens, int32


class Encoder:
    """Encodes with one tokenizer. `by_kernel` says whether kernels do it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._merges = _merges(tokenizer)
        self.eos: int = special_ids(tokenizer)["eos"]

    @property
    def by_kernel(self) -> bool:
        return self._merges is not None

    def encode(self, texts: pa.Array | pa.ChunkedArray) -> pa.ListArray:
        """n texts -> n lists of int32, each ended by `</s>`. Raises nothing: every text has ids."""
        one = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
        one = one.cast(pa.large_string())
        parts = [self._batch(one.slice(start, stop - start)) for start, stop in _batches(buffers(one)[0])]
        counts, ids = zip(*parts, strict=True) if parts else ([np.zeros(0, np.int64)], [np.zeros(0, np.int32)])
        offsets = np.concatenate([[0], *counts]).cumsum().astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(ids)))

    def _batch(self, texts: pa.Array) -> Lists:
        return self._whole(texts) if self._merges is None else _by_words(texts, self._merges, self.eos)

    def _whole(self, texts: pa.Array) -> Lists:
        lists = []
        for text in texts:  # one at a time: the library needs some hundred bytes for each byte of its input
            encoding = self._tokenizer.encode_batch_fast([text.as_py()], add_special_tokens=False)[0]
            lists.append(np.array([*encoding.ids, self.eos], np.int32))
        return np.array([len(ids) for ids in lists], np.int64), np.concatenate(lists)

    def warm(self) -> None:
        """Compiles the kernels; to be called once, before workers start."""
        self.encode(pa.array(["a b"], pa.large_string()))


def _by_words(texts: pa.Array, merges: Merges, eos: int) -> Lists:
    offsets, data = buffers(texts)
    edges, counts = pretokens(offsets, data)
    views = [None, pa.py_buffer(edges), pa.py_buffer(data)]
    words = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(edges) - 1, views).dictionary_encode()
    token_edges, ids = merges.apply(*buffers(words.dictionary))
    return _lay_out(counts, words.indices.to_numpy(), token_edges, ids, eos)


@kernel
def _lay_out(counts: np.ndarray, words: np.ndarray, edges: np.ndarray, ids: np.ndarray, eos: int) -> Lists:
    """The tokens of each text, word after word, and `eos`."""
    lengths = np.ones(len(counts), np.int64)
    piece = 0
    for text in range(len(counts)):
        for _ in range(counts[text]):
            lengths[text] += edges[words[piece] + 1] - edges[words[piece]]
            piece += 1
    out = np.empty(lengths.sum(), np.int32)
    piece = at = 0
    for text in range(len(counts)):
        for _ in range(counts[text]):
            for token in range(edges[words[piece]], edges[words[piece] + 1]):
                out[at] = ids[token]
                at += 1
            piece += 1
        out[at] = eos
        at += 1
    return lengths, out


def _batches(offsets: np.ndarray) -> Iterator[tuple[int, int]]:
    """Runs of texts of at most BATCH_BYTES, but at least one text each."""
    start, n = 0, len(offsets) - 1
    while start < n:
        stop = int(np.searchsorted(offsets, offsets[start] + BATCH_BYTES, side="right")) - 1
        stop = min(max(stop, start + 1), n)
        yield start, stop
        start = stop


def _merges(tokenizer: Tokenizer) -> Merges | None:
    """The table for the kernels, or None where they would not do exactly what this tokenizer does."""
    content = json.loads(tokenizer.to_str())
    model, vocab = content["model"], content["model"]["vocab"]
    plain = all(model.get(name, default) == default for name, default in PLAIN.items())
    # tokens that are not special are looked for in the text before it is cut
    only_special = all(token["special"] for token in content["added_tokens"])
    chars = byte_chars()
    if not (plain and only_special and _cuts_like_bloom(content) and vocab.keys() >= set(chars)):
        return None
    pairs = (tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in model["merges"])
    return Merges.of([vocab[c] for c in chars], [(vocab[a], vocab[b], vocab[a + b]) for a, b in pairs])


def _cuts_like_bloom(content: dict[str, Any]) -> bool:
    ours = json.loads(untrained().to_str())
    return content["normalizer"] is None and _cut(content) == _cut(ours)


def _cut(content: dict[str, Any]) -> list[dict[str, Any]]:
    parts = (content["pre_tokenizer"] or {}).get("pretokenizers", [])
    return [{k: v for k, v in part.items() if k != "trim_offsets"} for part in parts]  # offsets are not used


def byte_chars() -> list[str]:
    """The 256 characters that stand for bytes in a byte-level vocabulary: those that can be seen for themselves, the
    others from U+0100 on (`bytes_to_unicode` of GPT-2's encoder)."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    unseen = [byte for byte in range(256) if byte not in seen]
    return [chr(byte) if byte in seen else chr(0x100 + unseen.index(byte)) for byte in range(256)]
