"""The filters of ROOTS in plain Python, from their definitions: slow, and nothing else than what they say.

    judge(text, Rules(...), bounds) -> ("char_repetition", 0.31, 0.2), the first bound that is broken, or None

Definitions: bigscience-workshop/data-preparation, preprocessing/training/01b_oscar_cleaning_and_filtering/filtering.py.
Where ROOTS lists special characters by hand this goes by Unicode category, and where it cuts Chinese by a model each
character is a word, as the pipeline has both. Shares no code with the pipeline's kernels.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

UNSPACED = (  # first and last characters of scripts without spaces: each character is a word
    ("\u0e00", "\u0eff"), ("\u1000", "\u109f"), ("\u1780", "\u17ff"), ("\u1950", "\u19df"), ("\u1a20", "\u1aaf"),
    ("\u1b00", "\u1b7f"), ("\u2e80", "\u2fdf"), ("\u3005", "\u3007"), ("\u3021", "\u312f"), ("\u31a0", "\u31ff"),
    ("\u3400", "\u4dbf"), ("\u4e00", "\ua4cf"), ("\ua980", "\ua9ff"), ("\uaa60", "\uaa7f"), ("\uf900", "\ufaff"),
    ("\uff66", "\uff9f"), ("\U00020000", "\U0003ffff"),
)  # fmt: skip

Bounds = list[tuple[str, float | None, float | None]]  # in the order in which they are tried


@dataclass(frozen=True)
class Rules:
    """What a language has of its own: sizes of n-grams, and its lists (None where it has none)."""

    characters: int = 10
    words: int = 5
    stop_words: Collection[str] | None = None
    flagged: Collection[str] | None = None


def judge(text: str, rules: Rules, bounds: Bounds) -> tuple[str, float, float] | None:
    numbers = measures(text, rules)
    for name, low, high in bounds:
        value = numbers[name]
        if value is not None and low is not None and value < low:
            return name, value, low
        if value is not None and high is not None and value > high:
            return name, value, high
    return None


def measures(text: str, rules: Rules) -> dict[str, float | None]:
    found = words(text)
    return {
        "words": len(found),
        "char_repetition": character_repetition(text, rules.characters),
        "word_repetition": word_repetition(found, rules.words),
        "symbol_ratio": sum(map(special, text)) / len(text) if text else 0.0,
        "stopword_ratio": listed(found, rules.stop_words),
        "flagged_ratio": listed(found, rules.flagged),
    }


def words(text: str) -> list[str]:
    """What stands between white space, in lower case, without special characters at both ends."""
    found = []
    for run in "".join(f" {c} " if unspaced(c) else " " if blank(c) else c for c in text).split(" "):
        first, last = 0, len(run)
        while first < last and special(run[first]):
            first += 1
        while first < last and special(run[last - 1]):
            last -= 1
        if first < last:
            found.append("".join(map(lower, run[first:last])))
    return found


def character_repetition(text: str, n: int) -> float:
    """Of all character n-grams, the share of the most frequent: as many as the root of the different ones, but none
    that occurs once."""
    counts = Counter(text[i : i + n] for i in range(len(text) - n + 1))
    if not counts:
        return 0.0
    frequent = sorted(counts.values(), reverse=True)
    kept = min(math.isqrt(len(frequent)), sum(count > 1 for count in frequent))
    return sum(frequent[:kept]) / sum(frequent)


def word_repetition(found: list[str], n: int) -> float:
    """The share of the word n-grams that occur more than once."""
    counts = Counter(tuple(found[i : i + n]) for i in range(len(found) - n + 1))
    return sum(count for count in counts.values() if count > 1) / sum(counts.values()) if counts else 0.0


def listed(found: list[str], entries: Collection[str] | None) -> float | None:
    """Words in the list, and runs of up to four words that are an entry of it, by the number of words; at most 1.

    ROOTS has runs of two words, in Vietnamese and Chinese; an entry of a script without spaces is a run of characters.
    """
    if entries is None:
        return None
    if not found:
        return 0.0
    runs = {tuple(words(entry)) for entry in entries}
    hits = sum(tuple(found[i : i + size]) in runs for size in range(1, 5) for i in range(len(found) - size + 1))
    return min(hits / len(found), 1.0)


@cache
def special(c: str) -> bool:
    category = unicodedata.category(c)
    return (category[0] in "PSZ" or category in ("Nd", "No", "Cc", "Cf", "Co")) and c not in "\u200c\u200d"


@cache
def blank(c: str) -> bool:
    return unicodedata.category(c)[0] == "Z" or c in "\t\n\v\f\r\x85"


@cache
def unspaced(c: str) -> bool:
    return any(first <= c <= last for first, last in UNSPACED)


def lower(c: str) -> str:
    return c.lower() if len(c.lower()) == 1 else c
