"""Near dedup: seedbed beside rensa, datasketch, datatrove, text-dedup and Daft on the same documents, in one call.

    python benchmarks/corpora.py runs/corpora --only docs             # or any JSON lines with a field `text`
    python benchmarks/dedup.py runs/corpora/docs.jsonl --json rows.json

Every run is a process of its own on one core, in an environment of its own (made on first use in --cache); runs of all
peers are interleaved, and medians told. Clocks start with the texts in memory, imports and compilation done, and count
CPU time, which a busy machine distorts least. Peers that would take minutes run on the first documents only, which
their row says; the documents are shuffled, those of a pair that ought to be found first, so that those peers have pairs
to find, too. Recall is of all pairs of Jaccard 0.8 or more (exact_pairs.py) among the documents a peer was given: the
share in one cluster. Precision is of the edges that seedbed verified.

`stage` is what a user waits for: `dedup_near` in a run over the whole file, from disk to disk with ledger and digests,
in --workers processes: wall seconds and peak memory of all processes together as its manifest tells them, and CPU
seconds of all processes above those of a run with nothing to make. Worker processes that start are in all three.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from dedup_peers import BANDS, PERMUTATIONS, ROWS, SIZE, THRESHOLD
from environments import python_of
from exact_pairs import exact_pairs

from pipeline.text.jaccard import estimated, exact, in_bytes
from pipeline.text.lsh import band_keys, linked
from pipeline.text.minhash import signatures
from pipeline.text.shingles import shingles

PEERS = Path(__file__).with_name("dedup_peers.py")
REQUIREMENTS = {
    "rensa": ["rensa==0.5.0"],
    "datasketch": ["datasketch==2.0.0", "xxhash==4.1.0"],
    "datatrove": ["datatrove[io,processing]==0.10.1", "spacy"],
    "textdedup": [
        "click==8.1.8", "click-option-group==0.5.6", "datasets", "numpy", "scipy", "tqdm", "xxhash", "rich==13.9.4",
        "bitarray", "regex", "psutil", "ftfy", "setuptools",
    ],
    "daft": ["daft==0.7.26"],
}  # fmt: skip
ALONE = {"textdedup": ("text-dedup==0.4.0",)}  # it asks for Spark and more, which its MinHash does not run
SHARE = {"datatrove": 0.1, "textdedup": 0.1}  # of the documents that a slow peer is given; others take all
UNVERIFIED = ("datatrove", "textdedup")
LATIN = {"ca", "de", "en", "es", "eu", "fr", "id", "it", "nl", "pt", "pl", "tr", "hu", "cs", "ro", "vi"}
SCRIPTS = {
    "Latin": LATIN,
    "Han": {"zh", "zh-hans", "zh-hant"},
    "Cyrillic": {"ru"},
    "Devanagari": {"hi"},
    "Kana": {"ja"},
}
SCRIPTS |= {"Arabic": {"ar", "ur"}, "Bengali": {"as", "bn"}, "Tamil": {"ta"}}
SIGNATURES, WHOLE = "signatures, 128 permutations, {}", "whole dedup, {} verification"


@dataclass
class Run:
    """One thing that one peer does, and what its runs measured."""

    who: str
    work: str  # as dedup_peers.py names it
    said: str  # as the table names it
    source: Path
    megabytes: float
    documents: int
    results: list[dict] = field(default_factory=list)
    labels: list[int] | None = None

    def once(self, python: Path, scratch: Path) -> None:
        out = scratch / "labels.json"
        out.unlink(missing_ok=True)
        command = [str(python), str(PEERS), self.who, self.work, str(self.source), str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{self.who} {self.work} failed:\n{done.stderr[-2000:]}")
        self.results.append(json.loads(done.stdout.splitlines()[-1]))
        self.labels = json.loads(out.read_text()) if out.exists() else None

    @property
    def name(self) -> str:
        return f"{self.who} {self.results[-1]['version']}".strip()

    def median(self, what: str) -> float:
        return statistics.median(result[what] for result in self.results)


def read(path: Path, limit_mb: float, seed: int = 1) -> dict[str, list[str]]:
    """Shuffled texts by script, up to `limit_mb` of each; documents that name no language count as Latin."""
    with path.open(encoding="utf-8") as file:
        docs = [json.loads(line) for line in file]
    random.Random(seed).shuffle(docs)
    texts: dict[str, list[str]] = {}
    size = dict.fromkeys(SCRIPTS, 0)
    for doc in docs:
        lang = doc.get("meta", {}).get("lang", "en")
        script = next((name for name, langs in SCRIPTS.items() if lang in langs), None)
        if script and size[script] < limit_mb * 1e6:
            texts.setdefault(script, []).append(doc["text"])
            size[script] += len(doc["text"].encode())
    return texts


def paired_first(texts: list[str], truth: tuple) -> tuple[list[str], tuple]:
    """The texts in another order, those of a true pair first, and the pairs by their new places."""
    a, b, *rest = truth
    order = np.argsort(~np.isin(np.arange(len(texts)), np.concatenate([a, b])), kind="stable")
    places = np.argsort(order)
    pairs = np.sort([places[a], places[b]], axis=0)
    return [texts[at] for at in order.tolist()], (*pairs, *rest)


def runs(texts: dict[str, list[str]], peers: list[str], scratch: Path) -> Iterator[Run]:
    """Everything that is to be run, on files of texts under `scratch`."""
    for script, documents in texts.items():
        yield _run("seedbed", "signatures", SIGNATURES.format(script), documents, scratch)
    latin = texts["Latin"]
    yield _run("floor", "words", "splitting and hashing words once, Latin", latin, scratch)
    yield _run("floor", "memcpy", "memcpy, Latin", latin, scratch)
    yield _run("seedbed", "whole", WHOLE.format("estimated"), latin, scratch)
    yield _run("seedbed", "whole_exact", WHOLE.format("exact"), latin, scratch)
    for who in peers:
        some = latin[: round(len(latin) * SHARE.get(who, 1))]
        part = "" if len(some) == len(latin) else f", first {len(some)} documents"
        yield _run(who, "signatures", SIGNATURES.format("Latin") + part, some, scratch)
        if who != "daft":  # it has no clusters of its own
            verification = "no" if who in UNVERIFIED else "estimated"
            yield _run(who, "whole", WHOLE.format(verification) + part, some, scratch)


def _run(who: str, work: str, said: str, texts: list[str], scratch: Path) -> Run:
    size = sum(len(text.encode()) for text in texts) / 1e6
    source = scratch / f"{len(texts)}-{round(size * 1e6)}.jsonl"
    if not source.exists():
        source.write_text("".join(json.dumps(text) + "\n" for text in texts), "utf-8")
    return Run(who, work, said, source, size, len(texts))


def recall(run: Run, truth: tuple) -> tuple[float, int]:
    """Share of the true pairs among the run's documents that are in one cluster, and how many pairs there are."""
    assert run.labels is not None
    among = [(a, b) for a, b in zip(*(x.tolist() for x in truth[:2]), strict=True) if b < run.documents]
    return sum(run.labels[a] == run.labels[b] for a, b in among) / max(1, len(among)), len(among)


