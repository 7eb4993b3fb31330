"""Compiling the kernels before the work: one task a stage, side by side, and only what was not compiled before.

    tasks(stages, encode=True) -> [Task(warm_stage, ...), ..., Task(warm_encoder)]

Numba keeps what it compiled on disk, so a worker that needs a kernel later finds it there, whoever compiled it. A
stage that is compiled leaves a note beside the kernels; the notes go when the kernels change.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.digest import address
from pipeline.encode import Encoder
from pipeline.engine import Task
from pipeline.stages.base import Stage
from pipeline.steps.rows import stage_from, stage_json
from pipeline.text import COMPILED
from pipeline.tokenizer import train

MEMORY = 400_000_000  # bytes beside the worker: 280 MB for `measure` (measured), and what tasks before it left
ENCODER = "encoder"


# The longest first, or the last task keeps one process busy while the others wait; what is not named takes little
LONGEST = ("redact", "measure", "c4_lines", "html_leftovers", "identify", "dedup_near", "normalize")


def tasks(stages: Sequence[Stage], encode: bool) -> list[Task]:
    """What is still to be compiled for these stages, and for encoding if wanted."""
    todo = {_note(stage_json(stage)): stage_json(stage) for stage in sorted(stages, key=_place)}
    out = [
        Task("pipeline.steps.warm:warm_stage", {"stage": stage}, memory=MEMORY)
        for note, stage in todo.items()
        if not note.exists()
    ]
    if encode and not _note(ENCODER).exists():
        out.append(Task("pipeline.steps.warm:warm_encoder", {}, memory=MEMORY))
    return out


def warm_stage(stage: dict[str, Any]) -> dict[str, Any]:
    """Task: compiles what a stage needs."""
    with _uncollected():
        stage_from(stage).warm()
    return _leave(_note(stage))


def warm_encoder() -> dict[str, Any]:
    """Task: compiles what encoding needs, with the smallest tokenizer there is."""
    with _uncollected():
        Encoder(train(["a b"], vocab_size=260, min_frequency=1)).warm()
    return _leave(_note(ENCODER))


def _place(stage: Stage) -> int:
    return LONGEST.index(stage.name) if stage.name in LONGEST else len(LONGEST)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: a compiler makes millions of objects and keeps most, so it finds little."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _note(what: Any) -> Path:
    return COMPILED / f"warm-{address({'what': what})}"


def _leave(note: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError):  # where it cannot be left, the kernels are looked for again next time
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
    return {}
