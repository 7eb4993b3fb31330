"""Measuring a tokenizer: the sealed steps of a run, a sample of its documents, and texts that the user names.

    examine(planned, Question(sample=250_000)) -> Fertility

Vocabulary use is counted over the whole encoded corpus. Sizes of vocabulary and other tokenizers are compared on a
sample of each language, of documents that the tokenizer did not learn from where there are any (`unseen`), chosen by
coins of its own: in the order of their tosses, as many as fit the bytes asked for, and one at least. Each row of
`Fertility.languages` is {lang, name, kind, tokens, tokens_per_word, bytes_per_token, used, share, fallback, partial,
longest, sample, parallel, against}, with None for what is not known. Memory: one shard, and of the sample some times
its bytes. It must never make a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from pipeline.digest import coins
from pipeline.encode import Encoder
from pipeline.errors import InputError
from pipeline.fertility.measured import WORTH, Fertility, recommended, savings, sizes_below
from pipeline.fertility.parallel import parity, read_parallel
from pipeline.plan import Planned
from pipeline.report.languages import rows
from pipeline.report.levels import Manifest, levels
from pipeline.report.names import name
from pipeline.report.tokenizer import encoded_corpus, usage
from pipeline.sampling import budgets, chosen, shares
from pipeline.steps.base import Corpus
from pipeline.steps.sample import TOSS
from pipeline.steps.tokenizer import tokenizer_of
from pipeline.store.layers import Shard, read_shard
from pipeline.text.measures import measure
from pipeline.text.wordlists import WordLists
from pipeline.tokenizer import read, special_ids
from pipeline.vocabulary import shortened

SAMPLE = 250_000  # bytes of each language
FEW = 8  # documents of a language that the sample sees at least, where it has so many
COIN = "fertility"  # names the coins: they are not those of the tokenizer's sample
LEARNED = "learned"
EVERYTHING = 1 << 62

Row = dict[str, Any]
Counter = Callable[[pa.Array], np.ndarray]  # (n,) texts -> (n,) int64 tokens, without an end


@dataclass(frozen=True)
class Question:
    """What to measure besides: `sample` in bytes of each language, `worth` as a share of the tokens."""

    sample: int = SAMPLE
    parallel: Path | None = None
    against: tuple[Path, ...] = ()
    worth: float = WORTH


@dataclass(frozen=True)
class Texts:
    """Texts by language; (n,) each."""

    langs: np.ndarray  # object
    texts: pa.Array  # large_string
    parts: list[str]  # of parallel texts their names, else ''
    unseen: frozenset[str] = frozenset()  # languages whose texts the tokenizer did not learn from

    def by_language(self, values: np.ndarray) -> dict[str, int]:
        """{lang: sum of `values` (n,)}."""
        return {lang: int(values[self.langs == lang].sum()) for lang in sorted(set(self.langs))}

    def sums(self) -> dict[str, dict[str, int]]:
        """{lang: {bytes, words}}."""
        sizes = self.by_language(pc.binary_length(self.texts).to_numpy())
        words = self.by_language(_words(self.texts))
        return {lang: {"bytes": sizes[lang], "words": words[lang]} for lang in sizes}


def examine(planned: Sequence[Planned], question: Question | None = None) -> Fertility:
    """Raises InputError where the documents are not encoded yet or a file is damaged, ConfigError for what the user
    named and what is not there."""
    asked = question or Question()
    others = [
        read(path, "name a tokenizer.json") for path in asked.against
    ]  # first, for what is wrong here is told at once
    told = None if asked.parallel is None else read_parallel(asked.parallel)
    by_kind = {p.kind: p for p in planned}
    if "encode" not in by_kind or not by_kind["encode"].step.sealed:
        what = "its documents are not encoded yet" if "encode" in by_kind else "this config has no tokenizer"
        raise InputError(what, hint="pipeline run CONFIG" if "encode" in by_kind else "add `tokenizer: {}` to it")
    steps = [p.step for p in planned if p.kind != "packed" and p.step.sealed]
    manifests = [step.manifest() for step in steps]
    tokenizer, made = tokenizer_of(by_kind["tokenizer"].step), by_kind["tokenizer"].step.manifest()
    used = usage(steps, manifests, EVERYTHING) or {}
    languages = [_row(row, used["languages"].get(row["lang"], {})) for row in _rows(manifests)]

    learned = _learned(by_kind["tokenizer"], made)
    seed = by_kind["tokenizer"].settings.seed
    texts = sample(encoded_corpus(steps, manifests), manifests, asked.sample, learned, seed)
    if not pc.any(pc.greater(pc.binary_length(texts.texts), 0)).as_py():
        raise InputError("no text was encoded", hint="`pipeline report CONFIG` tells what became of the documents")
    if by_kind["tokenizer"].settings.path is not None:  # nobody knows what it learned from
        texts = replace(texts, unseen=frozenset())
    size = made["about"]["vocab_size"]
    tokens = {
        some: texts.by_language(counter(shortened(tokenizer, some) if some < size else tokenizer)(texts.texts))
        for some in sizes_below(size)
    }
    _add_sample(languages, texts, tokens[size], [counter(other) for other in others])
    if told is not None:
        parts = [(lang, part, text) for lang, of in told.items() for part, texts_ in of.items() for text in texts_]
        _add_parallel(languages, parts, [counter(one) for one in (tokenizer, *others)])
    judges = texts.unseen or set(texts.langs)
    saved = savings({some: {lang: of[lang] for lang in judges} for some, of in tokens.items()})
    return Fertility(
        tokenizer={"address": made["address"], "vocab_size": size},
        sample=asked.sample,
        languages=sorted(languages, key=lambda row: (-(row["tokens"] or 0), row["lang"])),
        sizes=[{"size": some, "saved": saved.get(some), "tokens": tokens[some]} for some in sorted(tokens)],
        worth=asked.worth,
        judges=sorted(judges),
        unseen=bool(texts.unseen),
        recommended=recommended(saved, sizes_below(size), asked.worth),
        against=[path.name for path in asked.against],
        parallel=None if asked.parallel is None else asked.parallel.name,
        usage={key: value for key, value in used.items() if key != "languages"},
    )


def _rows(manifests: Sequence[Manifest]) -> list[Row]:
    return [row for row in rows(levels(manifests), manifests) if row["tokens"]]


def _row(row: Row, used: Row) -> Row:
    told = {key: row[key] for key in ("lang", "name", "kind", "tokens", "tokens_per_word", "bytes_per_token")}
    found = {key: used.get(key) for key in ("used", "share", "fallback", "partial")}
    return {**told, **found, "longest": used.get("longest", []), "sample": None, "parallel": None, "against": []}


def _learned(planned: Planned, made: Manifest) -> dict[str, float]:
    """The share of each language's documents that the tokenizer learned from; of a ready one that is not known."""
    config, told = planned.settings, made["about"]["sample"]
    if config.path is not None:
        return {}
    available = {lang: row["available"] for lang, row in told.items()}
    return shares(available, budgets(available, config.sample, config.alpha, dict(config.languages)))


