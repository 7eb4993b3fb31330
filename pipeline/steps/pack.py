"""The step of the packed rows: its folder is the seam, sealed by a manifest that `pretrain` reads.

    survey   each shard  -> scratch/survey/<shard>.arrow   tokens by language and bin of the holdout's coin
    settle   once        -> scratch/split.json             which bins are held out, into how many parts a language goes
    scatter  each shard  -> scratch/parts/<shard>.arrow    documents with their tokens, by group (split, language, part)
    pack     each group  -> train/<lang>/00000.arrow …     its documents in the order of their coins, as rows
    close    once        -> tokenizer.json, tokenizer_config.json

Documents stand in the order of coin(seed, id): a part is a range of coins, so that no task holds more than one part,
and the parts one after another are one shuffle of the language. Neither shards nor their order can matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.digest import coins
from pipeline.engine import Task
from pipeline.pack import BIN_BITS, PackConfig, holdout_bins, lay_rows, partition_bits, top_bits
from pipeline.steps.base import PER_DOCUMENT, Corpus, merged
from pipeline.steps.source import marked
from pipeline.steps.tokenizer import CONFIG, TOKENIZER, tokenizer_of
from pipeline.store.files import read_json, read_table, write_bytes, write_json, write_table
from pipeline.store.layers import Shard, read_shard
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.tokenizer import special_ids, transformers_config

FORMAT = "seedbed-packed"
MODULE = "pipeline.steps.pack"
SPLITS = ("train", "valid")
COUNTS = ("rows", "documents", "tokens", "padding", "bytes", "words")
SCATTER_FACTOR = 14  # bytes that scattering needs for each byte of text, if every byte is a token
SETTLE_BIN, MOST_BINS = (
    150,
    100 << BIN_BITS,
)  # bytes for each bin of a language, and how many there may be: of 100 languages
PACK_TOKEN = 24  # bytes that packing needs for each token


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
        yield self._over_shards("survey")
        if self.step.marked("settle") is None:
            yield [self._settle()]
        yield self._over_shards("scatter")
        yield self._pack()
        if self.step.marked("close") is None:
            yield [Task(f"{MODULE}:close", self._arguments(tokenizer=str(self.tokenizer.folder)))]

    def _arguments(self, **more: Any) -> dict[str, Any]:
        return {"folder": str(self.step.folder), "config": self.config.model_dump(mode="json"), **more}

    def _over_shards(self, phase: str) -> list[Task]:
        before = self.corpus.to_json()
        return [
            Task(
                f"{MODULE}:{phase}",
                self._arguments(shard=shard.to_json(), before=before),
                memory=SCATTER_FACTOR * shard.bytes + PER_DOCUMENT * shard.rows,
                documents=shard.rows,
            )
            for shard in self.corpus.shards
            if self.step.marked(f"{phase}-{shard.key}") is None
        ]

    def _settle(self) -> Task:
        shards = self.corpus.shards
        bins = min(sum(shard.rows for shard in shards), MOST_BINS)
        arguments = self._arguments(shards=[shard.key for shard in shards])
        return Task(f"{MODULE}:settle", arguments, memory=SETTLE_BIN * bins)

    def _groups(self) -> list[tuple[int, int]]:
        """(group, tokens) of the groups that have a document."""
        tokens: Counter[int] = Counter()
        for shard in self.corpus.shards:
            tokens.update({int(group): n for group, n in marked(self.step, f"scatter-{shard.key}")["tokens"].items()})
        return sorted(tokens.items())

    def _pack(self) -> list[Task]:
        pad = special_ids(tokenizer_of(self.tokenizer))["pad"]
        shards = [shard.key for shard in self.corpus.shards]
        return [
            Task(f"{MODULE}:pack", self._arguments(shards=shards, group=group, pad=pad), memory=PACK_TOKEN * tokens)
            for group, tokens in self._groups()
            if self.step.marked(_packed(group)) is None
        ]

    def manifest(self, step: Step) -> dict[str, Any]:
        """The seam's manifest, without what the seal adds."""
        tokenizer = tokenizer_of(self.tokenizer)
        packed = [marked(step, _packed(group)) for group, _ in self._groups()]
        return {
            **merged([*packed, marked(step, "close")]),
            "format": FORMAT,
            "seq_len": self.config.seq_len,
            "vocab_size": tokenizer.get_vocab_size(),
            "special_ids": special_ids(tokenizer),
            "splits": add_up(packed),
            "about": {},
        }


