"""What the encoded corpus makes of the vocabulary: how much of it each language uses, what is never used, what is odd.

    usage(steps, manifests) -> {counted, tokens, used, never, strange, languages: {lang: {used, share, fallback, ...}}}
    token_counts(corpus, encode, size) -> {lang: Counts}

Counts come from the lists of token ids that `encode` sealed, one shard at a time, mapped into memory; of a large corpus
the report counts evenly spaced shards and says so. Tokens are shown as `spelled` has them: text of the corpus, to be
escaped wherever it goes. `</s>`, which ends each document, is left out. It must never read a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.report.levels import SOURCE, STAGES, Manifest
from pipeline.steps.base import Corpus
from pipeline.steps.source import shards_of
from pipeline.steps.tokenizer import tokenizer_of
from pipeline.store.files import read_table
from pipeline.store.layers import Shard, read_shard
from pipeline.store.place import removal
from pipeline.store.step import Step
from pipeline.tokenizer import special_ids
from pipeline.vocabulary import KINDS, Vocabulary, spelled

MOST_TOKENS = 2_000_000_000  # that a report counts: some seconds' work
AT_ONCE = 1 << 20  # tokens: `bincount` makes 64 bits of each
FEWER = 8  # `add.at` takes so many times longer for a token than `bincount` for a token of the vocabulary
LONGEST = 5  # tokens shown of a language
EXAMPLES = 12  # tokens shown of a kind


@dataclass(frozen=True)
class Counts:
    """Tokens that occur, by their ids, which rise; (k,) each."""

    ids: np.ndarray
    counts: np.ndarray

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def dense(self, size: int) -> np.ndarray:
        """(size,) int64."""
        out = np.zeros(size, np.int64)
        out[self.ids] = self.counts
        return out

    @classmethod
    def of(cls, dense: np.ndarray) -> Counts:
        ids = np.flatnonzero(dense)
        return cls(ids, dense[ids])


def usage(steps: Sequence[Step], manifests: Sequence[Manifest], most: int = MOST_TOKENS) -> dict[str, Any] | None:
    """For report.json; None before the documents are encoded. Raises InputError where a file is damaged or gone."""
    by_kind = {m["kind"]: step for step, m in zip(steps, manifests, strict=True)}
    encoded = next((m for m in manifests if m["kind"] == "encode"), None)
    whole = encoded_corpus(steps, manifests)
    if encoded is None or not whole.shards:
        return None
    tokens = sum(n for name, n in encoded["tallies"].items() if name.startswith("tokens/"))
    some = whole.shards[:: max(1, -(-tokens // most))]
    tokenizer = tokenizer_of(by_kind["tokenizer"])
    vocabulary = Vocabulary.of(tokenizer)
    counts = token_counts(Corpus(some, whole.steps), by_kind["encode"], len(vocabulary), special_ids(tokenizer)["eos"])
    return {"shards": [len(some), len(whole.shards)], **described(vocabulary, counts)}


def encoded_corpus(steps: Sequence[Step], manifests: Sequence[Manifest]) -> Corpus:
    """The documents that were encoded: the shards of all sources, and the stages that lie over them."""
    pairs = list(zip(steps, manifests, strict=True))
    shards: list[Shard] = []
    for step, manifest in pairs:
        if manifest["kind"] == SOURCE:
            shards += shards_of(step, manifest["name"], sum(shard.rows for shard in shards))
    return Corpus(tuple(shards), tuple(step for step, manifest in pairs if manifest["kind"] in STAGES))


def token_counts(corpus: Corpus, encode: Step, size: int, eos: int) -> dict[str, Counts]:
    """{lang: Counts}, `eos` left out. Memory: two rows of the vocabulary, and 16 bytes a token that a language has."""
    found: dict[str, Counts] = {}
    dense = np.zeros(size, np.int64)
    for shard in corpus.shards:
        path = encode.layer(shard.key)
        offsets, ids = _lists(read_table(path).column("tokens"))
        langs = read_shard(shard, corpus.steps, ["lang"]).column("lang").to_numpy()
        for lang in sorted(set(langs)):
            dense[:] = found[lang].dense(size) if lang in found else 0
            for begin, end in _runs(offsets, langs == lang):
                _add(dense, ids[begin:end], path, encode)
            dense[eos] = 0
            found[lang] = Counts.of(dense)
    return found


def _runs(offsets: np.ndarray, mask: np.ndarray) -> Iterator[tuple[int, int]]:
    """Where the tokens of neighbouring documents begin and end, AT_ONCE at most."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    for first, last in zip(offsets[edges[::2]].tolist(), offsets[edges[1::2]].tolist(), strict=True):
        yield from ((at, min(at + AT_ONCE, last)) for at in range(first, last, AT_ONCE))


