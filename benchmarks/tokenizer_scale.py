"""Training a tokenizer on many gigabytes in little memory: time, memory, disk, and what was left out.

    python benchmarks/tokenizer_scale.py OUT runs/corpora/docs.jsonl runs/corpora/code.jsonl --gigabytes 10
    python benchmarks/tokenizer_scale.py OUT ... --share 0 --gigabytes 0.7        # the corpora as they are

The text is made from the corpora (JSON lines with a field `text`, .zst or plain): first they themselves, then they over
and over, each time with the words of each line in another order and a `--share` of the words misspelled, one to three
letters each by other letters of their kind. Misspellings of a word are drawn as words are, the v-th with a chance of
1/v, so that most are rare and some come again; without them no new word would come after the first time. Real text has
new words all along, V = K n^b of them in n bytes (Heaps' law): the script says b as the corpora have it, and how many
distinct pieces that means for all the text, beside how many there were.

A run reads the text (JSON lines, zstd) and trains 250,680 tokens on all of it, lines once, and is stopped when the
tokenizer is sealed. It is sampled as `scale.py` does it. Texts stay; the run is deleted unless `--keep`. Prints JSON.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numba
import numpy as np
import orjson
import psutil
import pyarrow as pa
import zstandard
from scale import Watch, texts

FILE_BYTES = 100_000_000  # of text
VARIANTS = 24  # bits: misspellings that a word may have
CHANCE_BYTES = 16  # of a word for each chance to be misspelled
WORDS = 1 << 16  # of a line that are put in order together
ROOM = np.empty((2, WORDS), np.int64)
U = np.uint64


@numba.njit
def _mixed(x):  # type: ignore[no-untyped-def]
    """SplitMix64's finalizer: a number without pattern for each number."""
    x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


@numba.njit
def _next(state):  # type: ignore[no-untyped-def]
    state[0] += U(0x9E3779B97F4A7C15)
    return _mixed(state[0])


@numba.njit
def _misspelled(out, at, end, chance):  # type: ignore[no-untyped-def]
    """Replaces the first letter from `at` on by another one of its kind; of letters beyond Latin the lowest bits."""
    for i in range(at, end):
        byte = out[i]
        if 97 <= byte <= 122:
            out[i] = 97 + (byte - 97 + 1 + chance % U(25)) % 26
            return
        if 48 <= byte <= 57:
            out[i] = 48 + (byte - 48 + 1 + chance % U(9)) % 10
            return
        if 65 <= byte <= 90:
            out[i] = 65 + (byte - 65 + 1 + chance % U(25)) % 26
            return
        if byte >= 0xC3 and i + 1 < end and byte != 0xE2 and byte != 0xE3 and byte < 0xEA:  # no marks among these
            last = i + (2 if byte >= 0xE0 else 1)
            if last < end:
                out[last] ^= np.uint8(1 + chance % U(31))
            return


@numba.njit
def _misspell(out, begin, end, state, share):  # type: ignore[no-untyped-def]
    if _next(state) * 2.0**-64 >= share:
        return
    variant = U(2.0 ** (VARIANTS * (_next(state) * 2.0**-64)))  # the v-th with a chance of 1/v
    h = variant
    for i in range(begin, end):
        h = _mixed((h ^ U(out[i])) * U(0x9E3779B97F4A7C15))
    for _ in range(1 + (variant > U(256)) + (variant > U(8192))):
        h = _mixed(h + U(1))
        _misspelled(out, begin + np.int64((h >> U(32)) % U(end - begin)), end, h & U(0xFFFFFFFF))


def remade(data: np.ndarray, seed: int, share: float) -> np.ndarray:
    """A text of the same length: words of each line in another order, a share of them misspelled."""
    out = data.copy()
    _remake(data, out, np.array([seed], np.uint64), share, *ROOM)
    return out


@numba.njit
def _remake(data, out, state, share, begins, ends):  # type: ignore[no-untyped-def]
    at = 0
    while at < len(data):
        words = 0
        while at < len(data) and data[at] != 10 and words < WORDS:
            if data[at] <= 32:
                at += 1
                continue
            begins[words] = at
            while at < len(data) and data[at] > 32:
                at += 1
            ends[words] = at
            words += 1
        if words:
            _line(data, out, begins[:words], ends[:words], state, share)
        if at < len(data) and data[at] == 10:
            at += 1


