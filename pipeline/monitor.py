"""How much memory the whole process tree holds while work goes on: its peak, for manifests and tests.

What is counted is each process's own memory and not the pages of mapped files, which the system takes back when it
needs them: on Linux RssAnon, elsewhere the resident set.
"""

from __future__ import annotations

import threading
from pathlib import Path

import psutil

INTERVAL = 0.1  # seconds


def own_memory(process: psutil.Process) -> int:
    """Bytes of a process that no file stands behind."""
    try:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        return int(process.memory_info().rss)
    except (OSError, psutil.Error):
        return 0  # it ended meanwhile


class PeakMemory:
    """A context that samples this process and its children; `peak` is in bytes.

    Without `children` it looks at this process alone, which is cheap where a machine runs hundreds of them."""

    def __init__(self, children: bool = True) -> None:
        self.peak = 0
        self._children = children
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._sample()

    def _sample(self) -> None:
        here = psutil.Process()
        try:
            tree = [here, *(here.children(recursive=True) if self._children else ())]
        except psutil.Error:
            return
        self.peak = max(self.peak, sum(map(own_memory, tree)))
