"""The main job: makes every step of a config that does not stand yet, in order, and writes the report.

    run(config, talk) -> Result(steps, packed, report)

It knows the order of things and nothing of their insides: works lay out tasks, the engine runs them, steps are sealed.
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import remembered, report
from pipeline.config import Config
from pipeline.engine import Engine
from pipeline.engine.local import LocalEngine
from pipeline.errors import InputError, RunError
from pipeline.fingerprint import Fingerprints
from pipeline.monitor import PeakMemory
from pipeline.plan import Planned, plan
from pipeline.progress import Talk
from pipeline.report import Report
from pipeline.sources.base import Source
from pipeline.sources.look import look
from pipeline.stages.base import PartStage, SpanStage, Stage
from pipeline.steps import warm
from pipeline.steps.base import Corpus, Work
from pipeline.steps.corpus import CorpusWork
from pipeline.steps.encode import EncodeWork
from pipeline.steps.identifier import IdentifierWork
from pipeline.steps.pack import PackWork
from pipeline.steps.parts import PartsWork
from pipeline.steps.rows import MATCHED, RowsWork
from pipeline.steps.source import DAMAGED, SourceWork, bad_shares, shards_of
from pipeline.steps.sources import bundles
from pipeline.steps.spans import SpansWork
from pipeline.steps.tokenizer import TokenizerWork
from pipeline.store.counts import total
from pipeline.store.files import TEMPORARY, read_table, sweep, write_bytes
from pipeline.store.lock import Lock, owned
from pipeline.store.place import is_local, removal
from pipeline.store.step import Step, faults

TASKS_TOGETHER = 4  # for each worker: sources with fewer tasks in all are read together
PACKED = "packed"  # a link in the workdir to the packed folder of the last run


@dataclass(frozen=True)
class Result:
    """What a run leaves: its steps, and where to look."""

    steps: list[Planned]
    made: list[str]  # folders of the steps that were made now
    packed: Path | None
    report: Path
    gathered: Report
    seconds: float


@dataclass
class _Run:
    """One run under way."""

    config: Config
    talk: Talk
    engine: Engine
    planned: list[Planned]
    lock: Lock
    made: list[str] = field(default_factory=list)

    def check_sealed(self) -> None:
        """Refuses to build on a sealed step of which a file is gone or cut off: that costs a look, not a reading."""
        for p in self.planned:
            if p.step.sealed and (found := list(faults(p.step, read=False))):
                more = f", and {len(found) - 1} more files" if len(found) > 1 else ""
                raise InputError(
                    f"{p.step.folder} is damaged: {found[0]}{more}",
                    hint=f"{removal([p.step.folder])} and run again: only that step is made again",
                )

    def tell_others(self) -> None:
        """Says whose corpus this folder holds already: the report and the link to the packed rows change hands."""
        if names := ", ".join(run.name for run in remembered.others(self.config)):
            where = self.config.run.workdir
            self.talk.say(
                f"  {where} holds the corpus of {names} too; its report and `{PACKED}` are now of this config"
            )

    def warm(self) -> None:
        """Compiles the kernels that the steps to be made need, if no run before has."""
        todo = [p for p in self.planned if not p.step.sealed]
        stages = [p.settings for p in todo if p.kind in ("row", "corpus")]
        encode = any(p.kind == "encode" for p in todo)
        train = any(p.kind == "tokenizer" and p.settings.path is None for p in todo)
        pack = any(p.kind == "packed" for p in todo)
        if tasks := warm.tasks(stages, encode, self.engine.here, train, pack):
            self.talk.begin("compile kernels, once", len(tasks))
            for _ in self.engine.prepare(tasks):
                self.talk.advance(0, 0)
            self.talk.end()

    def works(self) -> Iterator[tuple[Work, list[Planned]]]:
        """The work for each step that is not sealed; consecutive row-wise ones together."""
        sources = [p for p in self.planned if p.kind == "source"]
        unread = {p.step.folder: p for p in sources if not p.step.sealed}
        works = (SourceWork(p.step, p.settings, self.config.shard_size) for p in unread.values())
        for work in bundles(works, TASKS_TOGETHER * self.engine.workers):
            yield work, [unread[step.folder] for step in work.steps]
        corpus = Corpus(tuple(self._shards(sources)))
        rest = [p for p in self.planned if p.kind in ("row", "corpus")]
        for (kind, sealed), group in groupby(rest, key=lambda p: (p.kind, p.step.sealed)):
            for some in [list(group)] if kind == "row" else [[p] for p in group]:
                if not sealed:
                    yield self._stage_work(kind, some, corpus), some
                corpus = corpus.then(*(p.step for p in some))
        yield from self._tail(corpus)

    def _shards(self, sources: Sequence[Planned]) -> Iterator[Any]:
        base = 0
        for planned in sources:
            shards = shards_of(planned.step, planned.settings.name, base)
            base += sum(shard.rows for shard in shards)
            yield from shards

    def _stage_work(self, kind: str, some: Sequence[Planned], corpus: Corpus) -> Work:
        if kind == "row":
            return RowsWork([p.step for p in some], [p.settings for p in some], corpus)
        if isinstance(some[0].settings, PartStage):
            return PartsWork(some[0].step, some[0].settings, corpus)
        if isinstance(some[0].settings, SpanStage):
            return SpansWork(some[0].step, some[0].settings, corpus)
        return CorpusWork(some[0].step, some[0].settings, corpus, self.engine.memory)

    def _tail(self, corpus: Corpus) -> Iterator[tuple[Work, list[Planned]]]:
        by_kind = {p.kind: p for p in self.planned}
        if "identifier" in by_kind and not (identifier := by_kind["identifier"]).step.sealed:
            yield IdentifierWork(identifier.step, identifier.settings, corpus, self._kept()), [identifier]
        if "tokenizer" not in by_kind:
            return
        self._refuse_nothing()
        tokenizer, encode = by_kind["tokenizer"], by_kind["encode"]
        if not tokenizer.step.sealed:
            yield TokenizerWork(tokenizer.step, tokenizer.settings, corpus, self._kept()), [tokenizer]
        if not encode.step.sealed:
            yield EncodeWork(encode.step, tokenizer.step, corpus), [encode]
        if "packed" in by_kind and not (packed := by_kind["packed"]).step.sealed:
            work = PackWork(packed.step, packed.settings, tokenizer.step, corpus.then(encode.step))
            yield work, [packed]

    def _refuse_nothing(self) -> None:
        """A tokenizer and rows of no document at all are a mistake that would look like success."""
        stages = [p.step.manifest() for p in self.planned if p.kind in ("source", *report.STAGES)]
        if nothing := report.nothing_left(report.levels(stages), report.drops(stages)):
            raise RunError(
                f"{nothing} There is nothing to encode",
                hint="`pipeline report CONFIG` shows what was dropped and why, `pipeline inspect` what a limit drops",
            )

    def _kept(self) -> list[dict[str, Any]]:
        """Cells of the documents that are left after the last stage."""
        stages = [p for p in self.planned if p.kind in ("row", "corpus")]
        last = stages[-1:] or [p for p in self.planned if p.kind == "source"]
        return [cell for p in last for cell in p.step.manifest()["kept"]]

    def make(self, work: Work, planned: Sequence[Planned]) -> None:
        """Runs the tasks of one work, phase by phase, and seals its steps."""
        for p in planned:
            for remark in p.settings.remarks if isinstance(p.settings, Stage) else ():
                self.talk.say(f"  {p.name}: {remark}")
        started = time.time()
        seconds: dict[str, float] = defaultdict(float)
        documents = size = largest = 0
        with PeakMemory() as memory:
            for tasks in work.phases():
                if not tasks:
                    continue
                names = {task.name for task in tasks}
                self.talk.begin(
                    work.title if len(work.steps) > 1 or len(names) > 1 else f"{work.title}: {tasks[0].name}",
                    len(tasks),
                )
                gone, done = Counter[str](), False
                try:
                    for task, result in self.engine.run(tasks):
                        seconds[task.name] += result["seconds"]
                        largest = max(largest, result.get("peak_memory", 0))  # of a task on another machine
                        gone.update({name: result.get(name, 0) for name in ("documents", "bytes")})
                        self.talk.advance(result.get("documents", 0), result.get("bytes", 0))
                        self.lock.hold()
                    done = True
                finally:
                    self.talk.end(done)
                for step in work.steps:
                    step.look_again()
                documents, size = max(documents, gone["documents"]), max(size, gone["bytes"])  # phases go over the same
        about_run = {
            "started": started,
            "seconds": time.time() - started,
            "task_seconds": dict(seconds),
            "documents": documents,
            "bytes": size,
            "peak_memory": max(memory.peak, largest),
            "workers": self.engine.workers,
            "engine": self.config.run.engine,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        }
        for p in planned:
            self._seal(p, work.manifest(p.step), about_run)

    def _seal(self, planned: Planned, manifest: dict[str, Any], about_run: dict[str, Any]) -> None:
        if planned.kind == "source":
            self._check_source(planned, manifest)
        if planned.kind == "tokenizer":
            self._check_tokenizer(planned, manifest)
        if manifest.get("tallies", {}).get(MATCHED) == 0:
            self.talk.say(f"  warning: the `where` of {planned.name} matched no document, so it did nothing")
        about_run = {**about_run, **manifest.pop("run", {})}
        manifest = {"name": planned.name, "kind": planned.kind, "recipe": planned.recipe, **manifest}
        planned.step.seal(manifest, about_run)
        self.made.append(planned.step.folder.name)

    def _check_source(self, planned: Planned, manifest: dict[str, Any]) -> None:
        """Refuses a source that changed while it was read, or of which too much could not be read."""
        prints = Fingerprints(self.config.run.workdir / ".fingerprints.json")
        if planned.settings.identity(prints.of) != planned.recipe["input"]:
            planned.step.tidy()  # what was read is of two kinds: none of it counts
            raise RunError(
                f"source {planned.settings.name!r} changed while it was read",
                hint="run again once its files are complete",
            )
        records, files = bad_shares(manifest)
        if max(records, files) > self.config.run.max_bad:
            raise RunError(
                self._bad_sentence(planned, manifest, records, files), hint=_bad_hint(records, files, planned.settings)
            )
        if manifest["dropped"]:
            self.talk.say(f"  {planned.settings.name}: {total(manifest['dropped']):,} records stand in the ledger only")

    def _check_tokenizer(self, planned: Planned, manifest: dict[str, Any]) -> None:
        """Refuses a ready tokenizer that is no longer the one that the step is named after."""
        wanted = planned.recipe["parameters"].get("sha256")
        if wanted is not None and manifest["files"]["tokenizer.json"]["sha256"] != wanted:
            planned.step.tidy()
            raise RunError(f"{planned.settings.path} changed during the run", hint="run again")

    def _bad_sentence(self, planned: Planned, manifest: dict[str, Any], records: float, files: float) -> str:
        names = [planned.step.folder / name for name in manifest["files"] if name.startswith("ledger/")]
        rows = _worst(names, manifest["about"]["harmless"])
        some = "".join(f"\n    {r['file']}, byte {r['offset']}: {r['reason']}: {r['excerpt']}" for r in rows)
        return (
            f"source {planned.settings.name!r}: {records:.2%} of the records cannot be read and {files:.2%} of the "
            f"files break off; run.max_bad is {self.config.run.max_bad:.2%}{some}"
        )


def _bad_hint(records: float, files: float, source: Source) -> str:
    if mend := look(source).mend:
        return f"{mend} (seen in its first file)"
    if records == 1:
        return "nothing of it can be read: check that the source is of the right kind and names the right files"
    allowed = f"{math.ceil(max(records, files) * 1000) / 10:g}%"
    return f"mend the files, or accept it with `run: {{max_bad: {allowed}}}` (nothing is read again)"


def _worst(ledgers: Sequence[Path], harmless: Sequence[str], most: int = 5) -> list[dict[str, Any]]:
    """A few rows to show, damaged files first; one ledger is in memory at a time, and of it a few rows as objects."""
    rows: list[dict[str, Any]] = []
    for path in ledgers:
        ledger = read_table(path)
        reasons = ledger.column("reason")
        damaged = ledger.filter(pc.is_in(reasons, pa.array(DAMAGED))).slice(0, most)
        others = ledger.filter(pc.invert(pc.is_in(reasons, pa.array([*DAMAGED, *harmless], pa.string())))).slice(
            0, most
        )
        rows += [*damaged.to_pylist(), *others.to_pylist()]
        rows = sorted(rows, key=lambda row: row["reason"] not in DAMAGED)[:most]
    return rows


def run(config: Config, talk: Talk) -> Result:
    """Makes what is not there. Raises RunError or InputError; what was finished stays, the next run goes on there."""
    started = time.monotonic()
    if config.run.engine == "ray" and is_local(config.run.workdir):  # a worker stands in another folder
        config = config.model_copy(
            update={"run": config.run.model_copy(update={"workdir": config.run.workdir.resolve()})}
        )
    workdir = config.run.workdir
    with owned(workdir) as lock:
        planned = plan(config, say=talk.say)
        tidy(workdir, planned)
        if any(p.kind == "packed" for p in planned):
            _check_link(workdir / PACKED)
        engine = _engine(config)
        try:
            this = _Run(config, talk, engine, planned, lock)
            this.check_sealed()
            this.tell_others()
            remembered.remember(config, planned)
            this.warm()
            for work, some in this.works():
                this.make(work, some)
        finally:
            engine.close()
        packed = _link(workdir, next((p.step for p in planned if p.kind == "packed"), None))
        gathered = report.gather([p.step for p in planned])
        page = report.write(gathered, workdir)
        remembered.remember(config, planned, finished=True)
    return Result(planned, this.made, packed, page, gathered, time.monotonic() - started)


def tidy(workdir: Path, planned: Sequence[Planned]) -> None:
    """Removes what a killed run left: temporary files, and the marks of a step that had just been sealed."""
    if is_local(workdir):
        for pattern in (f".{PACKED}-*", f"{TEMPORARY}*"):
            for leftover in workdir.glob(pattern):
                leftover.unlink()
    for p in planned:
        sweep(p.step.folder)
        if p.step.sealed:
            p.step.tidy()


def _engine(config: Config) -> Engine:
    settings = config.run
    if settings.engine == "local":
        return LocalEngine(settings.worker_count, settings.memory_bytes)
    from pipeline.engine.ray import RayEngine  # only where it is asked for: Ray need not be installed

    return RayEngine(settings.address, settings.worker_count, settings.memory_bytes, settings.workdir)


def _check_link(link: Path) -> None:
    """Raises InputError where a folder stands in the link's place, as copying with `-L` or an archive leaves it."""
    if is_local(link) and link.is_dir() and not link.is_symlink():
        raise InputError(
            f"{link} is a folder, where the link to the packed rows belongs",
            hint=f"{removal([link])} if its rows stand in a folder beside it, or rename it; then run again",
        )


def _link(workdir: Path, packed: Step | None) -> Path | None:
    """Points `packed` at the packed folder; an object store has no links, so there `packed` holds the folder's name."""
    if packed is None:
        return None
    if not is_local(workdir):
        write_bytes(workdir / PACKED, f"{packed.folder.name}\n".encode())
        return packed.folder
    aside = workdir / f".{PACKED}-{os.getpid()}"
    aside.unlink(missing_ok=True)
    aside.symlink_to(packed.folder.name)
    aside.replace(workdir / PACKED)
    return workdir / PACKED
