"""What each measure is, in plain Python: the definition that the kernel must equal."""

import math
import unicodedata
from collections import Counter

from pipeline.text.letters import CHAR, tables

LONGEST_RUN = 4
UNSPACED = tables("auto")[0] == CHAR


def is_space(c: str) -> bool:
    return unicodedata.category(c)[0] == "Z" or c in "\t\n\x0b\x0c\r\x85"


def is_special(c: str) -> bool:
    category = unicodedata.category(c)
    return (category[0] in "PSZ" or category in ("Nd", "No", "Cc", "Cf", "Co")) and c not in "\u200c\u200d"


def is_unspaced(c: str) -> bool:
    return bool(UNSPACED[ord(c)]) if ord(c) < 0x10000 else 0x20000 <= ord(c) < 0x40000


def lower(word: str) -> str:
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in word)


def words(text: str) -> list[str]:
    found, run = [], ""
    for c in text + "\n":
        if not is_space(c) and not is_unspaced(c):
            run += c
            continue
        while run and is_special(run[0]):
            run = run[1:]
        while run and is_special(run[-1]):
            run = run[:-1]
        found += [lower(run)] if run else []
        found += [lower(c)] if is_unspaced(c) and not is_special(c) else []
        run = ""
    return found


def lines(text: str) -> list[str]:
    parts = text.split("\n")
    return parts if parts[-1] else parts[:-1]


def top_share(grams: list) -> float:
    counts = sorted(Counter(grams).values(), reverse=True)
    kept = min(math.isqrt(len(counts)), sum(count > 1 for count in counts))
    return sum(counts[:kept]) / len(grams) if grams else 0.0


def repeated_share(grams: list) -> float:
    return sum(count for count in Counter(grams).values() if count > 1) / len(grams) if grams else 0.0


def ngrams(items, size: int) -> list:
    return [tuple(items[i : i + size]) for i in range(len(items) - size + 1)]


def finished_words(text: str, limit: int) -> list[str]:
    """Words that end within the first `limit` characters."""
    if len(text) <= limit:
        return words(text)
    cut = text[:limit]
    while cut and not (is_space(cut[-1]) or is_unspaced(cut[-1])):
        cut = cut[:-1]
    return words(cut)


def line_repetition(data: bytes, limit: int) -> float:
    kept = data if len(data) <= limit else data[:limit].rpartition(b"\n")[0]
    trimmed = [line.strip(b" \t\r\x0b\x0c") for line in kept.split(b"\n")]
    total, again, seen = 0, 0, set()
    for line in filter(None, trimmed):
        total += len(line)
        again += len(line) if line in seen else 0
        seen.add(line)
    return again / total if total else 0.0


def in_list(found: list[str], entries: list[str] | None) -> float | None:
    """Runs of words that an entry stands for, over words, at most 1."""
    if entries is None:
        return None
    runs = {tuple(words(entry)) for entry in entries}
    hits = sum(run in runs for size in range(1, LONGEST_RUN + 1) for run in ngrams(found, size))
    return min(hits / len(found), 1.0) if found else 0.0


def measure(
    text: str, char_size: int, word_size: int, stops: list[str] | None, flagged: list[str] | None, limit: int
) -> dict[str, float | None]:
    found, rows = words(text), lines(text)
    share = (lambda what: sum(map(what, text)) / len(text)) if text else (lambda what: 0.0)
    return {
        "words": len(found),
        "characters": len(text),
        "bytes": len(text.encode()),
        "lines": len(rows),
        "mean_word_length": sum(map(len, found)) / len(found) if found else 0.0,
        "max_word_length": max(map(len, found), default=0),
        "symbol_ratio": share(is_special),
        "digit_ratio": share(lambda c: unicodedata.category(c) == "Nd"),
        "alphanumeric_ratio": share(lambda c: unicodedata.category(c)[0] in "LMN"),
        "stopword_ratio": in_list(found, stops),
        "mean_line": sum(map(len, rows)) / len(rows) if rows else 0.0,
        "longest_line": max(map(len, rows), default=0),
        "char_repetition": top_share(ngrams(text[:limit], char_size)),
        "word_repetition": repeated_share(ngrams(finished_words(text, limit), word_size)),
        "line_repetition": line_repetition(text.encode(), limit),
        "flagged_ratio": in_list(found, flagged),
    }
