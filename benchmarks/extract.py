"""Text out of HTML: seedbed's extractor beside its peers, on three public sets of real pages, in one call.

    python benchmarks/extract.py --articles DIR --strings DIR --readability DIR [--json rows.json]

    --articles     a checkout of scrapinghub/article-extraction-benchmark: 181 news pages and their article bodies
    --strings      a checkout of adbar/trafilatura: some 990 pages, strings that must and must not be in the text
    --readability  a checkout of mozilla/readability: 130 pages and the article as its test suite expects it

The pages belong to others: bring your own checkouts, nothing of them is kept. Each run is a process of its own, in an
environment of its own (made on first use in --cache), on one thread; runs are interleaved and medians of CPU time told.
Article bodies are compared as that benchmark does: multisets of token 4-grams, precision and recall averaged over
pages, F1 of the averages. Strings are counted over all pages, white space collapsed.
"""

import argparse
import gzip
import html
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments import python_of

WORKER = Path(__file__).with_name("extract_peers.py")
WARM = ["Resiliparse==2.0.0"]
LXML = ["lxml==6.1.3", "lxml_html_clean==0.4.6"]
REQUIREMENTS: dict[str, list[str]] = {
    "resiliparse": WARM,
    "resiliparse, all": WARM,
    "trafilatura": ["trafilatura==2.3.1", *LXML],
    "trafilatura, fast": ["trafilatura==2.3.1", *LXML],
    "justext": ["jusText==3.0.2", *LXML],
    "readability-lxml": ["readability-lxml==0.9", "inscriptis==2.7.6", "chardet", "cssselect", *LXML],
    "inscriptis, all": ["inscriptis==2.7.6", *LXML],
}
OURS = ["seedbed", "seedbed, all"]
TOKEN = re.compile(r"\w+")
N = 4  # tokens of a shingle

Score = dict[str, float]


@dataclass
class Set:
    """One set of pages and how texts of them are judged."""

    name: str
    pages: list[Path]
    judge: Callable[[list[str]], Score]  # a text a page -> precision, recall, f1

    @property
    def megabytes(self) -> float:
        return sum(len(read(page)) for page in self.pages) / 1e6


def read(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def articles(folder: Path) -> Set:
    truth = json.loads((folder / "ground-truth.json").read_text("utf-8"))
    bodies = [item.get("articleBody", "") for item in truth.values()]
    pages = [folder / "html" / f"{name}.html.gz" for name in truth]
    return Set("article bodies", pages, lambda texts: shingled(bodies, texts))


def readability(folder: Path) -> Set:
    cases = sorted(path for path in (folder / "test" / "test-pages").iterdir() if (path / "expected.html").exists())
    bodies = [plain((case / "expected.html").read_text("utf-8")) for case in cases]
    return Set("readability's pages", [case / "source.html" for case in cases], lambda texts: shingled(bodies, texts))


def plain(page: str) -> str:
    """Text of a clean article: tags part words."""
    return html.unescape(re.sub(r"<[^>]*>", " ", page))


def strings(folder: Path) -> Set:
    tests = folder / "tests"
    known = json.loads((tests / "evaldata.json").read_text("utf-8")).values()
    found = [(item, next((p for p in _places(tests, item["file"]) if p.exists()), None)) for item in known]
    items = [(item, page) for item, page in found if page]

    def judge(texts: list[str]) -> Score:
        inside = outside = wanted = 0
        for (item, _), text in zip(items, texts, strict=True):
            text = squeezed(text)
            inside += sum(squeezed(s) in text for s in item["with"])
            outside += sum(squeezed(s) in text for s in item["without"])
            wanted += len(item["with"])
        return score(inside / max(1, inside + outside), inside / wanted)

    return Set("strings", [page for _, page in items if page], judge)


def _places(tests: Path, name: str) -> list[Path]:
    return [tests / "cache" / name, tests / "eval" / name]


def squeezed(text: str) -> str:
    return " ".join(text.split())


def shingled(true: list[str], found: list[str]) -> Score:
    """Averages over pages, as the article-extraction benchmark has them."""
    precisions, recalls = [], []
    for body, text in zip(true, found, strict=True):
        a, b = shingles(body), shingles(text)
        common = sum((a & b).values())
        if b:
            precisions.append(common / b.total())
        if a:
            recalls.append(common / a.total())
    return score(statistics.mean(precisions or [0.0]), statistics.mean(recalls or [0.0]))


def shingles(text: str) -> Counter[tuple[str, ...]]:
    tokens = TOKEN.findall(text)
    return Counter(s for i in range(max(1, len(tokens) - N + 1)) if (s := tuple(tokens[i : i + N])))


def score(precision: float, recall: float) -> Score:
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "F1": f1}


def once(python: Path, who: str, pages: Path, out: Path) -> tuple[dict[str, Any], list[str]]:
    done = subprocess.run([str(python), str(WORKER), who, str(pages), str(out)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{who} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1]), json.loads(out.read_text("utf-8"))


def rows_of(one: Set, who: str, told: list[dict[str, Any]], judged: Score) -> list[dict[str, Any]]:
    seconds = statistics.median(t["seconds"] for t in told)
    name = f"{who} {told[0]['version']}".strip()

    def row(what: str, value: float, unit: str, higher: bool = True) -> dict[str, Any]:
        said = f"extraction, {one.name}, {what}"
        return {"work": said, "who": name, "value": round(value, 4), "unit": unit, "higher_is_better": higher}

    return [
        *(row(what, value, "share") for what, value in judged.items()),
        row("pages", len(one.pages) / seconds, "pages/s"),
        row("speed", one.megabytes / seconds, "MB/s"),
        row("memory beside the pages", max(t["peak_mb"] for t in told), "MB", False),
        row("pages failed", told[0]["failed"], "pages", False),
    ]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--articles", type=Path)
    ask.add_argument("--strings", type=Path)
    ask.add_argument("--readability", type=Path)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--peers", nargs="*", default=[*OURS, *REQUIREMENTS], choices=[*OURS, *REQUIREMENTS])
    ask.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "seedbed-benchmarks")
    ask.add_argument("--json", type=Path, help="write the rows here")
    args = ask.parse_args()
    given = ((articles, args.articles), (strings, args.strings), (readability, args.readability))
    sets = [make(folder) for make, folder in given if folder]
    pythons = {
        who: Path(sys.executable) if who in OURS else python_of(who.split(",")[0], REQUIREMENTS[who], args.cache)
        for who in args.peers
    }
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for one in sets:
            pages, out = Path(scratch) / "pages", Path(scratch) / "out.json"
            pages.write_text("\n".join(map(str, one.pages)), "utf-8")
            told: dict[str, list[dict[str, Any]]] = {who: [] for who in args.peers}
            judged: dict[str, Score] = {}
            for _ in range(args.rounds):
                for who in args.peers:
                    numbers, texts = once(pythons[who], who, pages, out)
                    told[who].append(numbers)
                    judged[who] = one.judge(texts)
                    print(f"{one.name}: {who} {numbers['seconds']:.2f} s {judged[who]}", file=sys.stderr)
            rows += [row for who in args.peers for row in rows_of(one, who, told[who], judged[who])]
    for row in rows:
        print(f"{row['value']:>10.3f} {row['unit']:<8} {row['who']:<26} {row['work']}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
