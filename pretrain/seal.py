"""Sealed folders: written aside, flushed, named by one rename, and known to be whole ever after.

    write(root, "step_000123", fill)  ->  root/step_000123/{..., manifest.json}
    newest(root)                      ->  the last one whose files are what its manifest says

A power cut leaves the old folders and rubbish under a temporary name, never half a folder. manifest.json lists the
sha256 and size of every file, and a digest of itself. Knows nothing of what the files hold; imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pretrain.errors import InputError, RunError

FORMAT = "seedbed-checkpoint"
VERSION = 1
_ASIDE = ".aside-"  # what begins so was never finished, or is on its way out
_DAMAGED = "damaged-"  # what begins so was passed over, and is kept for whoever wants to look at it
_NAME = re.compile(r"step_[0-9]{6,}")
_SMALL = 1 << 24  # bytes: up to here a file is always read, whatever its size promises


class NotWholeError(Exception):
    """A folder is not what its seal says; the text says why."""


def write(root: Path, name: str, fill: Callable[[Path], None]) -> Path:
    """Let `fill` write files into a temporary folder, seal it, and give it its name; replaces one of that name.

    Raises RunError if the disk does not take it; the folders that stood before still stand.
    """
    aside = root / f"{_ASIDE}{name}"
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        fill(aside)
        _seal(aside)
        _remove(root / name)
        aside.rename(root / name)
        _flush_folder(root)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise RunError(
            f"checkpoint {name} could not be written to {root}: {error}",
            hint="make room on the disk and run the same command again; checkpoints before it, if any, are whole",
        ) from error
    return root / name


def names(root: Path) -> list[str]:
    """Names of finished folders, oldest first. Whether they are whole is another question."""
    found = (p.name for p in root.glob("step_*") if _NAME.fullmatch(p.name) and p.is_dir())
    return sorted(found, key=lambda name: (step_of(name), name))  # step_1000000 comes after step_999999


def step_of(name: str) -> int | None:
    """The step in the name of a folder; None if it is no name of ours, such as step_000100_best."""
    return int(name.removeprefix("step_")) if _NAME.fullmatch(name) else None


def newest(root: Path, say: Callable[[str], None], read: bool = True) -> Path | None:
    """The newest folder that is whole; says which newer ones are not. read=False trusts the sizes of large files.

    Raises InputError if one cannot be read at all, or is of another version: that is no damage to pass over.
    """
    for name in reversed(names(root)):
        try:
            check(root / name, read)
            return root / name
        except NotWholeError as error:
            say(f"checkpoint {root / name} is not whole ({error}); taking the one before it")
    return None


def check(folder: Path, read: bool = True) -> None:
    """Raises NotWholeError unless every file is there with its size, and its sha256 if `read` or if it is small.

    Raises InputError if the disk does not give it, or if it is of another version.
    """
    try:
        _check(folder, read)
    except OSError as error:
        raise InputError(
            f"checkpoint {folder} cannot be read: {error}", hint="mend the disk or the rights, then run again"
        ) from error


def _check(folder: Path, read: bool) -> None:
    for name, entry in _manifest(folder)["files"].items():
        path = folder / name
        if not path.is_file():
            raise NotWholeError(f"{name} is missing")
        if path.stat().st_size != entry["bytes"]:
            raise NotWholeError(f"{name} has {path.stat().st_size:,} bytes of {entry['bytes']:,}")
        if (read or entry["bytes"] <= _SMALL) and _sha256(path) != entry["sha256"]:
            raise NotWholeError(f"{name} was altered")


def set_aside(root: Path, step: int) -> list[Path]:
    """Give the folders above `step`, which were passed over, names that count for nothing; returns them.

    Else `prune` would keep them in place of whole ones.
    """
    moved = []
    for name in names(root):
        if (step_of(name) or 0) > step:
            to = root / f"{_DAMAGED}{name}"
            if to.exists():
                shutil.rmtree(to)
            moved.append((root / name).rename(to))
    return moved


def prune(root: Path, keep: int, every: int | None = None) -> None:
    """Remove all but the newest `keep` folders and those of each `every` steps, and what was left aside.

    A folder loses its name before its files. Trusts that the newest are whole: the one that a run went on from, and
    those it wrote since.
    """
    for name in names(root)[:-keep]:
        if every is None or (step_of(name) or 0) % every:
            _remove(root / name)
    for rest in root.glob(f"{_ASIDE}*"):
        shutil.rmtree(rest, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Put a small file in place as a whole: written aside, flushed, renamed."""
    aside = path.with_name(f"{_ASIDE}{path.name}")
    with aside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def copy(source: Path, path: Path) -> None:
    """Put a copy of a small file in place as a whole."""
    aside = path.with_name(f"{_ASIDE}{path.name}")
    shutil.copyfile(source, aside)
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    aside.replace(path)


def _seal(folder: Path) -> None:
    files = {}
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.name] = {"sha256": digest, "bytes": path.stat().st_size}
    sealed = {"format": FORMAT, "format_version": VERSION, "files": files}
    write_text(folder / "manifest.json", json.dumps(sealed | {"digest": _digest(sealed)}, indent=1, sort_keys=True))
    _flush_folder(folder)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        sealed = {key: manifest[key] for key in ("format", "format_version", "files")}
    except FileNotFoundError:
        raise NotWholeError("it has no manifest.json") from None
    except (ValueError, KeyError, TypeError) as error:
        raise NotWholeError(f"its manifest.json cannot be read: {error}") from None
    if _digest(sealed) != manifest.get("digest"):
        raise NotWholeError("its manifest.json was altered")
    if (sealed["format"], sealed["format_version"]) != (FORMAT, VERSION):
        raise InputError(
            f"checkpoint {folder} is of format {sealed['format']} {sealed['format_version']}, not {FORMAT} {VERSION}",
            hint="go on with the version of this program that wrote it",
        )
    return sealed


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(folder: Path) -> None:
    if folder.exists():
        gone = folder.with_name(f"{_ASIDE}gone-{folder.name}")
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)  # what somebody still reads over a network goes the next time


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
