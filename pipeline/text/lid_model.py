"""The identifier's model: its arrays, its labels, and the file that holds both.

    embedding  (rows, DIM) int8     features' rows, in steps of `steps`
    steps      (DIM,) float32
    output     (DIM, C) float32     classes; a label may have several: every language outside the table is a class of
    masks      (C,) int32           its own, and all of them are the label OTHER. Masks: scripts of the class, as bits
    labels     (C,) int32           the label of each class

The file is safetensors (8 bytes of length, a JSON header, the arrays as they lie), so any reader of that format opens
it and no code runs on load. It is memory-mapped: processes share its pages. Never holds a pickle.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = "seedbed-identifier-1"
DIM = 32
OTHER = "other"
_KINDS: dict[str, str] = {"I8": "int8", "I32": "int32", "F32": "float32"}
_ARRAYS = {"embedding": "I8", "steps": "F32", "output": "F32", "masks": "I32", "labels": "I32"}


@dataclass(frozen=True)
class Model:
    """`names`: the labels, natural languages, then programming languages, then OTHER, the last one."""

    embedding: np.ndarray
    steps: np.ndarray
    output: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    code: tuple[str, ...]  # those of `names` that are programming languages
    calibration: tuple[tuple[float, float], ...] = ((0.0, 0.0), (1.0, 1.0))  # score -> how often it is right
    about: Mapping[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The file. The same model gives the same bytes."""
        told = {"names": self.names, "code": self.code, "calibration": self.calibration, "about": self.about}
        header: dict[str, Any] = {
            "__metadata__": {"format": FORMAT, "model": json.dumps(told, sort_keys=True, ensure_ascii=False)}
        }
        at, parts = 0, []
        for name, kind in _ARRAYS.items():
            array = np.ascontiguousarray(getattr(self, name), np.dtype(_KINDS[kind]).newbyteorder("<"))
            header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
            at += array.nbytes
            parts.append(array.tobytes())
        head = json.dumps(header, ensure_ascii=False).encode()
        head += b" " * (
            -len(head) % 64 + 56
        )  # so that the arrays begin at a multiple of 64 bytes: a row is half a line
        return len(head).to_bytes(8, "little") + head + b"".join(parts)


def load(path: Path) -> Model:
    """Maps the file. Raises `ValueError` where it is no model of this format, `OSError` where it cannot be read."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length < size:
            raise ValueError("it does not begin as a safetensors file")
        header = json.loads(file.read(length))
    about = header.pop("__metadata__", {})
    if about.get("format") != FORMAT or set(header) != set(_ARRAYS):
        raise ValueError(f"it is no identifier of the format {FORMAT!r}")
    mapped = np.memmap(path, np.uint8, mode="r")
    arrays = {name: _view(mapped, 8 + length, told) for name, told in header.items()}
    told = json.loads(about["model"])
    calibration = tuple((float(x), float(y)) for x, y in told["calibration"])
    model = Model(
        **arrays, names=tuple(told["names"]), code=tuple(told["code"]), calibration=calibration, about=told["about"]
    )
    _check(model)
    return model


def _view(mapped: np.ndarray, begin: int, told: dict[str, Any]) -> np.ndarray:
    first, last = told["data_offsets"]
    if not 0 <= first <= last <= len(mapped) - begin or told["dtype"] not in _KINDS:
        raise ValueError("it is cut short")
    return mapped[begin + first : begin + last].view(_KINDS[told["dtype"]]).reshape(told["shape"]).view(np.ndarray)


def _check(model: Model) -> None:
    """What the kernels rely on: they do not look at bounds."""
    classes = model.output.shape[-1]
    shapes = [model.embedding.shape[1:], model.steps.shape, model.output.shape, model.masks.shape, model.labels.shape]
    if shapes != [(DIM,), (DIM,), (DIM, classes), (classes,), (classes,)] or not len(model.embedding) or not classes:
        raise ValueError(f"its arrays do not fit each other: {shapes}")
    if not len(model.names) > model.labels.max() >= model.labels.min() >= 0 or model.names[-1:] != (OTHER,):
        raise ValueError("its labels do not fit its classes")


BUILT_IN = Path(str(files("pipeline.text") / "data" / "identifier.safetensors"))


@cache
def built_in() -> Model:
    """The model that comes with the project; mapped once a process."""
    return load(BUILT_IN)
