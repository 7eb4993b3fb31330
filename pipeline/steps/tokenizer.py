"""The step of the tokenizer: a sample of each language, its pieces counted, merges learned; or a copy of a ready one.

    sample   each shard      -> scratch/sample/<shard>.arrow, scratch/lines/<shard>.arrow    what the coin chose
    lines    each partition  -> scratch/elsewhere/<partition>.arrow    lines that stand elsewhere first
    count    each shard      -> scratch/counts/<shard>.arrow           its pieces, of lines that stay
    merge    each partition  -> scratch/merged/<partition>.arrow       the pieces of all shards
    gather   once            -> scratch/pieces.arrow                   those that are learned from
    learn    once            -> tokenizer.json, tokenizer_config.json
    copy     once            instead of all these, where the config names a tokenizer

A document is chosen by its id and its language's share alone. No task holds more than a shard, a partition, or the
pieces that `most_pieces` allows: memory goes with neither the sample nor the corpus.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from pipeline.engine import Task
from pipeline.errors import RunError
from pipeline.ready import source_of
from pipeline.sampling import budgets, in_bytes, shares
from pipeline.steps import pieces
from pipeline.steps.base import PER_DOCUMENT, Corpus, merged
from pipeline.steps.partitions import rechecks, task_name
from pipeline.steps.sample import Sampling, drawn, sample_file, sample_mark
from pipeline.steps.sample_lines import (
    KEYS_BASE,
    KEYS_FACTOR,
    SETTLE_MEMORY,
    elsewhere,
    keys_file,
    line_partitions,
    write_keys,
)
from pipeline.steps.source import marked
from pipeline.store.counts import Cell
from pipeline.store.files import read_table, write_bytes, write_json, write_table
from pipeline.store.layers import Shard
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.text.buffers import buffers
from pipeline.text.piece_counts import PieceCounts, bytes_to_count, count_pieces, merge_counts
from pipeline.text.sample_lines import once
from pipeline.tokenizer import TokenizerConfig, load, special_ids, trained, transformers_config

MODULE = "pipeline.steps.tokenizer"
TOKENIZER, CONFIG = "tokenizer.json", "tokenizer_config.json"
SAMPLE_FACTOR = 4  # bytes a sampling task needs for each byte of the shard: it, what is taken, that in order
COUNT_FACTOR, COUNT_BASE = 20, 50_000_000  # bytes a counting task needs for each byte of the sample, beside one part
PART = 4_000_000  # bytes of text whose pieces are counted at once; a longer document is a part of its own
COPY_MEMORY = 450_000_000  # bytes that BLOOM's own takes while it is read (measured)
LEARNED_BY = ("vocab_size", "min_frequency", "max_token_length", "limit_alphabet")  # settings that `learn` goes by


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
        if self.config.path is not None:
            yield self._once("made", self._copy())
            return
        self._refuse_absent()
        self._sampling().write(self.step)
        yield rechecks(self.step)
        yield self._over_shards("sample_shard", sample_mark, self._sample_memory)
        lines = self._line_partitions()
        yield self._over_partitions("lines", "pipeline.steps.sample_lines:settle_lines", [SETTLE_MEMORY] * lines)
        yield self._over_shards("count_shard", _count_mark, self._count_memory, lines=lines)
        counted, count = self._counted(), self._piece_partitions()
        memory = [pieces.merge_memory(counted, at, count) for at in range(count)]
        yield self._over_partitions("merge", "pipeline.steps.pieces:merge_pieces", memory)
        yield self._once("gather", self._gather(count))
        yield self._once("made", self._learn())

    def _once(self, mark: str, task: Task) -> list[Task]:
        return [task] if self.step.marked(mark) is None else []

    def _refuse_absent(self) -> None:
        wanted = {lang for lang, part in self.config.languages if in_bytes(part, self.config.sample)}
        if absent := sorted(wanted - {lang for lang, size in self.available.items() if size}):
            there = ", ".join(lang for lang, size in self.available.items() if size) or "none"
            raise RunError(
                f"tokenizer.languages wants {', '.join(absent)}, of which there is no document; there is {there}",
                hint="take it out, or add a source of it",
            )

    def _sampling(self) -> Sampling:
        config = self.config
        taken = budgets(self.available, config.sample, config.alpha, dict(config.languages))
        return Sampling(self.corpus.shards, tuple(self.corpus.to_json()), shares(self.available, taken), config.seed)

    def _over_shards(self, name: str, mark: Any, memory: Any, **more: Any) -> list[Task]:
        """A task for each shard that is still to do."""
        told = {"folder": str(self.step.folder), "dedup_lines": self.config.dedup_lines, **more}
        return [
            Task(f"{MODULE}:{name}", {"at": at, **told}, memory=memory(shard), documents=shard.rows, bytes=shard.bytes)
            for at, shard in enumerate(self.corpus.shards)
            if self.step.marked(mark(shard.key)) is None
        ]

    def _over_partitions(self, phase: str, function: str, memory: Sequence[int]) -> list[Task]:
        """A task for each partition that is still to do; `memory` of each."""
        told = {"folder": str(self.step.folder), "partitions": len(memory)}
        return [
            Task(function, {**told, "partition": at}, memory=need)
            for at, need in enumerate(memory)
            if self.step.marked(task_name(phase, f"{at:05d}")) is None
        ]

    def _sample_memory(self, shard: Shard) -> int:
        lines = (KEYS_FACTOR, KEYS_BASE) if self.config.dedup_lines else (0, 0)
        return (SAMPLE_FACTOR + lines[0]) * shard.bytes + lines[1] + PER_DOCUMENT * shard.rows

    def _count_memory(self, shard: Shard) -> int:
        mark = marked(self.step, sample_mark(shard.key))
        size = sum(entry["bytes"] for entry in mark["sample"].values())
        return COUNT_BASE + COUNT_FACTOR * size + bytes_to_count(min(size, PART + mark["longest"]))

    def _line_partitions(self) -> int:
        """0 where lines are not looked at."""
        if not self.config.dedup_lines:
            return 0
        return line_partitions([marked(self.step, sample_mark(shard.key))["lines"] for shard in self.corpus.shards])

    def _counted(self) -> list[dict[str, Any]]:
        return [marked(self.step, _count_mark(shard.key)) for shard in self.corpus.shards]

    def _piece_partitions(self) -> int:
        return pieces.piece_partitions(self._counted())

    def _gather(self, partitions: int) -> Task:
        marks = [marked(self.step, task_name("merge", f"{at:05d}")) for at in range(partitions)]
        bound = pieces.within([mark["by_count"] for mark in marks], self.config.most_pieces)
        told = {"partitions": partitions, "bound": bound.to_json(), "vocab_size": self.config.vocab_size}
        return Task(
            "pipeline.steps.pieces:gather",
            {"folder": str(self.step.folder), **told},
            memory=pieces.gather_memory(bound, marks),
        )

    def _learn(self) -> Task:
        settings = self.config.model_dump(include=set(LEARNED_BY))
        return Task(
            f"{MODULE}:learn",
            {"folder": str(self.step.folder), "settings": settings},
            memory=marked(self.step, "gather")["memory"],
        )

    def _copy(self) -> Task:
        ready = self.config.ready
        pins = {"revision": ready.revision, "sha256": ready.sha256}
        return Task(f"{MODULE}:copy", {"folder": str(self.step.folder), "path": ready.path, **pins}, memory=COPY_MEMORY)

    def manifest(self, step: Step) -> dict[str, Any]:
        """`about`: vocab_size (true), asked, merges, special_ids, pieces, and the sample of each language."""
        made = marked(step, "made")
        about = {**made["about"], "asked": None if self.config.path else self.config.vocab_size, "sample": {}}
        if self.config.path is None:
            about["sample"] = self._sampled(step)
            about["repeated_lines"] = sum(mark["repeated"] for mark in self._counted())
        return {**merged([made]), "about": about}

    def _sampled(self, step: Step) -> dict[str, dict[str, int]]:
        """{lang: {documents, bytes, once, available}}; `once` are the bytes of lines that count."""
        none = {"documents": 0, "bytes": 0, "once": 0}
        out = {lang: {**none, "available": size} for lang, size in self.available.items()}
        for shard in self.corpus.shards:
            for lang, entry in marked(step, sample_mark(shard.key))["sample"].items():
                out[lang]["documents"] += entry["documents"]
                out[lang]["bytes"] += entry["bytes"]
            for lang, entry in marked(step, _count_mark(shard.key))["sample"].items():
                out[lang]["once"] += entry["bytes"]
        return out


def _count_mark(shard: str) -> str:
    return task_name("count", shard)


def sample_shard(folder: str, at: int, dedup_lines: bool) -> dict[str, Any]:
    """Task: writes the documents of a shard that the coin chose, and the keys of their lines."""
    step = Step(place(folder))
    sampling = Sampling.read(step)
    shard = sampling.shards[at]
    taken = drawn(shard, sampling.before, ["lang", "text"], sampling.share, sampling.seed)
    path = sample_file(step, shard.key)
    files = {path: write_table(path, taken, compression="zstd")}  # read once more: a third of the text
    lines, more = write_keys(step, shard.key, taken) if dedup_lines else (0, {})
    longest = pc.max(pc.binary_length(taken.column("text"))).as_py() or 0
    step.mark(sample_mark(shard.key), {"sample": _by_language(taken), "lines": lines, "longest": longest}, files | more)
    return {"documents": shard.rows, "bytes": shard.bytes}


def _by_language(docs: pa.Table) -> dict[str, dict[str, int]]:
    sizes = docs.select(["lang"]).append_column("bytes", pc.binary_length(docs.column("text")).cast(pa.int64()))
    grouped = sizes.group_by("lang").aggregate([("bytes", "count"), ("bytes", "sum")]).to_pylist()
    return {row["lang"]: {"documents": row["bytes_count"], "bytes": row["bytes_sum"]} for row in grouped}


def count_shard(folder: str, at: int, dedup_lines: bool, lines: int) -> dict[str, Any]:
    """Task: counts the pieces of a shard's sample, lines that stand elsewhere first left out."""
    step = Step(place(folder))
    shard = Sampling.read(step).shards[at]
    taken, repeated = read_table(sample_file(step, shard.key)), 0
    if dedup_lines:
        keys = read_table(keys_file(step, shard.key)).column("key").to_numpy()
        spared = ~np.isin(keys, elsewhere(step, shard, lines))
        texts, repeated = once(taken.column("text"), keys, spared)
        taken = taken.set_column(taken.schema.get_field_index("text"), "text", texts)
    told, files = pieces.write_counts(step, shard.key, _counted_in_parts(taken.column("text")))
    step.mark(_count_mark(shard.key), {**told, "sample": _by_language(taken), "repeated": repeated}, files)
    return {"documents": shard.rows, "bytes": shard.bytes}


