"""Makes stopwords.json: curated lists where there are any, else the words that stand in the most paragraphs.

    python pipeline/text/data/make_stopwords.py STOPWORDS_ISO.json JUSTEXT_STOPLISTS_DIR CORPUS_DIR

STOPWORDS_ISO.json is from the package stopwordsiso 0.7.1, JUSTEXT_STOPLISTS_DIR from jusText 3.0.2, CORPUS_DIR holds
`<lang>.jsonl.zst`, a line a document with `text` and `meta.source`. Nothing but words comes out of it, no text.
"""

import io
import json
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import zstandard

from pipeline.text.characters import SPACE, SPECIAL, UNSPACED, flags
from pipeline.text.languages import LANGUAGES

JUSTEXT = {"ig": "Igbo", "kn": "Kannada", "ml": "Malayalam", "ne": "Nepali", "ta": "Tamil", "te": "Telugu"}
MOST_FREQUENT = 500  # jusText lists cover a share of a corpus: 11,846 words for Malayalam, the frequent ones first
DERIVED = 100
LEXICONS = ("ki", "tum")  # the sample has word lists of these, no running text: a frequency would say nothing


def main(iso: Path, justext: Path, corpus: Path) -> None:
    curated = json.loads(iso.read_text(encoding="utf-8"))
    out = {}
    for lang in LANGUAGES:
        if lang in curated:
            out[lang] = ("stopwords-iso", curated[lang])
        elif lang == "zh-hans":
            out[lang] = ("stopwords-iso, single characters", [word for word in curated["zh"] if len(word) == 1])
        elif lang in JUSTEXT:
            lines = (justext / f"{JUSTEXT[lang]}.txt").read_text(encoding="utf-8").splitlines()
            out[lang] = (f"jusText, the {MOST_FREQUENT} most frequent", lines[:MOST_FREQUENT])
        elif lang not in LEXICONS:
            out[lang] = (f"sample corpus, the {DERIVED} in most paragraphs", derived(corpus / f"{lang}.jsonl.zst"))
    rows = {lang: {"source": source, "words": " ".join(tidy(words))} for lang, (source, words) in out.items()}
    lines = [f"{json.dumps(lang)}: {json.dumps(row, ensure_ascii=False)}" for lang, row in sorted(rows.items())]
    target = Path(__file__).with_name("stopwords.json")
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def tidy(words: list[str]) -> list[str]:
    """As the kernel would meet them: NFC, lower case, special characters off the ends, one word each; sorted."""
    clean = {strip(unicodedata.normalize("NFC", word).lower()) for word in words}
    return sorted(word for word in clean if word and not any(flags()[ord(c)] & SPACE for c in word))


def strip(word: str) -> str:
    kept = [i for i, c in enumerate(word) if not flags()[ord(c)] & SPECIAL]
    return word[kept[0] : kept[-1] + 1] if kept else ""


def derived(path: Path) -> list[str]:
    """The DERIVED words that stand in the most paragraphs, ties in the order of their code points."""
    counts: Counter[str] = Counter()
    with zstandard.open(path, "rb") as file:
        for line in io.TextIOWrapper(file, encoding="utf-8"):
            for paragraph in json.loads(line)["text"].split("\n"):
                counts.update({strip(word) for word in split(unicodedata.normalize("NFC", paragraph).lower())} - {""})
    return [word for word, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:DERIVED]]


def split(text: str) -> list[str]:
    return "".join(f" {c} " if flags()[ord(c)] & UNSPACED else c for c in text).split()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
