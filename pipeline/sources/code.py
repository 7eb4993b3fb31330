"""Source code: the files of a folder, or of tar and zip archives, each a document with its language and licence.

    code: {name: stdlib, path: python-stdlib, max_bytes: 3MB}
    -> Record(row, b"import re...", "code", "python", '{"licence":"PSF-2.0"}', path="json/decoder.py")

A folder is read in runs of files (16 MB each), an archive as one. `row` counts what stands in the run or archive; a
document's own path occurs once in a source. Nothing is extracted, no link is followed. Memory: one document, the list
of a tree's files, and for an archive some 100 bytes a file, so that a name that stands in it twice is told.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

from pydantic import Field, field_validator

from pipeline.digest import digest
from pipeline.errors import ConfigError
from pipeline.programming import LANGUAGES
from pipeline.sources.archive import spelled
from pipeline.sources.base import Bad, InputFile, Record, Source
from pipeline.sources.files import Paths, since
from pipeline.sources.listing import absolute, expand, is_remote
from pipeline.sources.lot import Lot, draw
from pipeline.sources.packed import candidates, read_archive
from pipeline.sources.program import Rules
from pipeline.sources.tree import (
    LEFT_OUT,
    NOT_STDLIB,
    Span,
    TreeFile,
    licence_files,
    licences,
    listed,
    read_files,
    runs,
)
from pipeline.units import Size

STDLIB = "python-stdlib"
STDLIB_LICENCE = "PSF-2.0"  # where the interpreter comes without its LICENSE.txt


class Code(Source):
    """Source code from a folder, from tar or zip archives, or Python's own standard library: one document a file."""

    type: ClassVar[str] = "code"
    version: ClassVar[int] = 4  # 4: what a broken entry of a zip does to those behind it

    path: Paths = Field(
        min_length=1,
        description="a folder, `python-stdlib`, or archives (.tar, .tar.gz, .tar.zst, .tar.xz, .zip; pattern, URL)",
    )
    max_bytes: Size | None = Field(None, description="take files by lot until the next would make more than this")
    seed: int = Field(0, ge=0, lt=2**64, description="of that lot")
    licences: tuple[str, ...] | None = Field(None, description="SPDX names that are allowed; others go to the ledger")
    languages: tuple[str, ...] | None = Field(None, description="programming languages to take; by default all known")

    @field_validator("languages")
    @classmethod
    def _known(cls, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in names or ():
            if name not in LANGUAGES:
                near = get_close_matches(name, LANGUAGES, 1)
                raise ValueError(
                    f"{name!r} is no language known here" + (f": did you mean {near[0]!r}?" if near else "")
                )
        return names

    @property
    def _rules(self) -> Rules:
        wanted = frozenset(self.languages) if self.languages is not None else None
        return Rules(self.max_document, self.lang, wanted, self.licences)

    @property
    def _left_out(self) -> frozenset[str]:
        return LEFT_OUT | NOT_STDLIB if STDLIB in self.path else LEFT_OUT

    @property
    def _root(self) -> Path | None:
        """The folder to read; None where archives are meant. Raises ConfigError where both are."""
        paths = [sysconfig.get_path("stdlib") if path == STDLIB else path for path in self.path]
        folders = [path for path in paths if not is_remote(path) and Path(absolute(path)).is_dir()]
        if folders and len(paths) > 1:
            raise ConfigError(f"{folders[0]!r} is a folder among other paths", "make it a source of its own")
        return Path(absolute(folders[0])).resolve() if folders else None

    def files(self) -> list[InputFile]:
        """Runs of a folder's files, or the archives. Raises ConfigError where there is nothing to take."""
        root = self._root
        if root:
            files, lot = self._chosen(root)
            return [_run(number, run, root, lot) for number, run in enumerate(runs(files))]
        archives = expand(self.path)
        if self.max_bytes is None:
            return archives
        inside = (found for file in archives for found in candidates(file.path, file.url, self._rules))
        lot = draw(inside, self.max_bytes, self.seed)
        return [InputFile(file.path, _with(file.url, highest=str(lot.highest)), file.size) for file in archives]

    def _chosen(self, root: Path) -> tuple[list[TreeFile], Lot | None]:
        """The files of a folder that are taken. Raises ConfigError where there is none."""
        files = listed(root, self._rules.languages, self._left_out)
        if not files:
            raise ConfigError(f"{str(root)!r} holds no source file", "look at `path` and `languages`")
        if self.max_bytes is None:
            return files, None
        lot = draw(((spelled(file.path), file.size) for file in files), self.max_bytes, self.seed)
        chosen = _drawn(files, lot)
        if not chosen:
            raise ConfigError(f"no file of {str(root)!r} fits in {self.max_bytes} bytes", "raise `max_bytes`")
        return chosen, lot

    def identity(self, digests: Any) -> Any:
        """Path and digest of each archive; of a folder one digest over the files taken and the licence files above."""
        root = self._root
        if not root:
            return [[file.path, digests(file)] for file in expand(self.path)]
        files, _ = self._chosen(root)
        seen = [[spelled(file.path), "link"] for file in files if file.link]
        for path in (*(file.path for file in files if not file.link), *licence_files(root, files)):
            seen.append([spelled(path), digests(InputFile(spelled(path), str(root / path), 0))])
        return {"files": len(files), "sha256": digest(sorted(seen)), "licence": self._default_licence}

    @property
    def _default_licence(self) -> str | None:
        return STDLIB_LICENCE if STDLIB in self.path else None

    def read(self, file: InputFile, skip: int = 0) -> Iterator[Record | Bad]:
        """A Record or a Bad for each file of a run or archive, from row `skip` on."""
        url, asked = _without(file.url) if self._root or self.max_bytes is not None else (file.url, {})
        lot = Lot(self.max_bytes or 0, self.seed, int(asked["highest"])) if "highest" in asked else None
        if not self._root:
            return since(skip, read_archive(file.path, url, lot, self._rules))
        root = Path(url)
        run = listed(root, self._rules.languages, self._left_out, Span(asked["first"], asked["last"]))
        run = _drawn(run, lot) if lot else run
        by_folder = licences(root, licence_files(root, run))
        if self._default_licence:
            by_folder.setdefault("", self._default_licence)
        return read_files(root, islice(enumerate(run), skip, None), by_folder, self._rules)


def _drawn(files: list[TreeFile], lot: Lot) -> list[TreeFile]:
    return [file for file in files if lot.takes(spelled(file.path), file.size)]


def _run(number: int, run: list[TreeFile], root: Path, lot: Lot | None) -> InputFile:
    """An input file that names a run; what belongs to it stands in its url, so that a worker need not list all."""
    highest = {"highest": str(lot.highest)} if lot else {}
    url = _with(str(root), first=run[0].path, last=run[-1].path, **highest)
    return InputFile(f"{number:05d}-{spelled(run[0].path)}", url, sum(file.size for file in run))


def _with(url: str, **asked: str) -> str:
    return url + "?" + urlencode(asked, errors="surrogateescape")


def _without(url: str) -> tuple[str, dict[str, str]]:
    """The url proper, and what `_with` put behind it."""
    url, _, query = url.rpartition("?")
    return url, dict(parse_qsl(query, errors="surrogateescape"))
