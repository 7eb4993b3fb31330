"""One optimizer step by kernel: which phase and which kind of work the milliseconds belong to, beside the prediction.

    profile(FULL, rows, Ours())  ->  "GEMMs of the blocks"  measured ms, expected ms;  the slowest kernels by name

The profiler's trace is read, not its tables: a kernel belongs to the phase whose closing mark comes next. The device is
waited for at each mark, so this costs what a step does not; the times are of the kernels alone.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, record_function
from train_560m_base import Json, Rows, Shape, device, measure, sync
from train_560m_floor import How, parts
from train_560m_step import Ours, Run

MARK = "phase:"
KINDS = {  # the first that matches; attention first, because flash kernels name cutlass too
    "attention": r"flash|fmha|sdpa|flex_attention|scaled_dot_product|_attention_",
    "GEMM": r"gemm|nvjet|xmma|cutlass|cublas|splitk|\bmm\b|::addmm$|::bmm$|_mm_",
    "LayerNorm": r"layer_?norm|gammabeta|gamma_beta",
    "GELU": r"gelu",
    "optimizer": r"multi_tensor|adam|foreach",
    "embedding": r"embedding|index_put|indexing_backward",
    "reduction": r"reduce|::sum|::amax|triton_red_|triton_per_",
    "copy": r"memcpy|memset|copy|\bfill|catarray|::cat|::zeros|::clone",
}
# inductor names a kernel by all operators that it stems from, products and attention beside it among them; only its
# templates are such, and what it fuses with a copy is more than a copy
NOT_INDUCTORS = ("attention", "GEMM", "copy")
PARTS = (  # (phases, kinds, part of the prediction), the first that matches; empty: any
    (("clip", "optimizer"), (), "clip and optimizer"),
    ((), ("attention",), "attention"),
    (("loss",), ("GEMM",), "GEMMs of the logits"),
    (("loss",), (), "elementwise of the loss"),
    ((), ("GEMM",), "GEMMs of the blocks"),
    ((), (), "elementwise of the blocks"),
)


@dataclass(frozen=True)
class Kernel:
    """Something that ran on the device, in microseconds of the trace's clock."""

    name: str
    begin: float
    took: float
    phase: str

    @property
    def kind(self) -> str:
        name = self.name.lower()
        fused = name.startswith("triton_") and not name.startswith("triton_tem_")
        kinds = (kind for kind in KINDS if not (fused and kind in NOT_INDUCTORS))
        return next((kind for kind in kinds if re.search(KINDS[kind], name)), "elementwise")

    @property
    def part(self) -> str:
        here = ((kinds, part) for phases, kinds, part in PARTS if not phases or self.phase in phases)
        return next(part for kinds, part in here if not kinds or self.kind in kinds)


def profile(shape: Shape, rows: Rows, ours: Ours, steps: int = 2) -> None:
    model = ours.build(shape)
    run = Run(model, ours.loss(model), shape, ours.micro_batch, ours.accumulate)
    hook = model.ln_f.register_forward_hook(lambda *_: run.mark("forward"))
    alone = measure(run, 1.0)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
    with torch.profiler.profile(activities=activities) as profiler:
        for _ in range(steps):
            run(_mark)
    hook.remove()
    with tempfile.TemporaryDirectory(prefix="train-560m-") as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text("utf-8"))["traceEvents"]
    report(kernels_of(events), rows, steps, expected(shape, ours), alone.milliseconds)


def _mark(name: str) -> None:
    sync()  # what the phase began has ended before its mark
    with record_function(MARK + name):
        pass


def expected(shape: Shape, ours: Ours) -> dict[str, tuple[float, float]]:
    """(floor, expected) milliseconds of each part on an H100."""
    how = How(ours.micro_batch, ours.accumulate, ours.compile != "none", ours.fused, 4096 if ours.fused else 2048)
    found = parts(shape.vocab, shape.hidden, shape.layers, shape.seq, how)
    return {name: (part.floor, part.expected) for name, part in found.items()}


def kernels_of(events: list[Json]) -> list[Kernel]:
    """What ran on the GPU; in a trace without one, the operators, each without those that it called."""
    whole = [e for e in events if e.get("ph") == "X"]
    marks = sorted((float(e["ts"]), e["name"][len(MARK) :]) for e in whole if _is_mark(e))
    ran = [e for e in whole if e.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset")] or _alone(whole)
    return [Kernel(e["name"], float(e["ts"]), float(e["dur"]), _phase(float(e["ts"]), marks)) for e in ran]


def _is_mark(event: Json) -> bool:
    return event.get("cat") == "user_annotation" and str(event["name"]).startswith(MARK)


def _phase(moment: float, marks: list[tuple[float, str]]) -> str:
    return next((name for end, name in marks if end >= moment), "after")


def _alone(events: list[Json]) -> list[Json]:
    """CPU operators with the time that was theirs, not their callees'."""
    threads = defaultdict(list)
    for event in events:
        if event.get("cat") == "cpu_op":
            threads[event["tid"]].append(dict(event))
    for ran in threads.values():
        callers: list[Json] = []
        for event in sorted(ran, key=lambda e: (e["ts"], -e["dur"])):
            event["end"] = event["ts"] + event["dur"]
            while callers and callers[-1]["end"] <= event["ts"]:
                callers.pop()
            if callers:
                callers[-1]["dur"] -= event["end"] - event["ts"]
            callers.append(event)
    return [event for ran in threads.values() for event in ran]


def report(
    kernels: list[Kernel], rows: Rows, steps: int, predicted: dict[str, tuple[float, float]], whole: float
) -> None:
    """Milliseconds a step: by part beside the prediction, by phase and kind, by name; and what no kernel filled."""
    by_part, by_kind, by_name = Counter[str](), Counter[str](), Counter[str]()
    launches: dict[str, Any] = Counter()
    for kernel in kernels:
        took = kernel.took / 1e3 / steps
        by_part[kernel.part] += took
        by_kind[f"{kernel.phase}, {kernel.kind}"] += took
        by_name[kernel.name] += took
        for name in (kernel.part, f"{kernel.phase}, {kernel.kind}", kernel.name):
            launches[name] += 1 / steps
    total = sum(by_part.values())
    gpu = device().type == "cuda"
    for part in dict.fromkeys([*predicted, *by_part]):
        floor, likely = predicted.get(part, (None, None)) if gpu else (None, None)
        about = {"floor": floor, "expected": likely, "launches": launches[part], "share": by_part[part] / total}
        rows.add(f"profile by part, {part}", by_part[part], "ms", "seedbed", False, **about)
    rows.add("profile, all kernels", total, "ms", "seedbed", False, launches=len(kernels) / steps)
    rows.add("profile, the same step unwatched", whole, "ms", "seedbed", False)
    for name, took in by_kind.most_common():
        rows.add(f"profile by kind, {name}", took, "ms", "seedbed", False, launches=launches[name], share=took / total)
    for name, took in by_name.most_common(25):
        rows.add("profile, kernel", took, "ms", name[:120], False, launches=launches[name], share=took / total)
