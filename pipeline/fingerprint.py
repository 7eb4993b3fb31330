"""Digests of input files, remembered between runs by size and time of change, so that a file is read once.

Fingerprints(path).of(InputFile) -> sha256 in hex; for a remote file what its store says of its version
"""

from __future__ import annotations

from pathlib import Path

import fsspec

from pipeline.digest import digest, file_sha256
from pipeline.errors import InputError
from pipeline.sources.base import InputFile
from pipeline.store.files import read_json, write_json


class Fingerprints:
    """A small memory beside the steps. Losing it costs a reading of the input, nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path
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
            filesystem, path = fsspec.url_to_fs(file.url)
            return digest({"remote": str(filesystem.ukey(path))})
        path = Path(file.url).resolve()
        try:
            stat = path.stat()
            seen = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
            known = self._known.get(str(path))
            if known is None or known[:3] != seen:
                self._known[str(path)] = known = [*seen, file_sha256(path)]
                self._new = True
        except OSError as error:
            raise InputError(
                f"cannot read {file.url}: {error.strerror}", hint="check the file and its permissions"
            ) from error
        return str(known[3])

    def save(self) -> None:
        if self._new:
            write_json(self._path, self._known)
            self._new = False
