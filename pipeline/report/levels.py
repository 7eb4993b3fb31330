"""The books: what came to each level of the funnel, what stayed, what was dropped and why; from the manifests' cells
alone.

    manifests, sources first -> [{label, address, documents, bytes, dropped, dropped_bytes, edited_bytes, languages}]
    languages: {lang: {documents, bytes, dropped, dropped_bytes, edited_bytes, arrived}}

All sources together are the first level; each stage is one more. A stage may give a document another language
(`identify`), so a language can gain: `arrived` is how many documents came to it under another name. Within a level,
what came is what stayed and what was dropped: no share of a loss can pass 1. `edited_bytes` is what edits took out of
documents that went on (below 0 where they added); of a language it is told only by a stage that renames none. It must
never read a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

Manifest = dict[str, Any]
Level = dict[str, Any]

SOURCE, STAGES = "source", ("row", "corpus")
UNREADABLE = ""  # the language of what could not be read


def levels(manifests: Sequence[Manifest]) -> list[Level]:
    """The funnel. Empty where there is no source."""
    sources = [m for m in manifests if m["kind"] == SOURCE]
    if not sources:
        return []
    stages = [m for m in manifests if m["kind"] in STAGES]
    out = [
        _level("sources", "", [c for m in sources for c in m["kept"]], [c for m in sources for c in m["dropped"]], {})
    ]
    for label, stage in zip(labels(stages), stages, strict=True):
        out.append(_level(label, stage["address"], stage["kept"], stage["dropped"], out[-1]["languages"]))
    return out


def labels(manifests: Iterable[Manifest]) -> list[str]:
    """Names of steps; where a name stands twice the later ones are numbered: keep, keep 2."""
    seen: Counter[str] = Counter()
    out = []
    for manifest in manifests:
        seen[manifest["name"]] += 1
        out.append(manifest["name"] if seen[manifest["name"]] == 1 else f"{manifest['name']} {seen[manifest['name']]}")
    return out


def _level(label: str, address: str, kept: Iterable[Any], dropped: Iterable[Any], before: dict[str, Any]) -> Level:
    languages: dict[str, dict[str, int]] = {}
    for cells, documents, size in ((kept, "documents", "bytes"), (dropped, "dropped", "dropped_bytes")):
        for cell in cells:
            row = languages.setdefault(
                cell["lang"], dict.fromkeys(("documents", "bytes", "dropped", "dropped_bytes"), 0)
            )
            row[documents] += cell["documents"]
            row[size] += cell["bytes"]
    for lang in before.keys() - languages.keys():  # all of its documents got another name
        languages[lang] = dict.fromkeys(("documents", "bytes", "dropped", "dropped_bytes"), 0)
    for lang, row in languages.items():
        row["edited_bytes"] = 0
        row["arrived"] = (
            row["documents"] + row["dropped"] - before.get(lang, {"documents": 0})["documents"] if before else 0
        )
    sums = {
        name: sum(row[name] for row in languages.values())
        for name in ("documents", "bytes", "dropped", "dropped_bytes")
    }
    edited = _edited(languages, before) if before else 0
    return {
        "label": label,
        "address": address,
        **sums,
        "edited_bytes": edited,
        "languages": dict(sorted(languages.items())),
    }


def _edited(languages: dict[str, dict[str, int]], before: dict[str, Any]) -> int:
    """Bytes that came and neither stayed nor were dropped; notes them by language where none was renamed."""
    came = {lang: row["bytes"] for lang, row in before.items()}
    gone = {lang: came.get(lang, 0) - row["bytes"] - row["dropped_bytes"] for lang, row in languages.items()}
    if not any(row["arrived"] for row in languages.values()):
        for lang, row in languages.items():
            row["edited_bytes"] = gone[lang]
    return sum(gone.values())


def bytes_lost(row: dict[str, Any]) -> int:
    """Bytes of text that a level, or a language at it, lost: in dropped documents, and by edits of others."""
    return row["dropped_bytes"] + max(0, row["edited_bytes"])


def naming_level(funnel: Sequence[Level]) -> int:
    """The level from which on languages stay as they are: the last at which a document changed its own, or 0."""
    changed = [i for i, level in enumerate(funnel) if any(row["arrived"] for row in level["languages"].values())]
    return changed[-1] if changed else 0


def imbalances(funnel: Sequence[Level]) -> list[str]:
    """Where the books do not balance: one sentence a level at which documents came or went without a record."""
    out = []
    for before, level in pairwise(funnel):
        missing = before["documents"] - level["documents"] - level["dropped"]
        came, stayed, gone = (f"{n:,}" for n in (before["documents"], level["documents"], level["dropped"]))
        if missing:
            verdict = f"{abs(missing):,} {'are missing' if missing > 0 else 'are too many'}"
            out.append(f"{level['label']}: {came} documents came, {stayed} stayed and {gone} were dropped; {verdict}")
    return out


def drops(manifests: Sequence[Manifest]) -> list[dict[str, Any]]:
    """Every reason of every step, in order of steps, the largest first; `stage` is a label as in `levels`:

    {stage, address, reason, documents, bytes, languages: {lang: {documents, bytes}}}"""
    known = [m for m in manifests if m["kind"] == SOURCE or m["kind"] in STAGES]
    out: list[dict[str, Any]] = []
    for label, manifest in zip(labels(known), known, strict=True):
        reasons: dict[str, dict[str, Any]] = {}
        for cell in manifest["dropped"]:
            entry = reasons.setdefault(cell["reason"], {"documents": 0, "bytes": 0, "languages": {}})
            row = entry["languages"].setdefault(cell["lang"], {"documents": 0, "bytes": 0})
            for name in ("documents", "bytes"):
                entry[name] += cell[name]
                row[name] += cell[name]
        found = [{"stage": label, "address": manifest["address"], "reason": r, **e} for r, e in reasons.items()]
        out += sorted(found, key=lambda e: (-e["documents"], e["reason"]))
    return out
