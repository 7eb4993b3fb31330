"""The shuffle of packing: documents by group, where a group is a split, a language and a range of coins.

    survey   each shard  -> scratch/survey/<shard>.arrow   tokens by language and bin of the holdout's coin
    settle   once        -> scratch/split.json             which bins are held out, into how many parts a language goes
    scatter  each shard  -> scratch/parts/<shard>.arrow    documents with their tokens, by group
    gather   each lot    -> scratch/runs/<lot>-<n>.arrow   only where groups times shards are many: the documents of a
                                                           LOT of groups out of all shards, in runs sorted by group

Documents stand in the order of coin(seed, id): a part is a range of coins, so that no task holds more than one part,
and the parts one after another are one shuffle of the language. Neither shards nor their order can matter. Without
`gather` each group would be read from each shard: at 250 billion tokens nearly each document by a read of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.digest import coins
from pipeline.pack import BIN_BITS, PackConfig, holdout_bins, partition_bits, taken, top_bits
from pipeline.steps.lists import Ids, documents_of
from pipeline.store.files import FileInfo, read_json, read_table, write_json, write_table
from pipeline.store.layers import Shard
from pipeline.store.place import place
from pipeline.store.step import Step

SPLITS = ("train", "valid")
SUMS = {"tokens": "sum", "documents": "count"}  # of each lot in a shard, of each group in a lot
MOST_READS = 100_000  # groups times shards: with more, lots are gathered first
LOT = 64  # groups that are gathered together
RUN_TOKENS = 16_000_000  # 64 MB, of which a run is made


@dataclass(frozen=True)
class Split:
    """What `settle` found: for each language the bins held out, and by how many bits each split is parted."""

    held: dict[str, list[int]]
    bits: dict[str, dict[str, int]]  # {lang: {split: bits}}
    shards: list[str]

    @classmethod
    def of(cls, step: Step) -> Split:
        return cls(**read_json(step.scratch("split.json")))

    def names(self) -> list[tuple[str, str, int]]:
        """(split, lang, bits) in the order in which groups are numbered."""
        return [(split, lang, self.bits[lang][split]) for split in SPLITS for lang in sorted(self.bits)]

    def firsts(self) -> list[int]:
        """The first group of each of `names`, and how many groups there are."""
        return list(accumulate((1 << bits for _, _, bits in self.names()), initial=0))

    @property
    def lot(self) -> int:
        """How many groups are gathered together; 1: none are, each is read from the shards' parts."""
        return LOT if self.firsts()[-1] * len(self.shards) > MOST_READS else 1

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


def survey(
    folder: str, config: dict[str, Any], shard: dict[str, Any], before: list[str], ids: dict[str, int]
) -> dict[str, Any]:
    """Task: counts the tokens of a shard by language and bin of the holdout's coin."""
    step, here = Step(place(folder)), Shard(**shard)
    docs = documents_of(here, before, Ids(**ids))
    counts = docs.select(["lang", "length"]).append_column("bin", pa.array(_bins(docs, PackConfig(**config))))
    counts = counts.group_by(["lang", "bin"]).aggregate([("length", "sum")])
    path = step.scratch(f"survey/{here.key}.arrow")
    step.mark(
        f"survey-{here.key}", {"langs": sorted(set(docs.column("lang").to_pylist()))}, {path: write_table(path, counts)}
    )
    return {"documents": here.rows}


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
    step.mark("settle", {}, {path: write_json(path, {"held": held, "bits": bits, "shards": shards})})
    return {}


def scatter(
    folder: str, config: dict[str, Any], shard: dict[str, Any], before: list[str], ids: dict[str, int]
) -> dict[str, Any]:
    """Task: writes a shard's documents sorted by group."""
    step, here = Step(place(folder)), Shard(**shard)
    docs, settings, split = documents_of(here, before, Ids(**ids)), PackConfig(**config), Split.of(step)
    coin = coins(settings.seed, docs.column("id").to_pylist())
    groups = split.groups(docs.column("lang").to_pylist(), _bins(docs, settings), coin)
    docs = docs.select(["id", "tokens", "text_bytes", "words", "length"])
    docs = docs.append_column("group", pa.array(groups)).append_column("coin", pa.array(coin))
    docs = in_order(docs, np.argsort(groups, kind="stable"))
    path = step.scratch(f"parts/{here.key}.arrow")
    step.mark(f"scatter-{here.key}", _sums(docs, split.lot), {path: write_table(path, docs)})
    return {"documents": here.rows}


def _sums(docs: pa.Table, lot: int) -> dict[str, dict[str, int]]:
    """{"tokens": {lot: tokens}, "documents": {lot: documents}} of the documents of each lot of groups."""
    lots = pa.table({"lot": docs.column("group").to_numpy() // lot, "length": docs.column("length")})
    sums = lots.group_by("lot").aggregate([("length", "sum"), ("length", "count")]).to_pylist()
    return {what: {str(row["lot"]): row[f"length_{how}"] for row in sums} for what, how in SUMS.items()}


def gather(folder: str, lot: int) -> dict[str, Any]:
    """Task: brings the documents of a lot of groups together, in runs of about RUN_TOKENS, each sorted by group."""
    step = Step(place(folder))
    files: dict[Path, FileInfo] = {}
    tokens: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for number, docs in enumerate(_runs(step, lot * LOT)):
        docs = in_order(docs, np.argsort(docs.column("group").to_numpy(), kind="stable"))
        path = step.scratch(f"runs/{lot:06d}-{number:04d}.arrow")
        files[path] = write_table(path, docs)
        sums = _sums(docs, 1)
        tokens.update(sums["tokens"])
        documents.update(sums["documents"])
    step.mark(f"gather-{lot:06d}", {"tokens": dict(tokens), "documents": dict(documents)}, files)
    return {"documents": documents.total()}


def _runs(step: Step, group: int) -> Iterator[pa.Table]:
    """The documents of LOT groups from `group` on, out of the shards' parts, some 64 MB of tokens at once."""
    parts, tokens = [], 0
    for key in Split.of(step).shards:
        parts.append(of_groups(step.scratch(f"parts/{key}.arrow"), group, LOT))
        tokens += pc.sum(parts[-1].column("length")).as_py() or 0
        if tokens >= RUN_TOKENS:
            yield pa.concat_tables(parts)
            parts, tokens = [], 0
    if tokens:
        yield pa.concat_tables(parts)


def in_order(docs: pa.Table, rows: np.ndarray) -> pa.Table:
    """These rows of `docs`, in one chunk."""
    at = docs.column_names.index("tokens")
    lists = taken(docs.column("tokens").combine_chunks(), rows)
    return docs.remove_column(at).take(pa.array(rows)).combine_chunks().add_column(at, "tokens", lists)


def of_groups(path: Path, group: int, count: int = 1) -> pa.Table:
    """The documents of `count` groups from `group` on, in a file that is sorted by group; no others are read."""
    docs = read_table(path)
    start, stop = np.searchsorted(docs.column("group").to_numpy(), [group, group + count])
    return docs.slice(start, stop - start)
