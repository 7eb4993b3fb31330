"""One measurement in a process of its own, so that a crash, a hang or a lack of memory costs this one only.

    python train_560m_cell.py '{"kind": "step", "micro_batch": 16}' rows.jsonl

Rows go to the file as they come. The parent (train_560m.py) keeps the time, and tells why where a row is missing.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import train_560m_parts as part
import train_560m_peers as peers
import train_560m_step as step
from train_560m_base import FULL, GIB, SMALL, Json, Rows, device, said
from train_560m_profile import profile


def machine(rows: Rows, **_: Any) -> None:
    """What all else was measured on."""
    cuda = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if cuda else f"{platform.machine()} CPU"
    cores: int | None = os.cpu_count()
    about: Json = {"cuda": cuda, "torch": torch.__version__, "python": platform.python_version()}
    if cuda:
        about |= {
            "memory_gib": torch.cuda.get_device_properties(0).total_memory / GIB,
            "cuda_version": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
        cores = torch.cuda.get_device_properties(0).multi_processor_count
    rows.add("machine", cores, "cores", name, **about)


def small(spec: Json) -> bool:
    return bool(spec.pop("small", False))


def run(spec: Json, rows: Rows) -> None:
    """One cell. `kind` says which; `small` takes the small shape; the rest are its arguments."""
    spec = dict(spec)
    shape = SMALL if small(spec) else FULL
    kind = spec.pop("kind")
    ours = {"backend", "compile", "fused", "micro_batch", "accumulate", "kernel"}
    how = step.Ours(**{name: value for name, value in spec.items() if name in ours})
    cells: dict[str, Callable[[], None]] = {
        "machine": lambda: machine(rows),
        "ceilings": lambda: part.ceilings(shape, rows, spec["micro_batch"]),
        "step": lambda: how.row(shape, rows),
        "profile": lambda: profile(shape, rows, how),
        "lightning": lambda: peers.lightning(shape, rows, how),
        "transformers": lambda: peers.peer(shape, rows, **spec),
        "naive": lambda: step.naive(shape, rows, **spec),
        "attention": lambda: part.attention_kernels(shape, rows, **spec),
        "flex": lambda: part.flex_attention(shape, rows, **spec),
        "loss": lambda: part.loss_by_chunk(shape, rows, **spec),
        "torch loss": lambda: part.loss_of_torch(shape, rows, **spec),
        "loss memory": lambda: part.loss_memory(shape, rows),
    }
    cells[kind]()


def main() -> None:
    spec, path = json.loads(sys.argv[1]), Path(sys.argv[2])
    if spec.get("small"):
        torch.set_num_threads(1)  # such small products lose by company
    name = step.Ours(**{k: v for k, v in spec.items() if k in step.Ours.__dataclass_fields__}).name
    rows = Rows(path, cell=spec["kind"])
    try:
        run(spec, rows)
    except torch.OutOfMemoryError as error:
        work = name if spec["kind"] == "step" else spec["kind"]
        rows.add(work, None, "", failed="out of memory", error=said(error), **device_memory())


def device_memory() -> Json:
    if device().type == "cpu":
        return {}
    return {"peak_gib": torch.cuda.max_memory_allocated() / GIB}


if __name__ == "__main__":
    main()
