"""What one sees while work goes on: a bar with documents/s, MB/s and time left; plain lines where there is no terminal.

All of it goes to stderr: stdout is for data.
"""

from __future__ import annotations

import sys
import time
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from pipeline.units import say_bytes

LINE_EVERY = 5.0  # seconds between two plain lines


class Talk(Protocol):
    """How a run speaks. `tasks` are counted; `documents` and `bytes` are what has gone through them."""

    def say(self, text: str) -> None: ...

    def begin(self, title: str, tasks: int) -> None: ...

    def advance(self, documents: int, size: int) -> None: ...

    def end(self, done: bool = True) -> None: ...


class Silent:
    """Says nothing."""

    def say(self, text: str) -> None: ...

    def begin(self, title: str, tasks: int) -> None: ...

    def advance(self, documents: int, size: int) -> None: ...

    def end(self, done: bool = True) -> None: ...


class _Count:
    """Documents and bytes since the beginning, and how fast they came."""

    def __init__(self) -> None:
        self.begun, self.documents, self.bytes, self.done = time.monotonic(), 0, 0, 0

    def rates(self) -> str:
        seconds = max(1e-3, time.monotonic() - self.begun)
        if not self.bytes:
            return ""
        documents = f"{self.documents:,} documents  {self.documents / seconds:,.0f}/s"
        return f"{documents}  {say_bytes(self.bytes)}  {say_bytes(self.bytes / seconds)}/s"


class Bars:
    """Bars on a terminal."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._task: TaskID | None = None
        self._count = _Count()
        self._progress = self._fresh()

    def _fresh(self) -> Progress:
        columns = (
            TextColumn("{task.description:<28}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.fields[rates]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        return Progress(*columns, console=self.console)

    def say(self, text: str) -> None:
        self._progress.console.print(text, markup=False)

    def begin(self, title: str, tasks: int) -> None:
        self._progress = self._fresh()  # a progress that is started again would draw all its earlier bars once more
        self._progress.start()
        self._count = _Count()
        self._task = self._progress.add_task(title, total=tasks, rates="")

    def advance(self, documents: int, size: int) -> None:
        assert self._task is not None
        self._count.documents += documents
        self._count.bytes += size
        self._progress.update(self._task, advance=1, rates=self._count.rates())

    def end(self, done: bool = True) -> None:
        self._progress.stop()


class Lines:
    """A line now and then, and one at the end."""

    def __init__(self) -> None:
        self._count, self._title, self._tasks, self._spoken = _Count(), "", 0, 0.0

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def begin(self, title: str, tasks: int) -> None:
        self._count, self._title, self._tasks = _Count(), title, tasks
        self._spoken = time.monotonic()

    def advance(self, documents: int, size: int) -> None:
        self._count.documents += documents
        self._count.bytes += size
        self._count.done += 1
        if time.monotonic() - self._spoken > LINE_EVERY:
            self._spoken = time.monotonic()
            left = (self._spoken - self._count.begun) * (self._tasks / self._count.done - 1)
            self.say(f"  {self._title}: {self._count.done}/{self._tasks}  {self._count.rates()}  {left:.0f} s left")

    def end(self, done: bool = True) -> None:
        seconds = time.monotonic() - self._count.begun
        self.say(
            f"  {self._title}: {'done in' if done else 'stopped after'} {seconds:.1f} s  {self._count.rates()}".rstrip()
        )


def talk(quiet: bool = False) -> Talk:
    """The way of speaking that fits where stderr goes."""
    if quiet:
        return Silent()
    return Bars() if sys.stderr.isatty() else Lines()
