"""One run at a time owns a work folder: a lock that the operating system releases when its owner dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import RunError


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Holds the lock of a work folder. Raises RunError if another process holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a+")
    except OSError as error:
        raise RunError(
            f"cannot write in {folder}: {error.strerror}", hint="give `run.workdir` a folder that you may write"
        ) from error
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise RunError(
                f"{folder} belongs to another run (process {file.read().strip() or 'unknown'})",
                hint="wait for it, stop it, or give this run a `run.workdir` of its own",
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
