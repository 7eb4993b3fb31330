"""Layouts for people and for programs: which fit, the best first, what they cost, and why the others do not fit.

    [Cost, ...]  ->  a table and some lines, or plain data for JSON

Never reckons a cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from pretrain.hardware import Cluster
from pretrain.layouts import ROOM, Cost, Job

GIB = 1 << 30
_SHARDS = {"none": "whole", "optimizer": "ZeRO-1", "all": "FSDP"}


def as_json(costs: Sequence[Cost]) -> list[dict[str, Any]]:
    """All of them, in their order."""
    derived = ("memory", "fits", "seconds")
    return [asdict(cost) | {name: getattr(cost, name) for name in derived} for cost in costs]


def table(costs: Sequence[Cost], job: Job, where: Cluster, most: int = 10) -> Table:
    """The best of each kind of layout that fits: kinds differ in more than micro-batch and recomputing."""
    fit = [cost for cost in costs if cost.fits]
    kinds: dict[tuple[int, int, int, str], Cost] = {}
    for cost in fit:
        kinds.setdefault(_kind(cost), cost)
    best = list(kinds.values())
    shown = f"; the best of {len(best)} kinds" if len(best) > 1 else ""
    title = f"{len(fit)} of {len(costs)} layouts fit in bf16-mixed{shown}"
    made = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    made.add_column("copies")
    names = ("TP", "PP", "DP", "micro-\nbatch", "re-\ncompute", "GiB", "a step", "tokens/s", "TFLOP/s\neach", "MFU")
    for name in names:
        made.add_column(name, justify="right", no_wrap=True)
    for cost in best[:most]:
        made.add_row(*_row(cost, job, where))
    return made


def _kind(cost: Cost) -> tuple[int, int, int, str]:
    layout = cost.layout
    return layout.tensor, layout.pipeline, layout.data, layout.shard


def _row(cost: Cost, job: Job, where: Cluster) -> list[str]:
    """TFLOP/s of a device count what is computed twice; MFU does not."""
    layout, each = cost.layout, cost.seconds * where.devices
    return [
        _SHARDS[layout.shard],
        *map(str, (layout.tensor, layout.pipeline, layout.data, layout.micro_batch)),
        "yes" if layout.recompute else "no",
        f"{cost.memory / GIB:.1f}",
        f"{cost.seconds:.4g} s",
        f"{job.global_batch * job.seq_len / cost.seconds:,.0f}",
        f"{cost.hardware_flops / each / 1e12:.0f}",
        f"{cost.flops / each / where.device.peak:.1%}",
    ]


def told(costs: Sequence[Cost], steps: int) -> list[str]:
    """The best one in detail, and why the others do not fit. `steps`: of the run, were all of them full."""
    too_large = [cost for cost in costs if not cost.fits]
    best = [_detail(costs[0], steps)] if costs and costs[0].fits else []
    return best + ([_refused(too_large)] if too_large else [])


def _detail(cost: Cost, steps: int) -> str:
    memory = ", ".join(f"{name} {size / GIB:.1f}" for name, size in cost.parts.items())
    names = {"compute": "computing", "tensor": "sums over TP", "bubble": "waiting for the pipeline", "data": "copies"}
    seconds = ", ".join(f"{said} {getattr(cost, name):.3g}" for name, said in names.items())
    days = f"{steps:,} steps take {cost.seconds * steps / 86400:,.1f} days"
    return f"{cost.layout}: {days}\n  memory of the fullest device, GiB: {memory}\n  a step, seconds: {seconds}"


def _refused(costs: Sequence[Cost]) -> str:
    largest = Counter(max(cost.parts, key=lambda name: cost.parts[name]) for cost in costs)
    why = ", ".join(f"{name} of {count}" for name, count in largest.most_common())
    near = costs[0]
    room = f"{near.memory / GIB:.1f} GiB where {ROOM * near.device_memory / GIB:.1f} may be used"
    return f"{len(costs)} need more memory than a device has, most of it for {why}.\n  nearest: {near.layout}, {room}"
