"""Evaluation sets as a config names them: sources of any kind, read once a process into an index of their n-grams.

    [{jsonl: {name: xnli, path: eval/*.jsonl}, fields: [premise, hypothesis]}] -> Evaluation(names, sets, index)

An item is a record; its text is that of the source, or its `fields` in the order named, parted by line feeds. Its name
is `<set>/<file>#<row>`, as a document's. A record that cannot be read is refused, with file and row: what nobody has
read, nobody would look for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, model_serializer, model_validator

from pipeline.document import document_id
from pipeline.errors import ConfigError, InputError
from pipeline.sources import SOURCES
from pipeline.sources.base import Bad, InputFile, Record, Source
from pipeline.sources.jsonl import look
from pipeline.text.contamination import Index, Rule, index_of

MOST_ITEMS = 2**31 - 1  # what an index can number


class EvaluationSet(BaseModel):
    """One set: any source of a config, `{jsonl: {name: xnli, path: eval/*.jsonl}}`, and the `fields` to look for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: SerializeAsAny[Source]
    fields: tuple[str, ...] = Field((), description="fields of a record, dots go deeper; by default the source's text")

    @model_validator(mode="before")
    @classmethod
    def _of_a_source(cls, value: Any) -> Any:
        if not isinstance(value, dict) or isinstance(value.get("source"), Source):
            return value
        value = dict(value)
        fields = _names(value.pop("fields", ()))
        ((kind, settings),) = value.items() if len(value) == 1 else ((None, None),)
        if kind not in SOURCES or not isinstance(settings, dict):
            kinds = ", ".join(sorted(SOURCES))
            raise ValueError(f"name a set as a source ({kinds}): {{jsonl: {{name: xnli, path: eval/xnli.jsonl}}}}")
        return {"source": _source(kind, settings, fields), "fields": fields}

    @model_serializer
    def _as_in_a_config(self) -> dict[str, Any]:
        named = {"fields": list(self.fields)} if self.fields else {}
        settings = self.source.model_dump(mode="json", exclude_defaults=True)
        if self.fields:
            settings.pop("text_field", None)
        return {self.source.type: settings, **named}

    @property
    def files(self) -> dict[str, Path | str]:
        """Every file that its items depend on; those of a pinned revision are named by it."""
        found: dict[str, Path | str] = {}

        def note(file: InputFile) -> str:
            found[f"{self.source.name}/{file.path}"] = file.url
            return ""

        self.source.identity(note)
        return found

    def parameters(self) -> dict[str, Any]:
        """What stands in a recipe beside the digests of the files."""
        unmoved = {*self.source.place, "lang"}  # what does not change the items
        settings = self.source.model_dump(mode="json", exclude=unmoved)
        return {"type": self.source.type, "version": self.source.version, **settings, "fields": list(self.fields)}

    def items(self) -> Iterator[tuple[str, str | bytes]]:
        """(name, text) of every record. Raises InputError for one that cannot be read."""
        for file in self.source.files():
            for record in self.source.read(file):
                where = document_id(self.source.name, record.path or file.path, record.row)
                if isinstance(record, Bad):
                    raise InputError(
                        f"evaluation set {self.source.name!r}: {where}: {record.reason}: {record.detail}",
                        hint="mend that record or take it out: what is not read would not be looked for",
                    )
                yield where, self._text(where, record)

    def _text(self, where: str, record: Record) -> str | bytes:
        if len(self.fields) < 2:
            return record.text
        meta = orjson.loads(record.meta) if record.meta else {}
        parts = [record.text.decode() if isinstance(record.text, bytes) else record.text]
        for field in self.fields[1:]:
            *above, last = field.split(".")
            holder = look(meta, tuple(above))
            if not isinstance(holder, dict) or last not in holder:
                raise InputError(
                    f"evaluation set {self.source.name!r}: {where} has no field {field!r}",
                    hint=f"it has {', '.join(meta) or 'no other'}; mend `fields`",
                )
            parts += _strings(holder[last])
        return "\n".join(parts)


def _names(fields: Any) -> tuple[str, ...]:
    names = [fields] if isinstance(fields, str) else fields
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"fields: {fields!r} is neither a name nor a list of names: [premise, hypothesis]")
    return tuple(names)


def _source(kind: str, settings: dict[str, Any], fields: tuple[str, ...]) -> Source:
    if fields and "text_field" not in SOURCES[kind].model_fields:
        raise ValueError(f"a source {kind} has no fields to choose from; leave `fields` out")
    if fields and "text_field" in settings:
        raise ValueError("text_field and fields say the same; keep `fields`")
    try:
        return SOURCES[kind].model_validate({**settings, **({"text_field": fields[0]} if fields else {})})
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
        )
        raise ValueError(f"{kind}: {told}") from error


def _strings(value: Any) -> list[str]:
    """Every string and number in a JSON value, in order: a list of answers has the text of all of them."""
    if isinstance(value, dict):
        return [text for own in value.values() for text in _strings(own)]
    if isinstance(value, list):
        return [text for own in value for text in _strings(own)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


@dataclass(frozen=True)
class Evaluation:
    """Q items of all sets, in the order of the sets, their files and rows."""

    names: pa.Array  # (Q,) string
    sets: np.ndarray  # (Q,) which set
    index: Index

    def about(self, which: int) -> dict[str, int]:
        """Of one set: its items, those too short (or too common) to be looked for, and its n-grams."""
        grams = self.index.grams[self.sets == which]
        return {"items": len(grams), "not_looked_for": int((grams == 0).sum()), "ngrams": int(grams.sum())}

    @property
    def nbytes(self) -> int:
        return self.index.nbytes + self.names.nbytes + self.sets.nbytes


def evaluation(sets: tuple[EvaluationSet, ...], rule: Rule) -> Evaluation:
    """The sets as they are now, read once a process. Raises InputError; ConfigError for a set with nothing to find."""
    return _read(sets, rule, tuple(_stamp(url) for one in sets for _, url in sorted(one.files.items())))


def _stamp(url: Path | str) -> tuple[str, int, int]:
    """What tells that a file has changed since it was read."""
    if "://" in str(url):
        return str(url), 0, 0
    stat = Path(url).stat()
    return str(url), stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=4)
def _read(sets: tuple[EvaluationSet, ...], rule: Rule, stamps: tuple[Any, ...]) -> Evaluation:
    names, texts, which = [], [], []
    for number, one in enumerate(sets):
        found = list(one.items())
        names.append(pa.array([name for name, _ in found], pa.string()))
        texts.append(pa.array([text for _, text in found], pa.large_string()))
        which.append(np.full(len(found), number, np.int32))
    assert sum(map(len, which)) <= MOST_ITEMS
    made = Evaluation(pa.concat_arrays(names), np.concatenate(which), index_of(pa.chunked_array(texts), rule))
    for number, one in enumerate(sets):
        _refuse_idle(one, made.about(number), rule)
    return made


def _refuse_idle(one: EvaluationSet, about: dict[str, int], rule: Rule) -> None:
    if about["ngrams"] == 0:
        raise ConfigError(
            f"evaluation set {one.source.name!r}: of its {about['items']} items none can be looked for: none has "
            f"{rule.shortest} words ({rule.shortest_characters} characters in a script without spaces) of its own",
            hint="name another field, or lower `shortest`",
        )
