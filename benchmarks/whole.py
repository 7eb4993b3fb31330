"""A whole run of `pipeline`, from raw files to packed rows: what each stage took, and what it dropped and why.

    python benchmarks/corpora.py runs/corpora
    python benchmarks/whole.py configs/corpora.yaml runs/whole --stages configs/roots.yaml --peer-mb 4 --json rows.json

Makes every step anew in the given folder (which must not hold any) and reads the figures from the manifests: bytes of
text that went into a stage, seconds of its tasks added over workers (so MB/s is of one core), the peak of the memory
of all processes together, and the ledger's reasons. Row-wise stages go over a shard together; theirs are the seconds
of the stage itself, without reading and writing the layers, which `read and write` shows. The second table is by the
clock: steps that were made together, and how much of the workers' time nobody worked.

--stages takes the stages of another config over these sources. --peer-mb runs datatrove on a sample of so many
megabytes beside seedbed (whole_beside.py says what is alike and what is not); --same runs seedbed with that same work
on the whole corpus. With --tokenizer, a tokenizer.json, the config itself is not run.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table
from watched import Watched
from whole_beside import Config, Row, Wish, beside, ours, row, same_work

from pipeline.config import load
from pipeline.plan import Planned, plan
from pipeline.store.counts import total
from pipeline.yamlsafe import load as load_yaml

Manifests = list[tuple[Planned, Row]]


def main() -> None:
    args = arguments()
    if args.workdir.exists():
        sys.exit(f"{args.workdir} exists: steps in it would not be made again, and nothing measured")
    config: Config = load_yaml(args.config)
    wish = Wish(args.peer_mb, args.rounds, args.workers, args.memory, args.cache.resolve())
    rows: list[Row] = []
    args.workdir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.workdir.parent, prefix=".whole-") as folder:
        scratch, tokenizer = Path(folder), args.tokenizer
        if tokenizer is None:
            stages = load_yaml(args.stages or args.config)["stages"]
            manifests, told = whole({**config, "stages": stages}, scratch, args.workdir, wish)
            rows += told
            tokenizer = next(p.step.folder / "tokenizer.json" for p, _ in manifests if p.kind == "tokenizer")
        if args.same:
            rows += same_on_all(same_work(config, tokenizer), scratch, wish)
        if args.peer_mb:
            rows += beside(config, scratch, tokenizer, wish)
    for one in rows:
        print(f"{one['value']:>10.2f} {one['unit']:<12} {one['who']:<18} {one['work']}")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


def arguments() -> argparse.Namespace:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("config", type=Path)
    ask.add_argument("workdir", type=Path, help="a folder that does not exist yet")
    ask.add_argument("--stages", type=Path, help="a config whose stages are run instead")
    ask.add_argument("--workers", type=int, default=2, help="of both")
    ask.add_argument("--memory", default="8GB", help="run.memory")
    ask.add_argument("--peer-mb", type=float, default=0, help="of text for datatrove; 0: not at all")
    ask.add_argument("--rounds", type=int, default=1, help="of the sample")
    ask.add_argument("--same", action="store_true", help="the peer's work on the whole corpus too, by seedbed")
    ask.add_argument("--tokenizer", type=Path, help="a tokenizer.json that is there: the config is not run")
    ask.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "seedbed-benchmarks")
    ask.add_argument("--json", type=Path, help="write the rows here")
    return ask.parse_args()


def whole(config: Config, scratch: Path, workdir: Path, wish: Wish) -> tuple[Manifests, list[Row]]:
    """Runs the whole corpus and shows what each step took; its manifests, and rows for `--json`."""
    file = scratch / "whole.yaml"
    file.write_text(json.dumps(config), "utf-8")
    run = ours(file, workdir, wish.workers, wish.memory)
    manifests = [(planned, planned.step.manifest()) for planned in plan(load(file, {"workdir": str(workdir)}))]
    size = size_of(manifests)
    show_stages(manifests, size)
    show_clock(manifests, wish.workers, run)
    show_drops(manifests)
    return manifests, rows_of(manifests, size, run)


def same_on_all(config: Config, scratch: Path, wish: Wish) -> list[Row]:
    """seedbed with the stages that the peer has too, on all documents."""
    file = scratch / "same.yaml"
    file.write_text(json.dumps(config), "utf-8")
    workdir = scratch / "same"
    run = ours(file, workdir, wish.workers, wish.memory)
    steps = plan(load(file, {"workdir": str(workdir)}))
    size = sum(total(p.step.manifest()["kept"], "bytes") for p in steps if p.kind == "source")
    work = f"the same work, all {size / 1e6:.0f} MB"
    speed = row(work, "seedbed", size / 1e6 / run.seconds)
    return [speed, row(f"{work}, peak memory", "seedbed", run.memory / 1e6, "MB", False)]


def size_of(manifests: Manifests) -> int:
    """Bytes of text in the sources."""
    return sum(total(m["kept"], "bytes") for p, m in manifests if p.kind == "source")


def seconds_of(planned: Planned, manifest: Row) -> float:
    """Seconds of one step's own tasks, added over workers."""
    about = manifest["run"]
    return about.get("stage_seconds") or sum(about["task_seconds"].values())


def show_stages(manifests: Manifests, size: int) -> None:
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


def show_drops(manifests: Manifests) -> None:
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


def show_clock(manifests: Manifests, workers: int, run: Watched) -> None:
    """Steps that were made together, by the clock: seconds, those of the tasks by name, and the share without work."""
    table = Table("made together", box=None)
    for name in ("seconds", "idle", "tasks"):
        table.add_column(name, justify="right" if name != "tasks" else "left")
    told = 0.0
    ordered = sorted(manifests, key=lambda one: one[1]["run"]["started"])
    for _, group in groupby(ordered, key=lambda one: one[1]["run"]["started"]):
        some = list(group)
        about = some[0][1]["run"]
        tasks = about["task_seconds"]
        idle = 1 - sum(tasks.values()) / workers / max(about["seconds"], 1e-9)
        said = ", ".join(f"{name} {seconds:.1f}" for name, seconds in tasks.items() if seconds >= 0.05)
        table.add_row(", ".join(p.name for p, _ in some), f"{about['seconds']:.1f}", f"{idle:.0%}", said)
        told += about["seconds"]
    table.add_row("start, compiled kernels, report", f"{run.seconds - told:.1f}", "", "")
    Console(width=160).print(table)


def rows_of(manifests: Manifests, size: int, run: Watched) -> list[Row]:
    """Rows for `--json`."""
    work = f"whole run, raw files to packed rows, {size / 1e6:.0f} MB"
    out = [
        row(work, "seedbed", size / 1e6 / run.seconds),
        row(f"{work}, CPU seconds of all processes", "seedbed", run.cpu, "s", False),
        row(f"{work}, peak memory of all processes", "seedbed", run.memory / 1e6, "MB", False),
    ]
    return out + [row(f"whole run, {p.name}", "seedbed", seconds_of(p, m), "s of a core", False) for p, m in manifests]


if __name__ == "__main__":
    main()
