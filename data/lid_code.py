"""Snippets of source code to train and to develop the part of a language identifier that knows code when it sees it.

    snippets(Path("code.jsonl")) -> {"train": {"rust": [Snippet, ...]}, "dev": {...}}

In: JSON lines {"text", "meta": {"lang": "code-rust", "source": package, "path"}}, as benchmarks/corpora.py makes them.
A snippet is 200 to 2,000 characters of one file, cut at line ends, beginning anywhere in it: a document of unknown kind
need not begin where a file does. A package's files are all in one of the two halves, never in both.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path

from pipeline.sources.languages import settle

TRAIN, DEV = 3000, 400  # snippets a language
LONGEST, SHORTEST = 2000, 200
Snippet = dict[str, object]


def coin(*names: object) -> float:
    """A number in [0, 1) that is a function of names."""
    return int.from_bytes(hashlib.blake2b(repr(names).encode(), digest_size=8).digest(), "big") / 2**64


def snippets(corpus: Path) -> dict[str, dict[str, list[Snippet]]]:
    found: dict[str, dict[str, list[Snippet]]] = defaultdict(lambda: defaultdict(list))
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)
            meta, text = document["meta"], document["text"]
            lang = settle(meta["lang"].removeprefix("code-"), meta["path"], text.encode("utf-8", "replace"))
            cut = _cut(text, meta["source"], meta["path"])
            if lang and cut:
                about = {"lang": lang, "source": meta["source"], "path": meta["path"]}
                found[lang][meta["source"]].append({"text": cut, "meta": about})
    halves: dict[str, dict[str, list[Snippet]]] = {"train": {}, "dev": {}}
    for lang, packages in sorted(found.items()):
        kept = _kept_for_development(packages)
        for half, wanted, limit in (("train", set(packages) - kept, TRAIN), ("dev", kept, DEV)):
            halves[half][lang] = _fair([packages[name] for name in sorted(wanted)], limit)
    return halves


def _cut(text: str, *name: str) -> str | None:
    lines = text.splitlines(keepends=True)
    if not lines:
        return None
    length = SHORTEST * (LONGEST / SHORTEST) ** coin("length", *name)
    first = int(coin("first", *name) * len(lines))
    part = ""
    while first < len(lines) and len(part) + len(lines[first]) <= length:
        part += lines[first]
        first += 1
    return part if len(part.strip()) >= SHORTEST // 2 else None


def _kept_for_development(packages: dict[str, list[Snippet]]) -> set[str]:
    """The smallest packages that make up a seventh of the files, or the smallest alone; none where there is but one."""
    order = sorted(packages, key=lambda name: (len(packages[name]), name))
    total, kept = sum(map(len, packages.values())), set[str]()
    for name in order[:-1]:
        if sum(len(packages[one]) for one in kept) >= min(DEV, total / 7):
            break
        kept.add(name)
    return kept


def _fair(groups: list[list[Snippet]], limit: int) -> list[Snippet]:
    """Up to `limit` of all groups, as many of each as there are, small groups whole."""
    chosen: list[Snippet] = []
    for left, group in zip(range(len(groups), 0, -1), sorted(groups, key=len), strict=True):
        order = sorted(group, key=lambda one: coin("order", one["text"]))
        chosen += order[: (limit - len(chosen)) // left]
    return chosen
