"""The shuffle of packing: documents by group, where a group is a split, a language and a range of coins.

    survey   each shard  -> scratch/survey/<shard>.arrow   of each document its coins, and where its tokens are
    settle   once        -> scratch/split.json             what is held out, into how many parts a language goes
    scatter  each shard  -> scratch/parts/<shard>.arrow    the same by group; of a large corpus with the tokens
    gather   each lot    -> scratch/runs/<lot>-<n>.arrow   of a large corpus: the documents of a LOT of groups out of
                                                           all shards with their tokens, in runs sorted by group

Documents stand in the order of coin(seed, id): a part is a range of coins, so that no task holds more than one part,
and the parts one after another are one shuffle of the language. Neither shards nor their order can matter.

Up to IN_PLACE tokens, token lists are read where `encode` wrote them, each from its place: the system keeps such files
in memory once they were read. At 250 billion tokens that would be a read of the disk for nearly each document, and as
many if each group were read from each shard: tokens are copied there twice, to be read a lot at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.holdout import BIN_BITS, Cells, Held, hold_out, sums_of
from pipeline.pack import Lists, PackConfig, partition_bits, top_bits
from pipeline.steps.lists import Ids, documents_of, stream_of, tokens_of
from pipeline.steps.source import marked
from pipeline.store.files import FileInfo, read_json, read_table, write_json, write_table
from pipeline.store.layers import Shard
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.text.coins import coins

SPLITS = ("train", "valid")
IN_PLACE = 1_000_000_000  # tokens, 4 GB: of more, each group would be read from all over the disk
LOT = 64  # groups that are gathered together
RUN_TOKENS, RUN_DOCUMENTS = 16_000_000, 1_000_000  # 64 MB, of which a run is made, or fewer of many documents
MERGED = 1 << 20  # cells of surveys that are held before those of a bin and language are added up


@dataclass(frozen=True)
class Split:
    """What `settle` found: which bins are held out, and by how many bits each split of a language is parted."""

    alone: dict[str, list[int]]  # of each language, for documents in no cluster
    clusters: list[int]
    bits: dict[str, dict[str, int]]  # {lang: {split: bits}}
    shards: list[str]
    in_place: bool

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
        """How many groups are gathered together; 1: none are."""
        return 1 if self.in_place else LOT

    def groups(self, docs: pa.Table) -> np.ndarray:
        """(n,) int64: group of each document, as `survey` described them."""
        langs = docs.column("lang").combine_chunks()
        codes, names = langs.indices.to_numpy(), langs.dictionary.to_pylist()
        bins, coin = docs.column("bin").to_numpy(), docs.column("coin").to_numpy()
        clustered = docs.column("clustered").to_numpy()
        valid = clustered & _among(self.clusters)[bins]
        out = np.zeros(len(bins), np.int64)
        firsts = {name[:2]: first for name, first in zip(self.names(), self.firsts(), strict=False)}
        for code, lang in enumerate(names):
            mine = codes == code
            valid |= mine & ~clustered & _among(self.alone[lang])[bins]
            for split, meant in zip(SPLITS, (~valid, valid), strict=True):
                here = np.flatnonzero(mine & meant)
                out[here] = firsts[split, lang] + top_bits(coin[here], self.bits[lang][split])
        return out

    def where(self, group: int) -> tuple[str, str, int]:
        """(split, lang, part) of a group."""
        firsts = self.firsts()
        at = int(np.searchsorted(firsts, group, side="right")) - 1
        return *self.names()[at][:2], group - firsts[at]


def _among(bins: list[int]) -> np.ndarray:
    """(2^BIN_BITS,) bool: whether a bin is one of these."""
    out = np.zeros(1 << BIN_BITS, np.bool_)
    out[bins] = True
    return out


def survey(
    folder: str, config: dict[str, Any], shard: dict[str, Any], before: list[str], ids: dict[str, int]
) -> dict[str, Any]:
    """Task: looks at the tokens of a shard and tosses the coins of its documents."""
    step, here, seed = Step(place(folder)), Shard(**shard), PackConfig(**config).seed
    docs = documents_of(here, before, Ids(**ids))
    names, clustered = docs.column("id"), np.zeros(docs.num_rows, np.bool_)
    if "cluster" in docs.column_names:
        cluster = docs.column("cluster").cast(pa.string())
        names, clustered = pc.coalesce(cluster, names), cluster.is_valid().to_numpy()
    bins = top_bits(coins(seed, names, before="holdout "), BIN_BITS)
    docs = docs.select(["id", "lang", "text_bytes", "words", "begin", "length"])
    docs = docs.set_column(1, "lang", docs.column("lang").dictionary_encode())
    for name, values in (("bin", bins), ("clustered", clustered), ("coin", coins(seed, docs.column("id")))):
        docs = docs.append_column(name, pa.array(values))
    path = step.scratch(f"survey/{here.key}.arrow")
    in_place = stream_of(Step(place(before[-1])), here.key) is not None
    counts = {"langs": sorted(pc.unique(docs.column("lang")).to_pylist()), "in_place": in_place}
    step.mark(f"survey-{here.key}", counts, {path: write_table(path, docs)})
    return {"documents": here.rows}


def settle(folder: str, config: dict[str, Any], shards: list[str]) -> dict[str, Any]:
    """Task: decides what is held out, and into how many parts each language is sorted."""
    step = Step(place(folder))
    marks = [marked(step, f"survey-{key}") for key in shards]
    langs = sorted({lang for mark in marks for lang in mark["langs"]})
    cells = _cells([step.scratch(f"survey/{key}.arrow") for key in shards], langs)
    totals = dict(zip(*(column.tolist() for column in sums_of(cells.langs, cells.tokens)), strict=True))
    quotas = {lang: PackConfig(**config).quota(tokens) for lang, tokens in totals.items()}
    held = hold_out(cells, quotas)
    in_place = sum(totals.values()) <= IN_PLACE and all(mark["in_place"] for mark in marks)
    path = step.scratch("split.json")
    split = {**_named(held, totals, langs), "shards": shards, "in_place": in_place}
    step.mark("settle", {}, {path: write_json(path, split)})
    return {}


def _named(held: Held, totals: dict[int, int], langs: list[str]) -> dict[str, Any]:
    """What is held out by the names of languages, and into how many parts each goes."""
    bits = {
        langs[code]: {"train": partition_bits(n - held.tokens[code]), "valid": partition_bits(held.tokens[code])}
        for code, n in totals.items()
    }
    return {"alone": {langs[code]: bins for code, bins in held.alone.items()}, "clusters": held.clusters, "bits": bits}


def _cells(surveys: Sequence[Path], langs: list[str]) -> Cells:
    """Tokens of all shards by bin, language and whether their documents are in clusters."""
    code = {lang: i for i, lang in enumerate(langs)}
    parts, count = [Cells(*np.zeros((4, 0), np.int64))], 0
    for path in surveys:
        docs = read_table(path, ["lang", "bin", "clustered", "length"])
        bins, clustered, lengths = (docs.column(name).to_numpy() for name in ("bin", "clustered", "length"))
        here = docs.column("lang").combine_chunks()
        codes = np.array([code[lang] for lang in here.dictionary.to_pylist()], np.int64)[here.indices.to_numpy()]
        parts.append(Cells(bins, codes, clustered, lengths))
        count += docs.num_rows
        if count > max(MERGED, len(parts[0].bins)):
            parts, count = [Cells.joined(parts)], 0
    return Cells.joined(parts)


def scatter(folder: str, shard: dict[str, Any], before: list[str]) -> dict[str, Any]:
    """Task: writes what the survey found of a shard's documents by group; of a large corpus their tokens, too."""
    step, here = Step(place(folder)), Shard(**shard)
    docs, split = read_table(step.scratch(f"survey/{here.key}.arrow")), Split.of(step)
    groups = split.groups(docs)
    order = np.argsort(groups, kind="stable")
    lists = None if split.in_place else Lists.of(tokens_of(here, before))
    docs = docs.select(["id", "text_bytes", "words", "begin", "length", "coin"])
    docs = in_order(docs.append_column("group", pa.array(groups)), lists, order)
    path = step.scratch(f"parts/{here.key}.arrow")
    step.mark(f"scatter-{here.key}", _sums(docs, split.lot), {path: write_table(path, docs)})
    return {"documents": here.rows}


