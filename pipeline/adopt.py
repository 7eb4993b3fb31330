"""A config of one's own from one that ships with the project: the same stages over other files.

    adopt("configs/fineweb.yaml", ["crawl/*.warc.gz", "code:src/"], "mine.yaml") -> text of mine.yaml

Only the blocks `sources:` and `run:` are written anew; every other line, its comments too, stays as it stands. The
kind of a source is told by the ending of its files, or by a word in front of the pattern.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from pipeline.errors import ConfigError
from pipeline.sources import SOURCES
from pipeline.yamlsafe import load

ENDINGS = {  # of what is left when the ending of a compression is taken off
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".txt": "text", ".md": "text",
    ".warc": "warc", ".arc": "warc", ".wet": "wet", ".html": "html", ".htm": "html", ".xhtml": "html",
}  # fmt: skip
COMPRESSIONS = (".gz", ".zst", ".xz", ".bz2")


def adopt(recipe: Path, inputs: Sequence[str], target: Path) -> str:
    """The text of a config like `recipe` over `inputs`, each `pattern` or `kind:pattern`; its workdir is named after
    `target`. Raises ConfigError for a recipe that is no config and for files whose kind cannot be told."""
    load(recipe)  # refuses what is no config, before anything is made of it
    sources = ["sources:"]
    names: list[str] = []
    for given in inputs:
        kind, pattern = _kind(given)
        names.append(_name(pattern, names))
        sources.append(f"  - {kind}: {{name: {names[-1]}, path: {json.dumps(pattern, ensure_ascii=False)}}}")
    workdir = json.dumps(f"runs/{target.stem}", ensure_ascii=False)
    text = _replaced(recipe.read_text("utf-8"), "sources", "\n".join(sources) + "\n")
    return _replaced(text, "run", f"run: {{workdir: {workdir}}}\n")


def _kind(given: str) -> tuple[str, str]:
    word, _, rest = given.partition(":")
    if rest and word in SOURCES:
        return word, rest
    ending = Path(given)
    if ending.suffix in COMPRESSIONS:
        ending = ending.with_suffix("")
    for suffix in reversed(ending.suffixes):  # `.warc.wet` is WET
        if (kind := ENDINGS.get(suffix.rstrip("*"))) in SOURCES:
            return str(kind), given
    known = ", ".join(sorted(end for end, kind in ENDINGS.items() if kind in SOURCES))
    raise ConfigError(
        f"{given!r}: its ending does not tell what kind of source it is (known: {known})",
        hint=f"write the kind in front, such as {'code' if given.endswith('/') else 'text'}:{given}",
    )


def _name(pattern: str, taken: Sequence[str]) -> str:
    """A name for the source: the last part of the pattern that says something, once."""
    parts = [re.split(r"[*?\[]", part)[0].split(".")[0] for part in pattern.rstrip("/").split("/")]
    words = [re.sub(r"[^A-Za-z0-9_-]+", "-", part).strip("-_") for part in parts]
    name = next((word for word in reversed(words) if word), "source")
    numbered = [name, *(f"{name}-{number}" for number in range(2, len(taken) + 2))]
    return next(one for one in numbered if one not in taken)


def _replaced(text: str, section: str, new: str) -> str:
    """`text` with the block of a section replaced, or the block put in front where there is none."""
    block = re.compile(rf"^{section}:[^\n]*\n(?:(?:[ \t][^\n]*|-[^\n]*|)\n)*", re.MULTILINE)
    if not block.search(text):
        return new + text
    return block.sub(lambda _: new + "\n", text, count=1)
