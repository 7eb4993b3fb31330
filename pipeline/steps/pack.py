"""The step of the packed rows: its folder is the seam, sealed by a manifest that `pretrain` reads.

    survey, settle, scatter, gather                        documents by split, language and range of coins (shuffle.py)
    pack     each group  -> train/<lang>/00000.arrow …     its documents in the order of their coins, as rows
    close    once        -> tokenizer.json, tokenizer_config.json

A group is what one task holds, some 8 million tokens; best fit looks for room in its rows alone. Token lists are only
read: another length, mode or seed encodes nothing again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from pipeline.engine import Task
from pipeline.errors import InputError
from pipeline.holdout import BIN_BITS
from pipeline.pack import Lists, PackConfig, lay_rows
from pipeline.steps.base import PER_DOCUMENT, Corpus, merged
from pipeline.steps.lists import HINT, stream_of
from pipeline.steps.partitions import rechecks
from pipeline.steps.shuffle import MERGED, RUN_DOCUMENTS, RUN_TOKENS, SPLITS, Split, lists_in, of_groups
from pipeline.steps.source import marked
from pipeline.steps.tokenizer import CONFIG, TOKENIZER, tokenizer_of
from pipeline.store.files import write_bytes, write_json, write_table
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.text.fit import WIDTH_BYTES
from pipeline.tokenizer import special_ids, transformers_config

FORMAT = "seedbed-packed"
MODULE, SHUFFLE = "pipeline.steps.pack", "pipeline.steps.shuffle"
COUNTS = ("rows", "documents", "cut", "tokens", "padding", "bytes", "words")
SCATTER_FACTOR = 14  # bytes that scattering needs for each byte of text, if every byte is a token
BIN, CELL = 150, 80  # bytes that settling needs for each bin of a language, and for each document not yet added to it
TOKEN, PIECE = 14, 400  # bytes that packing needs for each token, and for each document beside, or piece of it in a row
NAME_BYTES = 200  # of a folder: file systems take 255

Sizes = Mapping[int, tuple[int, int]]  # of each group or lot: tokens, documents


@dataclass
class PackWork:
    """Makes the packed folder. `corpus` ends with the step of the token ids."""

    step: Step
    config: PackConfig
    tokenizer: Step
    corpus: Corpus
    title: str = field(default="pack", init=False)

    def __post_init__(self) -> None:
        self.steps = [self.step]

    def phases(self) -> Iterator[list[Task]]:
        yield rechecks(self.step)
        ids = {"vocab_size": self._vocabulary.get_vocab_size(), "eos": special_ids(self._vocabulary)["eos"]}
        yield self._over_shards("survey", config=self.config.model_dump(mode="json"), ids=ids)
        if self.step.marked("settle") is None:
            yield [self._settle()]
        yield self._over_shards("scatter")
        if not self._split.in_place:
            yield self._gather()
        yield self._pack()
        if self.step.marked("close") is None:
            yield [Task(f"{MODULE}:close", self._arguments(tokenizer=str(self.tokenizer.folder)))]

    @cached_property
    def _vocabulary(self) -> Tokenizer:
        return tokenizer_of(self.tokenizer)

    @cached_property
    def _split(self) -> Split:
        return Split.of(self.step)

    def _arguments(self, **more: Any) -> dict[str, Any]:
        return {"folder": str(self.step.folder), "config": self.config.model_dump(mode="json"), **more}

    def _over_shards(self, phase: str, **more: Any) -> list[Task]:
        before = self.corpus.to_json()
        return [
            Task(
                f"{SHUFFLE}:{phase}",
                {"folder": str(self.step.folder), "shard": shard.to_json(), "before": before, **more},
                memory=SCATTER_FACTOR * shard.bytes + PER_DOCUMENT * shard.rows,
                documents=shard.rows,
            )
            for shard in self.corpus.shards
            if self.step.marked(f"{phase}-{shard.key}") is None
        ]

    def _settle(self) -> Task:
        shards = self.corpus.shards
        langs = {lang for shard in shards for lang in marked(self.step, f"survey-{shard.key}")["langs"]}
        bins = min(sum(shard.rows for shard in shards), 2 * len(langs) << BIN_BITS)  # of documents in clusters, too
        arguments = self._arguments(shards=[shard.key for shard in shards])
        pending = max(MERGED, bins) + max((shard.rows for shard in shards), default=0)
        memory = BIN * bins + CELL * min(sum(shard.rows for shard in shards), pending)
        return Task(f"{SHUFFLE}:settle", arguments, memory=memory)

    def _gather(self) -> list[Task]:
        out = []
        for lot, (tokens, documents) in self._scattered.items():
            # of a run: RUN_TOKENS and RUN_DOCUMENTS, or what the largest part of a shard is
            largest, most = self._largest[lot]
            tokens, rows = min(tokens, max(RUN_TOKENS, largest)), min(documents, max(RUN_DOCUMENTS, most))
            if self.step.marked(_gathered(lot)) is None:
                arguments, memory = {"folder": str(self.step.folder), "lot": lot}, TOKEN * tokens + PIECE * rows
                out.append(Task(f"{SHUFFLE}:gather", arguments, memory=memory, documents=documents))
        return out

    @cached_property
    def _largest(self) -> Sizes:
        """Of each lot the most tokens, and the most documents, that a shard has."""
        out: dict[int, tuple[int, int]] = {}
        for shard in self.corpus.shards:
            mark = marked(self.step, _scattered(shard.key))
            for lot, tokens in mark["tokens"].items():
                largest, most = out.get(int(lot), (0, 0))
                out[int(lot)] = max(largest, tokens), max(most, mark["documents"][lot])
        return out

    @cached_property
    def _scattered(self) -> Sizes:
        return self._sizes(_scattered(shard.key) for shard in self.corpus.shards)

    def _sizes(self, marks: Iterator[str]) -> Sizes:
        """Tokens and documents of each group (or lot) that has one, as these tasks counted them; in their order."""
        tokens: Counter[int] = Counter()
        documents: Counter[int] = Counter()
        for name in marks:
            mark = marked(self.step, name)
            tokens.update({int(group): n for group, n in mark["tokens"].items()})
            documents.update({int(group): n for group, n in mark["documents"].items()})
        return {group: (tokens[group], documents[group]) for group in sorted(tokens)}

    @cached_property
    def _groups(self) -> Sizes:
        return self._scattered if self._split.in_place else self._sizes(_gathered(lot) for lot in self._scattered)

    def _pack(self) -> list[Task]:
        pad, files, seq_len = special_ids(self._vocabulary)["pad"], self._files(), self.config.seq_len
        tokens_in = str(self.corpus.steps[-1].folder) if self._split.in_place else None
        return [
            Task(
                f"{MODULE}:pack",
                self._arguments(
                    group=group,
                    where=list(self._split.where(group)),
                    files=files[group // self._split.lot],
                    tokens_in=tokens_in,
                    pad=pad,
                ),
                memory=TOKEN * tokens + PIECE * (documents + tokens // seq_len) + WIDTH_BYTES * seq_len,
                documents=documents,
            )
            for group, (tokens, documents) in self._groups.items()
            if self.step.marked(_packed(group)) is None
        ]

    def _files(self) -> dict[int, list[str]]:
        """Where the documents of each lot lie, below the step's folder; without lots, those of each group."""
        if not self._split.in_place:
            return {lot: sorted(marked(self.step, _gathered(lot))["files"]) for lot in self._scattered}
        out: dict[int, list[str]] = {}
        for mark in (marked(self.step, _scattered(shard.key)) for shard in self.corpus.shards):
            for group in mark["tokens"]:
                out.setdefault(int(group), []).extend(mark["files"])
        return out

    def manifest(self, step: Step) -> dict[str, Any]:
        """The seam's manifest, without what the seal adds."""
        packed = [marked(step, _packed(group)) for group in self._groups]
        return {
            **merged([*packed, marked(step, "close")]),
            "format": FORMAT,
            "seq_len": self.config.seq_len,
            "vocab_size": self._vocabulary.get_vocab_size(),
            "special_ids": special_ids(self._vocabulary),
            "splits": (splits := add_up(packed)),
            "about": figures(self.config, splits),
        }


