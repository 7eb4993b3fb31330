"""A step on disk: a folder named by its recipe, its marks while it is made, its manifest when it is sealed.

    03-keep-5b1c…/
      layers/<shard>.arrow   what the stage changed
      ledger/<shard>.arrow   what it dropped
      marks/<task>.json      one a finished task, with the digests of its files; gone when the step is sealed
      scratch/               keys and edges on their way from one phase to the next; gone when the step is sealed
      manifest.json          the seal: recipe, counts, sha256 of every file

A step whose manifest stands is finished. The marks are how a killed run goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.digest import digest, file_sha256
from pipeline.errors import InputError, RunError
from pipeline.store.files import FileInfo, read_json, write_json, written_whole
from pipeline.store.place import is_local, remote_errors, remove_folder, sizes
from pipeline.store.seen import Seen

FORMAT, FORMAT_VERSION = "seedbed-step", 1
MANIFEST = "manifest.json"
OUTSIDE_DIGEST = ("digest", "run")  # the manifest's own digest, and times, machine and memory


@dataclass(frozen=True)
class Step:
    """The folder of one step. Cheap to make; touches the disk only when asked."""

    folder: Path
    seen: Seen | None = field(default=None, compare=False, repr=False)  # how the process that lays out tasks looks

    @property
    def address(self) -> str:
        return self.folder.name.rsplit("-", 1)[-1]

    def layer(self, shard: str) -> Path:
        return self.folder / "layers" / f"{shard}.arrow"

    def ledger(self, shard: str) -> Path:
        return self.folder / "ledger" / f"{shard}.arrow"

    def scratch(self, name: str) -> Path:
        return self.folder / "scratch" / name

    def _mark(self, task: str) -> Path:
        return self.folder / "marks" / f"{task}.json"

    def mark(self, task: str, result: dict[str, Any], files: dict[Path, FileInfo]) -> dict[str, Any]:
        """Says that `task` is done, with its result and its files; written last, whole. Returns what was written."""
        names = {path.relative_to(self.folder).as_posix(): info.to_json() for path, info in files.items()}
        with written_whole(self._mark(task), flush=False) as aside:  # its files are on disk: at worst it is done again
            aside.write_text(json.dumps({**result, "files": names}), "utf-8")
        return {**result, "files": names}

    def marked(self, task: str) -> dict[str, Any] | None:
        """What `mark` wrote, if the task is done and its files stand in the size that was written; else None."""
        if self.seen is not None:
            return self.seen.marked(task)
        if is_local(self.folder) and not self._mark(task).exists():  # half the time of an error for each task to do
            return None
        try:
            mark = read_json(self._mark(task))
            whole = all((self.folder / name).stat().st_size == info["bytes"] for name, info in mark["files"].items())
        except (InputError, OSError):
            return None
        return mark if whole else None

    def look_again(self) -> None:
        """After tasks have been at work: `marked` tells of those that are done by now."""
        if self.seen is not None:
            self.seen.look_again()

    def done(self) -> list[str]:
        """The tasks that have a mark, in order."""
        return sorted(path.stem for path in (self.folder / "marks").glob("[!.]*.json"))

    def recheck(self, task: str) -> bool:
        """Whether the files of a task are byte for byte what it wrote; if not, its mark goes and it is done again."""
        mark = self.marked(task)
        sound = mark is not None and all(
            file_sha256(self.folder / name) == info["sha256"] for name, info in mark["files"].items()
        )
        if not sound:
            self._mark(task).unlink(missing_ok=True)
        return sound

    @property
    def sealed(self) -> bool:
        return (self.folder / MANIFEST).exists()

    def seal(self, manifest: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
        """Writes the manifest with its digest; then marks and scratch may go."""
        sealed = sign({"format": FORMAT, "format_version": FORMAT_VERSION, "address": self.address, **manifest}, run)
        write_json(self.folder / MANIFEST, sealed)
        self.tidy()
        return sealed

    def tidy(self) -> None:
        """Removes what only an unfinished step needs."""
        if self.seen is not None:
            self.seen.forget()
        for name in ("marks", "scratch"):
            remove_folder(self.folder / name)

    def manifest(self) -> dict[str, Any]:
        """The manifest of a sealed step. Raises InputError if it is missing, damaged or of a newer version."""
        manifest = read_json(self.folder / MANIFEST)
        if manifest.get("format_version", 0) > FORMAT_VERSION:
            raise InputError(
                f"{self.folder / MANIFEST} is of a newer version of seedbed (format {manifest['format_version']})",
                hint="upgrade seedbed, or use another workdir",
            )
        return manifest


def remove_step(folder: Path) -> None:
    """Removes a step, its seal first: half of one would else be taken for damaged. Raises RunError where it cannot."""
    try:
        (folder / MANIFEST).unlink(missing_ok=True)
        remove_folder(folder)
        left = is_local(folder) and folder.exists()
    except remote_errors() as error:
        raise RunError(f"{folder} cannot be removed: {error}", hint="check what you may do there") from error
    if left:
        raise RunError(f"{folder} cannot be removed whole", hint="check its permissions, and who has files of it open")


def watched(folder: Path) -> Step:
    """The step of a folder, for the process that lays out its tasks."""
    return Step(folder, None if is_local(folder) else Seen(folder))


def sign(manifest: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """The manifest with `digest` (of all but itself and `run`) and `run` (times, machine: outside every digest)."""
    return {**manifest, "digest": manifest_digest(manifest), "run": run}


def manifest_digest(manifest: dict[str, Any]) -> str:
    return digest({k: v for k, v in manifest.items() if k not in OUTSIDE_DIGEST})


def faults(step: Step, read: bool = True) -> Iterable[str]:
    """Reads every file of a sealed step again; yields one sentence for each that is not as it was sealed.

    Without `read`, only whether each is there in the size that was sealed."""
    try:
        manifest = step.manifest()
        files, seal = manifest["files"], manifest["digest"]
    except (InputError, KeyError, AttributeError) as error:
        yield f"{MANIFEST}: cannot be read: {error}"
        return
    if manifest_digest(manifest) != seal:
        yield f"{MANIFEST}: its digest does not fit its content"
    there = sizes(step.folder)
    for name, info in sorted(files.items()):
        if name not in there:
            yield f"{name}: missing"
        elif there[name] != info["bytes"]:
            yield f"{name}: {there[name]} bytes instead of {info['bytes']}"
        elif read and file_sha256(step.folder / name) != info["sha256"]:
            yield f"{name}: its bytes are not those that were sealed"
