"""The marks of a step on an object store, read together: one listing and one batch of reads, not three requests a mark.

    seen.marked("shard-a") -> what the mark says, or None      seen.look_again() when tasks have been at work

Only the process that lays out tasks may look this way: nobody but its own tasks changes marks meanwhile.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.store.place import sizes, store_of

MARKS, ENDING = "marks/", ".json"


@dataclass
class Seen:
    """What is known of the marks in a step's folder."""

    folder: Path
    _known: dict[str, dict[str, Any]] = field(default_factory=dict)
    _fresh: bool = False

    def marked(self, task: str) -> dict[str, Any] | None:
        """The mark of a task that is done and whose files stand in the size that was written; else None."""
        if not self._fresh:
            self._look()
            self._fresh = True
        return self._known.get(task)

    def look_again(self) -> None:
        """At the next question; marks that are still there are not read again."""
        self._fresh = False

    def forget(self) -> None:
        """The marks are gone."""
        self._known.clear()
        self._fresh = False

    def _look(self) -> None:
        found = sizes(self.folder)
        names = [name for name in found if name.startswith(MARKS) and name.endswith(ENDING)]
        tasks = {name.removeprefix(MARKS).removesuffix(ENDING): name for name in names}
        self._known = {task: mark for task, mark in self._known.items() if task in tasks}  # one may be gone
        for task, content in self._read({task: name for task, name in tasks.items() if task not in self._known}):
            try:
                mark = json.loads(content)
            except ValueError:
                continue  # torn: as if it were not there
            if all(found.get(name) == info["bytes"] for name, info in mark["files"].items()):
                self._known[task] = mark

    def _read(self, names: dict[str, str]) -> list[tuple[str, bytes]]:
        if not names:
            return []
        store, base = store_of(self.folder)
        paths = {f"{base.rstrip('/')}/{name}": task for task, name in names.items()}
        contents = store.cat(list(paths), on_error="omit")
        return [(task, contents[path]) for path, task in paths.items() if path in contents]
