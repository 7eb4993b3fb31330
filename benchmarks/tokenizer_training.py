"""Training a byte-level BPE tokenizer: seedbed beside the trainer of `tokenizers`, on the same text, in one call.

    python benchmarks/corpora.py runs/corpora
    python benchmarks/tokenizer_training.py runs/corpora/docs.jsonl:100 runs/corpora/code.jsonl:100 --json rows.json

A corpus is a file of JSON lines with a field `text` (also .jsonl.zst), or a folder of them; `:100` takes its first 100
MB of text; `a.jsonl+corpus/+b.jsonl:100` is all of them as one. Each run is a process of its own that finds the texts
in a mapped Arrow file; clocks start after imports and compilation, and stop when the merges are known. Wall seconds,
CPU seconds of all threads, and the peak of the process's memory, the mapped text included; runs are interleaved,
medians told. Seedbed runs in one thread, the trainer in as many as it takes. Exits with 1 where the merges are not the
same in content and order.
"""

import argparse
import hashlib
import io
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import zstandard

SIZES = [8192, 32_000, 250_680]
USUAL = {"min_frequency": 2}
MEASURES = {"seconds": "s", "cpu_seconds": "s", "peak_mb": "MB"}
SAID = {"seconds": "wall", "cpu_seconds": "CPU", "peak_mb": "peak memory"}


@dataclass
class Run:
    who: str
    corpus: str
    texts: Path
    size: int
    settings: dict  # of the training: min_frequency, max_token_length, limit_alphabet; what is not there is not set
    results: list[dict] = field(default_factory=list)

    def once(self) -> None:
        settings = json.dumps({"vocab_size": self.size, **self.settings})
        command = [sys.executable, __file__, "--child", self.who, str(self.texts), settings]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{self.who} failed on {self.corpus}:\n{done.stderr[-2000:]}")
        self.results.append(json.loads(done.stdout.splitlines()[-1]))

    @property
    def work(self) -> str:
        more = "".join(f", {name} {value}" for name, value in self.settings.items() if USUAL.get(name) != value)
        return f"tokenizer training, {self.size:,} tokens{more}, {self.corpus}"

    def rows(self) -> Iterator[dict]:
        who = "seedbed" if self.who == "seedbed" else f"tokenizers {version('tokenizers')}"
        for what, unit in MEASURES.items():
            value = round(statistics.median(result[what] for result in self.results), 3)
            yield {
                "work": f"{self.work}: {SAID[what]}",
                "who": who,
                "value": value,
                "unit": unit,
                "higher_is_better": False,
            }


# A run, in a process of its own


def seedbed(texts: pa.ChunkedArray, settings: dict) -> tuple[list[tuple[bytes, bytes]], dict]:
    from pipeline.text.bpe_training import bytes_to_learn, learn
    from pipeline.text.piece_counts import count_pieces

    learn(count_pieces(pa.array(["a b ab ab"], pa.large_string())), 262, 2)  # compile
    clocks = Clocks()
    pieces = count_pieces(texts)
    counted = clocks.told()
    made = learn(pieces, **settings)
    told = clocks.told()
    told |= {"counting": counted["cpu_seconds"], "pieces": len(pieces), "symbols": len(pieces.data)}
    told["told_mb"] = bytes_to_learn(pieces, settings["vocab_size"]) / 1e6
    tokens = made.tokens()
    return [(tokens[left], tokens[right]) for left, right, _ in made.merges.tolist()], told


def tokenizers(texts: pa.ChunkedArray, settings: dict) -> tuple[list[tuple[bytes, bytes]], dict]:
    from tokenizers import pre_tokenizers, trainers

    from pipeline.encode import byte_chars
    from pipeline.text.piece_counts import SPECIALS
    from pipeline.tokenizer import untrained

    tokenizer = untrained()
    trainer = trainers.BpeTrainer(
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
        **settings,
    )
    special = re.compile("|".join(map(re.escape, SPECIALS)))
    parts = (part for text in texts for part in special.split(text.as_py()))
    clocks = Clocks()
    tokenizer.train_from_iterator(parts, trainer)
    told = clocks.told()
    byte_of = {char: byte for byte, char in enumerate(byte_chars())}
    pairs = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(bytes(byte_of[char] for char in part) for part in pair) for pair in pairs], told


