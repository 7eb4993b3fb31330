"""The step of the tokenizer: a sample of each language, then one training; or a copy of a ready one.

    sample   each shard   -> scratch/sample/<shard>.arrow      lang, text of the documents that the coin chose
    train    once         -> tokenizer.json, tokenizer_config.json
    copy     once         instead of both, where the config names a tokenizer

A document is chosen by its id and its language's share alone. Training holds the counts of the sample's words, so its
memory goes with the sample, never with the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from pipeline.engine import Task
from pipeline.errors import RunError
from pipeline.steps.base import PER_DOCUMENT, Corpus, merged
from pipeline.steps.sample import sample_file, sample_mark, take
from pipeline.steps.source import marked
from pipeline.store.counts import Cell
from pipeline.store.files import read_table, write_bytes, write_json
from pipeline.store.layers import Shard
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.tokenizer import (
    LARGEST_SAMPLE,
    TokenizerConfig,
    load,
    shares,
    special_ids,
    train,
    transformers_config,
)
from pipeline.units import say_bytes

MODULE = "pipeline.steps.tokenizer"
TOKENIZER, CONFIG = "tokenizer.json", "tokenizer_config.json"
SAMPLE_FACTOR = 2  # bytes a sampling task needs for each byte of the shard: it, and what is taken of it
TRAIN_FACTOR, TRAIN_BASE = 34, 100_000_000  # bytes that training needs for each byte of the sample, and at least


@dataclass
class TokenizerWork:
    """Makes the step of the tokenizer. `kept`: cells of the documents in `corpus`, by language."""

    step: Step
    config: TokenizerConfig
    corpus: Corpus
    kept: Sequence[Cell]
    title: str = field(default="tokenizer", init=False)

    def __post_init__(self) -> None:
        self.steps = [self.step]
        self.available = dict.fromkeys(sorted({cell["lang"] for cell in self.kept}), 0)
        for cell in self.kept:
            self.available[cell["lang"]] += cell["bytes"]

    def phases(self) -> Iterator[list[Task]]:
        if self.config.path is None:
            yield [
                self._sample(shard) for shard in self.corpus.shards if self.step.marked(sample_mark(shard.key)) is None
            ]
        if self.step.marked("made") is None:
            yield [self._train() if self.config.path is None else self._copy(self.config.path)]

    def _sample(self, shard: Shard) -> Task:
        arguments = {
            "folder": str(self.step.folder),
            "shard": shard.to_json(),
            "before": self.corpus.to_json(),
            "share": shares(self.available, self.config.sample, self.config.alpha),
            "seed": self.config.seed,
        }
        memory = SAMPLE_FACTOR * shard.bytes + PER_DOCUMENT * shard.rows
        return Task(f"{MODULE}:sample_shard", arguments, memory=memory, documents=shard.rows, bytes=shard.bytes)

    def _train(self) -> Task:
        marks = [marked(self.step, sample_mark(shard.key)) for shard in self.corpus.shards]
        size = sum(entry["bytes"] for mark in marks for entry in mark["sample"].values())
        if size > LARGEST_SAMPLE:
            raise RunError(
                f"tokenizer: the documents that were chosen come to {say_bytes(size)}, more than the trainer can count",
                hint="set tokenizer.sample lower; some hundred MB are plenty",
            )
        arguments = {
            "folder": str(self.step.folder),
            "samples": [str(sample_file(self.step, shard.key)) for shard in self.corpus.shards],
            "vocab_size": self.config.vocab_size,
            "min_frequency": self.config.min_frequency,
        }
        return Task(f"{MODULE}:learn", arguments, memory=TRAIN_BASE + TRAIN_FACTOR * size, bytes=size)

    def _copy(self, path: Path) -> Task:
        arguments = {"folder": str(self.step.folder), "path": str(path)}
        return Task(f"{MODULE}:copy", arguments, memory=TRAIN_BASE)

    def manifest(self, step: Step) -> dict[str, Any]:
        """`about`: vocab_size (true), asked, merges, special_ids, and the sample of each language."""
        made = marked(step, "made")
        about = {**made["about"], "asked": None if self.config.path else self.config.vocab_size, "sample": {}}
        if self.config.path is None:
            about["sample"] = self._sampled(step)
        return {**merged([made]), "about": about}

    def _sampled(self, step: Step) -> dict[str, dict[str, int]]:
        """{lang: {documents, bytes, available}}"""
        out = {lang: {"documents": 0, "bytes": 0, "available": size} for lang, size in self.available.items()}
        for shard in self.corpus.shards:
            for lang, entry in marked(step, sample_mark(shard.key))["sample"].items():
                out[lang]["documents"] += entry["documents"]
                out[lang]["bytes"] += entry["bytes"]
        return out


def sample_shard(
    folder: str, shard: dict[str, Any], before: list[str], share: dict[str, float], seed: int
) -> dict[str, Any]:
    """Task: writes the documents of a shard that the coin chose."""
    step, here = Step(place(folder)), Shard(**shard)
    taken, files = take(step, here, before, ["lang", "text"], share, seed)
    step.mark(sample_mark(here.key), {"sample": _by_language(taken)}, files)
    return {"documents": here.rows, "bytes": here.bytes}


def _by_language(docs: pa.Table) -> dict[str, dict[str, int]]:
    sizes = docs.select(["lang"]).append_column("bytes", pc.binary_length(docs.column("text")).cast(pa.int64()))
    grouped = sizes.group_by("lang").aggregate([("bytes", "count"), ("bytes", "sum")]).to_pylist()
    return {row["lang"]: {"documents": row["bytes_count"], "bytes": row["bytes_sum"]} for row in grouped}


def learn(folder: str, samples: list[str], vocab_size: int, min_frequency: int) -> dict[str, Any]:
    """Task: trains on the samples, in their order."""
    texts = (text.as_py() for name in samples for text in read_table(place(name)).column("text"))
    return _finish(Step(place(folder)), train(texts, vocab_size, min_frequency).to_str(pretty=True).encode())


def copy(folder: str, path: str) -> dict[str, Any]:
    """Task: takes a ready tokenizer as it is, byte for byte."""
    return _finish(Step(place(folder)), Path(path).read_bytes())


def _finish(step: Step, content: bytes) -> dict[str, Any]:
    files = {step.folder / TOKENIZER: write_bytes(step.folder / TOKENIZER, content)}
    tokenizer = load(step.folder / TOKENIZER)
    files[step.folder / CONFIG] = write_json(step.folder / CONFIG, transformers_config(tokenizer))
    about = {
        "vocab_size": tokenizer.get_vocab_size(),
        "merges": len(json.loads(content)["model"]["merges"]),
        "special_ids": special_ids(tokenizer),
    }
    step.mark("made", {"about": about}, files)
    return {}


def tokenizer_of(step: Step) -> Tokenizer:
    """The tokenizer that a sealed step holds, ready for documents."""
    return load(step.folder / TOKENIZER)