def add_up(packed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """{split: {lang: {rows, documents, tokens, padding, bytes, words, files}}} from the marks of `pack`, in order."""
    out: dict[str, dict[str, Any]] = {split: {} for split in SPLITS}
    for mark in packed:
        into = out[mark["split"]].setdefault(mark["lang"], {**dict.fromkeys(COUNTS, 0), "files": []})
        for name in COUNTS:
            unknown = into[name] is None or mark[name] is None  # words, where nobody counted them
            into[name] = None if unknown else into[name] + mark[name]
        into["files"] += sorted(mark["files"])
    return out


def _packed(group: int) -> str:
    return f"pack-{group:06d}"


@dataclass(frozen=True)
class Split:
    """What `settle` found: for each language the bins held out, and by how many bits each split is parted."""

    held: dict[str, list[int]]
    bits: dict[str, dict[str, int]]  # {lang: {split: bits}}

    def names(self) -> list[tuple[str, str, int]]:
        """(split, lang, bits) in the order in which groups are numbered."""
        return [(split, lang, self.bits[lang][split]) for split in SPLITS for lang in sorted(self.bits)]

    def firsts(self) -> list[int]:
        """The first group of each of `names`, and how many groups there are."""
        return list(accumulate((1 << bits for _, _, bits in self.names()), initial=0))

    def groups(self, langs: list[str], bins: np.ndarray, coin: np.ndarray) -> np.ndarray:
        """(n,) int64: group of each document, by its language, its holdout bin and its coin."""
        out = np.zeros(len(langs), np.int64)
        firsts = {name[:2]: first for name, first in zip(self.names(), self.firsts(), strict=False)}
        names, codes = np.unique(np.array(langs, dtype=object), return_inverse=True)
        for code, lang in enumerate(names):
            held = np.isin(bins, self.held[lang])
            for split, meant in zip(SPLITS, (~held, held), strict=True):
                here = (codes == code) & meant
                out[here] = firsts[split, lang] + top_bits(coin[here], self.bits[lang][split])
        return out

    def where(self, group: int) -> tuple[str, str, int]:
        """(split, lang, part) of a group."""
        firsts = self.firsts()
        at = int(np.searchsorted(firsts, group, side="right")) - 1
        return *self.names()[at][:2], group - firsts[at]


def survey(folder: str, config: dict[str, Any], shard: dict[str, Any], before: list[str]) -> dict[str, Any]:
    """Task: counts the tokens of a shard by language and bin of the holdout's coin."""
    step, here = Step(place(folder)), Shard(**shard)
    docs = _documents(here, before)
    counts = docs.select(["lang", "length"]).append_column("bin", pa.array(_bins(docs, PackConfig(**config))))
    counts = counts.group_by(["lang", "bin"]).aggregate([("length", "sum")])
    path = step.scratch(f"survey/{here.key}.arrow")
    step.mark(f"survey-{here.key}", {}, {path: write_table(path, counts)})
    return {"documents": here.rows}


def _documents(shard: Shard, before: list[str]) -> pa.Table:
    """id, lang, tokens, text_bytes, length, words (null where nobody counted them), cluster where a stage wrote it."""
    steps = [Step(place(name)) for name in before]
    docs = read_shard(shard, steps, ["id", "lang", "tokens", "text_bytes", "words", "cluster"])
    if "words" not in docs.column_names:
        docs = docs.append_column("words", pa.nulls(docs.num_rows, pa.int64()))
    return docs.append_column("length", pc.list_value_length(docs.column("tokens")).cast(pa.int64()))


def _bins(docs: pa.Table, config: PackConfig) -> np.ndarray:
    """(n,) int64: bin of each document's holdout coin, which is that of its cluster where there is one."""
    names = docs.column("id")
    if "cluster" in docs.column_names:
        names = pc.coalesce(docs.column("cluster").cast(pa.string()), names)
    return top_bits(coins(config.seed, [f"holdout {name}" for name in names.to_pylist()]), BIN_BITS)


def settle(folder: str, config: dict[str, Any], shards: list[str]) -> dict[str, Any]:
    """Task: decides which bins of each language are held out, and into how many parts it is sorted."""
    step = Step(place(folder))
    tokens: dict[str, Counter[int]] = {}
    for key in shards:
        for row in read_table(step.scratch(f"survey/{key}.arrow")).to_pylist():
            tokens.setdefault(row["lang"], Counter())[row["bin"]] += row["length_sum"]
    held, bits = {}, {}
    for lang, bins in sorted(tokens.items()):
        held[lang] = holdout_bins(bins, PackConfig(**config).quota(bins.total()))
        valid = sum(bins[bin_] for bin_ in held[lang])
        bits[lang] = {"train": partition_bits(bins.total() - valid), "valid": partition_bits(valid)}
    path = step.scratch("split.json")
    step.mark("settle", {}, {path: write_json(path, {"held": held, "bits": bits})})
    return {}


def scatter(folder: str, config: dict[str, Any], shard: dict[str, Any], before: list[str]) -> dict[str, Any]:
    """Task: writes a shard's documents sorted by group."""
    step, here = Step(place(folder)), Shard(**shard)
    docs, settings = _documents(here, before), PackConfig(**config)
    coin = coins(settings.seed, docs.column("id").to_pylist())
    split = Split(**read_json(step.scratch("split.json")))
    groups = split.groups(docs.column("lang").to_pylist(), _bins(docs, settings), coin)
    docs = docs.select(["id", "tokens", "text_bytes", "words", "length"])
    docs = docs.append_column("group", pa.array(groups)).append_column("coin", pa.array(coin))
    docs = docs.take(pa.array(np.argsort(groups, kind="stable")))
    tokens = docs.group_by("group").aggregate([("length", "sum")]).to_pylist()
    path = step.scratch(f"parts/{here.key}.arrow")
    found = {"tokens": {str(row["group"]): row["length_sum"] for row in tokens}}
    step.mark(f"scatter-{here.key}", found, {path: write_table(path, docs)})
    return {"documents": here.rows}


def pack(folder: str, config: dict[str, Any], shards: list[str], group: int, pad: int) -> dict[str, Any]:
    """Task: lays the documents of a group into rows, in the order of their coins."""
    step, seq_len = Step(place(folder)), config["seq_len"]
    docs = pa.concat_tables([_part(step.scratch(f"parts/{key}.arrow"), group) for key in shards])
    docs = docs.take(pc.sort_indices(docs, [("coin", "ascending"), ("id", "ascending")])).combine_chunks()
    split, lang, part = Split(**read_json(step.scratch("split.json"))).where(group)
    rows = lay_rows(docs.column("id").combine_chunks(), docs.column("tokens").combine_chunks(), seq_len, pad)
    path = step.folder / split / folder_of(lang) / f"{part:05d}.arrow"
    tokens = pc.sum(docs.column("length")).as_py()
    counts = {
        "rows": rows.num_rows,
        "documents": docs.num_rows,
        "tokens": tokens,
        "padding": rows.num_rows * seq_len + 1 - tokens,  # rows overlap by one token
        "bytes": pc.sum(docs.column("text_bytes")).as_py(),
        "words": None if docs.column("words").null_count else pc.sum(docs.column("words")).as_py(),
    }
    step.mark(_packed(group), {"split": split, "lang": lang, **counts}, {path: write_table(path, rows)})
    return {"documents": docs.num_rows, "bytes": counts["bytes"]}


def _part(path: Path, group: int) -> pa.Table:
    docs = read_table(path)
    groups = docs.column("group").to_numpy()  # sorted
    start, stop = np.searchsorted(groups, [group, group + 1])
    return docs.slice(start, stop - start)


def folder_of(lang: str) -> str:
    """A language as a folder's name: what could mean a path or nothing is percent-encoded."""
    name = quote(lang, safe="+#")
    return name if name.strip(".") else name.replace(".", "%2E") or "%"


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
