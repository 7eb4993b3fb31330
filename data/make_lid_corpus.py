"""Gather open text to train a language identifier on, and other text to develop it by, from public repositories.

    python data/make_lid_corpus.py OUT --clones FOLDER --cache FOLDER [--code code.jsonl] [--only SOURCE ...]

OUT/train/<lang>.jsonl.zst   the 46 natural languages of ROOTS: {"text", "meta": {"lang", "source", "license"}}
OUT/other/<lang>.jsonl.zst   every other language that the sources have, some 600
OUT/dev/, OUT/dev_other/     the same of sources that nothing is trained on (lid_development.py), `meta.unit` is
                             `sentence` or `paragraph` (neighbours joined to 500 characters at most)
OUT/code/train, OUT/code/dev snippets of the 13 programming languages, of different packages (lid_code.py)
OUT/sources.json, stdout     what came from where: bytes by language and source

The folder of clones may be empty: what it lacks is cloned from GitHub, about 2 GB. The output is a function of the
sources alone. No sentence of development stands in training text: compared with letters and digits only, case folded.
Never: writes text without its source and licence beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import lid_code
import lid_table
import zstandard
from lid_code import coin
from lid_development import DEVELOPMENT, is_shared, judged
from lid_repositories import Clones
from lid_sources import KEPT, SHARED, SOURCES, Lines, Where

from pipeline.text.languages import LANGUAGES

MOST = {"train": 2_500_000, "near": 600_000, "other": 150_000}  # bytes of text a language
# Languages near to one of the 46, or often beside it on the web: more text of these
NEAR_CODES = """
    ace acm ada aeb af ajp am an apc apd arq ary arz ast awa ay ayl bal ban bci bem bho bjn bo br brx bug ceb cgg
    ckb co cy da dag de din doi dv dyu dz ee eo fa fa-AF fat ff ff-Latn fj frp fur ga gaa gd gl gn guz ha hne ht
    ia is it ja jam jv kam kbp kg km kmb ko kok kr ks ku la lij lmo lo loz lua luo mad mag mai mer mg mi min mni
    mos ms my nb nd new nl nn nr nus nyn oc om pa-Arab pcd pcm pms pnb ps qu rm ro run sa sat sc scn sd si skr sm
    so ss su sv tcy teo th ti tl toi ttj ug umb ur-Latn ve vec wa xog yue
