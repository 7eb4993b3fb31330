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
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pretrain.errors import RunError

FORMAT = "seedbed-checkpoint"
VERSION = 1
_ASIDE = ".aside-"  # what begins so was never finished, or is on its way out


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
            hint="make room on the disk and run the same command again; the checkpoint before it is whole",
        ) from error
    return root / name


def names(root: Path) -> list[str]:
    """Names of finished folders, oldest first. Whether they are whole is another question."""
    found = (p.name for p in root.glob("step_*") if p.is_dir())
    return sorted(found, key=lambda name: (len(name), name))  # step_1000000 comes after step_999999


def newest(root: Path, say: Callable[[str], None], read: bool = True) -> Path | None:
    """The newest folder that is whole; says which newer ones are not. read=False trusts sizes instead of sha256."""
    for name in reversed(names(root)):
        try:
            check(root / name, read)
            return root / name
        except NotWholeError as error:
            say(f"checkpoint {root / name} is not whole ({error}); taking the one before it")
    return None


def check(folder: Path, read: bool = True) -> None:
    """Raises NotWholeError unless every file is there with its size, and its sha256 if `read`."""
    manifest = _manifest(folder)
    for name, entry in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise NotWholeError(f"{name} is missing")
        if path.stat().st_size != entry["bytes"]:
            raise NotWholeError(f"{name} has {path.stat().st_size:,} bytes of {entry['bytes']:,}")
        if read and _sha256(path) != entry["sha256"]:
            raise NotWholeError(f"{name} was altered")


def prune(root: Path, keep: int) -> None:
    """Remove all but the newest `keep` folders, and what was left aside. A folder loses its name before its files."""
    for name in names(root)[:-keep]:
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
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise NotWholeError(f"its manifest.json cannot be read: {error}") from None
    if _digest(sealed) != manifest.get("digest"):
        raise NotWholeError("its manifest.json was altered")
    if (sealed["format"], sealed["format_version"]) != (FORMAT, VERSION):
        raise NotWholeError(f"it is of format {sealed['format']} {sealed['format_version']}, not {FORMAT} {VERSION}")
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
        shutil.rmtree(gone)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