def sample(
    corpus: Corpus, manifests: Sequence[Manifest], most: int, learned: Mapping[str, float], seed: int = 0
) -> Texts:
    """Up to `most` bytes of each language, a document cut off where it alone has more.

    `learned` and `seed` tell which documents the tokenizer learned from: they stand in only for a language that has no
    other. A language that is not named there was not learned from."""
    share = _shares(manifests, most, learned)
    if not corpus.shards:
        return Texts(np.zeros(0, object), pa.array([], pa.large_string()), [])
    docs = pa.concat_tables([_cut(_drawn(shard, corpus, share, learned, seed), most) for shard in corpus.shards])
    docs = docs.sort_by([("lang", "ascending"), (LEARNED, "ascending"), (TOSS, "ascending"), ("id", "ascending")])
    langs, sizes = docs.column("lang").to_numpy(), pc.binary_length(docs.column("text")).to_numpy()
    seen = docs.column(LEARNED).to_numpy()
    first = np.searchsorted(langs, langs)  # the first document of the same language
    wanted = seen == seen[first]
    ends = np.cumsum(sizes)
    within = ends - (ends - sizes)[first] <= most
    rows_ = np.flatnonzero(wanted & (within | (np.arange(len(langs)) == first)))
    unseen = frozenset(langs[rows_][~seen[rows_]].tolist())
    return Texts(langs[rows_], docs.column("text").take(pa.array(rows_)).combine_chunks(), [""] * len(rows_), unseen)


def _shares(manifests: Sequence[Manifest], most: int, learned: Mapping[str, float]) -> dict[str, float]:
    """The share of each language's documents to look at: so many that what was not learned from comes to `most` bytes
    and FEW documents, as far as there are so many."""
    last = levels(manifests)[-1]["languages"]
    out = {}
    for lang, row in last.items():
        left = 1 - learned.get(lang, 0.0)
        if row["documents"]:
            wanted = max(most / max(1, row["bytes"]), FEW / row["documents"])
            out[lang] = round(min(1.0, wanted / left), 9) if left > 0 else min(1.0, wanted)
    return out


