"""What every kind of work has in common.

A `Work` makes one step, or a run of row-wise steps that go over each shard together. It is asked for its phases; each
phase is a list of tasks, and is asked for when the tasks of the phase before are done. Tasks that are marked as done
are not listed again: this is how a killed run goes on. Then the work is asked for the manifest of each of its steps.

    for tasks in work.phases():
        engine.run(tasks)
    for step in work.steps:
        step.seal(work.manifest(step), run={...})
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.engine import Task
from pipeline.store.counts import add_dropped, add_kept, add_tallies
from pipeline.store.layers import Shard
from pipeline.store.step import Step

PER_DOCUMENT = 600  # bytes that a document takes while its id, language and coin are Python objects


class Work(Protocol):
    title: str  # for the progress bar: "normalize + identify"

    @property
    def steps(self) -> Sequence[Step]: ...

    def phases(self) -> Iterator[list[Task]]: ...

    def manifest(self, step: Step) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Corpus:
    """The documents as a step finds them: the shards of all sources, and the steps whose layers lie over them."""

    shards: tuple[Shard, ...]
    steps: tuple[Step, ...] = ()

    def then(self, *steps: Step) -> Corpus:
        return Corpus(self.shards, (*self.steps, *steps))

    def to_json(self) -> list[str]:
        """The steps' folders, as a task's arguments name them; `steps_of` reads them back."""
        return [str(step.folder) for step in self.steps]


def merged(marks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The part of a manifest that adds up from marks: kept, dropped, tallies, files. Their order cannot matter."""
    files: dict[str, Any] = {}
    for mark in marks:
        files |= mark["files"]
    return {
        "kept": add_kept(cell for mark in marks for cell in mark.get("kept", ())),
        "dropped": add_dropped(cell for mark in marks for cell in mark.get("dropped", ())),
        "tallies": add_tallies(mark.get("tallies", {}) for mark in marks),
        "files": dict(sorted(files.items())),
    }
