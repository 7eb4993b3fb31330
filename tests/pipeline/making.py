"""Small corpora and runs for tests: documents to JSONL, a config around them, and what a run leaves."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.config import Config, parse
from pipeline.digest import file_sha256
from pipeline.progress import Silent
from pipeline.run import Result, run
from pipeline.steps.source import shards_of
from pipeline.store import files
from pipeline.store.layers import read_shard
from pipeline.store.ledger import LEDGER
from pipeline.store.step import MANIFEST, OUTSIDE_DIGEST

STAGES = [
    "normalize",
    {"dedup_lines": {"min_chars": 5, "min_count": 4}},
    "identify",
    "measure",
    {"keep": {"bounds": {"words": [2, 100000], "char_repetition": [0, 0.9]}}},
    "dedup_exact",
    {"dedup_near": {"permutations": 64, "bands": 16, "rows": 4}},
    "redact",
]
TAIL = {"tokenizer": {"vocab_size": 300}, "pack": {"seq_len": 16, "holdout": 0.1, "holdout_tokens": 16}}


def write_jsonl(path: Path, texts: Iterable[str], **fields: Any) -> Path:
    """One document a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for text in texts:
            file.write(json.dumps({"text": text, **fields}) + "\n")
    return path


def config(folder: Path, workdir: str = "run", stages: Sequence[Any] = STAGES, **more: Any) -> Config:
    """A config over every *.jsonl file in `folder`; keys in `more` replace sections or, for `run`, are merged."""
    run_settings = {"workdir": str(folder / workdir), "workers": 1, "max_bad": 1.0, **more.pop("run", {})}
    sources = more.pop("sources", [{"jsonl": {"name": "src", "path": str(folder / "*.jsonl")}}])
    raw = {"run": run_settings, "sources": sources, "stages": list(stages), **more}
    problems: list[str] = []
    parsed = parse(raw, problems)
    assert parsed is not None, problems
    return parsed


def go(made: Config) -> Result:
    return run(made, Silent())


def sealed(result: Result) -> dict[str, str]:
    """Every sealed byte of a run: {folder/file: sha256}; of a manifest all but its block of times."""
    out = {}
    for planned in result.steps:
        folder = planned.step.folder
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            if path.name == MANIFEST:
                manifest = {k: v for k, v in json.loads(path.read_text("utf-8")).items() if k not in OUTSIDE_DIGEST}
                out[name] = json.dumps(manifest, sort_keys=True)
            else:
                out[name] = file_sha256(path)
    return out


def kept_after(result: Result, steps: int) -> pa.Table:
    """All documents after the first `steps` stages."""
    sources = [p for p in result.steps if p.kind == "source"]
    stages = [p.step for p in result.steps if p.kind in ("row", "corpus")][:steps]
    tables, base = [], 0
    for source in sources:
        for shard in shards_of(source.step, source.settings.name, base):
            base += shard.rows
            tables.append(read_shard(shard, stages))
    return pa.concat_tables(tables, promote_options="default")


def ledger_of(planned: Any) -> pa.Table:
    """The whole ledger of a step."""
    paths = sorted((planned.step.folder / "ledger").glob("*.arrow"))
    return pa.concat_tables([LEDGER.empty_table(), *map(files.read_table, paths)])


class Killed(BaseException):
    """As if the process had been killed: nothing may catch it."""


@contextlib.contextmanager
def stopped_at_write(which: int) -> Iterator[None]:
    """What is run inside stops, and ends, when it writes its file number `which`, counted from 1."""
    real, writes = files._flush, [0]

    def flush(path: Path) -> None:
        writes[0] += 1
        if writes[0] == which:
            raise Killed
        real(path)

    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(files, "_flush", flush)
        yield


def listed_backwards(patch: pytest.MonkeyPatch) -> None:
    """From now on folders list their entries with the last name first."""
    real = os.scandir

    class Backwards:
        def __init__(self, *args: Any) -> None:
            self.inner = real(*args)
            self.entries = iter(sorted(self.inner, key=lambda e: e.name, reverse=True))

        def __iter__(self) -> Iterator[Any]:
            return self.entries

        def __next__(self) -> Any:
            return next(self.entries)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

        def close(self) -> None:
            self.inner.close()

    patch.setattr(os, "scandir", Backwards)