def _drawn(
    shard: Shard, corpus: Corpus, share: Mapping[str, float], learned: Mapping[str, float], seed: int
) -> pa.Table:
    """id, lang, text, toss, and whether the tokenizer learned from it, of the documents that the coin chose."""
    docs = read_shard(shard, corpus.steps, ["id", "lang", "text"]).select(["id", "lang", "text"])
    ids, langs = docs.column("id").to_pylist(), docs.column("lang").to_pylist()
    toss = coins(0, [f"{COIN} {id_}" for id_ in ids]) >> np.uint64(11)
    rows_ = np.flatnonzero(toss < np.array([share[lang] for lang in langs], np.float64) * 2.0**53)
    known = {lang: learned.get(lang, 0.0) for lang in set(langs)}
    docs = docs.append_column(TOSS, pa.array(toss))
    docs = docs.append_column(LEARNED, pa.array(chosen(ids, langs, known, seed)))
    return docs.take(pa.array(rows_))


def _cut(docs: pa.Table, most: int) -> pa.Table:
    """Texts of at most `most` bytes, whole characters."""
    long = pc.greater(pc.binary_length(docs.column("text")), most)
    if not pc.any(long).as_py():
        return docs
    texts = [
        text if len(data := text.encode()) <= most else data[:most].decode("utf-8", "ignore")
        for text in docs.column("text").to_pylist()
    ]
    return docs.set_column(docs.schema.get_field_index("text"), "text", pa.array(texts, pa.large_string()))


def _words(texts: pa.Array) -> np.ndarray:
    """(n,) int64, as `measure` counts them."""
    ones = np.ones(len(texts), np.int64)
    found = measure(texts, ones, ones, [""] * len(texts), WordLists.of({}), ["words"])["words"]
    return found.to_numpy()


def counter(tokenizer: Tokenizer) -> Counter:
    """Counts the tokens of texts: by kernels where they do what this tokenizer does, else by the library."""
    if special_ids(tokenizer)["eos"] is not None and (encoder := Encoder(tokenizer)).by_kernel:
        return lambda texts: pc.list_value_length(encoder.encode(texts)).to_numpy().astype(np.int64) - 1

    def by_library(texts: pa.Array) -> np.ndarray:
        found = (tokenizer.encode(text.as_py(), add_special_tokens=False) for text in texts)
        return np.fromiter((len(one.ids) for one in found), np.int64, len(texts))

    return by_library


def _add_sample(languages: Sequence[Row], texts: Texts, tokens: Mapping[str, int], others: Sequence[Counter]) -> None:
    """What each tokenizer makes of the sample; `ratio` is ours over theirs, below 1 where ours takes fewer."""
    sums = texts.sums()
    theirs = [texts.by_language(other(texts.texts)) for other in others]
    for row in languages:
        if (lang := row["lang"]) in sums:
            row["sample"] = {**sums[lang], "tokens": tokens[lang], "unseen": lang in texts.unseen}
            row["against"] = [_against(tokens[lang], one[lang]) for one in theirs]


def _against(ours: int, theirs: int) -> Row:
    return {"tokens": theirs, "ratio": ours / theirs if theirs else None, "parity": None}


def _add_parallel(languages: list[Row], parts: Sequence[tuple[str, str, str]], counters: Sequence[Counter]) -> None:
    """Parity of ours and of each other tokenizer; a language of which the corpus has nothing gets a row of its own."""
    langs = np.array([lang for lang, _, _ in parts], object)
    texts = Texts(langs, pa.array([text for _, _, text in parts], pa.large_string()), [part for _, part, _ in parts])
    ours, *theirs = [one(texts.texts) for one in counters]
    sums, tokens, even = texts.sums(), texts.by_language(ours), parity(_by_part(texts, ours))
    theirs_even = [parity(_by_part(texts, one)) for one in theirs]
    have = {row["lang"] for row in languages}
    for lang in sorted(sums.keys() - have):
        new = {"lang": lang, "name": name(lang), "kind": "text", "tokens": None}
        languages.append(_row(new | {"tokens_per_word": None, "bytes_per_token": None}, {}))
    for row in languages:
        if (lang := row["lang"]) in sums:
            row["parallel"] = {**sums[lang], "tokens": tokens[lang], "parity": even.get(lang)}
            row["against"] = row["against"] or [{"tokens": None, "ratio": None, "parity": None} for _ in theirs]
            for into, one in zip(row["against"], theirs_even, strict=True):
                into["parity"] = one.get(lang)


def _by_part(texts: Texts, tokens: np.ndarray) -> dict[str, dict[str, float]]:
    """{lang: {part: tokens}}, of the version that takes the fewest."""
    found: dict[str, dict[str, float]] = {}
    for lang, part, n in zip(texts.langs, texts.parts, tokens.tolist(), strict=True):
        of = found.setdefault(lang, {})
        of[part] = min(n, of.get(part, n))
    return found