"""
NEAR = frozenset(NEAR_CODES.split())
SHORTEST, LONGEST, PARAGRAPH = 20, 1000, 500  # characters of a document; of a development paragraph
SENTENCES, PARAGRAPHS = 500, 300  # development documents a language and source
TELLING = 20  # characters below which a sentence may stand in two sources by chance
APART = re.compile(r"[\W_]+")
ENDS = re.compile(r"(?<=[.!?।॥۔؟。！？])\s*")


def normal(text: str) -> str:
    """Letters and digits only, case folded and without marks: what two spellings of one sentence share."""
    return APART.sub("", unicodedata.normalize("NFD", text.casefold()))


def words(text: str) -> list[str]:
    """Runs of letters and digits, as `normal` spells them."""
    return APART.split(unicodedata.normalize("NFD", text.casefold()))


def prints(line: str) -> Iterator[bytes]:
    """Hashes of a line and of its sentences, of those long enough to tell."""
    parts = ENDS.split(line)
    for part in {line, *parts}:
        plain = normal(part)
        if len(plain) >= TELLING:
            yield hashlib.blake2b(plain.encode("utf-8", "replace"), digest_size=8).digest()


def clean(lines: Iterable[str]) -> list[str]:
    """Lines with their white space folded; empty ones, and ones without a letter, left out; each once."""
    folded = dict.fromkeys(" ".join(line.split()) for line in lines)
    return [line for line in folded if any(map(str.isalpha, line))]


def pieces(line: str, longest: int) -> Iterator[str]:
    """A line cut at spaces (or anywhere, where there are none) into pieces no longer than that."""
    while len(line) > longest:
        at = line.rfind(" ", longest // 2, longest)
        at = at if at > 0 else longest
        yield line[:at].strip()
        line = line[at:].strip()
    yield line


def joined(lines: list[str], source: str, joins: bool) -> list[str]:
    """Documents of 20 to 1,000 characters, short ones as often as long ones, of neighbouring lines."""
    documents, held, aim = [], "", 0.0
    for part in (part for line in lines for part in pieces(line, LONGEST)):
        if not held:
            aim = SHORTEST * (LONGEST / SHORTEST) ** coin(source, part)
        if held and len(held) + len(part) > LONGEST:
            documents.append(held)
            held = ""
        held = f"{held} {part}".strip()
        if len(held) >= (aim if joins else SHORTEST):
            documents.append(held)
            held = ""
    return [*documents, held] if len(held) >= SHORTEST else documents


def fair(groups: dict[str, list[str]], limit: int) -> dict[str, list[str]]:
    """Documents by source, up to so many bytes in all; small sources whole, of large ones equal parts."""
    sizes = {source: sum(len(d.encode("utf-8", "replace")) for d in documents) for source, documents in groups.items()}
    chosen, left = {}, limit
    for turn, source in enumerate(sorted(groups, key=lambda one: (sizes[one], one))):
        share, taken = left / (len(groups) - turn), []
        for document in sorted(groups[source], key=lambda one: coin("order", one)):
            size = len(document.encode("utf-8", "replace"))
            if size > share:
                break
            share -= size
            left -= size
            taken.append(document)
        chosen[source] = taken
    return chosen


class Writer:
    """Writes `<folder>/<lang>.jsonl.zst` and counts bytes by language and source."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.bytes: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(int)))

    def write(self, folder: str, lang: str, documents: Iterable[dict]) -> None:
        path = self.out / folder / f"{lang}.jsonl.zst"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = []
        for document in documents:
            self.bytes[folder][lang][document["meta"]["source"]] += len(document["text"].encode("utf-8", "replace"))
            lines.append(json.dumps(document, ensure_ascii=False) + "\n")
        data = "".join(lines).encode("utf-8", "replace")
        path.write_bytes(zstandard.ZstdCompressor(level=10).compress(data))


@dataclass
class Held:
    """What training text may not have: `prints` of development's lines, and its documents' sentences by language."""

    prints: set[bytes] = field(default_factory=set)
    sentences: dict[str, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))

    def add(self, lang: str, sentences: list[str]) -> None:
        """Sentences are found by their longest word, so that each document is read once, however many there are."""
        for sentence in sentences:
            if len(normal(sentence)) >= TELLING:
                self.sentences[lang][max(words(sentence), key=len)].append(normal(sentence))

    def clear(self, lang: str, documents: list[str]) -> list[str]:
        """Documents without those in which a sentence of development stands, also across the ends of their lines."""
        return [document for document in documents if not self._stands_in(document, self.sentences[lang])]

    def _stands_in(self, document: str, sentences: dict[str, list[str]]) -> bool:
        known = sentences.keys() & words(document)
        plain = normal(document) if known else ""
        return any(sentence in plain for word in known for sentence in sentences[word])


def development(where: Where, writer: Writer, everything: bool) -> Held:
    """Writes dev and dev_other, and gathers what training text may not have."""
    sources = {name: read for name, read in DEVELOPMENT.items() if not everything or name in ("lafand", "lingua")}
    secret = {one for line in judged(where) for one in prints(line)}
    held = Held()
    documents: dict[tuple[str, str], list[dict]] = defaultdict(list)
    shared = 0
    for source, read in sources.items():
        gathered: dict[str, tuple[str, list[str]]] = {}
        for lines in read(where):
            gathered.setdefault(lines.lang, (lines.license, []))[1].extend(lines.text)
        for lang, (license, text) in gathered.items():
            all_lines = clean(text)
            kept = [line for line in all_lines if secret.isdisjoint(prints(line))]
            long = [line for line in kept if len(line) >= SHORTEST]
            shared += sum(not secret.isdisjoint(prints(line)) for line in all_lines)
            held.prints |= {one for line in all_lines for one in prints(line)}
            folder = "dev" if lang in LANGUAGES else "dev_other"
            meta = {"lang": lang, "source": source, "license": license}
            sentences = _some(long, SENTENCES)
            held.add(lang, sentences)
            for unit, texts in (("sentence", sentences), ("paragraph", _some(paragraphs(kept), PARAGRAPHS))):
                documents[folder, lang] += [{"text": text, "meta": {**meta, "unit": unit}} for text in texts]
    print(f"development: {shared} lines left out that the final judgement has too", file=sys.stderr)
    for (folder, lang), rows in sorted(documents.items()):
        writer.write(folder, lang, rows)
    return held


