"""A list of words that a config names by path: read and checked while the config is, so that a stage holds the words.

    {"en": "lists/en.txt"} -> (("en", ("of", "the")),)     a word a line, or a JSON list of words; UTF-8

Once checked, a list is its words wherever the file lies and whatever becomes of it. Never read by a worker.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.codes import by_language
from pipeline.text.wordlists import lengths
from pipeline.text.words import LONGEST_RUN

Lists = tuple[tuple[str, tuple[str, ...]], ...]


def read_lists(value: Any) -> Any:
    """Pairs of a language and its words, from `{lang: path}` or from such pairs. Raises ValueError."""
    if not isinstance(value, Mapping):
        return value
    return tuple((lang, _words(named)) for lang, named in by_language(value))


def digests(lists: Lists) -> dict[str, dict[str, Any]]:
    """What stands in a recipe for the words: how many, and the sha256 of their lines."""
    return {
        lang: {"words": len(words), "sha256": hashlib.sha256("\n".join(words).encode()).hexdigest()}
        for lang, words in lists
    }


def _words(named: Any) -> tuple[str, ...]:
    if not isinstance(named, str | Path):
        raise ValueError("name a file of words, one a line: {en: lists/en.txt}")
    path = Path(named)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; name a file that can be read") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is no UTF-8; save it as UTF-8") from error
    found = _entries(path, text)
    words = tuple(sorted({unicodedata.normalize("NFC", word).strip() for word in found} - {""}))
    if not words:
        raise ValueError(f"{path} holds no word; leave the language out if it has no list")
    return _checked(path, words)


def _entries(path: Path, text: str) -> list[str]:
    if not text.lstrip().startswith("["):
        return text.splitlines()
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: {error.msg}; write a JSON list of words, or a word a line") from error
    strange = [item for item in found if not isinstance(item, str)]
    if strange:
        raise ValueError(f"{path}: {strange[0]!r} in the list is no word; write each in quotes")
    return found


def _checked(path: Path, words: tuple[str, ...]) -> tuple[str, ...]:
    for word, length in zip(words, lengths(words).tolist(), strict=True):
        if length == 0:
            raise ValueError(f"{path}: {word!r} would never be met: it has no letter; take it out")
        if length > LONGEST_RUN:
            raise ValueError(f"{path}: {word!r} is of {length} words, and runs are matched up to {LONGEST_RUN}; cut it")
    return words
