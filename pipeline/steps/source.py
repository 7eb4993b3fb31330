"""Reading a source into shards: records become documents with ids for life, what cannot be read goes to the ledger.

    files of a source -> groups -> one task a group -> shards `<source>-<group>-<number>` of `shard_size` bytes of text

Groups and shards are cut by rules on the data alone. Each shard's mark says how far the files were read, so a killed
task goes on behind its last finished shard.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.codes import MORE, STRANGE, strange
from pipeline.document import DOCUMENT, UNDETERMINED, document_id
from pipeline.engine import Task
from pipeline.sources import SOURCES
from pipeline.sources.base import Bad, InputFile, Record, Source
from pipeline.steps.base import merged
from pipeline.store.counts import count_dropped, count_kept, total
from pipeline.store.files import write_table
from pipeline.store.layers import Shard
from pipeline.store.ledger import EXCERPT, LEDGER, write_ledger
from pipeline.store.place import place
from pipeline.store.step import Step
from pipeline.text.languages import canonical

GROUP_BYTES = 32_000_000  # of files as they lie, compressed or not
OTHERS = [column for column in DOCUMENT if column.name != "text"]
DAMAGED = ("truncated", "unreadable")  # reasons that say a whole file is not as it should be
CODES_SHOWN, CODE_SHOWN = 20, 40  # codes of a shard by name and their characters; all others together


def groups(files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Runs of consecutive files of about GROUP_BYTES; a file is never divided, one of unknown size stands alone."""
    out: list[list[InputFile]] = []
    room = 0
    for file in files:
        if not out or room < file.size or not file.size:
            out.append([])
            room = GROUP_BYTES
        out[-1].append(file)
        room -= file.size or room
    return out


@dataclass
class SourceWork:
    """Makes the step of one source."""

    step: Step
    source: Source
    shard_size: int
    title: str = field(init=False)

    def __post_init__(self) -> None:
        self.title = f"read {self.source.name}"
        self.steps = [self.step]
        self._groups = groups(self.source.files())

    @property
    def tasks(self) -> int:
        return len(self._groups)

    def phases(self) -> Iterator[list[Task]]:
        yield [self._task(i, files) for i, files in enumerate(self._groups) if not self._done(i, files)]

    def _done(self, group: int, files: list[InputFile]) -> bool:
        """Whether a group was read to its end, from the files as they are now, and all of its shards stand."""
        mark = self.step.marked(f"group-{group:05d}")
        if mark is None or mark["state"] != state_of(files):
            return False
        keys = [shard_key(self.source.name, group, number) for number in range(mark["shards"])]
        return all(self.step.marked(f"shard-{key}") is not None for key in keys)

    def _task(self, group: int, files: list[InputFile]) -> Task:
        arguments = {
            "folder": str(self.step.folder),
            "kind": self.source.type,
            "settings": self.source.model_dump(mode="json"),
            "files": [[f.path, f.url, f.size] for f in files],
            "group": group,
            "shard_size": self.shard_size,
        }
        # a shard under way, its Arrow copy, and one document more as bytes, text and JSON
        memory = 4 * self.shard_size + 8 * self.source.max_document + self.source.memory
        return Task("pipeline.steps.source:read_group", arguments, memory=memory, bytes=sum(f.size for f in files))

    def manifest(self, step: Step) -> dict[str, Any]:
        read = [marked(step, f"group-{group:05d}") for group in range(len(self._groups))]
        numbers = [(group, number) for group, mark in enumerate(read) for number in range(mark["shards"])]
        marks = [marked(step, f"shard-{shard_key(self.source.name, *number)}") for number in numbers]
        shards = [{"key": mark["key"], "rows": mark["rows"], "bytes": mark["bytes"]} for mark in marks]
        harmless = sorted({reason for mark in marks for reason in mark["harmless"]})
        about = {
            "files": sum(map(len, self._groups)),
            "damaged_files": len({name for mark in marks for name in mark["broken_off"]}),
            "bad_records": sum(mark["bad_records"] for mark in marks),
            "harmless": harmless,
        }
        seconds = sum(mark["seconds"] for mark in read)
        return {**merged(marks), "shards": shards, "about": about, "run": {"stage_seconds": seconds}}


