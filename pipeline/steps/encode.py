"""The step of the token ids: a layer a shard, with `tokens` (list<int32>, `</s>` at its end), `text_bytes` (int64) and,
where `measure` counted words, `words` (int64) of the text that is encoded, which later stages may have shortened.

Its manifest tallies tokens/<lang>, bytes/<lang> and words/<lang>: what fertility is made of. Packing to another length
reads these lists again and encodes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.encode import Encoder
from pipeline.engine import Task
from pipeline.steps.base import PER_DOCUMENT, Corpus, merged
from pipeline.steps.partitions import rechecks
from pipeline.steps.rows import amount
from pipeline.steps.source import marked
from pipeline.steps.tokenizer import tokenizer_of
from pipeline.store.counts import count_kept
from pipeline.store.files import write_table
from pipeline.store.layers import Shard, read_shard
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.text.measures import measure
from pipeline.text.token_cache import BYTES as CACHE
from pipeline.text.wordlists import WordLists

MODULE = "pipeline.steps.encode"
# bytes that a task needs for each byte of text, at worst: kernels where it is one word that merges everywhere (21;
# else at most 5, if each byte is a token), the library where it is one document (else 4)
BY_KERNEL, BY_LIBRARY = 24, 120
PER_TOKEN = (
    1700  # bytes for each token of the vocabulary while its JSON is read (measured at 250,680), 1,350 afterwards
)


@dataclass
class EncodeWork:
    """Makes the step of the token ids."""

    step: Step
    tokenizer: Step
    corpus: Corpus
    title: str = field(default="encode", init=False)

    def __post_init__(self) -> None:
        self.steps = [self.step]

    def phases(self) -> Iterator[list[Task]]:
        encoder = _encoder(str(self.tokenizer.folder))
        encoder.warm()  # here, before workers would each compile the same
        factor = BY_KERNEL if encoder.by_kernel else BY_LIBRARY
        yield rechecks(self.step)
        base = PER_TOKEN * encoder.vocab_size + (CACHE if encoder.by_kernel else 0)
        yield [self._task(shard, factor, base) for shard in self.corpus.shards if self.step.marked(shard.key) is None]

    def _task(self, shard: Shard, factor: int, base: int) -> Task:
        arguments = {
            "folder": str(self.step.folder),
            "tokenizer": str(self.tokenizer.folder),
            "shard": shard.to_json(),
            "before": self.corpus.to_json(),
        }
        memory = base + factor * shard.bytes + PER_DOCUMENT * shard.rows
        return Task(f"{MODULE}:encode_shard", arguments, memory=memory, documents=shard.rows, bytes=shard.bytes)

    def manifest(self, step: Step) -> dict[str, Any]:
        return {**merged([marked(step, shard.key) for shard in self.corpus.shards]), "about": {}}


def encode_shard(folder: str, tokenizer: str, shard: dict[str, Any], before: list[str]) -> dict[str, Any]:
    """Task: writes the token ids of a shard's documents."""
    step, here = Step(place(folder)), Shard(**shard)
    columns = ["source", "kind", "lang", "text", "words"]
    docs = read_shard(here, [Step(place(name)) for name in before], columns)
    words = _words(docs)
    tokens = _encoder(tokenizer).encode(docs.column("text"))
    layer = pa.table({"tokens": tokens, "text_bytes": pc.binary_length(docs.column("text")).cast(pa.int64()), **words})
    result = {"kept": count_kept(docs), "tallies": _tallies(docs, layer)}
    step.mark(here.key, result, {step.layer(here.key): write_table(step.layer(here.key), layer)})
    return amount(docs)


@lru_cache(maxsize=1)
def _encoder(folder: str) -> Encoder:
    return Encoder(tokenizer_of(Step(place(folder))))  # kept: BLOOM's own takes a second to load


def _words(docs: pa.Table) -> dict[str, pa.Array]:
    """Words of the texts as they are now, of the documents whose words were counted before; no column if of none."""
    if "words" not in docs.column_names:
        return {}
    ones, none = np.ones(docs.num_rows, np.int64), WordLists.of({})
    found = measure(docs.column("text"), ones, ones, [""] * docs.num_rows, none, ["words"])["words"]
    return {"words": pc.if_else(docs.column("words").combine_chunks().is_valid(), found, pa.scalar(None, pa.int64()))}


def _tallies(docs: pa.Table, layer: pa.Table) -> dict[str, int]:
    counts = {
        "tokens": pc.list_value_length(layer.column("tokens")).cast(pa.int64()),
        "bytes": layer.column("text_bytes"),
    }
    if "words" in layer.column_names:
        counts["words"] = layer.column("words")
    table = pa.table({"lang": docs.column("lang"), **counts})
    rows = table.group_by("lang").aggregate([(name, "sum") for name in counts]).to_pylist()
    sums = {f"{name}/{row['lang']}": row[f"{name}_sum"] for row in rows for name in counts}
    return {name: count for name, count in sums.items() if count is not None}
