"""Compiling the kernels before the work: one task a stage, side by side, and only what was not compiled before.

    tasks(stages, encode=True, train=True, pack=True) -> [Task(warm_stage, ...), ..., Task(warm_trainer), ...]

Numba keeps what it compiled on disk, so a worker that needs a kernel later finds it there, whoever compiled it. A
stage that is compiled leaves a note beside the kernels; the notes go when the kernels change.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import pack as packing
from pipeline.digest import address
from pipeline.encode import Encoder
from pipeline.engine import Task
from pipeline.stages.base import CorpusStage, Stage
from pipeline.steps import clusters
from pipeline.steps.rows import stage_from, stage_json
from pipeline.text import COMPILED
from pipeline.text.piece_counts import count_pieces, merge_counts
from pipeline.text.piece_keys import piece_keys
from pipeline.text.sample_lines import line_keys, once
from pipeline.tokenizer import TokenizerConfig, smallest, trained

MEMORY = 400_000_000  # bytes beside the worker: 280 MB for `measure` (measured), and what tasks before it left
ENCODER, TRAINER, PACKER = "encoder", "trainer", "packer"

# The longest first, or the last task keeps one process busy while the others wait; what is not named takes little
LONGEST = ("redact", "measure", "c4_lines", "html_leftovers", "identify", "dedup_near", "normalize")


def tasks(
    stages: Sequence[Stage], encode: bool, here: bool = True, train: bool = False, pack: bool = False
) -> list[Task]:
    """What is still to be compiled for these stages, and for training a tokenizer, encoding and packing if wanted; all
    of it where that is not to be seen from here, because tasks run on other machines."""
    todo = {_note(stage_json(stage)): stage_json(stage) for stage in sorted(stages, key=_place)}
    out = [
        Task("pipeline.steps.warm:warm_stage", {"stage": stage}, memory=MEMORY)
        for note, stage in todo.items()
        if not (here and note.exists())
    ]
    for wanted, what in ((train, TRAINER), (encode, ENCODER), (pack, PACKER)):
        if wanted and not (here and _note(what).exists()):
            out.append(Task(f"pipeline.steps.warm:warm_{what}", {}, memory=MEMORY))
    return out


def warm_stage(stage: dict[str, Any]) -> dict[str, Any]:
    """Task: compiles what a stage needs, and what joins its edges."""
    return _once(_note(stage), lambda: _warm(stage_from(stage)))


def _warm(stage: Stage) -> None:
    stage.warm()
    if isinstance(stage, CorpusStage):
        clusters.warm()


def warm_encoder() -> dict[str, Any]:
    """Task: compiles what encoding needs, with the smallest tokenizer there is."""
    return _once(_note(ENCODER), lambda: Encoder(smallest()).warm())


def warm_trainer() -> dict[str, Any]:
    """Task: compiles what the sample of a tokenizer is counted and learned from with."""
    return _once(_note(TRAINER), _train)


def warm_packer() -> dict[str, Any]:
    """Task: compiles what coins are tossed and rows are laid with."""
    return _once(_note(PACKER), packing.warm)


def _train() -> None:
    texts = pa.array(["a b\na b"], pa.large_string())
    keys, _ = line_keys(texts)
    once(texts, keys, np.ones(len(keys), bool))
    pieces = merge_counts([count_pieces(texts)])
    piece_keys(pieces.edges, pieces.data)
    trained(pieces, TokenizerConfig(vocab_size=262, min_frequency=1))


def _place(stage: Stage) -> int:
    return LONGEST.index(stage.name) if stage.name in LONGEST else len(LONGEST)


def _note(what: Any) -> Path:
    return COMPILED / f"warm-{address({'what': what})}"


def _once(note: Path, compile_: Callable[[], None]) -> dict[str, Any]:
    if note.exists():
        return {}
    gc.disable()  # a compiler makes millions of objects and keeps most, so a collector finds little
    try:
        compile_()
    finally:
        gc.enable()
    with contextlib.suppress(OSError):  # where it cannot be left, the kernels are looked for again next time
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
    return {}
