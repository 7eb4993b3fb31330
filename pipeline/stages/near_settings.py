"""Settings of near deduplication by name, and bands from a recall: what a config may say instead of all the numbers.

    filled({like: slimpajama, threshold: 0.9})  -> {like: …, threshold: 0.9, permutations: 128, bands: 9, rows: 13, …}
    filled({lsh: {bands: 20, rows: 10}})        -> {bands: 20, rows: 10, permutations: 200}
    filled({recall: 0.95, threshold: 0.2})      -> permutations raised until bands exist that find so many

What is written out goes before what a name stands for. Filling twice changes nothing, so a stage may be told to a
worker by all its fields. What others call their settings and where they differ is read from their own code; the
candidate probabilities in the help are 1 - (1 - J^rows)^bands.
"""

from __future__ import annotations

from typing import Any

from pipeline.text.lsh import bands_that_find

PERMUTATIONS, MOST_PERMUTATIONS, THRESHOLD, RECALL = 128, 1024, 0.8, 0.9

LIKE: dict[str, dict[str, Any]] = {
    # Cerebras modelzoo, slimpajama/dedup: to_hash.py (datasketch, 13 characters), generate_duplicate_pairs.py
    "slimpajama": {
        "threshold": 0.8,
        "permutations": 128,
        "bands": 9,
        "rows": 13,
        "verify": "none",
        "shingle": {"unit": "chars", "size": 13},
    },
    # datatrove, MinhashConfig: 5 words, 14 buckets of 8 hashes; FineWeb (Penedo et al. 2024, 3.4) says 0.75
    "fineweb": {
        "threshold": 0.75,
        "permutations": 112,
        "bands": 14,
        "rows": 8,
        "verify": "none",
        "shingle": {"unit": "words", "size": 5},
    },
    # NeMo Curator, FuzzyDuplicatesConfig: char_ngrams 24, 20 buckets of 13 hashes, no check for false positives
    "nemo": {
        "threshold": 0.8,
        "permutations": 260,
        "bands": 20,
        "rows": 13,
        "verify": "none",
        "shingle": {"unit": "chars", "size": 24},
    },
    # BigCode's near_deduplication, as in text-dedup: 5 words, 256 permutations, datasketch's optimum at 0.7 is 25 x 10
    "bigcode": {
        "threshold": 0.7,
        "permutations": 256,
        "bands": 25,
        "rows": 10,
        "verify": "none",
        "shingle": {"unit": "words", "size": 5},
    },
}


def filled(given: dict[str, Any]) -> dict[str, Any]:
    """The settings with all that names and `lsh` stand for written out. Raises ValueError for contradictions."""
    out = {key: value for key, value in given.items() if key != "lsh"}
    lsh = given.get("lsh")
    if lsh is not None:
        if not isinstance(lsh, dict) or set(lsh) != {"bands", "rows"}:
            raise ValueError(f"lsh: {lsh!r} is not of the form {{bands: 20, rows: 10}}")
        if any(given.get(name) not in (None, lsh[name]) for name in lsh):
            raise ValueError("bands and rows stand in `lsh` and beside it: leave one of them out")
        out |= lsh
    if _said(out, "recall") and (_said(out, "bands") or _said(out, "rows")):
        raise ValueError("recall and bands exclude each other: bands and rows follow from recall and threshold")
    named = LIKE.get(str(given.get("like")), {})
    if _said(out, "recall"):
        named = {key: value for key, value in named.items() if key not in ("bands", "rows")}
    return _enough_permutations({**named, **out}, "permutations" in given)


def _said(settings: dict[str, Any], name: str) -> bool:
    return settings.get(name) is not None


def _enough_permutations(settings: dict[str, Any], fixed: bool) -> dict[str, Any]:
    """Raises `permutations` to what the bands, or the recall, take; not where the user said how many."""
    if fixed:
        return settings
    bands, rows, recall = (settings.get(name) for name in ("bands", "rows", "recall"))
    permutations = settings.get("permutations", PERMUTATIONS)
    if isinstance(bands, int) and isinstance(rows, int):
        permutations = max(permutations, bands * rows)
    elif isinstance(recall, int | float):
        threshold = settings.get("threshold", THRESHOLD)
        while isinstance(threshold, int | float) and permutations < MOST_PERMUTATIONS:
            if bands_that_find(permutations, threshold, recall):
                break
            permutations *= 2
    return {**settings, "permutations": permutations}
