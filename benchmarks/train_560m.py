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

Json = dict[str, Any]
HERE = Path(__file__).resolve().parent
TARGET, GOOD, PEER = 125_000, 110_000, 87_000  # tokens/s: what we want, what is good, the best published at this size


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
    return [c if c is MATCH else Cell(c.spec | {"small": True}, 4, 120) for c in cells]


def matching(rows: list[Json], small: bool) -> list[Cell]:
    """Cells of ours at the micro-batches that `ratios` will want and that no row has."""
    have = {size(r) for r in speeds(rows) if r["who"] == "seedbed"}
    peers = {(r["who"], "checkpointing" in r["work"]) for r in speeds(rows) if r["who"] != "seedbed"}
    want = {largest(rows, *peer) for peer in peers} - have
    return [cell("step", 30, 120, micro_batch=n, **({"small": True} if small else {})) for n in sorted(want)]


def speeds(rows: list[Json]) -> list[Json]:
    return [r for r in rows if r["unit"] == "tokens/s" and r["value"]]


def largest(rows: list[Json], who: str, checkpointing: bool) -> int:
    """The largest micro-batch that a peer held, with or without gradient checkpointing."""
    return max(size(r) for r in speeds(rows) if r["who"] == who and ("checkpointing" in r["work"]) == checkpointing)


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


def ratios(rows: list[Json]) -> list[Json]:
    """Ours beside each peer: at its largest batch with the same batch, and each at its best."""
    ours = [r for r in speeds(rows) if r["who"] == "seedbed"]
    out = []
    for who in dict.fromkeys(r["who"] for r in speeds(rows) if r["who"] != "seedbed"):
        theirs = [r for r in speeds(rows) if r["who"] == who]
        for checkpointing in sorted({"checkpointing" in r["work"] for r in theirs}):
            n = largest(rows, who, checkpointing)
            same = [r for r in ours if size(r) == n and r["about"]["tokens_a_step"] == tokens(theirs, n)]
            name = f"{who}{', gradient checkpointing' if checkpointing else ''}"
            those = [r for r in theirs if size(r) == n and ("checkpointing" in r["work"]) == checkpointing]
            out += _ratio(f"tokens/s beside {name}, micro-batch {n}", same, those)
        out += _ratio(f"tokens/s beside {who}, each at its best", ours, theirs)
    return out


def size(row: Json) -> int:
    return int(row["about"].get("micro_batch", 0))


def tokens(rows: list[Json], micro_batch: int) -> int:
    return int(next(r["about"]["tokens_a_step"] for r in rows if size(r) == micro_batch))


def _ratio(work: str, ours: list[Json], theirs: list[Json]) -> list[Json]:
    if not ours or not theirs:
        return []
    mine, other = (max(rows, key=lambda r: r["value"]) for rows in (ours, theirs))
    about = {"ours": mine["work"], "theirs": other["work"]}
    ratio = mine["value"] / other["value"]
    return [{"work": work, "who": "seedbed", "value": ratio, "unit": "times", "higher_is_better": True, "about": about}]


def line(row: Json) -> str:
    """One line of the table."""
    about = row["about"]
    if row["value"] is None:
        return f"{row['work']:<74} {row['who'][:28]:<28} -- {about.get('failed', '')}"
    notes = [
        f"{100 * about['mfu']:.1f} % MFU" if about.get("mfu") else "",
        f"{about['milliseconds']:.1f} ms" if "milliseconds" in about else "",
        " ".join(f"{name} {ms:.1f}" for name, ms in about.get("phases", {}).items() if ms >= 0.05),
        f"{about['peak_gib']:.1f} GiB" if about.get("peak_gib") else "",
        f"{about['extra_gib']:.2f} GiB more" if about.get("extra_gib") else "",
        f"first call {about['compile_seconds']:.0f} s" if about.get("compile_seconds", 0) >= 1 else "",
        f"loss {about['losses'][0]:.3f}" if "losses" in about else "",
        f"expected {about['expected']:.1f}, floor {about['floor']:.1f}" if about.get("expected") else "",
        f"{about['share']:.1%}" if "share" in about else "",
        f"{about['launches']:.0f} launches" if "launches" in about else "",
        f"{about['useful_tflops']:.0f} TFLOP/s" if "useful_tflops" in about else "",
        f"{about['layers_microseconds_a_token']:.2f} us a token" if "layers_microseconds_a_token" in about else "",
        f"{about['microseconds_a_token']:.2f} us a token" if "microseconds_a_token" in about else "",
        f"{about['tflops']:.0f} TFLOP/s" if "tflops" in about else "",
    ]
    value = f"{row['value']:>12,.0f}" if abs(row["value"]) >= 1000 else f"{row['value']:>12,.2f}"
    return f"{row['work']:<74} {row['who'][:28]:<28} {value} {row['unit']:<9} {', '.join(filter(None, notes))}"


def verdict(rows: list[Json]) -> str:
    best = max(
        (r for r in rows if r["unit"] == "tokens/s" and r["who"] == "seedbed" and r["value"]),
        default=None,
        key=lambda r: r["value"],
    )
    if best is None:
        return "no step of ours was measured"
    speed = best["value"]
    word = "reached" if speed >= TARGET else "good, not reached" if speed >= GOOD else "missed"
    return f"best of ours: {speed:,.0f} tokens/s ({best['work']}); {TARGET:,} {word}, best published {PEER:,}"


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--minutes", type=float, default=8.0, help="for all of it; what does not fit is named")
    ask.add_argument("--cpu-small", action="store_true", help="tiny shapes; taken by itself where there is no GPU")
    ask.add_argument("--only", nargs="+", metavar="KIND", help="cells of these kinds only")
    ask.add_argument("--json", type=Path, help="write the rows here, as they come")
    args = ask.parse_args()
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
