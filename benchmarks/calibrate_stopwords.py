"""Find the limits on our ratios that drop the same share of the same text as ROOTS' limits on ROOTS' lists.

    python benchmarks/calibrate_stopwords.py --roots FOLDER DOCUMENTS... [--each 400] [--cache DIR] [--json FILE]

FOLDER is `preprocessing/training/01b_oscar_cleaning_and_filtering` of a clone of bigscience-workshop/data-preparation,
DOCUMENTS are JSON lines (.zst or not) with `text` and `meta.lang`. For each of the 13 languages: documents that are
declared to be in it, and a quarter as many in other languages of its script, for a crawl has text under a wrong
name and a small-word ratio is there to find it. ROOTS' functions say what they would drop; our limit is the middle of
all those that drop as many. Both look at the text as ROOTS leaves it after taking out words.

The limits on stop words and on symbols both belong to lists of ROOTS': of words, and of characters that are special.
Prints a table for each: language, documents, ROOTS' limit, share dropped, our limit for the same, share dropped, share
of equal decisions; for symbols also what ROOTS' own limit would drop of our ratio.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from roots_documents import ROOTS, Document, documents, original

from pipeline.stages.measure import Measure
from pipeline.text.languages import LANGUAGES

RELATIVES = 4  # one document in another language for so many
OTHER_SCRIPTS = {"fa": "Arab", "de": "Latn", "it": "Latn", "pl": "Latn", "nl": "Latn", "ja": "Hans"}
DIGITS = {"stopword_ratio": 2, "symbol_ratio": 3}  # of a limit: more would pretend to know more
MEASURES = {"stopword_ratio": 0, "symbol_ratio": 1}  # which of ROOTS' limits counts: the lower, the upper


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", nargs="+")
    parser.add_argument("--roots", type=Path, required=True)
    parser.add_argument("--each", type=int, default=400)
    parser.add_argument("--cache", type=Path, default=Path(".bench"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = [
        row
        for lang, found in mixed(args.documents, args.each)
        for row in calibrated(lang, found, original(found, args.roots, args.cache)[0])
    ]
    for name in MEASURES:
        show(name, [row for row in rows if row["measure"] == name])
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def show(name: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{name}\n")
    print("| language | documents | ROOTS: limit | dropped | ours: limit | dropped | equal decisions | ROOTS' |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row['lang']} | {row['documents']} | {row['theirs']:g} | {row['they_drop']:.1%} | {row['ours']:g} "
            f"| {row['we_drop']:.1%} | {row['equal']:.1%} | {row['unchanged']:.1%} |"
        )


def mixed(patterns: list[str], each: int) -> list[tuple[str, list[Document]]]:
    """For each of the 13 languages, documents under its name: in it, or in others of its script."""
    scripts = {lang: one.script for lang, one in LANGUAGES.items()} | OTHER_SCRIPTS
    found: dict[str, list[Document]] = {lang: [] for lang in scripts}
    for document in documents(patterns, scripts, each):
        found[document.lang].append(document)
    out = []
    for lang in ROOTS:
        near = [other for other in sorted(scripts) if other != lang and scripts[other][:2] == scripts[lang][:2]]
        pool = [found[other][i] for i in range(each) for other in near if i < len(found[other])]
        wrong = [Document(one.text, lang) for one in pool[: len(found[lang]) // RELATIVES]]
        out.append((lang, found[lang] + wrong))
    return out


def calibrated(lang: str, found: list[Document], said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    texts = pa.array([one["edited"] for one in said], pa.large_string())
    columns = Measure(names=tuple(MEASURES)).apply(pa.table({"text": texts, "lang": [lang] * len(said)})).columns
    rows = []
    for name, end in MEASURES.items():
        sign = 1 if end == 0 else -1  # what breaks an upper limit breaks a lower one when all is turned round
        theirs = np.array([one[name] for one in said]) * sign
        ours = columns[name].to_numpy(zero_copy_only=False) * sign
        limit = said[0]["limits"][name][end]
        own = same_share(ours, int((theirs < sign * limit).sum()), DIGITS[name])
        rows.append(
            {
                "measure": name,
                "lang": lang,
                "documents": len(said),
                "theirs": limit,
                "they_drop": float((theirs < sign * limit).mean()),
                "ours": sign * own,
                "we_drop": float((ours < own).mean()),
                "equal": float(((theirs < sign * limit) == (ours < own)).mean()),
                "unchanged": float((ours < sign * limit).mean()),  # what ROOTS' limit would drop of our ratio
            }
        )
    return rows


def same_share(ratios: np.ndarray, dropped: int, digits: int) -> float:
    """The middle of the limits below which `dropped` of the ratios lie."""
    ordered = np.sort(np.concatenate([[ratios.min()], ratios, [ratios.max()]]))
    return float(np.round((ordered[dropped] + ordered[dropped + 1]) / 2, digits))


if __name__ == "__main__":
    main()