def paragraphs(lines: list[str]) -> list[str]:
    """Neighbouring lines joined to 500 characters at most; a longer line is cut there."""
    documents, held = [], ""
    for line in lines:
        if held and len(held) + 1 + len(line) > PARAGRAPH:
            documents.append(held[:PARAGRAPH])
            held = ""
        held = f"{held} {line}".strip()
    return [*documents, held[:PARAGRAPH]] if held else documents


def _some(rows: list[str], limit: int) -> list[str]:
    """Up to so many of them, evenly spread."""
    step = max(1.0, len(rows) / limit)
    return [rows[int(i * step)] for i in range(min(limit, len(rows)))]


def training(where: Where, held: Held, writer: Writer, only: list[str], everything: bool) -> None:
    documents: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    licenses: dict[tuple[str, str], str] = {}
    seen: set[tuple[str, bytes]] = set()
    dropped: dict[str, int] = defaultdict(int)
    for source in only or SOURCES:
        for lines in SOURCES[source](where):
            if lines.lang in KEPT.get(source, ()) and not everything:
                continue
            if lines.lang in SHARED.get(source, ()) and not everything:
                lines = replace(lines, text=[line for line in lines.text if not is_shared(line)])
            kept = list(_fresh(lines, held.prints, seen, source, dropped))
            texts = joined(kept, source, lines.joins)
            clear = held.clear(lines.lang, texts)
            dropped[source] += len(texts) - len(clear)
            documents[lines.lang][source] += clear
            licenses[lines.lang, source] = _both(licenses.get((lines.lang, source)), lines.license)
        print(f"{source}: {dropped[source]} lines left out that development has too", file=sys.stderr)
    for lang, groups in sorted(documents.items()):
        kind = "train" if lang in LANGUAGES else "near" if lang in NEAR else "other"
        rows = [
            {"text": text, "meta": {"lang": lang, "source": source, "license": licenses[lang, source]}}
            for source, texts in sorted(fair(groups, MOST[kind]).items())
            for text in texts
        ]
        if rows:
            writer.write("train" if kind == "train" else "other", lang, rows)


def _fresh(lines: Lines, held: set[bytes], seen: set, source: str, dropped: dict[str, int]) -> Iterator[str]:
    for line in clean(lines.text):
        key = hashlib.blake2b(line.encode("utf-8", "replace"), digest_size=8).digest()
        if (lines.lang, key) in seen:
            continue
        seen.add((lines.lang, key))
        if held.isdisjoint(prints(line)):
            yield line
        else:
            dropped[source] += 1


def _both(one: str | None, other: str) -> str:
    return other if one is None else ", ".join(sorted({*one.split(", "), other}))


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("out", type=Path)
    ask.add_argument("--clones", type=Path, required=True, help="git directories as <owner>+<name>, cloned if absent")
    ask.add_argument("--cache", type=Path, required=True, help="where packages are fetched and unpacked")
    ask.add_argument("--code", type=Path, help="JSON lines of source files, as benchmarks/corpora.py makes them")
    ask.add_argument("--only", nargs="*", default=[], choices=list(SOURCES), help="these sources of training only")
    ask.add_argument(
        "--all", action="store_true", help="leave nothing of open sources to development: for a last model"
    )
    args = ask.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    where, writer = Where(Clones(args.clones), args.cache), Writer(args.out)
    held = development(where, writer, args.all)
    training(where, held, writer, args.only, args.all)
    if args.code:
        for half, languages in (
            ("train", lid_code.training(args.code, where.clones)),
            ("dev", lid_code.development(where.clones)),
        ):
            for lang, rows in languages.items():
                writer.write(f"code/{half}", lang, rows)
    (args.out / "sources.json").write_text(json.dumps(writer.bytes, indent=1, sort_keys=True) + "\n", "utf-8")
    lid_table.main(args.out)


if __name__ == "__main__":
    main()
