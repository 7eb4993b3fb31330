"""A share of the files, drawn by lot: in the order of their coins, until the next would make more than `max_bytes`.

    lot = draw([("a.py", 900), ("b.py", 200)], max_bytes=1000, seed=0)      Lot(max_bytes=1000, seed=0, highest=...)
    lot.takes("b.py", 200) -> True

Which files those are is a function of seed, paths and sizes, and a lot is one number: the coin of the last file taken.
A file that alone is larger than `max_bytes` takes no part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.digest import coin


@dataclass(frozen=True, slots=True)
class Lot:
    """Which files were drawn."""

    max_bytes: int
    seed: int
    highest: int  # coin of the last file taken; -1 where there is none

    def takes(self, path: str, size: int) -> bool:
        return size <= self.max_bytes and coin(self.seed, path) <= self.highest


def draw(files: Iterable[tuple[str, int]], max_bytes: int, seed: int) -> Lot:
    """The lot over (path, bytes) of all files. Holds one pair of integers a file."""
    highest, total = -1, 0
    for toss, size in sorted((coin(seed, path), size) for path, size in files if size <= max_bytes):
        total += size
        if total > max_bytes:
            break
        highest = toss
    return Lot(max_bytes, seed, highest)
