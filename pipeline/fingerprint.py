"""Digests of input files, remembered between runs by size and time of change, so that a file is read once.

Fingerprints(path).of(InputFile) -> sha256 in hex; for a remote file what its store says of its version
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec

from pipeline.digest import digest, file_sha256
from pipeline.errors import InputError, RunError
from pipeline.sources.base import InputFile
from pipeline.store.files import read_json, write_json

LONG = 2_000_000_000  # bytes to read: some seconds
VERSIONS = ("ETag", "etag", "md5Hash", "md5", "sha256", "version_id")  # by which stores name the bytes of a file


class Fingerprints:
    """A small memory beside the steps. Losing it costs a reading of the input, nothing else."""

    def __init__(self, path: Path, say: Callable[[str], None] = lambda _: None) -> None:
        """`say` is told where reading takes long enough to wonder."""
        self._path, self._say = path, say
        self._read = 0  # bytes
        self._new = False
        self._known: dict[str, list[object]] = {}
        if path.exists():
            try:
                self._known = read_json(path)
            except InputError:
                self._known = {}

    def of(self, file: InputFile) -> str:
        """The digest of a file's bytes. Raises InputError when it cannot be read."""
        if "://" in file.url:
            return _remote(file.url)
        path = Path(file.url).resolve()
        try:
            stat = path.stat()
            seen = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
            known = self._known.get(str(path))
            if known is None or known[:3] != seen:
                if self._read < LONG <= self._read + stat.st_size:
                    self._say("  reading the input files for their digests: once, unless they change")
                self._read += stat.st_size
                self._known[str(path)] = known = [*seen, file_sha256(path)]
                self._new = True
        except OSError as error:
            raise InputError(
                f"cannot read {file.url}: {error.strerror}", hint="check the file and its permissions"
            ) from error
        return str(known[3])

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Saves what was read meanwhile, also where it was interrupted."""
        try:
            yield
        finally:
            self._save()

    def _save(self) -> None:
        if not self._new:
            return
        try:
            write_json(self._path, self._known)
        except OSError as error:
            raise RunError(
                f"cannot write in {self._path.parent}: {error.strerror}",
                hint="give `run.workdir` a folder that you may write",
            ) from error
        self._new = False


def _remote(url: str) -> str:
    """What the store says of the version of a file's bytes; else the digest of the bytes themselves."""
    try:
        filesystem, path = fsspec.url_to_fs(url)
        info = filesystem.info(path)
        for name in VERSIONS:
            if info.get(name):
                return digest({name: str(info[name])})
        with filesystem.open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ImportError, ValueError) as error:
        raise InputError(f"cannot read {url}: {error}", hint="check address and credentials") from error