def precision_rows(texts: list[str]) -> Iterator[dict]:
    """Of the edges that seedbed found, the share whose exact Jaccard (of its own shingles) is 0.8 or more."""
    array = pa.array(texts, pa.large_string())
    made, counts = signatures(array, PERMUTATIONS, SIZE)
    docs = np.repeat(np.arange(len(made))[counts > 0], BANDS)
    keys = band_keys(made, BANDS, ROWS)[counts > 0].ravel()
    sets, kept = shingles(array, SIZE), in_bytes(made)
    for said, least in (("estimated", THRESHOLD), ("no", 0.0)):
        found = linked(keys, docs, lambda a, b: estimated(kept, a, b), least)
        jaccard = exact(*sets, found.a, found.b)
        for at in (THRESHOLD, THRESHOLD - 0.05):
            work = f"{WHOLE.format(said)}, precision of {len(jaccard)} edges: Jaccard {at:g} or more"
            share = round(float((jaccard >= at).mean()), 4)
            yield {"work": work, "who": "seedbed", "value": share, "unit": "share", "higher_is_better": True}


def rows_of(run: Run, truth: tuple | None) -> Iterator[dict]:
    def row(said: str, value: float, unit: str, higher: bool) -> dict:
        return {"work": said, "who": run.name, "value": round(value, 4), "unit": unit, "higher_is_better": higher}

    yield row(run.said, run.megabytes / run.median("seconds"), "MB/s", True)
    if run.work.startswith("whole"):
        yield row(f"{run.said}, peak memory, {run.megabytes:.0f} MB of text in it", run.median("peak_mb"), "MB", False)
    if run.work.startswith("whole") and truth is not None:
        share, pairs = recall(run, truth)
        yield row(f"{run.said}, recall of {pairs} pairs of Jaccard 0.8 or more", share, "share", True)


