"""A whole run of `pipeline`, from raw files to packed rows: what each stage took, and what it dropped and why.

    python benchmarks/whole.py configs/corpora.yaml runs/whole [--json FILE]

Makes every step anew in the given folder (which must not hold any) and reads the figures from the manifests: bytes of
text that went into a stage, seconds of its tasks added over workers (so MB/s is of one core), the peak of the memory
of all processes together, and the ledger's reasons. Row-wise stages go over a shard together; theirs are the seconds
of the stage itself, without reading and writing the layers, which `read and write` shows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.config import load
from pipeline.plan import Planned
from pipeline.progress import talk
from pipeline.run import run
from pipeline.store.counts import total

Row = dict[str, Any]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("config", type=Path)
    ask.add_argument("workdir", type=Path, help="a folder that does not exist yet")
    ask.add_argument("--workers", type=int)
    ask.add_argument("--memory", help="such as 2GB")
    ask.add_argument("--json", type=Path, help="write the rows here")
    args = ask.parse_args()
    if args.workdir.exists():
        sys.exit(f"{args.workdir} exists: steps in it would not be made again, and nothing measured")
    wanted = {"workdir": str(args.workdir), "workers": args.workers, "memory": args.memory}
    config = load(args.config, {key: value for key, value in wanted.items() if value is not None})
    result = run(config, talk())
    manifests = [(planned, planned.step.manifest()) for planned in result.steps]
    size = sum(total(m["kept"], "bytes") for p, m in manifests if p.kind == "source")
    show_stages(manifests, size)
    show_drops(manifests)
    rate = f"{size / 1e6 / result.seconds:.1f} MB/s with {config.run.worker_count} workers"
    print(f"{size / 1e6:,.0f} MB in {result.seconds:.1f} s: {rate}")
    if args.json:
        args.json.write_text(json.dumps(rows(manifests, size, result.seconds), indent=1))


def seconds_of(planned: Planned, manifest: Row) -> float:
    """Seconds of one step's own tasks, added over workers."""
    about = manifest["run"]
    return about.get("stage_seconds") or sum(about["task_seconds"].values())


def show_stages(manifests: list[tuple[Planned, Row]], size: int) -> None:
    table = Table("step", box=None)
    for name in ("documents", "MB in", "seconds", "MB/s a core", "peak memory, MB", "on disk, MB", "dropped"):
        table.add_column(name, justify="right")
    coming = size
    for planned, manifest in manifests:
        here = total(manifest["kept"], "bytes") if planned.kind == "source" else coming
        seconds = seconds_of(planned, manifest)
        disk = sum(info["bytes"] for info in manifest["files"].values())
        cells = [
            f"{total(manifest['kept']):,}",
            f"{here / 1e6:.0f}",
            f"{seconds:.1f}",
            f"{here / 1e6 / max(seconds, 1e-9):.0f}",
        ]
        cells += [f"{manifest['run']['peak_memory'] / 1e6:.0f}", f"{disk / 1e6:.0f}", f"{total(manifest['dropped']):,}"]
        table.add_row(planned.name, *cells)
        if planned.kind in ("row", "corpus"):
            coming = total(manifest["kept"], "bytes")
    Console(width=120).print(table)


def show_drops(manifests: list[tuple[Planned, Row]]) -> None:
    table = Table("step", "reason", box=None)
    table.add_column("documents", justify="right")
    table.add_column("MB", justify="right")
    for planned, manifest in manifests:
        documents: Counter[str] = Counter()
        size: Counter[str] = Counter()
        for cell in manifest["dropped"]:
            documents[cell["reason"]] += cell["documents"]
            size[cell["reason"]] += cell["bytes"]
        for reason, count in documents.most_common():
            table.add_row(planned.name, reason, f"{count:,}", f"{size[reason] / 1e6:.1f}")
    Console(width=120).print(table)


def rows(manifests: list[tuple[Planned, Row]], size: int, seconds: float) -> list[Row]:
    """Rows for `--json`."""

    def row(work: str, value: float, unit: str, higher: bool) -> Row:
        return {"work": work, "who": "seedbed", "value": value, "unit": unit, "higher_is_better": higher}

    peak = max(m["run"]["peak_memory"] for _, m in manifests)
    out = [
        row("whole run, raw files to packed rows", size / 1e6 / seconds, "MB/s", True),
        row("whole run, peak memory of all processes", peak / 1e6, "MB", False),
    ]
    return out + [row(f"whole run, {p.name}", seconds_of(p, m), "s of a core", False) for p, m in manifests]


if __name__ == "__main__":
    main()
