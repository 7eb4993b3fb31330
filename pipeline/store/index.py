"""What a step keeps of the documents that stayed, so that later runs can be compared with them without their texts.

    03-dedup_near-5b1c…/
      index/keys/<shard>.arrow    key [, key2], doc      sorted by key and doc; doc is a row of the two below
      index/ids/<shard>.arrow     id                     a row for each document that stayed, in their order
      index/notes/<shard>.arrow   signature, doc         the same rows, where the stage has notes
      manifest.json               index: {settings, shards: [{key, rows}]}

A folder named in `against:` is such a step, or a work folder with one in it. The documents of all of them come before
those of a run: `Old` says from which number on. Sealed like all files of a step; nothing here is ever changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import ConfigError
from pipeline.store.place import place
from pipeline.store.step import MANIFEST, Step

INDEX = "index"


@dataclass(frozen=True)
class Old:
    """A shard of an index, as a step finds it."""

    folder: str  # of the step that keeps it
    key: str
    base: int  # number of its first document
    rows: int

    def file(self, kind: str) -> Path:
        return index_file(Step(place(self.folder)), kind, self.key)

    def to_json(self) -> dict[str, Any]:
        return {"folder": self.folder, "key": self.key, "base": self.base, "rows": self.rows}


def index_file(step: Step, kind: str, key: str) -> Path:
    return step.folder / INDEX / kind / f"{key}.arrow"


def find_index(name: str, settings: dict[str, Any]) -> Step:
    """The step with an index of these settings: `name` itself, or the one in it. Raises ConfigError with a hint."""
    path = place(name)
    folders = [path] if (path / MANIFEST).exists() else sorted(p.parent for p in path.glob(f"*/{MANIFEST}"))
    found = [Step(folder) for folder in folders if INDEX in Step(folder).manifest()]
    of_stage = [step for step in found if _settings(step)["stage"] == settings["stage"]]
    fitting = [step for step in of_stage if _settings(step) == settings]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(str(step.folder) for step in fitting)
        raise ConfigError(f"against: {path} has {len(fitting)} indexes that fit", hint=f"name one of them: {names}")
    if of_stage:
        raise ConfigError(
            f"against: {of_stage[0].folder} was made with other settings: {_difference(of_stage[0], settings)}",
            hint=f"{_as_there(of_stage[0], settings)}make its run again with these and `keep_index: true`",
        )
    raise ConfigError(
        f"against: {path} has no index of {settings['stage']}",
        hint=f"add `keep_index: true` to {settings['stage']} in its config and run it; or is the path another?",
    )


def _settings(step: Step) -> dict[str, Any]:
    return dict(step.manifest()[INDEX]["settings"])


def _as_there(step: Step, settings: dict[str, Any]) -> str:
    """What to write for the settings of an index; nothing where it is of another version. Some follow from others, as
    bands do from a threshold, so it is their numbers that are to be written."""
    theirs = _settings(step)
    if theirs["version"] != settings["version"]:
        return ""
    said = ", ".join(f"{name}: {json.dumps(theirs.get(name))}" for name in _different(theirs, settings))
    return f"write them out here, `{said}`, or "


def _different(theirs: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    return sorted(name for name in {*theirs, *settings} if theirs.get(name) != settings.get(name))


def _difference(step: Step, settings: dict[str, Any]) -> str:
    theirs = _settings(step)
    names = _different(theirs, settings)
    return ", ".join(f"{name} {theirs.get(name)} there, {settings.get(name)} here" for name in names)


def old_shards(steps: Iterable[Step]) -> list[Old]:
    """The shards of all indexes, their documents numbered from 0 in the order of the steps."""
    out: list[Old] = []
    for step in steps:
        for shard in step.manifest()[INDEX]["shards"]:
            out.append(Old(str(step.folder), shard["key"], count(out), shard["rows"]))
    return out


def count(shards: Sequence[Old]) -> int:
    return shards[-1].base + shards[-1].rows if shards else 0
