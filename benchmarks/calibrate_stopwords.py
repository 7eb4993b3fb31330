"""Find the limits on our stop-word ratio that drop the same share of the same text as ROOTS' limits on ROOTS' lists.

    python benchmarks/calibrate_stopwords.py --roots FOLDER DOCUMENTS... [--each 400] [--cache DIR] [--json FILE]

FOLDER is `preprocessing/training/01b_oscar_cleaning_and_filtering` of a clone of bigscience-workshop/data-preparation,
DOCUMENTS are JSON lines (.zst or not) with `text` and `meta.lang`. For each of the 13 languages: documents that are
declared to be in it, and a quarter as many in other languages of its script, for a crawl has text under a wrong
name and a small-word ratio is there to find it. ROOTS' functions say what they would drop; our limit is the middle of
all those that drop as many. Both look at the text as ROOTS leaves it after taking out words.

Prints a table: language, documents, ROOTS' limit, share dropped, our limit, share dropped, share of equal decisions.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
from roots_documents import ROOTS, Document, documents, original

from pipeline.stages.measure import Measure
from pipeline.text.languages import LANGUAGES

RELATIVES = 4  # one document in another language for so many
OTHER_SCRIPTS = {"fa": "Arab", "de": "Latn", "it": "Latn", "pl": "Latn", "nl": "Latn", "ja": "Hans"}
DIGITS = 2  # of a limit: more would pretend to know more


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", nargs="+")
    parser.add_argument("--roots", type=Path, required=True)
    parser.add_argument("--each", type=int, default=400)
    parser.add_argument("--cache", type=Path, default=Path(".bench"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = [calibrated(lang, found, args.roots, args.cache) for lang, found in mixed(args.documents, args.each)]
    print("| language | documents | ROOTS: limit | dropped | ours: limit | dropped | equal decisions |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row['lang']} | {row['documents']} | {row['theirs']:g} | {row['they_drop']:.1%} | {row['ours']:g} "
            f"| {row['we_drop']:.1%} | {row['equal']:.1%} |"
        )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


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


def calibrated(lang: str, found: list[Document], folder: Path, cache: Path) -> dict[str, object]:
    said = original(found, folder, cache)
    theirs = np.array([one["stopword_ratio"] for one in said])
    limit = said[0]["limits"]["stopword_ratio"][0]
    texts = pa.array([one["edited"] for one in said], pa.large_string())
    column = Measure(names=("stopword_ratio",)).apply(pa.table({"text": texts, "lang": [lang] * len(said)})).columns
    ours = column["stopword_ratio"].to_numpy(zero_copy_only=False)
    own = same_share(ours, int((theirs < limit).sum()))
    return {
        "lang": lang,
        "documents": len(said),
        "theirs": limit,
        "they_drop": float((theirs < limit).mean()),
        "ours": own,
        "we_drop": float((ours < own).mean()),
        "equal": float(((theirs < limit) == (ours < own)).mean()),
    }


def same_share(ratios: np.ndarray, dropped: int) -> float:
    """The middle of the limits below which `dropped` of the ratios lie."""
    ordered = np.sort(np.concatenate([[0.0], ratios, [1.0]]))
    return float(np.round((ordered[dropped] + ordered[dropped + 1]) / 2, DIGITS))


if __name__ == "__main__":
    main()
