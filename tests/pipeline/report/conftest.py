"""Runs made by hand for the report: true to the manifests' and ledgers' schemas, small enough to count on fingers.

run = Made(workdir); run.source('news', [('a', 'sw', 'habari')]); run.stage('keep', {'a': ('words', 1.0, 5.0)})
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.document import DOCUMENT
from pipeline.stages.base import dropped_table
from pipeline.store.counts import count_dropped, count_kept
from pipeline.store.files import FileInfo, write_file
from pipeline.store.ledger import LEDGER, entries, write_ledger
from pipeline.store.step import Step, sign, write_json

RUN = {
    "started": 1.0,
    "seconds": 2.0,
    "task_seconds": {"work": 1.0},
    "peak_memory": 50_000_000,
    "workers": 1,
    "machine": "a machine",
}


class Made:
    """Steps in order; `docs` are the documents that are left."""

    def __init__(self, workdir: Path) -> None:
        self.workdir, self.steps, self.docs = workdir, [], DOCUMENT.empty_table()

    def source(self, name: str, docs: list[tuple[str, ...]], bad: list[dict[str, Any]] = (), shards: int = 1) -> None:
        """`docs` are (id, lang, text[, kind]); `bad` are ledger rows, in as many ledgers as `shards`."""
        rows = [
            {"id": d[0], "source": name, "kind": (*d, "text")[3], "lang": d[1], "lang_declared": d[1], "text": d[2]}
            for d in docs
        ]
        table = pa.Table.from_pylist(rows, schema=DOCUMENT)
        self.docs = pa.concat_tables([self.docs, table])
        ledger = pa.Table.from_pylist([{"source": name, "stage": "source", **row} for row in bad], schema=LEDGER)
        self._seal(f"source.{name}", "source", count_kept(table), ledger, shards, {"files": 1, "harmless": ["licence"]})

    def stage(
        self,
        name: str,
        drop: dict[str, tuple[Any, ...]] | None = None,
        kind: str = "row",
        about: dict[str, Any] | None = None,
        lang: dict[str, str] | None = None,
        shards: int = 1,
        edit: dict[str, str] | None = None,
    ) -> None:
        """`drop` is {id: (reason[, value, limit, twin])}; `lang` renames languages by id, `edit` gives new texts."""
        drop, ids = drop or {}, self.docs.column("id").to_pylist()
        rows = [i for i, doc in enumerate(ids) if doc in drop]
        full = [(*drop[ids[i]], None, None, None)[:4] for i in rows]
        columns = {n: [f[k] for f in full] for k, n in ((1, "value"), (2, "limit"), (3, "twin"))}
        table = dropped_table(rows, pa.array([f[0] for f in full], pa.string()), **columns)
        ledger = entries(self.docs, table, name)
        self.docs = self.docs.take(pa.array([i for i in range(len(ids)) if i not in rows], pa.int64()))
        found = [
            (lang or {}).get(i, was)
            for i, was in zip(*(self.docs.column(n).to_pylist() for n in ("id", "lang")), strict=True)
        ]
        self.docs = self.docs.set_column(4, DOCUMENT.field("lang"), pa.array(found, pa.string()))
        texts = [
            (edit or {}).get(i, was)
            for i, was in zip(*(self.docs.column(n).to_pylist() for n in ("id", "text")), strict=True)
        ]
        self.docs = self.docs.set_column(5, DOCUMENT.field("text"), pa.array(texts, pa.large_string()))
        self._seal(name, kind, count_kept(self.docs), ledger, shards, about or {})

    def tail(self, tokens: dict[str, int], words: dict[str, int] | None = None, vocab_size: int = 512) -> None:
        """Tokenizer, encode and packed, with a tenth of the tokens (rounded down) held out."""
        none = LEDGER.empty_table()
        self._seal(
            "tokenizer",
            "tokenizer",
            [],
            none,
            1,
            {
                "vocab_size": vocab_size,
                "asked": 512,
                "sample": {k: {"documents": 1, "bytes": 10, "available": 40} for k in tokens},
            },
        )
        size = Counter()
        for cell in count_kept(self.docs):
            size[cell["lang"]] += cell["bytes"]
        tallies = {f"tokens/{k}": n for k, n in tokens.items()} | {f"bytes/{k}": size[k] for k in tokens}
        tallies |= {f"words/{k}": n for k, n in (words or {}).items()}
        self._seal("encode", "encode", count_kept(self.docs), none, 1, {}, tallies)
        row = {"rows": 1, "documents": 1, "padding": 0, "bytes": 1, "words": 1, "files": []}
        train = {k: row | {"tokens": n - n // 10} for k, n in tokens.items()}
        splits = {"train": train, "valid": {k: row | {"tokens": n // 10} for k, n in tokens.items() if n // 10}}
        step = Step(self.workdir / "packed-00000000000000ff")
        body = {"format": "seedbed-packed", "format_version": 1, "address": step.address, "recipe": {}, "seq_len": 512}
        body |= {
            "vocab_size": vocab_size,
            "special_ids": {"unk": 0, "bos": 1, "eos": 2, "pad": 3},
            "splits": splits,
            "files": {},
        }
        write_json(step.folder / "manifest.json", sign(body, RUN))
        self.steps.append(step)

    def _seal(
        self, name: str, kind: str, kept: Any, ledger: pa.Table, shards: int, about: Any, tallies: Any = None
    ) -> None:
        step = Step(self.workdir / f"{len(self.steps):02d}-{name}-{len(self.steps):016x}")
        files: dict[str, FileInfo] = {}
        for shard in range(shards if ledger.num_rows else 0):
            path = step.ledger(f"s-{shard:04d}")
            files[path.relative_to(step.folder).as_posix()] = write_ledger(
                path, ledger.take(pa.array(range(shard, ledger.num_rows, shards), pa.int64()))
            )
        layer = step.layer("s")
        files["layers/s.arrow"] = write_file(layer, lambda aside: aside.write_bytes(b"layer") and None)
        body = {"name": name, "kind": kind, "recipe": {"step": name, "packages": {"pyarrow": "1.2.3"}}, "kept": kept}
        body |= {"dropped": count_dropped(ledger), "tallies": tallies or {}, "about": about, "shards": []}
        step.seal({**body, "files": {n: i.to_json() for n, i in files.items()}}, RUN)
        self.steps.append(step)


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)
