"""Snippets of source code to train and to develop the part of a language identifier that knows code when it sees it.

    training(Path("code.jsonl"), clones) -> {"rust": [Snippet, ...], ...}        development(clones) -> the same

In: JSON lines {"text", "meta": {"lang": "code-rust", "source": package, "path"}}, as benchmarks/corpora.py makes them,
and repositories. A snippet is 200 to 2,000 characters of one file, cut at line ends, beginning anywhere in it: a
document of unknown kind need not begin where a file does. No package gives to both.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from lid_repositories import Clones

from pipeline.programming import ROOTS, by_name, settle

TRAIN, DEV = 3000, 400  # snippets a language
LONGEST, SHORTEST = 2000, 200
Snippet = dict[str, object]
PACKAGED = "open source, as the Debian package says"

TRAINING_TOO = {  # beside the packages, which are few of each language: a model would learn their authors' habits
    "abseil/abseil-cpp": "Apache-2.0", "google/leveldb": "BSD-3-Clause", "redis/hiredis": "BSD-3-Clause",
    "JamesNK/Newtonsoft.Json": "MIT", "DapperLib/Dapper": "Apache-2.0", "spf13/cobra": "Apache-2.0",
    "prometheus/client_golang": "Apache-2.0", "google/gson": "Apache-2.0", "jquery/jquery": "MIT",
    "expressjs/express": "MIT", "chartjs/Chart.js": "MIT", "Kong/kong": "Apache-2.0", "Olivine-Labs/busted": "MIT",
    "laravel/framework": "MIT", "guzzle/guzzle": "MIT", "psf/requests": "Apache-2.0", "scrapy/scrapy": "BSD-3-Clause",
    "jekyll/jekyll": "MIT", "BurntSushi/ripgrep": "MIT OR Unlicense", "scalaz/scalaz": "BSD-3-Clause",
    "typeorm/typeorm": "MIT",
}  # fmt: skip
DEVELOPMENT = {
    "libuv/libuv": "MIT", "fmtlib/fmt": "MIT", "LuckyPennySoftware/AutoMapper": "MIT", "gin-gonic/gin": "MIT",
    "apache/commons-lang": "Apache-2.0", "lodash/lodash": "MIT", "luarocks/luarocks": "MIT", "composer/composer": "MIT",
    "pallets/flask": "BSD-3-Clause", "sinatra/sinatra": "MIT", "tokio-rs/tokio": "MIT", "typelevel/cats": "MIT",
    "ReactiveX/rxjs": "Apache-2.0",
}  # fmt: skip


def coin(*names: object) -> float:
    """A number in [0, 1) that is a function of names."""
    return int.from_bytes(hashlib.blake2b(repr(names).encode(), digest_size=8).digest(), "big") / 2**64


def training(corpus: Path, clones: Clones) -> dict[str, list[Snippet]]:
    found: dict[str, dict[str, list[Snippet]]] = defaultdict(lambda: defaultdict(list))
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            document = json.loads(line)
            meta = document["meta"]
            _add(found, meta["lang"].removeprefix("code-"), document["text"], meta["source"], meta["path"])
    _add_repositories(found, clones, TRAINING_TOO)
    return {lang: _fair(list(packages.values()), TRAIN) for lang, packages in sorted(found.items())}


def development(clones: Clones) -> dict[str, list[Snippet]]:
    found: dict[str, dict[str, list[Snippet]]] = defaultdict(lambda: defaultdict(list))
    _add_repositories(found, clones, DEVELOPMENT)
    return {lang: _fair(list(packages.values()), DEV) for lang, packages in sorted(found.items())}


def _add_repositories(found: dict, clones: Clones, names: Mapping[str, str]) -> None:
    for name in names:
        repository = clones[name]
        paths = [path for path in repository.names() if by_name(path) in ROOTS]
        for path, text in repository.texts(paths):
            _add(found, by_name(path) or "", text, name, path, names[name])


def _add(found: dict, lang: str, text: str, source: str, path: str, license: str = PACKAGED) -> None:
    settled = settle(lang, path, text.encode("utf-8", "replace"))
    part = next(_cuts(text, source, path), None)
    if settled and part:
        about = {"lang": settled, "source": source, "path": path, "license": license}
        found[settled][source].append({"text": part, "meta": about})


def _cuts(text: str, *name: str) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    length = SHORTEST * (LONGEST / SHORTEST) ** coin("length", *name)
    at, part = int(coin("first", *name) * len(lines)), ""
    while at < len(lines) and len(part) + len(lines[at]) <= length:
        part += lines[at]
        at += 1
    if len(part.strip()) >= SHORTEST // 2:
        yield part


def _fair(groups: list[list[Snippet]], limit: int) -> list[Snippet]:
    """Up to `limit` of all groups, as many of each as there are, small groups whole; in no order."""
    chosen: list[Snippet] = []
    for left, group in zip(range(len(groups), 0, -1), sorted(groups, key=len), strict=True):
        order = sorted(group, key=lambda one: coin("order", one["text"]))
        chosen += order[: (limit - len(chosen)) // left]
    return sorted(chosen, key=lambda one: coin("mix", one["text"]))