def shard_key(source: str, group: int, number: int) -> str:
    return f"{source}-{group:05d}-{number:04d}"


def state_of(files: Sequence[InputFile]) -> list[list[int]]:
    """Size, time of change and inode of local files: what is read from other files is not gone on with."""
    stats = [Path(file.url).stat() for file in files if "://" not in file.url and Path(file.url).is_file()]
    return [[stat.st_size, stat.st_mtime_ns, stat.st_ino] for stat in stats]


def marked(step: Step, task: str) -> dict[str, Any]:
    """The mark of a task that is done."""
    mark = step.marked(task)
    assert mark is not None, f"{step.folder.name}: {task} was never done"
    return mark


def shards_of(step: Step, source: str, base: int) -> list[Shard]:
    """The shards of a sealed source, their documents numbered from `base`."""
    out = []
    for shard in step.manifest()["shards"]:
        out.append(Shard(shard["key"], str(step.folder), base, shard["rows"], shard["bytes"]))
        base += shard["rows"]
    return out


def bad_shares(manifest: dict[str, Any]) -> tuple[float, float]:
    """Share of records that could not be read, and of files that break off."""
    about = manifest["about"]
    bad = about["bad_records"]
    return bad / max(1, bad + total(manifest["kept"])), about["damaged_files"] / max(1, about["files"])


