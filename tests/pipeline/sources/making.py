"""What the tests of sources share: writing small inputs, reading them, taking a file's permission away, and how much
longer an input of twice the size takes."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard

from pipeline.sources import SOURCES
from pipeline.sources.base import Bad, Record, Source


def source(type_: str, path: Any = None, **settings: Any) -> Source:
    where = {} if path is None else {"path": str(path) if isinstance(path, Path) else path}
    return SOURCES[type_].model_validate({"name": "s", **where, **settings})


def read(type_: str, path: Any = None, skip: int = 0, **settings: Any) -> list[Record | Bad]:
    """All that stands in all files of a source, in order."""
    made = source(type_, path, **settings)
    return [item for file in made.files() for item in made.read(file, skip)]


def texts(found: list[Record | Bad]) -> list[str]:
    """The texts of what could be read."""
    return [r.text if isinstance(r.text, str) else r.text.decode() for r in found if isinstance(r, Record)]


def reasons(found: list[Record | Bad]) -> list[str]:
    """The reasons of what could not."""
    return [b.reason for b in found if isinstance(b, Bad)]


def packed(data: bytes, how: str) -> bytes:
    """`data` plain, as .gz or as .zst."""
    return {"": lambda d: d, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[how](data)


def forbid(path: Path, monkeypatch: Any) -> None:
    """Makes a path unreadable, for root too, whom no mode stops."""
    path.chmod(0)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: os.fspath(p) != str(path) and allowed(p, mode))


def growth(work: Callable[[Any], object], make: Callable[[int], Any], size: int) -> float:
    """How many times as long `work` takes for `make(2 * size)` as for `make(size)`: 2 where it is linear, 4 where it is
    quadratic. The shortest of five, taken in turns, because other programs run too."""
    inputs = [make(size), make(2 * size)]
    times: list[list[float]] = [[], []]
    for _ in range(5):
        for one, taken in zip(inputs, times, strict=True):
            begin = time.process_time()
            work(one)
            taken.append(time.process_time() - begin)
    return min(times[1]) / min(times[0])
