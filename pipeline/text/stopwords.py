"""Stop words, the small words that running text is full of: lists for the ROOTS languages.

Out: `words(lang)`, the list; `listed()`, the languages that have one. Where the lists come from and under which
licences stands beside them, in data/stopwords.json and data/README.md. `wordlists` makes tables of them for kernels.
"""

import json
from functools import cache
from importlib.resources import files


@cache
def _lists() -> dict[str, list[str]]:
    data = json.loads((files("pipeline.text") / "data" / "stopwords.json").read_text(encoding="utf-8"))
    return {lang: entry["words"].split(" ") for lang, entry in data.items()}


def listed() -> tuple[str, ...]:
    """The languages that have a list."""
    return tuple(sorted(_lists()))


def words(lang: str) -> tuple[str, ...]:
    """The list of a language, sorted; empty where there is none."""
    return tuple(_lists().get(lang, ()))
