"""The source files below a folder, in one order and cut into runs.

    listed("lib/", wanted=None)    -> [TreeFile("json/decoder.py", 12473), ...]      sorted by path
    runs(files)                    -> [[...], [...]]      consecutive files, 16 MB together, for workers to share
    read_files(root, files, rules) -> Record | Bad, one a file

Only files whose language is known are listed: by extension, or by the first line where there is none. Folders of
version control and caches are left out; symbolic links are listed as links and never followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import ConfigError, InputError
from pipeline.programming import by_name, by_shebang, has_no_extension, might_be
from pipeline.sources.archive import spelled
from pipeline.sources.base import Bad, Record
from pipeline.sources.licences import LONGEST, is_licence_file, nearest, recognise, together
from pipeline.sources.listing import refuse_unreadable
from pipeline.sources.program import Place, Rules, judge

RUN_BYTES = 16_000_000
LEFT_OUT = frozenset((".git", ".hg", ".svn", ".bzr", "CVS", "__pycache__"))
NOT_STDLIB = frozenset(("site-packages", "dist-packages"))
FIRST_LINE = 256


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file below the root, or a link that stands there."""

    path: str  # relative to the root
    size: int
    link: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """All paths from the first to the last, both included, in the order of their bytes."""

    first: str
    last: str

    def holds(self, path: str) -> bool:
        return os.fsencode(self.first) <= os.fsencode(path) <= os.fsencode(self.last)

    def meets(self, folder: str) -> bool:
        """Whether a path below `folder` can be in it."""
        below, first = os.fsencode(folder + "/"), os.fsencode(self.first)
        return below <= os.fsencode(self.last) and (below > first or first.startswith(below))


def listed(
    root: Path, wanted: frozenset[str] | None, left_out: frozenset[str] = LEFT_OUT, span: Span | None = None
) -> list[TreeFile]:
    """All files in one of the wanted languages (None: in any known one), sorted by path. Raises ConfigError for a
    folder or file that may not be read."""
    found = [
        file
        for path, entry in _walk(root, "", left_out, span)
        if (not span or span.holds(path)) and (file := _source_file(path, entry, wanted))
    ]
    return sorted(found, key=_by_path)


def _source_file(path: str, entry: os.DirEntry[str], wanted: frozenset[str] | None) -> TreeFile | None:
    if entry.is_symlink():
        return TreeFile(path, 0, link=True) if by_name(path) or entry.is_dir() else None
    if not entry.is_file():
        return None
    named = by_name(path) or (_by_first_line(entry) if has_no_extension(path) else None)
    if not named or not might_be(named, path, wanted):
        return None
    refuse_unreadable(entry.path)
    return TreeFile(path, entry.stat().st_size)


def _by_path(file: TreeFile) -> bytes:
    return os.fsencode(file.path)


def _walk(
    root: Path, folder: str, left_out: frozenset[str], span: Span | None
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """(path below the root, entry) of everything below a folder that is no folder itself, in any order."""
    try:
        entries = list(os.scandir(root / folder))
    except PermissionError as error:
        where = str(root / folder)
        raise ConfigError(f"the folder {where!r} may not be read by this user", f"chmod +rx {where}") from error
    for entry in entries:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if not entry.is_dir(follow_symlinks=False):
            yield path, entry
        elif entry.name not in left_out and (not span or span.meets(path)):
            yield from _walk(root, path, left_out, span)


def _by_first_line(entry: os.DirEntry[str]) -> str | None:
    if is_licence_file(entry.name):
        return None
    refuse_unreadable(entry.path)
    return by_shebang(head(Path(entry.path), FIRST_LINE))


def runs(files: list[TreeFile]) -> list[list[TreeFile]]:
    """Consecutive files, cut before the one that would make more than 16 MB."""
    out: list[list[TreeFile]] = []
    size = 0
    for file in files:
        if not out or size + file.size > RUN_BYTES:
            out.append([])
            size = 0
        out[-1].append(file)
        size += file.size
    return out


def licence_files(root: Path, files: Iterable[TreeFile]) -> list[str]:
    """Paths of the licence files in the folders that stand above one of the files, sorted."""
    folders = {""}
    for file in files:
        folder = file.path
        while (folder := folder.rpartition("/")[0]) and folder not in folders:
            folders.add(folder)
    found = ((folder, entry) for folder in folders for entry in os.scandir(root / folder))
    named = (
        f"{folder}/{entry.name}".lstrip("/")
        for folder, entry in found
        if is_licence_file(entry.name) and not by_name(entry.name) and entry.is_file(follow_symlinks=False)
    )
    return sorted(named, key=os.fsencode)


def licences(root: Path, paths: Iterable[str]) -> dict[str, str]:
    """{folder: SPDX expression} of the folders whose licence files are recognised."""
    by_folder: dict[str, list[str | None]] = {}
    for path in paths:
        text = head(root / path, LONGEST).decode("utf-8", "replace")
        by_folder.setdefault(path.rpartition("/")[0], []).append(recognise(text))
    return {folder: expression for folder, names in by_folder.items() if (expression := together(names))}


def read_files(
    root: Path, files: Iterable[tuple[int, TreeFile]], by_folder: dict[str, str], rules: Rules
) -> Iterator[Record | Bad]:
    """A Record or a Bad for each (row, file); `by_folder` is what `licences` gave."""
    for row, file in files:
        place = Place(row, spelled(file.path))
        if file.link:
            yield place.bad("link", "a symbolic link, not followed", counts=False)
        elif place.path != file.path:
            yield place.bad("invalid_name", "its name is not valid UTF-8")
        elif file.size > rules.max_document:
            yield place.too_large(file.size, rules)
        else:
            data = head(root / file.path, rules.max_document + 1)
            named = by_name(file.path) or by_shebang(data)
            above = nearest(file.path, by_folder)
            yield judge(place, data, named, above, rules) if named else place.bad("language", "no script", counts=False)


def head(path: Path, count: int) -> bytes:
    """At most `count` bytes of a file. Raises InputError where it is gone."""
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", "bring it back") from error
