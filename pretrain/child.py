"""One `pretrain fit` in a process of its own, which is asked to stop when we are.

    config file  ->  Ended(code, stopped, last words)

A sweep trains so: what a run leaves behind in memory, or its end, is nobody else's. Never kills: a run that is asked to
stop saves first.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

_LAST = 6  # lines that are kept of what a run said


@dataclass(frozen=True)
class Ended:
    code: int
    stopped: bool  # someone asked for it
    said: str  # its last lines

    @property
    def why(self) -> str:
        """The error that it ended with, as far as it told."""
        lines = self.said.splitlines()
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        return [f"exit code {self.code}", *lines[-1:], *errors][-1]


def fit(config: Path, tell: Callable[[str], None]) -> Ended:
    """Train `config` to its end; `tell` gets every line it says."""
    lines: deque[str] = deque(maxlen=_LAST)
    child = subprocess.Popen(
        command(config), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
    )
    with child, _passed_on(child) as asked:
        assert child.stderr is not None
        for line in child.stderr:
            lines.append(line.rstrip())
            tell(line.rstrip())
        code = child.wait()
    return Ended(code, bool(asked), "\n".join(lines))


def command(config: Path) -> list[str]:
    return [sys.executable, "-m", "pretrain.cli", "fit", str(config)]


@contextmanager
def _passed_on(child: subprocess.Popen[str]) -> Iterator[list[int]]:
    """SIGTERM and SIGINT end the child in its own way; the list holds those that came.

    A terminal gives Ctrl-C to both of us, and a child that hears it twice stops without saving: it is not passed on.
    """
    came: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        came.append(number)
        if number != signal.SIGINT:
            child.send_signal(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