def _counted_in_parts(texts: pa.ChunkedArray) -> PieceCounts:
    offsets, _ = buffers(texts)
    cuts = np.flatnonzero(np.diff((offsets - offsets[0]) // PART)).tolist()
    bounds = [0, *cuts, len(texts)]
    return merge_counts([count_pieces(texts.slice(a, b - a)) for a, b in pairwise(bounds) if b > a])


def learn(folder: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Task: learns merges from the pieces that were gathered."""
    step = Step(place(folder))
    try:
        tokenizer = trained(pieces.gathered(step), TokenizerConfig(**settings))
    except ValueError as error:  # more symbols or pairs than there are numbers for
        raise RunError(f"tokenizer: {error}", hint="set tokenizer.most_pieces lower") from error
    return _finish(step, tokenizer.to_str(pretty=True).encode(), pieces=marked(step, "gather")["pieces"])


def copy(folder: str, path: str, revision: str | None, sha256: str | None) -> dict[str, Any]:
    """Task: takes a ready tokenizer as it is, byte for byte."""
    return _finish(Step(place(folder)), source_of(path, revision, sha256).read())


def _finish(step: Step, content: bytes, **more: Any) -> dict[str, Any]:
    files = {step.folder / TOKENIZER: write_bytes(step.folder / TOKENIZER, content)}
    tokenizer = load(step.folder / TOKENIZER)
    files[step.folder / CONFIG] = write_json(step.folder / CONFIG, transformers_config(tokenizer))
    about = {
        "vocab_size": tokenizer.get_vocab_size(),
        "merges": len(json.loads(content)["model"]["merges"]),
        "special_ids": special_ids(tokenizer),
        **more,
    }
    step.mark("made", {"about": about}, files)
    return {}


def tokenizer_of(step: Step) -> Tokenizer:
    """The tokenizer that a sealed step holds, ready for documents."""
    return load(step.folder / TOKENIZER)