@dataclass
class _Writer:
    """Collects documents and ledger rows of a group and writes a shard whenever enough text has come together."""

    step: Step
    source: Source
    group: int
    shard_size: int
    state: list[list[int]]
    number: int = 0
    bytes: int = 0  # of all that documents take
    text_bytes: int = 0  # since the beginning, of the whole group
    rows: list[tuple[Any, ...]] = field(default_factory=list)  # all columns but the text
    text: bytearray = field(default_factory=bytearray)  # of all rows: a million small objects would take longer
    ends: list[int] = field(default_factory=lambda: [0])  # of each row's text
    unproved: bool = False  # a source handed bytes over, which may be no UTF-8
    bad: list[dict[str, Any]] = field(default_factory=list)
    bad_records: int = 0  # of this shard, as `max_bad` counts them
    harmless: set[str] = field(default_factory=set)  # reasons that do not count
    broken_off: set[str] = field(default_factory=set)  # files
    strange: Counter[str] = field(default_factory=Counter)  # declared codes that are none, of this shard
    most_rows: int = field(init=False)

    def __post_init__(self) -> None:
        self.most_rows = max(1000, self.shard_size // 64)

    def _id(self, file: InputFile, item: Record | Bad) -> str:
        """A document that has a path to itself keeps its name when files are added to the run it was read in."""
        if item.path is not None:
            return document_id(self.source.name, item.path, 0)
        return document_id(self.source.name, file.path, item.row)

    def add(self, file: InputFile, record: Record) -> None:
        if isinstance(record.text, str):
            text = record.text.encode()
        else:
            text, self.unproved = record.text, True
        lang = self.source.lang or record.lang
        identity = self._id(file, record)
        found = self._spelled(lang) if lang else UNDETERMINED
        self.rows.append((identity, self.source.name, record.kind, lang, found, record.meta))
        self.text += text
        self.ends.append(len(self.text))
        self.text_bytes += len(text)
        self.bytes += len(text) + len(record.meta or "") + len(identity)  # meta may be the larger part

    def _spelled(self, declared: str) -> str:
        """The code as the project spells it; what is none is counted, for the report, and stands as it is."""
        if strange(declared):
            code = declared[:CODE_SHOWN]
            told = code in self.strange or len(self.strange) < CODES_SHOWN
            self.strange[code if told else MORE] += 1
        return canonical(declared)

    def refuse(self, file: InputFile, bad: Bad) -> None:
        row: dict[str, Any] = {"id": self._id(file, bad), "source": self.source.name, "stage": "source"}
        row |= {"reason": bad.reason, "value": bad.value, "limit": bad.limit, "file": file.path, "offset": bad.offset}
        self.bad.append(row | {"excerpt": bad.detail[:EXCERPT]})
        if bad.counts:
            self.bad_records += bad.records
        else:
            self.harmless.add(bad.reason)
        if bad.breaks_off:
            self.broken_off.add(file.path)

    @property
    def full(self) -> bool:
        # the second bound keeps a flood of empty documents from growing without end
        return self.bytes >= self.shard_size or len(self.rows) + len(self.bad) >= self.most_rows

    def flush(self, position: tuple[int, int]) -> None:
        """Writes the shard and its mark; `position` is the file and the row to go on with."""
        key = shard_key(self.source.name, self.group, self.number)
        docs = self._documents()
        ledger = pa.Table.from_pylist(self.bad, schema=LEDGER)
        files = {
            self.step.layer(key): write_table(self.step.layer(key), docs),
            self.step.ledger(key): write_ledger(self.step.ledger(key), ledger),
        }
        result = {
            "key": key,
            "rows": docs.num_rows,
            "bytes": self.bytes,
            "position": list(position),
            "harmless": sorted(self.harmless),
            "bad_records": self.bad_records,
            "broken_off": sorted(self.broken_off),
            "state": self.state,
        }
        counts = {"kept": count_kept(docs), "dropped": count_dropped(ledger)}
        tallies = {STRANGE + code: number for code, number in sorted(self.strange.items())}
        self.step.mark(f"shard-{key}", {**result, **counts, "tallies": tallies}, files)
        self.strange.clear()
        self.number, self.bytes, self.rows, self.bad = self.number + 1, 0, [], []
        self.text, self.ends, self.unproved = bytearray(), [0], False
        self.bad_records, self.harmless, self.broken_off = 0, set(), set()

    def _documents(self) -> pa.Table:
        """The rows as a table; the texts are not copied."""
        ends = pa.py_buffer(np.array(self.ends, np.int64))
        texts = pa.LargeStringArray.from_buffers(len(self.rows), ends, pa.py_buffer(self.text))
        if self.unproved:
            texts.validate(full=True)
        columns = list(zip(*self.rows, strict=True)) or [()] * len(OTHERS)
        arrays = {f.name: pa.array(values, f.type) for values, f in zip(columns, OTHERS, strict=True)}
        return pa.table({**arrays, "text": texts}, schema=DOCUMENT)


def read_group(
    folder: str, kind: str, settings: dict[str, Any], files: list[list[Any]], group: int, shard_size: int
) -> dict[str, Any]:
    """Task: reads a group of files to its end, behind the shards that are done already."""
    begin = time.perf_counter()  # for the manifest's block of times, outside every digest
    source = SOURCES[kind].model_validate(settings)
    inputs = [InputFile(*file) for file in files]
    writer = _Writer(Step(place(folder)), source, group, shard_size, state_of(inputs))
    at, row = _resume(writer)
    documents = 0
    for index, file in list(enumerate(inputs))[at:]:
        for item in source.read(file, skip=row if index == at else 0):
            if isinstance(item, Record):
                writer.add(file, item)
                documents += 1
            else:
                writer.refuse(file, item)
            if writer.full:
                writer.flush((index, item.row + 1))
    if writer.rows or writer.bad or not writer.number:
        writer.flush((len(files), 0))
    told = {"shards": writer.number, "state": writer.state, "seconds": time.perf_counter() - begin}
    writer.step.mark(f"group-{group:05d}", told, {})
    return {"documents": documents, "bytes": writer.text_bytes}


def _resume(writer: _Writer) -> tuple[int, int]:
    """Passes over the shards that were read from these files as they are now; the file and row behind the last."""
    at, row = 0, 0
    while mark := writer.step.marked(f"shard-{shard_key(writer.source.name, writer.group, writer.number)}"):
        if mark["state"] != writer.state:
            break
        at, row = mark["position"]
        writer.number += 1
    return at, row
