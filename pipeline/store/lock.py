"""One run at a time owns a work folder.

On a disk: a lock that the operating system releases when its owner dies. On an object store: an object `.lock` that
is put only where there is none, and says who owns it and when he was last alive. Where a run on this machine died, the
next one on it takes the lock over, because a lock of this machine tells that the owner is gone; a lock that was left on
another machine is told, with how to remove it.

    with owned(place("s3://bucket/run")) as lock:
        lock.hold()     # raises RunError if somebody removed the lock meanwhile
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from pipeline.digest import address
from pipeline.errors import RunError
from pipeline.store.place import is_local, remote_errors, store_of

LOCK = ".lock"
BEAT = 30.0  # seconds between two signs of life


class Lock:
    """Held while a run is at work."""

    def hold(self) -> None:
        """Raises RunError when it is no longer ours; on a disk it always is."""


@contextmanager
def owned(folder: Path) -> Iterator[Lock]:
    """Holds the lock of a work folder. Raises RunError if another process holds it, or it cannot be written."""
    if is_local(folder):
        with _opened(folder) as file, _locked(file, str(folder)):
            yield Lock()
    else:
        with _own_object(folder) as lock:
            yield lock


def _opened(folder: Path) -> IO[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return (folder / LOCK).open("a+")
    except OSError as error:
        raise RunError(
            f"cannot write in {folder}: {error.strerror}", hint="give `run.workdir` a folder that you may write"
        ) from error


@contextmanager
def _locked(file: IO[str], folder: str) -> Iterator[None]:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise _taken(folder, f"process {file.read().strip() or 'unknown'}") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    yield


def _taken(folder: str, owner: str, more: str = "") -> RunError:
    return RunError(
        f"{folder} belongs to another run ({owner})",
        hint=f"wait for it, stop it, or give this run a `run.workdir` of its own{more}",
    )


@contextmanager
def _own_object(folder: Path) -> Iterator[Lock]:
    """First the lock of this machine, then the object: so an object of this machine's is either ours or left behind."""
    beside = Path(tempfile.gettempdir()) / f"seedbed-lock-{os.getuid()}-{address(str(folder))}"
    with beside.open("a+") as file, _locked(file, str(folder)):
        stat = os.fstat(file.fileno())
        machine = f"{platform.node()} {stat.st_dev}:{stat.st_ino} {_boot()}"
        lock = ObjectLock(folder / LOCK, machine)
        lock.take()
        try:
            yield lock
        finally:
            lock.release()


def _boot() -> str:
    """This start of this machine: a number of the kernel's, where there is one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class ObjectLock(Lock):
    """The lock as an object. `machine` names the lock file beside it that its owner holds."""

    def __init__(self, path: Path, machine: str) -> None:
        self._path, self._store = path, store_of(path)
        self._mine = {"owner": secrets.token_hex(8), "machine": machine, "host": platform.node(), "pid": os.getpid()}
        self._mine |= {"started": time.time()}
        self._lost = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def take(self) -> None:
        """Raises RunError where another run holds it, or where nothing can be written."""
        try:
            self._put("create")
        except FileExistsError:
            there = self._read()
            if there is not None and there.get("machine") != self._mine["machine"]:
                raise self._held_by(there) from None
            self._put("overwrite")  # its owner ran on this machine and is gone, or we could not have come here
        except remote_errors() as error:
            raise RunError(
                f"cannot write {self._path}: {error}", hint="check `run.workdir`, the credentials and what they may do"
            ) from error
        if (self._read() or {}).get("owner") != self._mine["owner"]:  # a store that cannot refuse the second put
            raise _taken(str(self._path.parent), "which began in the same moment")
        self._thread.start()

    def hold(self) -> None:
        if self._lost.is_set():
            raise RunError(
                f"the lock of {self._path.parent} is no longer this run's: somebody removed it",
                hint="let one run at a time work there; what is finished stays",
            )

    def release(self) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        with suppress(*remote_errors()):  # the store may be why the run ended; its lock runs out by itself
            if (self._read() or {}).get("owner") == self._mine["owner"]:
                self._store[0].rm_file(self._store[1])

    def _put(self, mode: str) -> None:
        content = json.dumps({**self._mine, "alive": time.time()}, indent=1).encode()
        self._store[0].pipe_file(self._store[1], content, mode=mode)

    def _read(self) -> dict[str, Any] | None:
        """What stands there; None where nothing does."""
        try:
            found = json.loads(self._store[0].cat_file(self._store[1]))
            return found if isinstance(found, dict) else {}
        except FileNotFoundError:
            return None
        except ValueError:
            return {}  # torn or not ours: somebody's

    def _beat(self) -> None:
        while not self._end.wait(BEAT):
            try:
                if (self._read() or {}).get("owner") != self._mine["owner"]:
                    self._lost.set()
                    return
                self._put("overwrite")
            except remote_errors():
                continue  # the store is away for a moment; the work itself tells if it stays away

    def _held_by(self, there: dict[str, Any]) -> RunError:
        host, pid = there.get("host", "unknown"), there.get("pid", "unknown")
        silent = max(0, round(time.time() - there.get("alive", time.time())))
        owner = f"process {pid} on {host}, last sign of life {silent} s ago"
        more = (
            f"; if it is dead (it shows life every {BEAT:.0f} s), run again on {host}, which takes the lock over, "
            f"or remove {self._path}"
        )
        return _taken(str(self._path.parent), owner, more)
