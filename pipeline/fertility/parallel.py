"""Texts that say the same in many languages, and how many more tokens one of them takes than English does.

    read_parallel(Path("data/udhr")) -> {"en": {"1": ["All human beings …"], …}, "sw": {"1": [two versions], …}}
    parity({"en": {"1": 10, "2": 20}, "sw": {"2": 25}}) -> {"en": 1.0, "sw": 1.25}       of the parts both have

A folder of files: `<lang>.jsonl` (also .zst, .gz, .xz, .bz2), whose documents are parts, named by `article` of their
`meta` or else numbered, the language by what a line says or else by the file's name; or `<lang>.txt`, each line a part.
A part that stands more than once has versions, of which the one with the fewest tokens counts: one in another script
or a dialect would else stand for the language. It must never judge which language a text is
in.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError, InputError
from pipeline.sources.base import Bad
from pipeline.sources.jsonl import Jsonl
from pipeline.text.languages import canonical

ENGLISH = "en"
PART = "article"  # field of `meta` that names a part
SUFFIXES = (".jsonl", ".jsonl.zst", ".jsonl.gz", ".jsonl.xz", ".jsonl.bz2")

Parallel = dict[str, dict[str, list[str]]]  # {lang: {part: [versions]}}


def read_parallel(folder: Path) -> Parallel:
    """Raises ConfigError where there is no such file or none in English, InputError where one cannot be read."""
    found: Parallel = {}
    for path in sorted(folder.glob("*")):
        lang = canonical(path.name.partition(".")[0])
        if path.name.endswith(SUFFIXES):
            _read_jsonl(path, lang, found)
        elif path.suffix == ".txt":
            _add_lines(path, lang, found)
    if ENGLISH not in found:
        there = f"holds {', '.join(sorted(found))}" if found else "holds no such file"
        raise ConfigError(
            f"{folder} {there}, and parity is told against English",
            hint="put <lang>.jsonl or <lang>.txt files there, en among them",
        )
    return found


def _read_jsonl(path: Path, lang: str, found: Parallel) -> None:
    source = Jsonl(name="parallel", path=(glob.escape(str(path)),))
    for file in source.files():
        for record in source.read(file):
            if isinstance(record, Bad):
                raise InputError(
                    f"{path}, record {record.row}: {record.reason} {record.detail}",
                    hint="mend the file, or take it out",
                )
            part = _part(record.meta, record.row)
            found.setdefault(canonical(record.lang or lang), {}).setdefault(part, []).append(str(record.text))


def _part(meta: str | None, row: int) -> str:
    told: Any = json.loads(meta) if meta else {}
    inner = told.get("meta") if isinstance(told, dict) else None
    for one in (inner, told):
        if isinstance(one, dict) and isinstance(one.get(PART), str | int):
            return str(one[PART])
    return f"#{row}"


def _add_lines(path: Path, lang: str, found: Parallel) -> None:
    try:
        lines = path.read_text("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="write it as UTF-8, a sentence a line") from error
    for row, line in enumerate(lines):
        if line.strip():
            found.setdefault(lang, {}).setdefault(f"#{row}", []).append(line)


def parity(tokens: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """{lang: its tokens over those of English}, summed over the parts that both have; none for what shares no part."""
    english = tokens[ENGLISH]
    out = {}
    for lang, parts in tokens.items():
        shared = sorted(parts.keys() & english.keys())
        if base := sum(english[part] for part in shared):
            out[lang] = sum(parts[part] for part in shared) / base
    return out
