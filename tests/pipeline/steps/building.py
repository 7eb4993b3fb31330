"""A small corpus as its sources' steps leave it, and works that are made here and now."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.digest import file_sha256
from pipeline.document import DOCUMENT
from pipeline.engine import perform
from pipeline.steps.base import Corpus, Work
from pipeline.store.counts import Cell, add_kept, count_kept
from pipeline.store.files import write_table
from pipeline.store.layers import Shard, read_shard
from pipeline.store.step import Step

SENTENCES = {
    "en": "All human beings are born free and equal in dignity and rights. ",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. ",
    "zh-hans": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。",
    "python": "def born(free, equal):\n    return free  # </s>\n",
}


def documents(counts: dict[str, int]) -> list[dict[str, Any]]:
    """So many of each language; no two alike."""
    return [
        {
            "id": f"s/{lang}.txt#{i}",
            "source": "s",
            "kind": "code" if lang == "python" else "text",
            "lang": lang,
            "text": f"{i}: " + SENTENCES[lang] * (1 + i % 5),
        }
        for lang, count in counts.items()
        for i in range(count)
    ]


def step(folder: Path, name: str) -> Step:
    return Step(folder / f"{name}-{name.encode().hex()[:16]:0<16}")


def corpus_of(folder: Path, rows: list[dict[str, Any]], per_shard: int = 10) -> Corpus:
    """The rows as a source of one step, in shards of `per_shard` documents."""
    source, shards = step(folder, "source"), []
    for number, start in enumerate(range(0, len(rows), per_shard)):
        table = pa.Table.from_pylist(rows[start : start + per_shard], DOCUMENT)
        key = f"s-0-{number:05d}"
        write_table(source.layer(key), table)
        size = sum(len(text.encode()) for text in table.column("text").to_pylist())
        shards.append(Shard(key, str(source.folder), start, table.num_rows, size))
    return Corpus(tuple(shards))


def kept_of(corpus: Corpus) -> list[Cell]:
    return add_kept(cell for shard in corpus.shards for cell in count_kept(read_shard(shard, corpus.steps)))


def columns_over(folder: Path, corpus: Corpus, name: str, value: Any) -> Corpus:
    """The corpus with one more step, which wrote `value(document)` into a column."""
    made = step(folder, name)
    for shard in corpus.shards:
        values = [value(row) for row in read_shard(shard, corpus.steps).to_pylist()]
        write_table(made.layer(shard.key), pa.table({name: values}))
    return corpus.then(made)


def make(work: Work, stop_after: int | None = None) -> dict[str, Any]:
    """Runs the tasks, each through JSON as an engine on another machine would have them, and seals the step.

    With `stop_after`, as if killed after so many tasks."""
    done = 0
    for tasks in work.phases():
        for task in tasks:
            if done == stop_after:
                return {}
            assert json.loads(json.dumps(task.arguments)) == task.arguments
            perform(task)
            done += 1
    (made,) = work.steps
    return made.seal({"name": work.title, **work.manifest(made)}, run={})


def sealed(made: Step) -> dict[str, str]:
    """{file: sha256} of all that stands in a step's folder."""
    files: Sequence[Path] = sorted(path for path in made.folder.rglob("*") if path.is_file())
    return {path.relative_to(made.folder).as_posix(): file_sha256(path) for path in files}
