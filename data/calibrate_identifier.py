"""How often a score of the identifier is right, measured on text that it was not trained on: the knots of a config.

    python data/calibrate_identifier.py MODEL FOLDER [--sources lafand lingua]     prints `calibration: [[0, 0], ...]`

FOLDER is what make_lid_corpus.py wrote: of dev/ the documents whose `meta.source` is named (sources that no language is
trained on), and all of dev_other/. Each language weighs the same, and all others together as much as ROOTS' together.
Isotonic regression (pool adjacent violators, Ayer et al. 1955), thinned to a few knots. MODEL should be one that was
trained without `calibration`, as its own knots are applied first.
"""

from __future__ import annotations

import argparse
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import zstandard

from pipeline.identifier import JOINED
from pipeline.text.lid_model import OTHER, load
from pipeline.text.lid_scan import find

BINS = 25
MOST = 600  # documents of a language


def read(folder: Path, sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(label, text) of each document."""
    for part in ("dev", "dev_other"):
        for path in sorted((folder / part).glob("*.jsonl.zst")):
            with zstandard.open(path, "rb") as file:
                lines = [json.loads(line) for line in io.TextIOWrapper(file, encoding="utf-8")]
            wanted = [line for line in lines if part == "dev_other" or line["meta"]["source"] in sources]
            for line in wanted[:: max(1, len(wanted) // MOST)][:MOST]:
                lang = line["meta"]["lang"]
                yield (OTHER if part == "dev_other" else JOINED.get(lang, lang)), line["text"]


def isotonic(scores: np.ndarray, right: np.ndarray, weights: np.ndarray) -> list[tuple[float, float, float]]:
    """[(mean score, share of right ones, weight)], rising in both, one a block."""
    blocks: list[list[float]] = []
    for i in np.argsort(scores, kind="stable"):
        blocks.append([scores[i] * weights[i], right[i] * weights[i], weights[i]])
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return [(s / w, r / w, w) for s, r, w in blocks]


def knots(scores: np.ndarray, right: np.ndarray, weights: np.ndarray) -> list[list[float]]:
    """Pairs from [0, 0] to [1, what the surest are]: by tenths of the score, finer where there is much of it."""
    order = np.argsort(scores, kind="stable")
    place = np.cumsum(weights[order]) / weights.sum()
    even = np.interp(np.linspace(0, 1, BINS + 1), place, scores[order])
    edges = np.unique(np.round([*np.linspace(0, 1, 11), *even], 3))
    which = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)
    sums = [np.bincount(which, weights * x, len(edges) - 1) for x in (np.ones_like(scores), scores, right)]
    full = sums[0] > 0
    mean, share = sums[1][full] / sums[0][full], sums[2][full] / sums[0][full]
    rising = [[round(s, 3), round(min(r, 1.0), 3)] for s, r, _ in isotonic(mean, share, sums[0][full])]
    last = max(pair[1] for pair in rising)
    return [[0.0, 0.0], *[pair for pair in rising if 0 < pair[0] < 1], [1.0, last]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", nargs="+", default=["lafand", "lingua"])
    options = parser.parse_args()
    model = load(options.model)
    labels, texts = zip(*read(options.folder, options.sources), strict=True)
    found, scores, *_ = find(pa.array(texts, pa.large_string()), model, np.zeros(len(texts), bool))
    names = [JOINED.get(name, name) for name in model.names]
    right = np.array(
        [number >= 0 and names[number] == label for number, label in zip(found, labels, strict=True)], float
    )
    counts = Counter(labels)
    ours = len(counts) - 1
    weights = np.array([(ours if label == OTHER else 1) / counts[label] for label in labels])
    print("calibration:", json.dumps(knots(scores, right, weights)))


if __name__ == "__main__":
    main()
