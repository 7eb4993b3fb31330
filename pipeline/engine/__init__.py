"""What runs tasks. A task is a pure function from named files to named files; an engine decides where it runs.

    Task("pipeline.steps.rows:work", {...JSON...}) -> engine.run([...]) -> results, one by one, as they come

The function takes the arguments and returns JSON. It marks itself done in its step's folder, so a task that ran twice
has written the same bytes twice, and one that was killed half way has written nothing that counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from pipeline.store.files import legible


@dataclass(frozen=True)
class Task:
    """`function` is `module:name`; `memory` bytes it may need at once; `documents` and `bytes` are for progress."""

    function: str
    arguments: dict[str, Any]
    memory: int = 0
    documents: int = 0
    bytes: int = 0

    @property
    def name(self) -> str:
        return self.function.split(":")[1]

    @property
    def place(self) -> str:
        """The task in words, for an error: which of its step's shards it is about, and in which folder it writes."""
        told = self.arguments
        shard = told.get("shard", told.get("at", told.get("partition", told.get("group"))))
        of = "" if shard is None else f" of shard {shard['key'] if isinstance(shard, dict) else shard}"
        steps = [told["folder"]] if "folder" in told else told.get("steps", [])
        return f"{self.name}{of}" + (f" for {' + '.join(Path(str(step)).name for step in steps)}" if steps else "")


class Engine(Protocol):
    """Runs tasks in any order; yields each with its result when it is done.

    `workers` is how many run at once at most, `memory` the bytes that one may need, `here` whether all run on this
    machine, where notes of what is compiled can be believed."""

    here: bool

    @property
    def workers(self) -> int: ...

    @property
    def memory(self) -> int: ...

    def run(self, tasks: Iterable[Task]) -> Iterator[tuple[Task, dict[str, Any]]]: ...

    def prepare(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
        """Runs the tasks on every machine."""
        ...

    def close(self) -> None: ...


def perform(task: Task) -> dict[str, Any]:
    """Calls the task's function here; adds the `seconds` it took. Raises InputError where what it reads is damaged."""
    module, name = task.function.split(":")
    begin = time.perf_counter()
    with legible(task.place):
        result = getattr(import_module(module), name)(**task.arguments)
    return {**result, "seconds": time.perf_counter() - begin}
