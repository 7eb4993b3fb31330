"""The language mix: one row a language, with its documents, bytes and tokens, what a temperature would make of it,
and its fertility; from the funnel, the tallies of `encode` and the packed manifest.

    funnel, manifests -> [{lang, name, family, group, kind, documents, bytes, tokens, share, ...}], most tokens first

A temperature alpha gives a language the share p^alpha / sum(p^alpha), p its share of the tokens (Conneau and Lample
2019, arXiv:1901.07291, sec. 3.1). `epochs` is how often it would be read in a run over as many tokens as the corpus
has. It must never read a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.levels import SOURCE, STAGES, UNREADABLE, Level, Manifest, naming_level
from pipeline.report.names import family, group, name

ALPHAS = (0.7, 0.5, 0.3)
Row = dict[str, Any]


def rows(funnel: Sequence[Level], manifests: Sequence[Manifest]) -> list[Row]:
    """One row for each language that any level has, so also for those that were lost or renamed on the way.

    documents, bytes              at the end of the funnel
    documents_in, bytes_in        under this name: what stayed plus what was dropped since languages were set
    kept, kept_bytes              documents / documents_in, bytes / bytes_in
    tokens, train, valid          of the packed folder where there is one, else as encoded; None before `encode`
    share, temperature, epochs    of tokens (of bytes before `encode`); the last two by alpha
    tokens_per_word, bytes_per_token, words    None where not known
    sizes_in, sizes               [[log2 of bytes, documents]] where languages were set, and at the end
    """
    if not funnel:
        return []
    named, last = funnel[naming_level(funnel)], funnel[-1]
    kinds, splits, tallies = _kinds(manifests), _splits(manifests), _tallies(manifests)
    sizes_in, sizes = _sizes(manifests, funnel, named), _sizes(manifests, funnel, last)
    out = []
    for lang in sorted({lang for level in funnel for lang in level["languages"]} - {UNREADABLE}):
        row = {
            "lang": lang,
            "kind": kinds.get(lang, "text"),
            **_books(lang, funnel, named),
            **_tokens(lang, splits, tallies),
        }
        labels = {
            "name": name(lang, row["kind"]),
            "family": family(lang, row["kind"]),
            "group": group(lang, row["kind"]),
        }
        out.append(row | labels | {"sizes_in": sizes_in.get(lang, []), "sizes": sizes.get(lang, [])})
    _mix(out)
    return sorted(out, key=lambda r: (-(r["tokens"] or 0), -r["bytes"], r["lang"]))


def temperature(tokens: Mapping[str, int], alpha: float) -> dict[str, float]:
    """{language: share}: shares of tokens, raised to `alpha` and made to sum to 1. Empty languages have 0."""
    total = sum(tokens.values())
    weights = {lang: (count / total) ** alpha if count else 0.0 for lang, count in tokens.items()} if total else {}
    whole = sum(weights.values())
    return {lang: weight / whole for lang, weight in weights.items()} if whole else dict.fromkeys(tokens, 0.0)


def _mix(languages: list[Row]) -> None:
    """Adds share, temperature and epochs to each row."""
    what = "tokens" if any(row["tokens"] for row in languages) else "bytes"
    amounts = {row["lang"]: row[what] or 0 for row in languages}
    natural = temperature(amounts, 1.0)
    mixes = {alpha: temperature(amounts, alpha) for alpha in ALPHAS}
    for row in languages:
        p = natural[row["lang"]]
        row["share"] = p
        row["temperature"] = {str(alpha): mix[row["lang"]] for alpha, mix in mixes.items()}
        row["epochs"] = {str(alpha): mix[row["lang"]] / p if p else None for alpha, mix in mixes.items()}


def _books(lang: str, funnel: Sequence[Level], named: Level) -> Row:
    empty = dict.fromkeys(("documents", "bytes", "dropped", "dropped_bytes"), 0)
    until = [level["languages"].get(lang, empty) for level in funnel[: funnel.index(named) + 1]]
    at, end = until[-1], funnel[-1]["languages"].get(lang, empty)
    came = at["documents"] + sum(row["dropped"] for row in until)
    came_bytes = at["bytes"] + sum(row["dropped_bytes"] for row in until)
    return {
        "documents": end["documents"],
        "bytes": end["bytes"],
        "documents_in": came,
        "bytes_in": came_bytes,
        "kept": end["documents"] / came if came else None,
        "kept_bytes": end["bytes"] / came_bytes if came_bytes else None,
    }


def _tokens(lang: str, splits: dict[str, dict[str, Row]], tallies: dict[str, int]) -> Row:
    train, valid = (
        splits[split].get(lang, {}).get("tokens", 0) if split in splits else None for split in ("train", "valid")
    )
    encoded, size, words = (tallies.get(f"{what}/{lang}") for what in ("tokens", "bytes", "words"))
    tokens = encoded if train is None else train + (valid or 0)
    return {
        "tokens": tokens,
        "train": train,
        "valid": valid,
        "words": words,
        "tokens_per_word": encoded / words if encoded and words else None,
        "bytes_per_token": size / encoded if encoded and size else None,
    }


def _kinds(manifests: Sequence[Manifest]) -> dict[str, str]:
    """The kind of most bytes of a language, over all steps."""
    sums: Counter[tuple[str, str]] = Counter()
    for manifest in manifests:
        if manifest["kind"] == SOURCE or manifest["kind"] in STAGES:
            for cell in [*manifest["kept"], *manifest["dropped"]]:
                sums[cell["lang"], cell["kind"]] += cell["bytes"] + 1
    return {lang: kind for (lang, kind), _ in sorted(sums.items(), key=lambda item: item[1])}


def _splits(manifests: Sequence[Manifest]) -> dict[str, dict[str, Row]]:
    return next((m["splits"] for m in manifests if m["kind"] == "packed"), {})


def _tallies(manifests: Sequence[Manifest]) -> dict[str, int]:
    return next((m["tallies"] for m in manifests if m["kind"] == "encode"), {})


def _sizes(manifests: Sequence[Manifest], funnel: Sequence[Level], level: Level) -> dict[str, list[list[int]]]:
    """{lang: [[bin, documents]]} of what a level kept."""
    at_sources = level is funnel[0]
    cells = [
        cell
        for m in manifests
        if (m["kind"] == SOURCE if at_sources else m["kind"] in STAGES and m["address"] == level["address"])
        for cell in m["kept"]
    ]
    sums: dict[str, Counter[int]] = {}
    for cell in cells:
        into = sums.setdefault(cell["lang"], Counter())
        for size, documents in cell["sizes"]:
            into[size] += documents
    return {lang: [[size, n] for size, n in sorted(counter.items())] for lang, counter in sums.items()}
