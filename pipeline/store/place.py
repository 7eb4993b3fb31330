"""Where things lie: on a disk of this machine, or on an object store that every node of a cluster reaches.

    place("runs/demo")             -> Path
    place("s3://bucket/runs/demo") -> UPath, which has the methods of a Path and is used as one

What a file system can and an object store cannot (rename, link, lock, map into memory) is done differently for the two
in this folder's files and nowhere else. A listing of an object store is never remembered: other nodes write there too.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from pipeline.errors import ConfigError

REMOTE = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")


def place(name: str | Path) -> Path:
    """The place of this name. Raises ConfigError where the package for its kind of store is not installed."""
    if not isinstance(name, str):
        return name
    if name.startswith(("file://", "local://")):
        return Path(name.split("://", 1)[1])
    return _remote(name) if REMOTE.match(name) else Path(name)


def _remote(text: str) -> Path:
    try:
        from upath import UPath

        made: Any = UPath(text, use_listings_cache=False)
        made.fs  # noqa: B018 (asks for the package of its kind of store)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{text!r} cannot be opened: {error}", hint="pip install 'seedbed[remote]', or what the message asks for"
        ) from error
    return cast(Path, made)


def is_local(path: Path) -> bool:
    """Whether it lies in a file system of this machine."""
    return isinstance(path, Path)


def store_of(path: Path) -> tuple[Any, str]:
    """The fsspec filesystem of a remote place, and its path there."""
    remote = cast(Any, path)
    return remote.fs, remote.path


def remote_errors() -> tuple[type[Exception], ...]:
    """What a store raises that cannot be reached or will not: OSError, and what the package for S3 has beside."""
    botocore = sys.modules.get("botocore.exceptions")
    return (OSError,) if botocore is None else (OSError, botocore.BotoCoreError, botocore.ClientError)


def make_folder(path: Path) -> None:
    """Makes a folder and those above it; on an object store there are none to make."""
    if is_local(path):
        path.mkdir(parents=True, exist_ok=True)


def remove_folder(path: Path) -> None:
    """Removes a folder with all that is in it, if it is there."""
    if is_local(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    store, name = store_of(path)
    if found := store.find(name):
        store.rm(found)


def removal(folders: Sequence[Path]) -> str:
    """How to remove these, for a hint that will be pasted."""
    if all(map(is_local, folders)):
        return shlex.join(["rm", "-r", *map(str, folders)])
    return f"remove {', '.join(map(str, folders))}"


def sizes(folder: Path) -> dict[str, int]:
    """{path below the folder: bytes} of all files under it."""
    return dict(sorted(_sizes(folder)))


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    if is_local(folder):
        for path in folder.rglob("*"):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path.stat().st_size
        return
    store, name = store_of(folder)
    base = store._strip_protocol(name).rstrip("/") + "/"
    for path, info in store.find(name, detail=True).items():
        yield path.removeprefix(base), int(info["size"])