def _sums(docs: pa.Table, lot: int) -> dict[str, dict[str, int]]:
    """{"tokens": {lot: tokens}, "documents": {lot: documents}} of the documents of each lot of groups."""
    lots, lengths = docs.column("group").to_numpy() // lot, docs.column("length").to_numpy()
    out = {}
    for what, numbers in (("tokens", lengths), ("documents", np.ones(len(lots), np.int64))):
        keys, sums = sums_of(lots, numbers)
        out[what] = dict(zip(map(str, keys.tolist()), sums.tolist(), strict=True))
    return out


def gather(folder: str, lot: int) -> dict[str, Any]:
    """Task: brings the documents of a lot of groups together, in runs, each sorted by group."""
    step = Step(place(folder))
    files: dict[Path, FileInfo] = {}
    tokens: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for number, parts in enumerate(_runs(step, lot * LOT)):
        docs, lists = pa.concat_tables([part.drop_columns("tokens") for part in parts]), lists_in(parts)
        docs = in_order(docs, lists, np.argsort(docs.column("group").to_numpy(), kind="stable"))
        path = step.scratch(f"runs/{lot:06d}-{number:04d}.arrow")
        files[path] = write_table(path, docs)
        sums = _sums(docs, 1)
        tokens.update(sums["tokens"])
        documents.update(sums["documents"])
    step.mark(f"gather-{lot:06d}", {"tokens": dict(tokens), "documents": dict(documents)}, files)
    return {"documents": documents.total()}


def _runs(step: Step, group: int) -> Iterator[list[pa.Table]]:
    """The documents of LOT groups from `group` on, out of the shards' parts: RUN_TOKENS and RUN_DOCUMENTS at most, or
    what one shard has of them."""
    parts, tokens = list[pa.Table](), 0
    for key in Split.of(step).shards:
        part = of_groups(step.scratch(f"parts/{key}.arrow"), group, LOT)
        more = pc.sum(part.column("length")).as_py() or 0
        documents = sum(part.num_rows for part in parts)
        if parts and (tokens + more > RUN_TOKENS or documents + part.num_rows > RUN_DOCUMENTS):
            yield parts
            parts, tokens = [], 0
        if part.num_rows:
            parts, tokens = [*parts, part], tokens + more
    if parts:
        yield parts


def lists_in(parts: Sequence[pa.Table]) -> Lists:
    """The token lists of documents that have them beside."""
    return Lists.of([lists for part in parts for lists in part.column("tokens").chunks])


def in_order(docs: pa.Table, lists: Lists | None, rows: np.ndarray) -> pa.Table:
    """These rows of `docs`, in one chunk, with their tokens where there are any."""
    docs = docs.take(pa.array(rows)).combine_chunks()
    return docs if lists is None else docs.append_column("tokens", lists.take(rows).joined())


def of_groups(path: Path, group: int, count: int = 1) -> pa.Table:
    """The documents of `count` groups from `group` on, in a file that is sorted by group; no others are read."""
    docs = read_table(path)
    start, stop = np.searchsorted(docs.column("group").to_numpy(), [group, group + count])
    return docs.slice(start, stop - start)
