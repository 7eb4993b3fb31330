"""Files that are there whole or not at all: written aside, flushed to disk, renamed; on an object store, put whole.

    write_table(path, table) -> FileInfo(bytes, rows, sha256)
    read_table(path)         -> Table, mapped into memory; of an object store's file the copy on this machine

A killed process leaves at most a `.tmp-…` file, which the next run sweeps away. Arrow files are IPC streams of one
record batch, uncompressed where they are to be memory-mapped (layers, packed rows), zstd where they are only kept
(ledgers).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import InputError, RunError, SeedbedError
from pipeline.store.nearby import nearby
from pipeline.store.place import is_local, make_folder, remote_errors, store_of

TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class FileInfo:
    """What a manifest says about a file."""

    bytes: int
    rows: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@contextmanager
def written_whole(path: Path, flush: bool = True) -> Iterator[Path]:
    """Gives a temporary path to write to; on leaving, flushes and renames it to `path`. Leaves nothing on an error.

    Without `flush` the file may be lost or torn if the machine itself fails: for what can be made again unseen."""
    aside = _aside(path)
    try:
        yield aside
        _put(aside, path, flush) if is_local(path) else _upload(aside, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise RunError(
                f"the disk is full: cannot write {path}: {error.strerror}",
                hint="free some space (`pipeline prune` removes old steps) and run again: finished shards stay",
            ) from error
        if not is_local(path):
            raise _store_failed("write", path, error) from error
        raise
    except remote_errors() as error:  # of S3's package: no OSError
        raise _store_failed("write", path, error) from error
    finally:
        aside.unlink(missing_ok=True)


def _store_failed(deed: str, path: Path, error: Exception) -> RunError:
    return RunError(
        f"cannot {deed} {path}: {error}",
        hint="check the disk or the store, and credentials that may have run out; then run again: finished shards stay",
    )


def _unreadable(path: Path, error: Exception, damaged: str) -> SeedbedError:
    """A file that is gone or torn, which has to be made again; or a disk or store that does not give it."""
    away = isinstance(error, remote_errors()) and not isinstance(error, FileNotFoundError)
    if away and getattr(error, "errno", 0) is not None:  # Arrow's errors about what stands in a file have no number
        return _store_failed("read", path, error)
    return InputError(f"cannot read {path}: {error}", hint=damaged)


def _aside(path: Path) -> Path:
    """A name of its own: on a folder that several machines share, two processes may have the same number."""
    own = secrets.token_hex(6)
    if not is_local(path):
        return Path(tempfile.gettempdir()) / f"{TEMPORARY}{own}-{path.name}"
    make_folder(path.parent)
    return path.parent / f"{TEMPORARY}{own}-{path.name}"


def _put(aside: Path, path: Path, flush: bool) -> None:
    if flush:
        _flush(aside)
    aside.replace(path)
    if flush:
        _flush(path.parent)


def _upload(aside: Path, path: Path) -> None:
    """An object appears when all of its bytes have arrived, or not at all."""
    store, name = store_of(path)
    store.put_file(str(aside), name)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_table(path: Path, table: pa.Table, compression: str | None = None) -> FileInfo:
    """Writes one Arrow IPC stream of one record batch. Raises RunError on a full disk."""
    table = table.combine_chunks()
    options = pa.ipc.IpcWriteOptions(compression=compression)

    def write(aside: Path) -> None:
        with pa.OSFile(str(aside), "wb") as sink, pa.ipc.new_stream(sink, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=max(1, table.num_rows))

    return write_file(path, write, rows=table.num_rows)


def write_json(path: Path, value: Any) -> FileInfo:
    """Writes JSON for people and programs: sorted keys, indented, UTF-8."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    return write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> FileInfo:
    """Writes these bytes."""

    def write(aside: Path) -> None:
        aside.write_bytes(content)

    return write_file(path, write)


def write_file(path: Path, write: Callable[[Path], None], rows: int = 0) -> FileInfo:
    """Lets `write` fill a temporary file and puts it in place; the digest is of what stands on disk."""
    with written_whole(path) as aside:
        write(aside)
        with aside.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = aside.stat().st_size
    return FileInfo(bytes=size, rows=rows, sha256=sha256)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Memory-maps an Arrow IPC stream: no byte is read before it is used.

    Raises InputError if it is damaged or gone, RunError where the disk or the store does not give it.

    With `columns` only these are there; those that are compressed are not unpacked for nothing."""
    try:
        with pa.memory_map(str(nearby(path))) as source:
            return pa.ipc.open_stream(source, options=_options(source, columns)).read_all()
    except (pa.ArrowInvalid, *remote_errors()) as error:
        damaged = "`pipeline verify CONFIG` tells which steps are damaged; delete those and run again"
        raise _unreadable(path, error, damaged) from error


def _options(source: pa.NativeFile, columns: Sequence[str] | None) -> pa.ipc.IpcReadOptions:
    if columns is None:
        return pa.ipc.IpcReadOptions()
    schema = pa.ipc.read_schema(source)
    source.seek(0)
    return pa.ipc.IpcReadOptions(included_fields=[i for i, name in enumerate(schema.names) if name in columns])


@contextmanager
def legible(what: str) -> Iterator[None]:
    """While `what` (such as "near of shard a-00000-0000") goes on: raises InputError where files that were mapped turn
    out to hold something else than was written. Mapping them reads no byte, so `read_table` cannot tell."""
    try:
        yield
    except (UnicodeDecodeError, pa.ArrowInvalid, pa.ArrowIndexError) as error:
        raise InputError(
            f"{what}: cannot read what a step before wrote: {error}",
            hint="`pipeline verify CONFIG` tells which steps are damaged; delete those and run again",
        ) from error


def read_json(path: Path) -> Any:
    """Reads JSON that we wrote. Raises InputError where it is damaged or gone, RunError where it cannot be had."""
    again = "delete the folder it stands in and run again"
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"cannot read {path}: {error}", hint=again) from error
    except remote_errors() as error:
        raise _unreadable(path, error, again) from error


def sweep(folder: Path) -> None:
    """Removes temporary files that a killed run left; beside an object store's there are none."""
    if not is_local(folder):
        return
    for path in folder.rglob(f"{TEMPORARY}*"):
        path.unlink(missing_ok=True)
