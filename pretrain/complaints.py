"""What is wrong with a config, all of it, in words for the one who wrote it.

    ValidationError  ->  "x.yaml: 2 mistakes\\n  line 4, train.lr_rate: no such key; did you mean `lr`? ...", hint

Never raises, never prints.
"""

from __future__ import annotations

import difflib
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from pretrain.yaml_file import Place

# what other frameworks call our keys
_CALLED = {
    "learning_rate": "lr",
    "max_steps": "steps",
    "train_iters": "steps",
    "train_samples": "samples",
    "global_batch_size": "global_batch",
    "batch_size": "global_batch",
    "micro_batch_size": "micro_batch",
    "per_device_train_batch_size": "micro_batch",
    "lr_scheduler_type": "schedule",
    "warmup_steps": "warmup_samples",
    "max_grad_norm": "clip",
    "gradient_clip_val": "clip",
    "save_steps": "checkpoint_every",
    "eval_steps": "validate_every",
    "logging_steps": "log_every",
    "output_dir": "dir",
    "n_layer": "num_layers",
    "n_head": "num_heads",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
}


def complain(error: ValidationError, root: type[BaseModel], name: str, lines: dict[Place, int]) -> tuple[str, str]:
    """(message, hint): one line for each mistake, in the order of the file."""
    mistakes = sorted((_line_of(mistake["loc"], lines), _mistake(mistake, root)) for mistake in error.errors())
    told = [f"line {line}, {text}" if line else text for line, text in mistakes]
    if len(told) == 1:
        return f"{name}: {told[0]}", "mend it and run again"
    return "\n  ".join([f"{name}: {len(told)} mistakes", *told]), "mend them and run again"


def _line_of(place: Place, lines: dict[Place, int]) -> int:
    """The line of the place, or of the nearest block around it."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 0)


def _mistake(mistake: Any, root: type[BaseModel]) -> str:
    place, kind = mistake["loc"], mistake["type"]
    where = ".".join(map(str, place)) or "config"
    if kind == "extra_forbidden":
        return f"{where}: no such key{_nearest(place, root)}"
    if kind == "missing":
        return f"{where}: missing"
    if kind == "value_error":
        return f"{where}: {mistake['ctx']['error']}"
    said = mistake["msg"].removeprefix("Input ")
    return f"{where}: is {mistake['input']!r}, {said}"


def _nearest(place: Place, root: type[BaseModel]) -> str:
    block = _block_at(place[:-1], root)
    if block is None:
        return ""
    key, known = str(place[-1]), list(block.model_fields)
    elsewhere = difflib.get_close_matches(key, _CALLED, n=1, cutoff=0.8)
    same = [_CALLED[name] for name in elsewhere if _CALLED[name] in known]
    near = same or difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    return f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(known)}"


def _block_at(place: Place, root: type[BaseModel]) -> type[BaseModel] | None:
    """The class that describes this place, if it is a block."""
    block: type[BaseModel] | None = root
    for key in place:
        if isinstance(key, int):  # of a list of blocks
            continue
        field = block.model_fields.get(str(key)) if block else None
        block = field and _block_in(field.annotation)
    return block


def _block_in(annotation: Any) -> type[BaseModel] | None:
    """The block among what it may be, or in the list that it may be."""
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kinds = [get_args(o)[0] if get_origin(o) is tuple else o for o in options]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
