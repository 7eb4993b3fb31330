"""Files of an object store, brought to this machine once and kept while there is room, so that they can be mapped.

    nearby(place("s3://bucket/run/00-source…/layers/x.arrow")) -> Path("/tmp/seedbed-1000/3f2a…")

What a task reads is read again by the next phase and by other tasks on the same machine. A copy is named by place, size
and version, so that it can never stand for other bytes. SEEDBED_NEARBY names another folder for the copies,
SEEDBED_NEARBY_BYTES how large it may grow; beyond that the copies that were used longest ago go. It must never hold
anything that is not on the store as well.
"""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
import time
from pathlib import Path

from pipeline.digest import address
from pipeline.store.place import is_local, store_of

VERSIONS = ("ETag", "etag", "md5Hash", "md5", "sha256", "version_id")  # by which stores name the bytes of a file
TIMES = ("LastModified", "last_modified", "updated", "mtime", "created")  # where none of those is told
ROOM = 20_000_000_000  # bytes of copies, where nothing else is said
IN_USE = 60  # seconds that a copy stays at least, because whoever asked for it may not have opened it yet


def folder() -> Path:
    """Where copies lie; the user's own, so that nobody else can put a file there."""
    named = os.environ.get("SEEDBED_NEARBY")
    return Path(named) if named else Path(tempfile.gettempdir()) / f"seedbed-{os.getuid()}"


def nearby(path: Path) -> Path:
    """A local file with the bytes of `path`, which may be itself. Raises OSError where it cannot be had."""
    if is_local(path):
        return path
    store, name = store_of(path)
    info = store.info(name)
    version = [str(info[key]) for key in (*VERSIONS, *TIMES) if info.get(key)]
    here = folder() / address([str(path), info["size"], version])
    try:
        os.utime(here)  # used now: it goes later than others
    except FileNotFoundError:
        _bring(path, here, info["size"])
    return here


def _bring(path: Path, here: Path, size: int) -> None:
    here.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if here.parent.stat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "it belongs to another user; name a folder with SEEDBED_NEARBY", here.parent)
    _make_room(here.parent, size)
    store, name = store_of(path)
    aside = here.parent / f"{here.name}-{secrets.token_hex(6)}"
    try:
        store.get_file(name, str(aside))
        aside.replace(here)
    finally:
        aside.unlink(missing_ok=True)


def _make_room(where: Path, size: int) -> None:
    """Removes what was used longest ago. Who has opened a file keeps its bytes until he is done with them."""
    most = int(os.environ.get("SEEDBED_NEARBY_BYTES", ROOM))
    found = []
    for path in where.iterdir():
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # another process made room, too
        found.append((stat.st_mtime, stat.st_size, path))
    held = sum(bytes_ for _, bytes_, _ in found) + size
    for used, bytes_, path in sorted(found):
        if held <= most or used > time.time() - IN_USE:
            return
        path.unlink(missing_ok=True)
        held -= bytes_
