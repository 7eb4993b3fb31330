"""Several small sources read together, so that a corpus of many sources of a file each keeps all workers busy.

    bundles([SourceWork, ...], least) -> SourcesWork, each of sources in order, with `least` tasks or all that are left

A large source stays alone: what is wrong with it is told before the next is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from pipeline.engine import Task
from pipeline.steps.source import SourceWork
from pipeline.store.step import Step

TITLES = 3  # sources that the progress bar names


@dataclass
class SourcesWork:
    """Makes the steps of some sources in one phase."""

    works: list[SourceWork]
    title: str = field(init=False)

    def __post_init__(self) -> None:
        names = [work.source.name for work in self.works]
        self.title = f"read {' + '.join(names) if len(names) <= TITLES else f'{len(names)} sources'}"
        self.steps = [work.step for work in self.works]

    def phases(self) -> Iterator[list[Task]]:
        for together in zip_longest(*(work.phases() for work in self.works), fillvalue=[]):
            yield [task for tasks in together for task in tasks]

    def manifest(self, step: Step) -> dict[str, Any]:
        return next(work for work in self.works if work.step is step).manifest(step)


def bundles(works: Iterable[SourceWork], least: int) -> Iterator[SourcesWork]:
    """Cuts `works`, in their order, wherever `least` tasks have come together."""
    some: list[SourceWork] = []
    for work in works:
        some.append(work)
        if sum(one.tasks for one in some) >= least:
            yield SourcesWork(some)
            some = []
    if some:
        yield SourcesWork(some)
