"""A command as somebody waits for it: seconds of the clock from start to end, and what its process tree held and burnt.

    watched([sys.executable, "-m", "pipeline", "run", "config.yaml"]) -> Watched(seconds, cpu, memory, said)

Memory is counted as manifests count it (pipeline/monitor.py): what no file stands behind, of all processes together,
looked at ten times a second. CPU seconds are each process's own, as they were when it was last seen.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pipeline.monitor import INTERVAL, own_memory


@dataclass
class Watched:
    """One command that has ended well."""

    seconds: float = 0.0  # of the clock
    memory: int = 0  # bytes, at the peak
    said: str = ""  # on its stdout
    burnt: dict[int, float] = field(default_factory=dict)  # {pid: CPU seconds}

    @property
    def cpu(self) -> float:
        return sum(self.burnt.values())

    def look(self, root: psutil.Process) -> None:
        held = 0
        for process in _tree(root):
            held += own_memory(process)
            try:
                times = process.cpu_times()
                self.burnt[process.pid] = times.user + times.system
            except psutil.Error:
                continue  # it ended meanwhile
        self.memory = max(self.memory, held)


def _tree(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def watched(command: list[str], environment: dict[str, str] | None = None) -> Watched:
    """Runs a command to its end; exits with the end of what it told where it fails."""
    out = Watched()
    with tempfile.TemporaryDirectory() as folder:
        told, talk = Path(folder) / "out", Path(folder) / "talk"
        with told.open("w") as stdout, talk.open("w") as stderr:
            begin = time.perf_counter()
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=environment)
            root = psutil.Process(process.pid)
            while process.poll() is None:
                out.look(root)
                time.sleep(INTERVAL)
            out.seconds = time.perf_counter() - begin
        if process.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{talk.read_text('utf-8', 'replace')[-3000:]}")
        out.said = told.read_text("utf-8")
    return out