@numba.njit
def _line(data, out, begins, ends, state, share):  # type: ignore[no-untyped-def]
    order, to = np.arange(len(begins)), begins[0]
    for i in range(len(order) - 1, 0, -1):
        j = np.int64(_next(state) % U(i + 1))
        order[i], order[j] = order[j], order[i]
    for place in range(len(order)):
        begin = to
        for i in range(begins[order[place]], ends[order[place]]):
            out[to] = data[i]
            to += 1
        for _ in range(1 + (to - begin) // CHANCE_BYTES):
            _misspell(out, begin, to, state, share)
        if place + 1 < len(order):
            for i in range(ends[place], begins[place + 1]):  # what is between words stays where it was
                out[to] = data[i]
                to += 1


def files_of(sizes: Sequence[int], wanted: int) -> list[list[tuple[int, int]]]:
    """(time, text) of the texts of each file, `wanted` bytes all together."""
    out: list[list[tuple[int, int]]] = [[]]
    size = all_ = times = 0
    while True:
        for number, n in enumerate(sizes):
            out[-1].append((times, number))
            size, all_ = size + n, all_ + n
            if all_ >= wanted:
                return out
            if size >= FILE_BYTES:
                out.append([])
                size = 0
        times += 1


def write(folder: Path, corpus: Sequence[bytes], wanted: int, share: float) -> None:
    """Files that are there already stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, texts_of_file in enumerate(files_of([len(text) for text in corpus], wanted)):
        path = folder / f"{number:05d}.jsonl.zst"
        if path.exists():
            continue
        packer = zstandard.ZstdCompressor(level=1).compressobj()
        with path.with_suffix(".part").open("wb") as file:
            for times, at in texts_of_file:
                text = corpus[at]
                if times:
                    text = remade(np.frombuffer(text, np.uint8), (times << 32) | at, share).tobytes()
                file.write(packer.compress(orjson.dumps({"text": text.decode()}) + b"\n"))
            file.write(packer.flush())
        path.with_suffix(".part").rename(path)


def heaps(corpus: Sequence[bytes]) -> tuple[int, int, float]:
    """Bytes of the corpora, their distinct pieces, and the exponent between a fourth of them and all."""
    from pipeline.text.piece_counts import count_pieces, merge_counts

    every = [np.random.default_rng(0).permutation(len(corpus))[k::8] for k in range(8)]
    seen, sizes, distinct = None, 0, []
    for some in every:
        told = count_pieces(pa.array([corpus[i].decode() for i in some.tolist()], pa.large_string()))
        seen = told if seen is None else merge_counts([seen, told])
        sizes += sum(len(corpus[i]) for i in some.tolist())
        distinct.append((sizes, len(seen)))
    (fewer, some_pieces), (all_, pieces) = distinct[1], distinct[-1]
    return all_, pieces, math.log(pieces / some_pieces) / math.log(all_ / fewer)


def run(out: Path, data: Path, args: argparse.Namespace) -> dict:
    """Runs up to the tokenizer; what it took."""
    folder, config = out / "run", out / "scale.yaml"
    shutil.rmtree(folder, ignore_errors=True)
    config.write_text(
        f"run: {{workdir: {folder}, memory: {args.memory}, workers: {args.workers}}}\n"
        f"sources:\n  - jsonl: {{name: made, path: '{data}/*.jsonl.zst', lang: und}}\n"
        f"tokenizer: {{vocab_size: {args.vocab_size}, sample: 1TB}}\n"
    )
    process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", "run", str(config), "-q"])
    watch = Watch(process.pid, folder)
    watch.start()
    begin, cpu = time.monotonic(), 0.0
    while process.poll() is None and not list(folder.glob("*-tokenizer-*/manifest.json")):
        cpu = max(cpu, _cpu(process.pid))
        time.sleep(0.2)
    seconds = time.monotonic() - begin
    watch.stop.set()
    watch.join()
    if process.poll() is None:
        process.terminate()  # what comes after is no part of this; a job in the background may not hear Ctrl-C
    if process.wait() and not list(folder.glob("*-tokenizer-*/manifest.json")):
        sys.exit("the run failed")
    told = {"wall": round(seconds, 1), "cpu": round(cpu, 1), "anonymous": watch.anonymous, "disk": watch.disk}
    told |= {"proportional": watch.proportional, "load": os.getloadavg()[0], "steps": _steps(folder)}
    if not args.keep:
        shutil.rmtree(folder)
    return told


def _cpu(pid: int) -> float:
    """CPU seconds of a process and all that it started."""
    try:
        here = psutil.Process(pid)
        times = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    except psutil.Error:
        return 0.0
    return sum(t.user + t.system for t in times) + times[0].children_user + times[0].children_system


def _steps(folder: Path) -> dict:
    out = {}
    for path in sorted(folder.glob("*/manifest.json")):
        manifest = json.loads(path.read_text("utf-8"))
        about = manifest["run"]
        out[manifest["name"]] = {
            "seconds": round(about["seconds"], 1),
            "task_seconds": {name: round(s, 1) for name, s in about["task_seconds"].items()},
            "peak_memory": about["peak_memory"],
        }
        if "pieces" in manifest.get("about", {}):
            out[manifest["name"]] |= {name: manifest["about"][name] for name in ("pieces", "merges", "sample")}
    return out


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("out", type=Path)
    ask.add_argument("corpora", type=Path, nargs="+")
    ask.add_argument("--gigabytes", type=float, default=10.0)
    ask.add_argument("--share", type=float, default=0.08, help="of the words, each time, that are misspelled")
    ask.add_argument("--vocab-size", type=int, default=250_680)
    ask.add_argument("--memory", default="4GB")
    ask.add_argument("--workers", type=int, default=2)
    ask.add_argument("--keep", action="store_true", help="the run")
    ask.add_argument("--only-text", action="store_true", help="makes the text and runs nothing")
    args = ask.parse_args()
    wanted = int(args.gigabytes * 1e9)
    data = args.out / f"data-{args.gigabytes:g}-{args.share:g}"
    told = {"bytes": wanted, "share": args.share, "memory": args.memory, "workers": args.workers}
    if not (args.out / f"{data.name}.json").exists():
        corpus = [text.encode() for path in args.corpora for text in texts(path)]
        size, pieces, exponent = heaps(corpus)
        expected = pieces * (wanted / size) ** exponent
        law = {"corpora": size, "pieces": pieces, "exponent": round(exponent, 3), "by_law": round(expected)}
        write(data, corpus, wanted, args.share)
        (args.out / f"{data.name}.json").write_text(json.dumps(law))
    told["heaps"] = json.loads((args.out / f"{data.name}.json").read_text())
    print(json.dumps(told), file=sys.stderr, flush=True)
    if not args.only_text:
        print(json.dumps(told | run(args.out, data, args), indent=1))


if __name__ == "__main__":
    main()
