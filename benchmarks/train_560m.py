"""How fast bloom-560m trains on one GPU, and what the time goes to: everything that tuning needs, in one call.

    python benchmarks/train_560m.py --json rows.json        # one GPU, under 8 minutes; docs/training-gpu.md reads it
    python benchmarks/train_560m.py --cpu-small             # every kind of cell at a tiny size, anywhere, in a minute

Cells run one after another in the order of their worth, each a process of its own with a time limit: out of memory, a
hang or a crash costs that cell and is told. Rows are on disk as soon as they are known. What the time does not suffice
for is named at the end. Speeds are medians by the GPU's own clock without the first steps; MFU counts 3.957 GFLOPs a
token (all pairs of positions) and 989.4 TFLOP/s. This process never touches the GPU and imports no torch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from train_560m_table import Json, largest, line, ratios, size, speeds, verdict

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Cell:
    """A process to run: what it gets, how long it commonly takes and how long it may take, in seconds."""

    spec: Json
    usual: float = 25.0
    limit: float = 90.0

    @property
    def name(self) -> str:
        told = [f"{name} {value}" for name, value in self.spec.items() if name not in ("kind", "small")]
        return ", ".join([self.spec["kind"], *told])


def cell(kind: str, usual: float = 25.0, limit: float = 90.0, **spec: Any) -> Cell:
    return Cell({"kind": kind, **spec}, usual, limit)


MATCH = cell("match")  # stands for: ours at the largest batch of each peer, unless that is measured


def full() -> list[Cell]:
    """For a GPU of 80 GB, the most valuable first."""
    return [
        cell("step", 45, 150, micro_batch=16),
        cell("step", 30, 120, micro_batch=32),
        cell("profile", 30, 120, micro_batch=16),
        cell("transformers", 30, micro_batches=[1, 2, 4, 8]),
        cell("transformers", 25, micro_batches=[2, 4, 8, 16], checkpointing=True),
        MATCH,
        cell("attention", 20, micro_batch=16, head_sizes=[64, 80, 96, 128]),
        cell("flex", 35, 120, micro_batch=16, head_sizes=[64, 80, 96, 128]),
        cell("loss", 25, micro_batch=16, fused=True, chunks=[2048, 4096, 8192, 16384]),
        cell("step", 30, 120, micro_batch=16, kernel="flash"),
        cell("step", 30, 120, micro_batch=16, kernel="cudnn"),
        cell("step", 40, 150, micro_batch=16, backend="flex"),
        cell("ceilings", 15, micro_batch=16),
        cell("step", 20, micro_batch=16, compile="none"),
        cell("step", 30, 120, micro_batch=16, fused=False),
        cell("lightning", 30, 120, micro_batch=16),
        cell("step", 30, 120, micro_batch=16, accumulate=8),
        cell("loss memory", 15),
        cell("step", 30, 120, micro_batch=24),
        cell("step", 30, 120, micro_batch=8),
        cell("step", 30, 120, micro_batch=64),
        cell("loss", 20, micro_batch=16, fused=False, chunks=[1024, 2112, 4096]),
        cell("step", 20, micro_batch=4, compile="none", backend="eager"),
        cell("naive", 25, micro_batches=[1, 2, 4]),
        cell("torch loss", 20, micro_batch=16, chunks=[2048, 4096]),
        cell("transformers", 60, 120, micro_batches=[2], compiled=True),
        cell("step", 90, 180, micro_batch=16, compile="whole"),
        cell("profile", 25, micro_batch=16, compile="none", fused=False),
    ]


def small() -> list[Cell]:
    """Every kind of cell once, and every argument, at a size that two cores finish in seconds."""
    cells = [
        cell("step", micro_batch=2),
        cell("profile", micro_batch=2),
        cell("transformers", micro_batches=[1, 2]),
        cell("transformers", micro_batches=[1], checkpointing=True),
        MATCH,
        cell("attention", micro_batch=1, head_sizes=[16]),
        cell("flex", micro_batch=1, head_sizes=[16]),
        cell("loss", micro_batch=2, fused=True, chunks=[64]),
        cell("step", micro_batch=2, backend="eager", compile="none", fused=False, accumulate=2),
        cell("ceilings", micro_batch=2),
        cell("lightning", micro_batch=2),
        cell("loss memory"),
        cell("naive", micro_batches=[1]),
        cell("torch loss", micro_batch=2, chunks=[64]),
    ]
    return [c if c is MATCH else Cell(c.spec | {"small": True}, 4, 300) for c in cells]


def matching(rows: list[Json], small: bool) -> list[Cell]:
    """Cells of ours at the micro-batches that `ratios` will want and that no row has."""
    have = {size(r) for r in speeds(rows) if r["who"] == "seedbed"}
    peers = {(r["who"], "checkpointing" in r["work"]) for r in speeds(rows) if r["who"] != "seedbed"}
    want = {largest(rows, *peer) for peer in peers} - have
    return [cell("step", 30, 120, micro_batch=n, **({"small": True} if small else {})) for n in sorted(want)]


@dataclass
class Bench:
    """The rows so far, and the time that is left."""

    minutes: float
    json: Path | None
    rows: list[Json] = field(default_factory=list)
    begin: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        return 60 * self.minutes - (time.monotonic() - self.begin)

    def run(self, one: Cell) -> None:
        if self.left < one.usual:
            self.take([failed(one, f"not run: {self.left:.0f} s were left and it takes about {one.usual:.0f} s")])
            return
        begin = time.monotonic()
        rows, why = child(one, min(one.limit, self.left))
        self.take([*rows, *([failed(one, why)] if why else [])])
        print(
            f"  {time.monotonic() - begin:5.1f} s  {one.name}{': ' + why if why else ''}", file=sys.stderr, flush=True
        )

    def take(self, rows: list[Json]) -> None:
        """Keep them, and have all of them on disk."""
        self.rows += rows
        if self.json:
            new = self.json.with_name(self.json.name + ".new")
            new.write_text(json.dumps(self.rows, indent=1))
            new.replace(self.json)


def failed(one: Cell, why: str) -> Json:
    row = {"work": one.name, "who": "seedbed", "value": None, "unit": "", "higher_is_better": True}
    return row | {"about": {"cell": one.spec["kind"], "failed": why}}


def child(one: Cell, limit: float) -> tuple[list[Json], str]:
    """Its rows, and why it ended if not well. Ends it, with all that it started, after `limit` seconds."""
    with tempfile.TemporaryDirectory(prefix="train-560m-") as folder:
        path, errors = Path(folder) / "rows.jsonl", Path(folder) / "stderr"
        command = [sys.executable, str(HERE / "train_560m_cell.py"), json.dumps(one.spec), str(path)]
        with errors.open("w") as said:
            process = subprocess.Popen(
                command, stdout=said, stderr=said, env=environment(), start_new_session=True
            )  # a session of its own, because inductor's workers must end with it
            try:
                code, why = process.wait(limit), ""
            except subprocess.TimeoutExpired:
                code, why = 0, f"stopped after {limit:.0f} s"
            finally:
                end(process)
        if code:
            why = f"exit {code}: {last_line(errors)}"
        return read(path), why


def environment() -> dict[str, str]:
    paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "TOKENIZERS_PARALLELISM": "false",
    }


def end(process: subprocess.Popen[bytes]) -> None:
    """All of the process's session, if any of it still runs."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read(path: Path) -> list[Json]:
    """Whole lines; one that was being written when the process ended is left."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]


def last_line(path: Path) -> str:
    lines = path.read_text("utf-8", errors="replace").strip().splitlines()
    wrong = [line for line in lines if "Error" in line]
    return (wrong or lines or ["it said nothing"])[-1].strip()[:300]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--minutes", type=float, default=8.0, help="for all of it; what does not fit is named")
    ask.add_argument("--cpu-small", action="store_true", help="tiny shapes; taken by itself where there is no GPU")
    ask.add_argument("--only", nargs="+", metavar="KIND", help="cells of these kinds only")
    ask.add_argument("--json", type=Path, help="write the rows here, as they come")
    args = ask.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the cell that runs is ended too
    bench = Bench(args.minutes, args.json)
    bench.run(cell("machine", 1, 120))
    cuda = any(r["about"].get("cuda") for r in bench.rows)
    if not cuda and not args.cpu_small:
        print("no GPU here: every cell at its small size, whose figures say nothing of speed", file=sys.stderr)
    tiny = args.cpu_small or not cuda
    for stands in small() if tiny else full():
        for one in matching(bench.rows, tiny) if stands is MATCH else [stands]:
            if not args.only or one.spec["kind"] in args.only:
                bench.run(one)
    bench.take(ratios(bench.rows))
    print("\n".join(map(line, bench.rows)))
    if not tiny:
        print(verdict(bench.rows))


if __name__ == "__main__":
    main()
