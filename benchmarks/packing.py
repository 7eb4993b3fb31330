"""Packing on the token lists of a finished run: what each mode cuts and pads, and how fast rows are written and read.

    python benchmarks/packing.py configs/corpora.yaml --json rows.json     # after `pipeline run` of it

All in one call, one after another, one process each, on the same token lists; medians of CPU seconds over `--rounds`,
which a busy machine disturbs less than the clock. Of seedbed, "shuffle" is survey, settle and scatter; "rows" is to
sort, lay, write, flush and digest; both together are what the peers do. datatrove runs in an environment of its own;
Megatron's is its method, written down in packing_peer.py, and labelled so. A row that a peer reads is one array of
int64, as it hands it to torch; seedbed's is two of int32, of which one has -100 where nothing is to be predicted.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from environments import python_of

from pipeline.config import load
from pipeline.engine import perform
from pipeline.pack import PackConfig
from pipeline.plan import Planned, plan
from pipeline.steps.base import Corpus
from pipeline.steps.pack import PackWork
from pipeline.steps.source import shards_of
from pipeline.store.layers import read_shard
from pipeline.store.step import Step
from pretrain.data import row_tensors
from pretrain.seam import Seam, Shards

PEERS = {"datatrove": "datatrove", "megatron": "Megatron's method, written anew"}
SEQ_LEN, READS = 2048, 20_000
SPEED, READING = "MB of ids a CPU second", "rows a CPU second"


def corpus_of(steps: list[Planned]) -> Corpus:
    """The corpus up to its token ids, as `pipeline run` left it."""
    shards, base = [], 0
    for planned in (p for p in steps if p.kind == "source"):
        shards += shards_of(planned.step, planned.settings.name, base)
        base = sum(shard.rows for shard in shards)
    return Corpus(tuple(shards)).then(*(p.step for p in steps if p.kind in ("row", "corpus", "encode")))


def export(corpus: Corpus, folder: Path) -> int:
    """The token lists end to end, for the peers; how many tokens."""
    parts, lengths = [], []
    for shard in corpus.shards:
        lists = read_shard(shard, corpus.steps, ["tokens"]).column("tokens").combine_chunks()
        parts.append(lists.flatten().to_numpy())
        lengths.append(lists.value_lengths().to_numpy())
    np.save(folder / "tokens.npy", np.concatenate(parts))
    np.save(folder / "edges.npy", np.cumsum(np.concatenate(lengths), dtype=np.int64))
    return sum(map(len, parts))


def packed(corpus: Corpus, tokenizer: Step, config: PackConfig, folder: Path) -> tuple[dict[str, float], Step]:
    """CPU seconds of each phase, and the packed step."""
    shutil.rmtree(folder, ignore_errors=True)
    work = PackWork(Step(folder), config, tokenizer, corpus)
    seconds: dict[str, float] = {}
    for tasks in work.phases():
        for task in tasks:
            begin = time.process_time()
            perform(task)
            seconds[task.name] = seconds.get(task.name, 0.0) + time.process_time() - begin
    work.step.seal({"name": "pack", "kind": "packed", "recipe": {}, **work.manifest(work.step)}, run={})
    return seconds, work.step


def random_reads(seam: Seam, read: Callable[[Shards, int], Any]) -> float:
    """Rows a second at random over all languages; the first round maps files and brings pages in."""
    shards = {lang: seam.shards("train", lang) for lang in seam.languages("train")}
    places = [(part, row) for part in shards.values() for row in range(len(part))]
    chosen = [places[i] for i in np.random.default_rng(0).integers(0, len(places), READS)]
    for _ in range(2):
        begin = time.process_time()
        for part, row in chosen:
            read(part, row)
        seconds = time.process_time() - begin
    return READS / seconds


def from_file(folder: Path) -> float:
    """Rows a second at random that `datasets` gives of the largest shard."""
    datasets.disable_progress_bars()
    opened = datasets.Dataset.from_file(str(max(folder.glob("train/*/*.arrow"), key=lambda path: path.stat().st_size)))
    chosen = np.random.default_rng(0).integers(0, len(opened), 500).tolist()
    begin = time.process_time()
    for row in chosen:
        opened[row]
    return len(chosen) / (time.process_time() - begin)


def ours(corpus: Corpus, tokenizer: Step, scratch: Path, megabytes: float, rounds: int) -> list[dict[str, Any]]:
    out = []
    for mode in ("concat", "best_fit"):
        config = PackConfig(seq_len=SEQ_LEN, mode=mode, holdout=0.01)
        runs = [packed(corpus, tokenizer, config, scratch / "packed-0000000000000000") for _ in range(rounds)]
        step, seam = runs[-1][1], Seam.open(runs[-1][1].folder)
        shuffle = [sum(seconds[name] for name in ("survey", "settle", "scatter")) for seconds, _ in runs]
        rows = [seconds["pack"] for seconds, _ in runs]
        both = [a + b for a, b in zip(rows, shuffle, strict=True)]
        about = step.manifest()["about"]
        out += [
            row(f"rows, {mode}", SPEED, megabytes / statistics.median(rows)),
            row(f"shuffle, {mode}", SPEED, megabytes / statistics.median(shuffle)),
            row(f"shuffled rows, {mode}", SPEED, megabytes / statistics.median(both)),
            row(f"random rows as views, {mode}", READING, random_reads(seam, lambda part, i: part.tokens(i))),
            row(f"random rows as arrays, {mode}", READING, random_reads(seam, row_tensors)),
            row(f"random rows by datasets, {mode}", READING, from_file(step.folder)),
            row(f"padding, {mode}", "% of the room", 100 * about["padding_share"], higher=False),
            row(f"documents cut, {mode}", "%", 100 * about["cut"] / about["documents"], higher=False),
            row(f"tokens a row of {SEQ_LEN + 1}, {mode}", "tokens", about["tokens_per_row"]),
        ]
    return out


def row(work: str, unit: str, value: float, who: str = "seedbed", higher: bool = True) -> dict[str, Any]:
    return {"work": work, "who": who, "value": value, "unit": unit, "higher_is_better": higher}


def peer(who: str, scratch: Path, cache: Path, megabytes: float, rounds: int) -> list[dict[str, Any]]:
    python = (
        python_of("datatrove", ["datatrove==0.10.1", "tokenizers"], cache) if who == "datatrove" else sys.executable
    )
    script = str(Path(__file__).with_name("packing_peer.py"))
    runs = []
    for _ in range(rounds):
        done = subprocess.run([str(python), script, who, str(scratch)], check=True, stdout=subprocess.PIPE, text=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    name = f"{PEERS[who]} {runs[0]['version']}".strip()
    written, read = (statistics.median(run[what] for run in runs) for what in ("seconds", "random"))
    return [
        row("shuffled rows, concat", SPEED, megabytes / written, name),
        row("random rows as arrays, concat", READING, read, name),
    ]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("config", type=Path, help="of a run that is finished")
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--cache", type=Path, default=Path("runs/bench-cache"), help="for the peers' environments")
    ask.add_argument("--json", type=Path, help="write the rows here")
    args = ask.parse_args()
    steps = plan(load(args.config))
    corpus, tokenizer = corpus_of(steps), next(p.step for p in steps if p.kind == "tokenizer")
    with tempfile.TemporaryDirectory(prefix="packing-") as folder:
        scratch = Path(folder)
        megabytes = 4 * export(corpus, scratch) / 1e6
        print(f"{megabytes:.0f} MB of token ids, {sum(shard.rows for shard in corpus.shards):,} documents read\n")
        rows = ours(corpus, tokenizer, scratch, megabytes, args.rounds)
        for who in PEERS:
            rows += peer(who, scratch, args.cache, megabytes, args.rounds)
    for one in rows:
        print(f"{one['work']:<42} {one['who']:<34} {one['value']:>12,.2f} {one['unit']}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