class Clocks:
    def __init__(self) -> None:
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def told(self) -> dict[str, float]:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        cpu = time.process_time() - self.cpu
        return {"seconds": time.perf_counter() - self.wall, "cpu_seconds": cpu, "peak_mb": peak}


def child(who: str, path: str, settings: dict) -> None:
    texts = pa.ipc.open_file(pa.memory_map(path)).read_all().column("text")
    merges, told = {"seedbed": seedbed, "tokenizers": tokenizers}[who](texts, settings)
    digest = hashlib.sha256(repr(merges).encode()).hexdigest()
    print(json.dumps(told | {"merges": len(merges), "digest": digest}))


# All runs


def texts_of(path: Path) -> Iterator[str]:
    files = sorted(path.glob("*.jsonl*")) if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as raw:
            plain = zstandard.ZstdDecompressor().stream_reader(raw) if file.suffix == ".zst" else raw
            for line in io.TextIOWrapper(plain, encoding="utf-8"):
                yield json.loads(line)["text"]


def part(said: str) -> Iterator[str]:
    """Texts of a file or folder, up to the MB that stand behind its name."""
    name, _, limit = said.partition(":")
    size = 0
    for text in texts_of(Path(name)):
        yield text
        size += len(text.encode())
        if limit and size >= float(limit) * 1e6:
            return


def prepare(said: str, folder: Path) -> tuple[str, Path]:
    """Writes the texts of a corpus as one Arrow batch; its name with its size, and where it is."""
    out = folder / f"{len(list(folder.iterdir()))}.arrow"
    texts = pa.array((text for some in said.split("+") for text in part(some)), pa.large_string())
    batch = pa.record_batch([texts], ["text"])
    with pa.ipc.new_file(out, batch.schema) as writer:
        writer.write(batch)
    names = [Path(some.partition(":")[0]).name.partition(".")[0] or "corpus" for some in said.split("+")]
    return f"{' + '.join(names)} {pc.sum(pc.binary_length(texts)).as_py() / 1e6:.0f} MB", out


def run(args: argparse.Namespace) -> list[dict]:
    """Rows of all corpora and sizes: `args` has `corpora` (list of str), `sizes`, `settings`, `rounds`, `alone`."""
    peers = ["seedbed"] if args.alone else ["seedbed", "tokenizers"]
    with tempfile.TemporaryDirectory() as folder:
        corpora = [prepare(said, Path(folder)) for said in args.corpora]
        planned = [Run(who, *corpus, size, args.settings) for corpus in corpora for size in args.sizes for who in peers]
        for _ in range(args.rounds):
            for one in planned:
                one.once()
                print(f"{one.who:>10} {one.size:>7} {one.corpus}: {one.results[-1]}", file=sys.stderr, flush=True)
    rows = [row for one in planned for row in one.rows()]
    return rows + [_identity(planned[i : i + 2]) for i in range(0, len(planned), 2) if not args.alone]


def _identity(pair: list[Run]) -> dict:
    results = {(result["digest"], result["merges"]) for one in pair for result in one.results}
    work = f"{pair[0].work}: merges identical in content and order"
    same = float(len(results) == 1)
    return {"work": work, "who": "seedbed", "value": same, "unit": "share", "higher_is_better": True}


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
        return
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("corpora", nargs="+", metavar="CORPUS[:MB]")
    ask.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    ask.add_argument("--min-frequency", type=int, default=2)
    ask.add_argument("--max-token-length", type=int)
    ask.add_argument("--limit-alphabet", type=int)
    ask.add_argument("--rounds", type=int, default=1)
    ask.add_argument("--alone", action="store_true", help="seedbed alone")
    ask.add_argument("--json", type=Path, help="write the rows here")
    args = ask.parse_args()
    settings = {name: getattr(args, name) for name in ("min_frequency", "max_token_length", "limit_alphabet")}
    args.settings = {name: value for name, value in settings.items() if value is not None}
    rows = run(args)
    for row in rows:
        print(f"{row['value']:>10.3f} {row['unit']:<6} {row['who']:<20} {row['work']}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    if any(row["unit"] == "share" and row["value"] < 1 for row in rows):
        sys.exit("the merges are not the same")


if __name__ == "__main__":
    main()