def add_up(packed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """{split: {lang: {COUNTS..., files}}} from the marks of `pack`, in order."""
    out: dict[str, dict[str, Any]] = {split: {} for split in SPLITS}
    for mark in packed:
        into = out[mark["split"]].setdefault(mark["lang"], {**dict.fromkeys(COUNTS, 0), "files": []})
        for name in COUNTS:
            unknown = into[name] is None or mark[name] is None  # words, where nobody counted them
            into[name] = None if unknown else into[name] + mark[name]
        into["files"] += sorted(mark["files"])
    return out


def figures(config: PackConfig, splits: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a mode did to all documents: how many were cut, the share of padding, documents' tokens a row."""
    numbers = [numbers for languages in splits.values() for numbers in languages.values()]
    sums = {name: sum(n[name] for n in numbers) for name in ("documents", "cut", "rows", "tokens", "padding")}
    room = sums["rows"] * (config.seq_len + 1)
    shares = {
        "padding_share": round(sums["padding"] / room, 6) if room else 0.0,
        "tokens_per_row": round(sums["tokens"] / sums["rows"], 3) if room else 0.0,
    }
    return {"mode": config.mode, **sums, **shares}


def _scattered(shard: str) -> str:
    return f"scatter-{shard}"


def _gathered(lot: int) -> str:
    return f"gather-{lot:06d}"


def _packed(group: int) -> str:
    return f"pack-{group:06d}"


def pack(
    folder: str, config: dict[str, Any], group: int, where: list[Any], files: list[str], tokens_in: str | None, pad: int
) -> dict[str, Any]:
    """Task: lays the documents of a group into rows, in the order of their coins. `where` is its split, language and
    part; `tokens_in` the step that has the tokens, if they are not beside the documents."""
    step, (split, lang, part) = Step(place(folder)), where
    parts = [of_groups(step.folder / name, group) for name in files]
    lists = lists_in(parts) if tokens_in is None else _in_place(parts, files, Step(place(tokens_in)))
    docs = pa.concat_tables([part.select(["id", "coin", "length", "text_bytes", "words"]) for part in parts])
    order = pc.sort_indices(docs, [("coin", "ascending"), ("id", "ascending")])
    ids = docs.column("id").take(order).combine_chunks()
    laid = lay_rows(ids, lists.take(order.to_numpy()), config["seq_len"], pad, config["mode"])
    path = step.folder / split / folder_of(lang) / f"{part:05d}.arrow"
    counts = {
        "rows": laid.rows.num_rows,
        "documents": docs.num_rows,
        "cut": laid.cut,
        "tokens": pc.sum(docs.column("length")).as_py(),
        "padding": laid.padding,
        "bytes": pc.sum(docs.column("text_bytes")).as_py(),
        "words": None if docs.column("words").null_count else pc.sum(docs.column("words")).as_py(),
    }
    step.mark(_packed(group), {"split": split, "lang": lang, **counts}, {path: write_table(path, laid.rows)})
    return {"documents": docs.num_rows, "bytes": counts["bytes"]}


def _in_place(parts: list[pa.Table], files: list[str], step: Step) -> Lists:
    """The token lists of these documents, where `encode` wrote them. Raises InputError if they are there no more."""
    streams = [stream_of(step, PurePath(name).stem) for name in files]
    of = np.repeat(np.arange(len(parts)), [part.num_rows for part in parts])
    begins, lengths = (pa.concat_tables(parts).column(name).to_numpy() for name in ("begin", "length"))
    sizes = np.array([-1 if stream is None else len(stream) for stream in streams])[of]
    if len(wrong := np.flatnonzero((begins < 0) | (lengths < 0) | (begins + lengths > sizes))):
        name = step.layer(PurePath(files[of[wrong[0]]]).stem)
        raise InputError(f"{name} is not what it was when its tokens were counted", hint=HINT)
    return Lists([stream for stream in streams if stream is not None], of, begins, lengths)


def folder_of(lang: str) -> str:
    """A language as a folder's name: what could mean a path, a hidden file or nothing is percent-encoded; of a name
    that no file system takes, the beginning and a digest."""
    name = quote(lang, safe="+#")
    dots = len(name) - len(name.lstrip("."))
    name = "%2E" * dots + name[dots:] or "%"
    if len(name) <= NAME_BYTES:
        return name
    return f"{name[:NAME_BYTES]}%{hashlib.sha256(lang.encode()).hexdigest()[:16]}"


def close(folder: str, config: dict[str, Any], tokenizer: str) -> dict[str, Any]:
    """Task: puts the tokenizer beside the rows."""
    step, made = Step(place(folder)), Step(place(tokenizer))
    settings = transformers_config(tokenizer_of(made), config["seq_len"])
    files = {
        step.folder / TOKENIZER: write_bytes(step.folder / TOKENIZER, (made.folder / TOKENIZER).read_bytes()),
        step.folder / CONFIG: write_json(step.folder / CONFIG, settings),
    }
    step.mark("close", {}, files)
    return {}
