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
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.digest import digest, file_sha256
from pipeline.errors import InputError
from pipeline.store.files import FileInfo, read_json, write_json, written_whole

FORMAT, FORMAT_VERSION = "seedbed-step", 1
MANIFEST = "manifest.json"
OUTSIDE_DIGEST = ("digest", "run")  # the manifest's own digest, and times, machine and memory


@dataclass(frozen=True)
class Step:
    """The folder of one step. Cheap to make; touches the disk only when asked."""

    folder: Path

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
        if not self._mark(task).exists():
            return None
        try:
            mark = read_json(self._mark(task))
        except InputError:
            return None
        for name, info in mark["files"].items():
            path = self.folder / name
            if not path.exists() or path.stat().st_size != info["bytes"]:
                return None
        return mark

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
        for name in ("marks", "scratch"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def manifest(self) -> dict[str, Any]:
        """The manifest of a sealed step. Raises InputError if it is missing, damaged or of a newer version."""
        manifest = read_json(self.folder / MANIFEST)
        if manifest.get("format_version", 0) > FORMAT_VERSION:
            raise InputError(
                f"{self.folder / MANIFEST} is of a newer version of seedbed (format {manifest['format_version']})",
                hint="upgrade seedbed, or use another workdir",
            )
        return manifest


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
    for name, info in sorted(files.items()):
        path = step.folder / name
        if not path.exists():
            yield f"{name}: missing"
        elif path.stat().st_size != info["bytes"]:
            yield f"{name}: {path.stat().st_size} bytes instead of {info['bytes']}"
        elif read and file_sha256(path) != info["sha256"]:
            yield f"{name}: its bytes are not those that were sealed"
