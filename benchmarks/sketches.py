"""Which sketch: the error of three kinds of signature against exact Jaccard, on the same shingles of real documents.

    python benchmarks/sketches.py runs/corpora/docs.jsonl runs/corpora/code.jsonl

Pairs are those of Jaccard 0.2 or more between documents that share a band of a generous LSH, some for each tenth of
Jaccard, so that rare similarities count as much as frequent ones. For each sketch: the root of the mean squared error
of the share of equal columns, over pairs and seeds, and how it compares with sqrt(J (1 - J) / columns), which
independent permutations would have. Prototypes, for their error alone:

- permutations   each column is the least of all hashes under a permutation of its own (Broder 1997)
- one            one permutation in bins; empty bins copy from a bin chosen by the bin's number (Shrivastava 2017)
- fast           Fast Similarity Sketching (Dahlgaard, Knudsen and Thorup 2017), what seedbed uses
"""

import argparse
import json
import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit

from pipeline.text.jaccard import estimated, exact
from pipeline.text.lsh import band_keys, linked
from pipeline.text.minhash import signatures
from pipeline.text.shingles import shingles

U = np.uint64
FULL = np.uint32(0xFFFFFFFF)
Sketch = Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]  # offsets, hashes, columns, seed -> (n, columns)


@njit
def mix(x):  # type: ignore[no-untyped-def]
    x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


@njit
def permutations(offsets, hashes, columns, seed):  # type: ignore[no-untyped-def]
    out = np.full((len(offsets) - 1, columns), FULL)
    for t in range(len(out)):
        for x in hashes[offsets[t] : offsets[t + 1]]:
            for c in range(columns):
                out[t, c] = min(out[t, c], np.uint32(mix(x + U(seed * 4096 + c + 1) * U(0x9E3779B97F4A7C15)) >> U(32)))
    return out


@njit
def one(offsets, hashes, columns, seed):  # type: ignore[no-untyped-def]
    out = np.full((len(offsets) - 1, columns), FULL)
    for t in range(len(out)):
        for x in hashes[offsets[t] : offsets[t + 1]]:
            h = mix(x + U(seed) * U(0x9E3779B97F4A7C15))
            c = ((h >> U(32)) * U(columns)) >> U(32)
            out[t, c] = min(out[t, c], np.uint32(h))
        full = out[t] != FULL
        for c in range(columns):
            attempt = U(0)
            while full.any() and not full[c] and out[t, c] == FULL:
                attempt += U(1)
                other = ((mix(U(c + 1) * U(4096) + attempt) >> U(32)) * U(columns)) >> U(32)
                if full[other]:
                    out[t, c] = out[t, other]
    return out


@njit
def fast(offsets, hashes, columns, seed):  # type: ignore[no-untyped-def]
    out = np.full((len(offsets) - 1, columns), FULL)
    for t in range(len(out)):
        best = np.full(columns, U(0xFFFFFFFFFFFFFFFF))
        for r in range(columns):
            for x in hashes[offsets[t] : offsets[t + 1]]:
                h = mix(x + U(seed * 4096 + r) * U(0x9E3779B97F4A7C15))
                c = ((h >> U(32)) * U(columns)) >> U(32)
                best[c] = min(best[c], U(r) << U(32) | h & U(FULL))
            if best.max() != U(0xFFFFFFFFFFFFFFFF):
                break
        for c in range(columns):
            out[t, c] = np.uint32(best[c])
    return out


SKETCHES: dict[str, Sketch] = {"permutations": permutations, "one": one, "fast": fast}


def texts_of(path: Path, documents: int, seed: int = 1) -> pa.Array:
    with path.open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in islice(file, 5 * documents)]
    random.Random(seed).shuffle(texts)
    return pa.array(texts[:documents], pa.large_string())


def pairs_of(texts: pa.Array, each: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Offsets and hashes of the shingles; a, b and Jaccard of at most `each` pairs for every tenth from 0.2 on."""
    offsets, hashes = shingles(texts)
    made, counts = signatures(texts)
    docs = np.repeat(np.arange(len(texts))[counts > 0], 64)
    found = linked(band_keys(made, 64, 2)[counts > 0].ravel(), docs, lambda a, b: estimated(made, a, b), 0.1)
    jaccard = exact(offsets, hashes, found.a, found.b)
    tenth, rng = np.floor(jaccard * 10).astype(int), np.random.default_rng(1)
    rows = [rng.permutation(np.flatnonzero((tenth == t) & (jaccard < 1)))[:each] for t in range(2, 10)]
    chosen = np.concatenate(rows)
    return offsets, hashes, found.a[chosen], found.b[chosen], jaccard[chosen]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("corpora", type=Path, nargs="+", help="JSON lines with a field `text`")
    ask.add_argument("--documents", type=int, default=6000)
    ask.add_argument("--pairs", type=int, default=300, help="for each tenth of Jaccard")
    ask.add_argument("--seeds", type=int, default=3)
    args = ask.parse_args()
    for path in args.corpora:
        offsets, hashes, a, b, jaccard = pairs_of(texts_of(path, args.documents), args.pairs)
        wanted, places = np.unique(np.concatenate([a, b]), return_inverse=True)
        parts = [hashes[offsets[doc] : offsets[doc + 1]] for doc in wanted]
        offsets, hashes = np.cumsum([0, *map(len, parts)]), np.concatenate(parts)
        for columns in (128, 256):
            theory = np.sqrt(np.mean(jaccard * (1 - jaccard)) / columns)
            for name, sketch in SKETCHES.items():
                errors = []
                for seed in range(args.seeds):
                    made = sketch(offsets, hashes, columns, seed)
                    errors.append(estimated(made, places[: len(a)], places[len(a) :]) - jaccard)
                error, bias = np.sqrt(np.mean(np.square(errors))), np.mean(errors)
                said = f"{error:.4f} ({error / theory:.2f} of independent ones), bias {bias:+.4f}"
                print(f"{path.name:<12} {len(a):>5} pairs  {columns} columns  {name:<12} {said}", flush=True)


if __name__ == "__main__":
    main()
