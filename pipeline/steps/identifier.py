"""The step of the identifier: a sample of each language, then one training.

    sample   each shard   -> scratch/sample/<shard>.arrow      kind, lang, text of the documents that the coin chose
    train    once         -> identifier.safetensors

A document is chosen by its id and its language's share alone; languages are those that the documents declare.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.engine import Task
from pipeline.identifier import Group, IdentifierConfig, learn
from pipeline.steps.base import PER_DOCUMENT, Corpus, merged
from pipeline.steps.sample import sample_file, sample_mark, take
from pipeline.steps.source import marked
from pipeline.store.counts import Cell
from pipeline.store.files import read_table, write_bytes
from pipeline.store.layers import Shard
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.text.languages import canonical

MODULE = "pipeline.steps.identifier"
IDENTIFIER = "identifier.safetensors"
TRAIN_FACTOR, TRAIN_BASE = 4, 500_000_000  # bytes that training needs for each byte of the sample, and at least


@dataclass
class IdentifierWork:
    """Makes the step of the identifier. `kept`: cells of the documents in `corpus`, by language."""

    step: Step
    config: IdentifierConfig
    corpus: Corpus
    kept: Sequence[Cell]
    title: str = field(default="identifier", init=False)

    def __post_init__(self) -> None:
        self.steps = [self.step]
        self.available: dict[str, int] = defaultdict(int)
        for cell in self.kept:
            self.available[cell["lang"]] += cell["bytes"]

    def phases(self) -> Iterator[list[Task]]:
        yield [self._sample(shard) for shard in self.corpus.shards if self.step.marked(sample_mark(shard.key)) is None]
        if self.step.marked("made") is None:
            yield [self._train()]

    def _share(self) -> dict[str, float]:
        return {lang: min(1.0, round(self.config.most / max(size, 1), 9)) for lang, size in self.available.items()}

    def _sample(self, shard: Shard) -> Task:
        arguments = {
            "folder": str(self.step.folder),
            "shard": shard.to_json(),
            "before": self.corpus.to_json(),
            "share": self._share(),
            "seed": self.config.seed,
        }
        memory = 2 * shard.bytes + PER_DOCUMENT * shard.rows
        return Task(f"{MODULE}:sample_shard", arguments, memory=memory, documents=shard.rows, bytes=shard.bytes)

    def _train(self) -> Task:
        size = sum(marked(self.step, sample_mark(shard.key))["bytes"] for shard in self.corpus.shards)
        arguments = {
            "folder": str(self.step.folder),
            "samples": [str(sample_file(self.step, shard.key)) for shard in self.corpus.shards],
            "config": self.config.model_dump(mode="json"),
        }
        return Task(f"{MODULE}:make", arguments, memory=TRAIN_BASE + TRAIN_FACTOR * size, bytes=size)

    def manifest(self, step: Step) -> dict[str, Any]:
        """`about`: labels, bytes of text by language, the lots of other languages, the last loss."""
        made = marked(step, "made")
        return {**merged([made]), "about": made["about"]}


def sample_shard(
    folder: str, shard: dict[str, Any], before: list[str], share: dict[str, float], seed: int
) -> dict[str, Any]:
    """Task: writes the documents of a shard that the coin chose."""
    step, here = Step(place(folder)), Shard(**shard)
    taken, files = take(step, here, before, ["kind", "lang", "text"], share, seed)
    step.mark(sample_mark(here.key), {"bytes": taken.nbytes}, files)
    return {"documents": here.rows, "bytes": here.bytes}


def make(folder: str, samples: list[str], config: dict[str, Any]) -> dict[str, Any]:
    """Task: trains on the samples, in their order."""
    step = Step(place(folder))
    model, about = learn(_by_language(samples), IdentifierConfig.model_validate(config))
    path = step.folder / IDENTIFIER
    step.mark("made", {"about": about}, {path: write_bytes(path, model.to_bytes())})
    return {}


def _by_language(samples: Sequence[str]) -> dict[Group, bytes]:
    """The texts of each kind and language, one below the other."""
    parts: dict[Group, list[bytes]] = defaultdict(list)
    for name in samples:
        table = read_table(place(name))
        columns = (table.column(column).to_pylist() for column in ("kind", "lang", "text"))
        for kind, lang, text in zip(*columns, strict=True):
            parts[kind, canonical(lang)].append(text.encode())
    return {group: b"\n".join(texts) for group, texts in parts.items()}
