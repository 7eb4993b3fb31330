"""Exact and near dedup of many million documents in little memory: time, memory and disk as the corpus grows.

    python benchmarks/scale.py OUT --corpora runs/corpora/docs.jsonl --documents 1M 2M 5M 10M 20M
    python benchmarks/scale.py OUT --plot docs/scale.png          # from what was measured before

Documents are made from passages (60 to 240 bytes) of the corpora, six of them put together at random, some 650 bytes:
85 % of their own, 5 % exact copies of those, 10 % near copies with one word added (Jaccard above 0.9). A run reads them
(JSON lines, zstd), drops exact and then near duplicates with 2 workers in 2 GB (`run.memory`), and is sampled: memory
of the process tree as the pages that no file stands behind (`anonymous`, what the manifest counts) and as all that is
resident, each shared page shared out (`proportional`, mapped files included, which the system takes back at will);
disk as all files of the run. Documents are made once, for the largest size, and stay; each size appends a line to
OUT/scale.jsonl, and its run is deleted then. Times mean something on quiet cores only. The plot needs matplotlib, which
is no dependency of the project.
"""

import argparse
import contextlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import zstandard

EXACT, NEAR = 0.05, 0.10  # shares of copies
PASSAGE = (60, 240)  # bytes
PASSAGES = 6  # of a document, some 650 bytes
MOST_PASSAGES = 500_000
FILE_DOCUMENTS = 50_000
U = np.uint64
ORIGINAL, COPY, CHANGED = 0, 1, 2


def passages(corpora: Iterable[Path]) -> list[str]:
    """Runs of whole sentences from all documents, none twice, evenly from all corpora."""
    found: dict[str, None] = {}
    paths = list(corpora)
    for path in paths:
        room = len(found) + MOST_PASSAGES // len(paths)
        for text in texts(path):
            for sentence in re.split(r"(?<=[.!?。।])\s+|\n+", text):
                if PASSAGE[0] <= len(sentence.encode()) <= PASSAGE[1]:
                    found[sentence] = None
            if len(found) >= room:
                break
    return list(found)


def texts(path: Path) -> Iterator[str]:
    with path.open("rb") as raw:
        stream = zstandard.ZstdDecompressor().stream_reader(raw) if path.suffix == ".zst" else raw
        for line in _lines(stream):
            yield json.loads(line)["text"]


