"""From patterns to the files that they match: local or any fsspec path, in one order on every machine.

    expand(["data/*/{lang}.jsonl"]) -> [InputFile("news/sw.jsonl", "/home/me/data/news/sw.jsonl", 8123), ...]
    lang_in("/home/me/data/news/sw.jsonl", ["data/*/{lang}.jsonl"]) -> "sw"

A file's path in the source is its path below the folder that all patterns share, so that it does not change when the
data moves elsewhere. A pattern is fsspec's: `*`, `?`, `[ab]` within a name, `**` across folders; `{lang}` stands for a
part of a name and says the language. A name that exists as it is written is taken literally. Opens nothing but folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import IO, Any

import fsspec

from pipeline.errors import ConfigError, InputError
from pipeline.sources.base import InputFile

WILD = re.compile(r"[*?\[]|\{lang\}")
LANG = "{lang}"


def is_remote(path: str) -> bool:
    """Whether it names a filesystem other than this machine's: s3://, hf://, memory://."""
    return "://" in path and not path.startswith(("file://", "local://"))


def absolute(path: str) -> str:
    """A local path with the folder it starts from; a remote one as it is, in one spelling."""
    if is_remote(path):
        return re.sub("://+", "://", path)
    return os.path.abspath(os.path.expanduser(re.sub(r"^(file|local)://", "", path)))  # noqa: PTH100, PTH111


def expand(patterns: Sequence[str]) -> list[InputFile]:
    """All files that the patterns match, once each, sorted by path. Raises ConfigError where a pattern matches none,
    or a file may not be read."""
    full = [absolute(pattern) for pattern in patterns]
    found: dict[str, int] = {}
    for pattern in full:
        matched = _matches(pattern)
        if not matched:
            raise _nothing(pattern)
        found |= matched
    base = _shared([_fixed(pattern) for pattern in full])
    files = [InputFile(path_in_source(url[len(base) :].lstrip("/")), url, found[url]) for url in found]
    return sorted(files, key=lambda file: file.path)


def path_in_source(path: str) -> str:
    """`path`, checked to be valid Unicode, since it becomes a part of ids."""
    if re.search("[\ud800-\udfff]", path):
        raise ConfigError(f"the name of {path!r} is not valid UTF-8", "rename the file")
    return path


def _filesystem(pattern: str) -> tuple[Any, str]:
    try:
        return fsspec.core.url_to_fs(pattern)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"{pattern!r} cannot be opened: {error}", "install what it asks for") from error


def _matches(pattern: str) -> dict[str, int]:
    """{url: bytes} of the files that one pattern matches; folders that match a wildcard are no files."""
    filesystem, path = _filesystem(pattern)
    if LANG not in pattern and filesystem.exists(path):
        infos = [filesystem.info(path)]
    elif WILD.search(pattern):
        infos = list(filesystem.glob(path.replace(LANG, "*"), detail=True).values())
    else:
        return {}
    remote = is_remote(pattern)
    named = {absolute(filesystem.unstrip_protocol(info["name"])) if remote else info["name"]: info for info in infos}
    if len(infos) == 1 and infos[0]["type"] == "directory" and not WILD.search(pattern):
        raise ConfigError(f"{pattern!r} is a folder", f"name its files: {pattern.rstrip('/')}/*")
    files = {url: info for url, info in named.items() if info["type"] != "directory"}
    for url in () if remote else files:
        refuse_unreadable(url)
    by_lang = {url: int(info.get("size") or 0) for url, info in files.items()}
    return {url: size for url, size in by_lang.items() if LANG not in pattern or lang_in(url, [pattern])}


def refuse_unreadable(path: str) -> None:
    """Raises ConfigError for a local file that is not there or that this user may not read."""
    if not os.path.exists(path):  # noqa: PTH110 (a hundred thousand of them)
        raise ConfigError(f"{path!r} leads nowhere", "mend or remove the link")
    if not os.access(path, os.R_OK):
        raise ConfigError(f"{path!r} may not be read by this user", f"chmod +r {path}")


def _fixed(pattern: str) -> str:
    """The folder before the first part that holds a wildcard; for a plain file, the folder it is in."""
    parts = pattern.split("/")
    first = next((i for i, part in enumerate(parts) if WILD.search(part)), len(parts) - 1)
    if not is_remote(pattern) and os.path.isfile(pattern):  # noqa: PTH113 (its name may look like a pattern)
        first = len(parts) - 1
    return "/".join(parts[:first])


def _shared(folders: list[str]) -> str:
    """The longest folder above all of them; "" where they share none."""
    columns = zip(*(folder.split("/") for folder in folders), strict=False)
    shared = []
    for column in columns:
        if len(set(column)) > 1:
            break
        shared.append(column[0])
    return "/".join(shared)


def _nothing(pattern: str) -> ConfigError:
    """Tells where the path goes wrong: the nearest folder that exists, and what is in it."""
    message = f"{pattern!r} matches no file"
    if other := re.search(r"\{(?!lang\})\w*\}", pattern):
        return ConfigError(message, f"only {LANG} stands for a part of a name, not {other[0]}; `*` stands for any")
    if is_remote(pattern):
        return ConfigError(message, "check the path, and that you may list it")
    folder = _fixed(pattern) or "/"
    while not os.path.isdir(folder):  # noqa: PTH112
        folder = os.path.dirname(folder)  # noqa: PTH120
    inside = sorted(os.listdir(folder))  # noqa: PTH208
    some = ", ".join(inside[:5]) + (f" and {len(inside) - 5} more" if len(inside) > 5 else "")
    return ConfigError(message, f"the nearest folder that exists is {folder}, with {some or 'nothing in it'}")


def lang_in(url: str, patterns: Sequence[str]) -> str | None:
    """What `{lang}` stands for in the first pattern that holds it and matches `url`."""
    for pattern in patterns:
        if LANG in pattern and (match := _expression(absolute(pattern)).fullmatch(url)):
            return match["lang"]
    return None


def _expression(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression; `{lang}` is as short as it can be, and the same wherever it stands."""
    out, seen = "", False
    for part in re.split(r"(\*\*/?|\*|\?|\[[^\]]*\]|\{lang\})", pattern):
        if part == LANG:
            out, seen = out + ("(?P=lang)" if seen else "(?P<lang>[^/]+?)"), True
        elif part.startswith("**"):
            out += "(?:.*/)?" if part.endswith("/") else ".*"
        elif part in ("*", "?"):
            out += "[^/]*" if part == "*" else "[^/]"
        elif part.startswith("[") and part.endswith("]"):
            out += "[" + part[1:-1].replace("\\", "\\\\").replace("!", "^", 1) + "]"
        else:
            out += re.escape(part)
    return re.compile(out)


def open_bytes(url: str) -> IO[bytes]:
    """A file for reading, unbuffered where it is local. Raises InputError where it is gone or may not be read."""
    try:
        return open(url, "rb", buffering=0) if not is_remote(url) else fsspec.open(url, "rb").open()  # noqa: PTH123
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(
            f"{url}: cannot be opened: {why}", "it was there when the run was planned: bring it back"
        ) from error