VERIFY = {"estimate": "estimated", "exact": "exact"}


def stage_rows(corpus: Path, verify: str, workers: int, rounds: int) -> Iterator[dict]:
    """The stage as a user runs it: `rounds` runs over a source that was read before the first of them."""
    said = f"stage dedup_near, {VERIFY[verify]} verification, {workers} processes"
    with tempfile.TemporaryDirectory() as folder:
        manifests = [_stage_run(corpus, verify, workers, Path(folder)) for _ in range(rounds + 1)][1:]
    size = sum(cell["bytes"] for part in ("kept", "dropped") for cell in manifests[0][part]) / 1e6
    tell = {
        "seconds": ("s", lambda run: run["seconds"]),
        "CPU seconds of all processes": ("s", lambda run: run["cpu"]),
        "peak memory of all processes": ("MB", lambda run: run["peak_memory"] / 1e6),
    }
    for what, (unit, value) in tell.items():
        median = statistics.median(value(manifest["run"]) for manifest in manifests)
        work = f"{said}, {size:.0f} MB: {what}"
        yield {"work": work, "who": "seedbed", "value": round(median, 3), "unit": unit, "higher_is_better": False}


def _stage_run(corpus: Path, verify: str, workers: int, folder: Path) -> dict:
    config = {
        "run": {"workdir": str(folder / "run"), "workers": workers},
        "sources": [{"jsonl": {"name": "corpus", "path": str(corpus)}}],
        "stages": [{"dedup_near": {"threshold": 0.8, "bands": 16, "rows": 8, "verify": verify}}],
    }
    (folder / "config.yaml").write_text(json.dumps(config), "utf-8")
    for old in folder.glob("run/01-dedup_near-*"):
        shutil.rmtree(old)
    made = _cpu([sys.executable, "-m", "pipeline.cli", "run", str(folder / "config.yaml")])
    manifest = json.loads(next(folder.glob("run/01-dedup_near-*/manifest.json")).read_text())
    nothing = _cpu([sys.executable, "-m", "pipeline.cli", "run", str(folder / "config.yaml")])  # start-up and report
    manifest["run"]["cpu"] = made - nothing
    return manifest


def _cpu(command: list[str]) -> float:
    """CPU seconds of a command and all processes under it."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("corpus", type=Path, help="JSON lines: {text, meta: {lang}}")
    ask.add_argument("--limit-mb", type=float, default=110, help="text of each script")
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--workers", type=int, default=2, help="processes of the whole stage")
    ask.add_argument("--peers", nargs="*", default=list(REQUIREMENTS), choices=list(REQUIREMENTS))
    ask.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "seedbed-benchmarks")
    ask.add_argument("--no-recall", action="store_true", help="spare the search for all exact pairs")
    ask.add_argument("--json", type=Path, help="write the rows here")
    args = ask.parse_args()
    pythons = {who: python_of(who, REQUIREMENTS[who], args.cache, ALONE.get(who, ())) for who in args.peers}
    texts = read(args.corpus, args.limit_mb)
    truth = None if args.no_recall else exact_pairs(texts["Latin"], 0.8)
    if truth is not None:
        texts["Latin"], truth = paired_first(texts["Latin"], truth)
    with tempfile.TemporaryDirectory() as folder:
        planned = list(runs(texts, args.peers, Path(folder)))
        for turn in range(args.rounds):
            for run in planned:
                if turn == 0 or run.who not in SHARE or turn < 2:  # two runs of a slow peer are enough
                    run.once(pythons.get(run.who, Path(sys.executable)), Path(folder))
                    print(
                        f"{turn + 1}/{args.rounds} {run.name}: {run.said} {run.results[-1]['seconds']:.2f} s",
                        file=sys.stderr,
                    )
    rows = [row for run in planned for row in rows_of(run, truth)]
    rows += precision_rows(texts["Latin"])
    rows += [row for verify in VERIFY for row in stage_rows(args.corpus, verify, args.workers, args.rounds)]
    for row in sorted(rows, key=lambda r: (r["unit"], r["work"].split(",")[0], -r["value"])):
        print(f"{row['value']:>10.3f} {row['unit']:<6} {row['who']:<18} {row['work']}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