def _lines(stream) -> Iterator[bytes]:  # type: ignore[no-untyped-def]
    rest = b""
    while piece := stream.read(1 << 20):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def mixed(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finalizer: a number without pattern for each number."""
    x = (x + U(0x9E3779B97F4A7C15)).astype(U)
    x = (x ^ (x >> U(30))) * U(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U(27))) * U(0x94D049BB133111EB)
    return x ^ (x >> U(31))


def kinds(docs: np.ndarray) -> np.ndarray:
    """What each document is, of a number alone."""
    share = mixed(docs * U(3)) / 2.0**64
    return np.where(share < EXACT, COPY, np.where(share < EXACT + NEAR, CHANGED, ORIGINAL)) * (docs > 0)


def originals(docs: np.ndarray) -> np.ndarray:
    """For each document the one whose passages it has: itself, or an earlier one that is of its own."""
    source, kind = docs.copy(), kinds(docs)
    for attempt in range(20):
        open_ = (kind != ORIGINAL) & (source == docs)
        earlier = mixed(docs * U(64) + U(attempt)) % np.maximum(docs, U(1))
        source = np.where(open_ & (kinds(earlier) == ORIGINAL), earlier, source)
    return source


def documents(first: int, count: int, pool: list[str], each: int) -> Iterator[str]:
    """Texts of documents first, first + 1, ..., each of so many passages."""
    docs = np.arange(first, first + count, dtype=U)
    source, kind = originals(docs), kinds(docs)
    chosen = mixed(source[:, None] * U(16) + np.arange(each, dtype=U)) % U(len(pool))
    for doc, row, what in zip(docs.tolist(), chosen.tolist(), kind.tolist(), strict=True):
        text = " ".join([pool[at] for at in row])
        if what == CHANGED:
            text += f" changed{doc}"
        yield text


def file_of(folder: Path, first: int) -> Path:
    return folder / f"{first // FILE_DOCUMENTS:05d}.jsonl.zst"


def write(folder: Path, first: int, some: int, pool: list[str], each: int) -> Counter[str]:
    """A file of documents; how many copies are among them, and bytes of text."""
    told, lines = Counter[str](), []
    for number, text in enumerate(documents(first, some, pool, each), first):
        told["bytes"] += len(text.encode())
        lines.append(json.dumps({"text": text, "n": number}, ensure_ascii=False))
    kind = kinds(np.arange(first, first + some, dtype=U))
    told["exact"] += int((kind == COPY).sum())
    told["near"] += int((kind == CHANGED).sum())
    packed = zstandard.ZstdCompressor(level=1).compress(("\n".join(lines) + "\n").encode())
    file_of(folder, first).write_bytes(packed)
    return told


def write_all(folder: Path, counts: Sequence[int], pool: list[str], each: int, workers: int) -> dict[int, Counter[str]]:
    """Files for the largest of `counts`, of which the first ones do for the others; what is in each corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    firsts, list_ = range(0, max(counts), FILE_DOCUMENTS), folder / "told.json"
    told = [Counter(one) for one in json.loads(list_.read_text())] if list_.exists() else []
    if len(told) < len(firsts):
        with ProcessPoolExecutor(workers) as processes:
            tasks = [processes.submit(write, folder, first, FILE_DOCUMENTS, pool, each) for first in firsts]
            told = [task.result() for task in tasks]
        list_.write_text(json.dumps(told))
    return {count: sum(told[: count // FILE_DOCUMENTS], Counter()) for count in counts}


class Watch(threading.Thread):
    """Samples a process tree and its folder until told to stop."""

    def __init__(self, pid: int, folder: Path) -> None:
        super().__init__(daemon=True)
        self.pid, self.folder, self.stop = pid, folder, threading.Event()
        self.anonymous = self.proportional = self.disk = 0

    def run(self) -> None:
        looked = 0.0
        while not self.stop.wait(0.2):
            with contextlib.suppress(psutil.Error):
                here = psutil.Process(self.pid)
                tree = [here, *here.children(recursive=True)]
                self.anonymous = max(self.anonymous, sum(_of(p, "status", "RssAnon:") for p in tree))
                self.proportional = max(self.proportional, sum(_of(p, "smaps_rollup", "Pss:") for p in tree))
            if time.monotonic() > looked + 5:
                looked = time.monotonic()
                self.disk = max(self.disk, _size(self.folder))


def _of(process: psutil.Process, name: str, key: str) -> int:
    try:
        for line in Path(f"/proc/{process.pid}/{name}").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # it ended meanwhile
    return 0


def _size(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(root) / name).stat().st_blocks * 512
    return total


def measure(out: Path, made: Path, count: int, memory: str, workers: int) -> dict:
    """Runs over the first `count` documents of `made`, and deletes the run."""
    data, run = out / f"data-{count}", out / f"run-{count}"
    for folder in (data, run):
        shutil.rmtree(folder, ignore_errors=True)
    data.mkdir()
    for first in range(0, count, FILE_DOCUMENTS):
        os.link(file_of(made, first), file_of(data, first))
    config = out / f"scale-{count}.yaml"
    config.write_text(
        f"run: {{workdir: {run}, memory: {memory}, workers: {workers}}}\n"
        f"sources:\n  - jsonl: {{name: made, path: '{data}/*.jsonl.zst', lang: und, max_document: 4MB}}\n"
        "stages:\n  - dedup_exact\n  - dedup_near\n"
    )
    begin, cpu = time.monotonic(), cpu_seconds()
    process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", "run", str(config), "-q"])
    watch = Watch(process.pid, run)
    watch.start()
    if process.wait():
        sys.exit(f"the run over {count} documents failed")
    wall, cpu = time.monotonic() - begin, cpu_seconds() - cpu
    watch.stop.set()
    watch.join()
    steps = {}
    for path in sorted(run.glob("*/manifest.json")):
        manifest = json.loads(path.read_text("utf-8"))
        about = manifest["run"]
        steps[manifest["name"]] = {
            "seconds": round(about["seconds"], 1),
            "task_seconds": {name: round(s, 1) for name, s in about["task_seconds"].items()},
            "peak_memory": about["peak_memory"],
            "dropped": sum(cell["documents"] for cell in manifest["dropped"]),
        }
    row = {"documents": count, "seconds": round(wall, 1), "cpu_seconds": round(cpu, 1), "steps": steps}
    row |= {"anonymous": watch.anonymous, "proportional": watch.proportional, "disk": watch.disk}
    row |= {"memory": memory, "workers": workers, "load": os.getloadavg()[0]}
    shutil.rmtree(data)
    shutil.rmtree(run)
    return row


def cpu_seconds() -> float:
    """Of all processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def plot(rows: list[dict], path: Path) -> None:
    """Seconds and peak memory against documents; the last row of each size."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    by_size = {row["documents"]: row for row in rows}
    sizes = sorted(by_size)
    millions = [size / 1e6 for size in sizes]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), constrained_layout=True)
    for name in by_size[sizes[-1]]["steps"]:
        left.plot(millions, [by_size[n]["steps"][name]["seconds"] for n in sizes], "o-", label=name)
    left.plot(millions, [by_size[n]["seconds"] for n in sizes], "ko-", label="whole run")
    left.plot(millions, [by_size[n]["cpu_seconds"] / 2 for n in sizes], "k:", label="half its CPU time")
    left.set(xlabel="million documents", ylabel="seconds, 2 cores", xlim=0, ylim=0)
    left.legend(frameon=False)
    for name in ("anonymous", "proportional"):
        right.plot(millions, [by_size[n][name] / 1e9 for n in sizes], "o-", label=name)
    right.axhline(2, color="grey", linestyle=":", label="run.memory")
    right.set(xlabel="million documents", ylabel="peak memory of the process tree, GB", xlim=0, ylim=(0, 2.2))
    right.legend(frameon=False)
    figure.savefig(path, dpi=110)


def _count(text: str) -> int:
    count = int(float(text.rstrip("kM")) * {"k": 1000, "M": 1_000_000}.get(text[-1], 1))
    if count % FILE_DOCUMENTS:
        raise argparse.ArgumentTypeError(f"a multiple of {FILE_DOCUMENTS:,}, please: {text}")
    return count


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("out", type=Path)
    ask.add_argument(
        "--corpora", type=Path, nargs="*", default=[], help="JSON lines with a field `text`, .zst or plain"
    )
    ask.add_argument("--documents", type=_count, nargs="*", default=[], help="sizes: 100k 1M 20M")
    ask.add_argument("--passages", type=int, default=PASSAGES, help="of a document, at most 16; 110 bytes each")
    ask.add_argument("--memory", default="2GB")
    ask.add_argument("--workers", type=int, default=2)
    ask.add_argument("--plot", type=Path, help="draw all rows measured so far")
    args = ask.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    lines = args.out / "scale.jsonl"
    if args.documents:
        made, pool = args.out / f"made-{args.passages}", passages(args.corpora)
        told = write_all(made, args.documents, pool, args.passages, args.workers)
        for count in args.documents:
            row = measure(args.out, made, count, args.memory, args.workers)
            row |= {"passages": args.passages, **told[count]}
            with lines.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row, indent=1), flush=True)
    if args.plot:
        plot([json.loads(line) for line in lines.read_text().splitlines()], args.plot)


if __name__ == "__main__":
    main()
