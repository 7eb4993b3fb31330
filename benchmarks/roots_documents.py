"""Real documents for the comparisons with ROOTS, and what ROOTS' own filters say of them.

    documents(["docs.jsonl", "corpus/*.jsonl.zst"], ["en", "fr"], 300) -> [Document(text, lang), ...]
    original(documents, folder, cache) -> [{"edited", "words", ...}, ...], one a document, as roots_original.py has it,
                                          and its lists, {lang: {"stop_words": [...], "flagged": [...]}}

Which documents are taken depends on the files alone: those with the smallest digests of their text, in each language.
"""

import hashlib
import heapq
import io
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import zstandard
from environments import python_of

from pipeline.text.languages import canonical

REQUIREMENTS = ["numpy==2.4.6", "pandas==3.1.1", "emoji==1.6.1"]
ROOTS = ("ar", "bn", "ca", "en", "es", "eu", "fr", "hi", "id", "pt", "ur", "vi", "zh-hans")
LEXICON = "gatitos"  # a source that is no running text
LONGEST = 50_000  # characters: the original takes seconds for longer ones


Lists = dict[str, dict[str, list[str]]]


class Document(NamedTuple):
    text: str
    lang: str


def documents(
    patterns: Iterable[str], langs: Iterable[str], each: int, without: Iterable[str] = (), least: int = 1
) -> list[Document]:
    """Up to `each` documents for each language, of `least` characters, without some sources; a text is taken once."""
    chosen: dict[str, list[tuple[int, str]]] = {lang: [] for lang in langs}
    seen: set[int] = set()
    for text, lang in _read(patterns, {*without, LEXICON}):
        if lang not in chosen or not least <= len(text) <= LONGEST:
            continue
        place = -int.from_bytes(hashlib.sha256(text.encode(errors="replace")).digest()[:8])
        if place not in seen:
            seen.add(place)
            push = heapq.heappush if len(chosen[lang]) < each else heapq.heappushpop
            push(chosen[lang], (place, text))
    return [Document(text, lang) for lang, found in chosen.items() for _, text in sorted(found, reverse=True)]


def _read(patterns: Iterable[str], without: set[str]) -> Iterator[tuple[str, str]]:
    for path in (path for pattern in patterns for path in sorted(Path(pattern).parent.glob(Path(pattern).name))):
        opened = zstandard.open(path, "rb") if path.suffix == ".zst" else path.open("rb")
        with opened as file:
            for line in io.TextIOWrapper(file, encoding="utf-8"):
                row = json.loads(line)
                if row["meta"].get("source") not in without:
                    yield row["text"], canonical(row.get("lang") or row["meta"]["lang"])


def original(found: Iterable[Document], folder: Path, cache: Path) -> tuple[list[dict[str, Any]], Lists]:
    """What ROOTS' own functions say, in an environment of their own."""
    python = python_of("roots", REQUIREMENTS, cache)
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch) / "in.jsonl", Path(scratch) / "out.jsonl"
        lines = (json.dumps({"text": one.text, "lang": one.lang.split("-")[0]}) + "\n" for one in found)
        source.write_text("".join(lines), encoding="utf-8")
        script = Path(__file__).with_name("roots_original.py")
        subprocess.run([str(python), str(script), str(folder), str(source), str(target)], check=True)
        said = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
        lists = json.loads(Path(f"{target}.lists").read_text(encoding="utf-8"))
        return said, {canonical(lang): found for lang, found in lists.items()}
