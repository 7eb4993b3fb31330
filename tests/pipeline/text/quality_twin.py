"""What each measure of Gopher, C4, FineWeb and SlimPajama is, in plain Python: what the kernel must equal.

Written after the originals' definitions, with our words and sentences; `tokens` and `sentences` are what the comparison
with datatrove (benchmarks/agreement.py) puts in place of its splitters.
"""

import re
import string
import unicodedata
from collections import Counter

from pipeline.text.marks import TERMINAL, marks
from tests.pipeline.text import measures_twin as base

GOPHER_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}
LATIN_ENDS = ".!?…‼‽⁇⁈⁉"
TERMINALS = {chr(code) for code in (marks() & TERMINAL).nonzero()[0]}
SYMBOLS = TERMINALS | set(string.punctuation) | set("«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～")
SYMBOLS |= {chr(code) for code in (*range(9), 11, 12, *range(13, 32), *range(127, 160))}


def tokens(text: str) -> list[str]:
    found, run = [], ""
    for c in text + "\n":
        if not base.is_space(c):
            run += c
        elif run:
            found += base.words(run) or [base.lower(run)]
            run = ""
    return found


def closes(c: str) -> bool:
    return unicodedata.category(c) in ("Pe", "Pf", "Pi") or c in "\"'"


def is_alnum(c: str) -> bool:
    return unicodedata.category(c)[0] in "LMN"


def is_initial(line: str, at: int) -> bool:
    """Whether `line[at]` is the point behind a capital letter that stands alone."""
    alone = at == 1 or (at > 1 and not is_alnum(line[at - 2]))
    return line[at] == "." and at > 0 and unicodedata.category(line[at - 1]) == "Lu" and alone


def ends_sentence(line: str, at: int) -> bool:
    """Whether a sentence ends behind the mark at `line[at]`."""
    if line[at] not in LATIN_ENDS:
        return line[at] in TERMINALS
    if is_initial(line, at):
        return False
    rest = line[at + 1 :].lstrip(LATIN_ENDS + "".join({c for c in line if closes(c)}))
    following = next((c for c in rest if is_alnum(c)), "")
    return rest[:1].isspace() and following != "" and unicodedata.category(following) != "Ll"


def sentences(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        begin = 0
        for at in range(len(line)):
            if ends_sentence(line, at):
                found.append(line[begin : at + 1])
                begin = at + 1
        found.append(line[begin:])
    return [sentence for sentence in found if any(map(is_alnum, sentence))]


def over(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def again(parts: list[str]) -> tuple[int, int]:
    """Parts that stood before: how many, and their characters."""
    seen, count, characters = set(), 0, 0
    for part in parts:
        count += part in seen
        characters += len(part) if part in seen else 0
        seen.add(part)
    return count, characters


def top_ngram(words: list[str], n: int) -> int:
    grams = Counter(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
    return max((len(gram) * count for gram, count in grams.most_common(1)), default=0)


def duplicate_ngrams(words: list[str], n: int) -> int:
    seen, characters, i = set(), 0, 0
    while i < len(words) - n + 1:
        gram = "".join(words[i : i + n])
        if gram in seen:
            characters += len(gram)
            i += n
        else:
            seen.add(gram)
            i += 1
    return characters


def gopher_quality(text: str, stops: set[str] | None) -> dict:
    words, lines = tokens(text), text.splitlines()
    filled = [word for word in words if set(word) - SYMBOLS]
    bullets = [line for line in lines if line.lstrip().startswith(("•", "-"))]
    broken = [line for line in lines if line.rstrip().endswith(("...", "…"))]
    return {
        "gopher_words": len(filled),
        "gopher_mean_word_length": over(sum(map(len, filled)), len(filled)),
        "hashes_per_word": over(text.count("#"), len(words)),
        "ellipses_per_word": over(text.count("...") + text.count("…"), len(words)),
        "bullet_line_ratio": over(len(bullets), len(lines)),
        "ellipsis_line_ratio": over(len(broken), len(lines)),
        "alphabetic_word_ratio": over(sum(any(map(str.isalpha, word)) for word in words), len(words)),
        "gopher_stop_words": len(GOPHER_WORDS & set(words)),
        "stop_words_met": None if stops is None else len(stops & set(words)),
    }


def gopher_repetition(text: str) -> dict:
    words = tokens(text)
    paragraphs = re.split(r"\n{2,}", text.strip()) if text else []
    lines = re.split(r"\n+", text) if text else []
    ratios = {}
    for name, parts in (("paragraph", paragraphs), ("line", lines)):
        count, characters = again(parts)
        ratios[f"duplicate_{name}_ratio"] = over(count, len(parts))
        ratios[f"duplicate_{name}_characters"] = over(characters, len(text))
    grams = {f"top_{n}_gram": over(top_ngram(words, n), len(text)) for n in (2, 3, 4)}
    grams |= {f"duplicate_{n}_grams": over(duplicate_ngrams(words, n), len(text)) for n in range(5, 11)}
    return {"paragraphs": len(paragraphs)} | ratios | grams


def fineweb(text: str) -> dict:
    lines = [line for line in text.split("\n") if line.strip()]
    return {
        "filled_lines": len(lines),
        "ended_line_ratio": over(sum(line[-1] in TERMINALS for line in lines), len(lines)),
        "short_line_ratio": over(sum(len(line) <= 30 for line in lines), len(lines)),
        "duplicate_filled_characters": over(again(lines)[1], len(text.replace("\n", ""))),
        "feeds_per_word": over(text.count("\n"), len(tokens(text))),
    }


def page(text: str) -> dict:
    lines = text.splitlines()
    above = next((i for i, line in enumerate(lines) if "lorem ipsum" in line.lower()), len(lines))
    bare = re.sub(r"\s+", " ", text.lower().translate(str.maketrans("", "", string.punctuation)).strip())
    return {
        "curly_brackets": sum(line.count("{") for line in lines[:above]),
        "lorem_ipsum": text.lower().count("lorem ipsum"),
        "sentences": len(sentences(text)),
        "bare_characters": len(bare),
    }


def quality(text: str, stops: set[str] | None) -> dict:
    return gopher_quality(text, stops) | gopher_repetition(text) | fineweb(text) | page(text)
