"""Makes stopwords.json: the small words of 46 languages, from curated lists, from running text, and from a lexicon.

    python pipeline/text/data/make_stopwords.py --iso stopwords-iso.json --justext STOPLISTS --lexicon GATITOS
        --characters STCharacters.txt --corpus CORPUS [--check]

STOPWORDS-ISO.JSON is from the package stopwordsiso 0.7.1, STOPLISTS from jusText 3.0.2, GATITOS holds `en_<lang>.tsv`,
STCharacters.txt is OpenCC's table of simplified and traditional characters, CORPUS holds `<lang>.jsonl.zst`, a line a
document with `text` and `meta.source`. README.md says which language takes what. Nothing but single words comes out.
`--check` writes nothing: it derives lists for languages that have a curated one, and says how much of it they hit.
"""

import argparse
import io
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from math import log
from pathlib import Path

import zstandard

from pipeline.text.characters import SPACE, SPECIAL, UNSPACED, flags
from pipeline.text.languages import LANGUAGES
from pipeline.text.words import LONGEST_RUN

JUSTEXT = {
    "ig": "Igbo", "kn": "Kannada", "ml": "Malayalam", "ne": "Nepali", "ta": "Tamil", "te": "Telugu", "ur": "Urdu",
}  # fmt: skip
BROKEN = ("ur",)  # stopwords-iso has the letters of another font there: U+062B for U+0628, so hardly a word is met
SHORT = ("st", "yo", "zu")  # fewer than 61 words in stopwords-iso: completed from text
MOST_FREQUENT = 500  # jusText lists cover a share of a corpus: 11,846 words for Malayalam, the frequent ones first
DERIVED = 100
LEAST_SOURCE = 1000  # words of a source that counts for itself; smaller ones are taken together
LEAST_PARAGRAPHS = 3
COMMONEST = 40  # words that are small whatever the lexicon knows: of Wolof `la`, "that is", it knows "generous"
SMALL = "small sources"
MENUS = ("libreoffice", "mediawiki")  # what programs say: no I, no he, no was
ENOUGH = 10_000  # words of running text that make do without them
LEXICON_OF = {"tw": "ak"}  # Twi is a variety of Akan
SCRIPTS = {
    "Arab": "ARABIC", "Beng": "BENGALI", "Deva": "DEVANAGARI", "Gujr": "GUJARATI", "Guru": "GURMUKHI",
    "Knda": "KANNADA", "Latn": "LATIN", "Mlym": "MALAYALAM", "Orya": "ORIYA", "Taml": "TAMIL", "Telu": "TELUGU",
    "Hans": "CJK", "Hant": "CJK",
}  # fmt: skip

