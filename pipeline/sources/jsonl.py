"""JSON lines: one object a line, its text in one field, all the rest kept as `meta`.

    {"text": "Habari.", "lang": "sw", "url": "..."} -> Record(row, "Habari.", "text", "sw", '{"lang":"sw","url":"..."}')

The row is the number of the line, blank ones counted. Lines are parsed by orjson; what it refuses though JSON knows it
(escapes of lone surrogates, NaN) goes through the standard library: a lone surrogate becomes U+FFFD, NaN and Infinity
null. Integers beyond 64 bits become floats in `meta`. What is nested deeper than DEEPEST is refused: how deep Python
itself can go depends on who calls. Never holds more than one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import orjson
from pydantic import Field

from pipeline.sources.base import Bad, InputFile, Record
from pipeline.sources.decompress import Damage
from pipeline.sources.files import FileSource
from pipeline.sources.lines import excerpt, without_bom

BLANK = b" \t\r"
HOLDS = (dict, list, tuple)
LENIENT = re.compile(rb"\\u[dD][89a-fA-F]|NaN|Infinity")  # what only the standard library's parser takes
LONE = re.compile("[\ud800-\udfff]")
DEEPEST = 400  # lists and objects in each other; half of Python's limit, for `_without_lone` takes two calls for each
LANG_FIELDS = (("lang",), ("meta", "lang"))  # where a document's language is looked for unless the config says


class Jsonl(FileSource):
    """JSON lines (plain, .gz, .zst, .xz, .bz2): one document a line."""

    type: ClassVar[str] = "jsonl"
    version: ClassVar[int] = 5  # 5: how deep a line may be nested

    text_field: str = Field("text", min_length=1, description="field of the text; dots go deeper: `body.text`")
    lang_field: str | None = Field(None, description="field of the language; by default `lang`, else `meta.lang`")

    def read(self, file: InputFile, skip: int = 0) -> Iterator[Record | Bad]:
        """A Record or a Bad for each line that is not blank, from line `skip` on."""
        lang = self.lang_of_file(file)
        text_path = tuple(self.text_field.split("."))
        lang_paths = (tuple(self.lang_field.split(".")),) if self.lang_field else LANG_FIELDS
        row = -1
        try:
            for row, (offset, line) in enumerate(self.lines(file)):
                if row < skip:
                    continue
                if isinstance(line, int):
                    yield self.too_large(row, offset, line)
                elif value := (line if row else without_bom(line)).strip(BLANK):
                    begin = offset if len(value) == len(line) else offset + line.index(value)
                    yield self._document(row, begin, value, text_path, lang or lang_paths)
        except Damage as damage:
            if row + 1 >= skip:
                yield Bad(row + 1, damage.reason, damage.offset, damage.detail, breaks_off=True)

    def _document(self, row: int, offset: int, line: bytes, text_path: tuple[str, ...], lang: Any) -> Record | Bad:
        try:
            value = parse(line)
        except UnicodeDecodeError as error:
            return Bad(row, "invalid_utf8", offset + error.start, f"{error.reason}: {excerpt(line[error.start :])}")
        except ValueError as error:
            return Bad(row, "invalid_json", offset, f"{error}: {excerpt(line)}")
        if not isinstance(lang, str):
            lang = language_among(value, lang)
        text = take(value, text_path)
        if not isinstance(text, str):
            return Bad(row, "missing_text", offset, f"no string in {self.text_field!r}: {excerpt(line)}")
        try:
            return Record(row, text, self.kind, lang, dump(value) if value else None)
        except ValueError as error:
            return Bad(row, "invalid_json", offset, f"{error}: {excerpt(line)}")


def parse(line: bytes) -> Any:
    """The JSON value of a line. Raises UnicodeDecodeError, or ValueError (no JSON, or nested too deep)."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        text = line.decode()
        if not LENIENT.search(line):
            raise
        return _without_lone(_shallow(_leniently(text)))


def _leniently(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except RecursionError as error:
        raise _too_deep() from error


def _shallow(value: Any) -> Any:
    """`value`. Raises ValueError where lists and objects stand in each other more than DEEPEST times."""
    level = [value]
    for _ in range(DEEPEST):
        held = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, HOLDS))
        level = [one for items in held for one in items if isinstance(one, HOLDS)]
        if not level:
            return value
    raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(f"nested more than {DEEPEST} deep")


def _without_lone(value: Any) -> Any:
    if isinstance(value, str):
        return LONE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_lone(item) for item in value]
    if isinstance(value, dict):
        return {_without_lone(key): _without_lone(item) for key, item in value.items()}
    return value


def dump(value: Any) -> str:
    """JSON on one line; by the standard library where orjson cannot (integers beyond 64 bits, 255 lists in each other).
    Raises ValueError where it is nested too deep."""
    try:
        return orjson.dumps(value, default=_plain).decode()
    except TypeError:
        return json.dumps(_shallow(value), ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def take(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at `path`, taken out of `value`; None where nothing does."""
    holder = look(value, path[:-1])
    return holder.pop(path[-1], None) if isinstance(holder, dict) else None


def look(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at `path`; None where nothing does."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def language_among(value: Any, paths: tuple[tuple[str, ...], ...]) -> str | None:
    """The first string that is not empty at one of `paths`."""
    for path in paths:
        found = look(value, path)
        if isinstance(found, str) and found.strip():
            return found.strip()
    return None