def _add(dense: np.ndarray, ids: np.ndarray, path: Path, encode: Step) -> None:
    if not 0 <= ids.min() <= (largest := ids.max()) < len(dense):
        raise InputError(
            f"{path} holds the token id {largest if largest >= len(dense) else ids.min():,}, and the tokenizer has "
            f"{len(dense):,} tokens",
            hint=f"{removal([encode.folder])} and run again: that step is made again",
        )
    if len(ids) * FEWER > len(dense):
        dense += np.bincount(ids, minlength=len(dense))
    else:  # of a short document a row of the vocabulary would cost more than its tokens
        np.add.at(dense, ids, 1)


def _lists(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (n + 1,) and values of lists of int32, from one chunk as they are mapped."""
    lists = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return lists.offsets.to_numpy(), lists.values.to_numpy()


def described(vocabulary: Vocabulary, counts: Mapping[str, Counts]) -> dict[str, Any]:
    """What is told of counts: JSON all through."""
    size = len(vocabulary)
    together = np.zeros(size, np.int64)
    for one in counts.values():
        together[one.ids] += one.counts
    real = np.array([bool(token) for token in vocabulary.spells], bool)  # special tokens and holes are nobody's to use
    never = np.flatnonzero(real & (together == 0))
    return {
        "counted": int(together.sum()),
        "tokens": int(real.sum()),
        "used": int((real & (together > 0)).sum()),
        "never": len(never),
        "once": int((together == 1).sum()),
        "never_used": [spelled(vocabulary.spells[id_]) for id_ in never[-EXAMPLES:][::-1].tolist()],
        "strange": [_kind(kind, vocabulary, together) for kind in KINDS],
        "languages": {lang: _language(vocabulary, one, int(real.sum())) for lang, one in sorted(counts.items())},
    }


def _kind(kind: str, vocabulary: Vocabulary, together: np.ndarray) -> dict[str, Any]:
    ids = [id_ for id_, strange in enumerate(vocabulary.strange) if strange == kind]
    return {
        "kind": kind,
        "tokens": len(ids),
        "never": sum(not together[id_] for id_ in ids),
        "examples": _shown(vocabulary, ids, together, EXAMPLES),
    }


def _language(vocabulary: Vocabulary, counts: Counts, tokens: int) -> dict[str, Any]:
    total = counts.total
    plain = [id_ for id_ in counts.ids.tolist() if vocabulary.strange[id_] != "repeated"]
    return {
        "tokens": total,
        "used": len(counts.ids),
        "share": len(counts.ids) / tokens,
        "fallback": int(counts.counts[vocabulary.single[counts.ids]].sum()) / total if total else 0.0,
        "partial": int(counts.counts[vocabulary.partial[counts.ids]].sum()) / total if total else 0.0,
        "longest": _shown(vocabulary, plain, dict(zip(counts.ids.tolist(), counts.counts.tolist(), strict=True))),
    }


def _shown(vocabulary: Vocabulary, ids: Iterable[int], counts: Any, most: int = LONGEST) -> list[dict[str, Any]]:
    """The longest of these tokens, in bytes; of equal ones the oldest first."""
    longest = sorted(ids, key=lambda id_: (-len(vocabulary.spells[id_]), id_))[:most]
    return [{"token": spelled(vocabulary.spells[id_]), "id": id_, "count": int(counts[id_])} for id_ in longest]