# The closed classes of English: what a small word of another language means, if the lexicon gives it one of these
_CLOSED = """
    a about above across after again against all almost alone along already also although always am among an and
    another any anybody anyone anything are around as at away back be because been before behind being below beneath
    beside between beyond both but by can cannot could did do does down during each either else enough even ever every
    everybody everyone everything except few for from had has have he hence her here hers herself him himself his how
    however i if in inside instead into is it its itself just least less like many may maybe me mine more most much
    must my myself near neither never no nobody none nor not nothing now of off often on once one only onto or other
    others our ours ourselves out outside over own per perhaps quite rather same shall she should since so some somebody
    someone something sometimes soon still such than that the their theirs them themselves then there therefore these
    they this those though through throughout thus till to together too toward towards under until up upon us very was
    we were what whatever when whenever where wherever whether which while who whoever whole whom whose why will with
    within without would yet you your yours yourself yes
"""
FUNCTION_WORDS = frozenset(_CLOSED.split())
ENGLISH = frozenset(
    {"the", "of", "and", "is", "that", "for", "with", "are", "was", "this", "you", "have", "from", "they"}
)
MOSTLY_ENGLISH = 0.2  # share of these words in a paragraph that is English whatever the file says
SENTENCE_END = re.compile(r"[.!?:;\"'“”«»‘’)\]—–-]$")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("iso", "justext", "lexicon", "characters", "corpus"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    iso = json.loads(args.iso.read_text(encoding="utf-8"))
    if args.check:
        return check(iso, args.corpus)
    out = {lang: of_language(lang, iso, args) for lang in LANGUAGES}
    rows = {lang: {"source": source, "words": " ".join(tidy(words))} for lang, (source, words) in out.items()}
    lines = [f"{json.dumps(lang)}: {json.dumps(row, ensure_ascii=False)}" for lang, row in sorted(rows.items())]
    Path(__file__).with_name("stopwords.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    return None


def of_language(lang: str, iso: dict[str, list[str]], args: argparse.Namespace) -> tuple[str, list[str]]:
    """(where the words are from, the words)."""
    if lang in ("zh-hans", "zh-hant"):
        found = [word for word in iso["zh"] if len(word) <= LONGEST_RUN]
        if lang == "zh-hans":
            return "stopwords-iso", found
        return "stopwords-iso, by OpenCC's table", traditional(found, args.characters)
    if lang in iso and lang not in (*BROKEN, *SHORT):
        return "stopwords-iso", iso[lang]
    text = Text(args.corpus / f"{lang}.jsonl.zst", lang)
    if lang in JUSTEXT:
        lines = (args.justext / f"{JUSTEXT[lang]}.txt").read_text(encoding="utf-8").splitlines()
        frequent = [word for word in map(clean, lines[:MOST_FREQUENT]) if text.has_everywhere(word)]
        return "jusText's most frequent that every source has too, and derived", frequent + text.smallest()
    found = args.lexicon / f"en_{LEXICON_OF.get(lang, lang)}.tsv"
    lexicon = glosses(found) if found.exists() else {}
    if lang in SHORT:
        return "stopwords-iso, and derived", iso[lang] + text.smallest()
    if text.running < LEAST_SOURCE:
        return "lexicon: what means a small word of English", function_words(lexicon)
    by_gloss = [word for word in function_words(lexicon) if text.documents[word] >= LEAST_PARAGRAPHS]
    return "derived, by the lexicon" if lexicon else "derived", text.smallest(topical(lexicon)) + by_gloss


class Text:
    """Of running text: in how many paragraphs of each source each word stands, and how often it looks like a name."""

    def __init__(self, path: Path, lang: str) -> None:
        self.script = SCRIPTS[LANGUAGES[lang].script]
        self.sources: dict[str, Counter[str]] = defaultdict(Counter)  # source -> {word: paragraphs}
        self.paragraphs: Counter[str] = Counter()
        self.documents: Counter[str] = Counter()  # {word: paragraphs of all sources}
        inside: Counter[str] = Counter()  # {word: inside a sentence}
        capital: Counter[str] = Counter()  # {word: of these, with a capital}
        self.words = Counter(source for source, paragraph in read(path) for _ in paragraph.split())
        self.running = sum(count for source, count in self.words.items() if source not in MENUS)
        for source, paragraph in read(path):
            if source in MENUS and self.running >= ENOUGH:
                continue
            tokens = split(unicodedata.normalize("NFC", paragraph))
            cleaned = [clean(token) for token in tokens]
            if not any(cleaned) or sum(word in ENGLISH for word in cleaned) > MOSTLY_ENGLISH * len(cleaned):
                continue
            source = source if self.words[source] >= LEAST_SOURCE else SMALL
            here = set(cleaned) - {""}
            self.sources[source].update(here)
            self.documents.update(here)
            self.paragraphs[source] += 1
            for before, token, word in zip(tokens, tokens[1:], cleaned[1:], strict=False):
                if not SENTENCE_END.search(before):
                    inside[word] += 1
                    capital[word] += strip(token)[:1].isupper()
        self.names = {word for word in inside if 2 * capital[word] > inside[word]}

    def smallest(self, topical: frozenset[str] = frozenset()) -> list[str]:
        """The DERIVED words that stand in the most paragraphs of every source, by the mean logarithm of their shares.

        What one source is about stands in that source alone, so it falls behind; so do names, which are capitals
        inside sentences, words in another script, and, behind the COMMONEST, what the lexicon knows as no small word.
        """
        words = (word for word, count in self.documents.items() if count >= LEAST_PARAGRAPHS and self._at_home(word))
        ranked = sorted(set(words) - self.names, key=lambda word: (-self._score(word), word))
        rest = [word for word in ranked[COMMONEST:] if word not in topical]
        return (ranked[:COMMONEST] + rest)[:DERIVED]

    def _score(self, word: str) -> float:
        shares = ((self.sources[name][word] + 0.5) / (self.paragraphs[name] + 1) for name in sorted(self.sources))
        return round(sum(log(share) for share in shares) / len(self.sources), 9)

    def has_everywhere(self, word: str) -> bool:
        """Whether it stands in every source, small ones aside, as small words do."""
        large = [counts for name, counts in self.sources.items() if name != SMALL]
        return self._at_home(word) and all(counts[word] for counts in large)

    def _at_home(self, word: str) -> bool:
        return all(self.script in unicodedata.name(c, "") for c in word if unicodedata.category(c)[0] == "L")


def read(path: Path) -> Iterator[tuple[str, str]]:
    """(source, paragraph) of running text: lexicons are left out, for a frequency in them says nothing."""
    with zstandard.open(path, "rb") as file:
        for line in io.TextIOWrapper(file, encoding="utf-8"):
            document = json.loads(line)
            if document["meta"]["source"] != "gatitos":
                yield from ((document["meta"]["source"], paragraph) for paragraph in document["text"].split("\n"))


def glosses(path: Path) -> dict[str, set[str]]:
    """{word: what it means in English} of a lexicon; words that are one word, without what is said about them."""
    out: dict[str, set[str]] = defaultdict(set)
    for line in path.read_text(encoding="utf-8").splitlines():
        english, _, other = line.partition("\t")
        for word in re.sub(r"\(.*?\)", "", other).split("/"):
            if len(word.split()) == 1:
                out[clean(unicodedata.normalize("NFC", word.strip()))].add(english.lower())
    return out


def function_words(lexicon: dict[str, set[str]]) -> list[str]:
    return sorted(word for word, meanings in lexicon.items() if word and meanings & FUNCTION_WORDS)


def topical(lexicon: dict[str, set[str]]) -> frozenset[str]:
    """What the lexicon knows, and gives no small word of English for."""
    return frozenset(word for word, meanings in lexicon.items() if not meanings & FUNCTION_WORDS)


def traditional(words: list[str], path: Path) -> list[str]:
    """Each character as its commonest traditional one; one that is a word of its own as all of them."""
    table = dict(line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if "\t" in line)
    alone = [other for word in words if len(word) == 1 for other in table.get(word, word).split(" ")]
    return alone + ["".join(table.get(c, c).split(" ")[0] for c in word) for word in words]


def tidy(words: Iterable[str]) -> list[str]:
    """As the kernel would meet them: NFC, lower case, special characters off the ends, one word each; sorted."""
    cleaned = {clean(unicodedata.normalize("NFC", word)) for word in words}
    return sorted(word for word in cleaned if word and not any(flags()[ord(c)] & SPACE for c in word))


def clean(word: str) -> str:
    return strip(word.lower())


def strip(word: str) -> str:
    kept = [i for i, c in enumerate(word) if not flags()[ord(c)] & SPECIAL]
    return word[kept[0] : kept[-1] + 1] if kept else ""


def split(text: str) -> list[str]:
    return "".join(f" {c} " if flags()[ord(c)] & UNSPACED else c for c in text).split()


def check(iso: dict[str, list[str]], corpus: Path) -> None:
    """How many of the derived words stand in the curated list of the same language."""
    for lang in ("ar", "ca", "en", "es", "eu", "fr", "hi", "id", "mr", "pt", "sw", "vi"):
        derived, curated = Text(corpus / f"{lang}.jsonl.zst", lang).smallest(), set(tidy(iso[lang]))
        others = [word for word in derived if word not in curated]
        print(f"{lang}: {len(derived) - len(others)} of {len(derived)}; not: {' '.join(others)}")


if __name__ == "__main__":
    main()
