"""What ran in a workdir before: the steps of the last run of each config, beside the steps themselves.

    .runs/<config>-<digest>.json     {config, begun: [folder, ...], finished: [folder, ...]}
    remember(config, planned)        what a run sets out to make, and again what it has made
    as_it_stands(config)             -> Standing(planned, notes): the plan, for commands that only read

A source may have changed since it was read, or have been put away. Nothing is run again by a command that reads, so it
goes by the files as they were when the last run read them, wherever that run's step of the source still stands, and
says so. It must never be asked for what a run is to make: a run reads the files as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.digest import digest
from pipeline.errors import ConfigError, InputError
from pipeline.fingerprint import Fingerprints
from pipeline.plan import Planned, plan
from pipeline.store.files import read_json, write_json
from pipeline.store.place import is_local
from pipeline.store.step import Step

FOLDER = ".runs"


@dataclass(frozen=True)
class Remembered:
    """A run of one config. `config` is its path as seen from the workdir, so that both may move together."""

    config: str
    begun: tuple[str, ...]  # folders of the steps that the run set out to make
    finished: tuple[str, ...]  # folders of the last run that came to its end

    @property
    def name(self) -> str:
        return Path(self.config).name


@dataclass(frozen=True)
class Standing:
    """A plan for reading, and what its reader has to know: one sentence each."""

    planned: list[Planned]  # as far as possible by what the last run read
    now: list[Planned]  # by what there is to read
    notes: list[str]


def name_of(config: Config) -> str:
    """The config's path from the workdir; empty for one that was read from no file."""
    if config.path is None:
        return ""
    if not is_local(config.run.workdir):
        return config.path.resolve().as_posix()
    return Path(os.path.relpath(config.path, config.run.workdir)).as_posix()


def remember(config: Config, planned: Sequence[Planned], finished: bool = False) -> None:
    """Writes down the steps of a run that begins, or that has come to its end."""
    name, folders = name_of(config), [p.step.folder.name for p in planned]
    before = next((list(run.finished) for run in runs(config.run.workdir) if run.config == name), [])
    told = {"config": name, "begun": folders, "finished": folders if finished else before}
    path = config.run.workdir / FOLDER / f"{Path(name).stem or 'config'}-{digest(name)[:8]}.json"
    write_json(path, told)


def runs(workdir: Path) -> list[Remembered]:
    """What is remembered of a workdir, by the names of configs. A file that cannot be read says nothing."""
    found = []
    for path in sorted((workdir / FOLDER).glob("*.json")):
        try:
            told = read_json(path)
            found.append(Remembered(told["config"], tuple(told["begun"]), tuple(told["finished"])))
        except (InputError, KeyError, TypeError):
            continue
    return found


def others(config: Config) -> list[Remembered]:
    """Runs of other configs in the same workdir that came to their end and stand whole."""
    name, workdir = name_of(config), config.run.workdir
    whole = [run for run in runs(workdir) if run.finished and all((workdir / step).is_dir() for step in run.finished)]
    return [run for run in whole if run.config != name]


def needed(config: Config, standing: Standing) -> list[tuple[str, set[Path]]]:
    """What else there is a need for: folders of the last run where the config as it is now does not stand whole, and of
    other configs; each with a word on whose they are."""
    used = {p.step.folder for p in (*standing.planned, *standing.now)}
    whose = []
    for run in runs(config.run.workdir):
        if run.config != name_of(config):
            whose.append((run.name, (*run.begun, *run.finished)))
        elif _missing(standing.now):
            whose.append((f"the last run of {run.name}", run.finished))
    found = [(who, {config.run.workdir / name for name in names} - used) for who, names in whose]
    there = [(who, {folder for folder in folders if folder.is_dir()}) for who, folders in found]
    return [(who, folders) for who, folders in there if folders]


def as_it_stands(config: Config) -> Standing:
    """The plan of a config by what was read, where that can still be told. Raises ConfigError or InputError for a
    source that cannot be read and of which no step stands."""
    before = _inputs_read(config)
    inputs, notes = _inputs_now(config, before)
    now = planned = plan(config, inputs)
    if changed := _changed(config, planned, inputs, before):
        away = _missing(planned)
        planned = plan(config, {**inputs, **{name: before[name] for name in changed}})
        have = f"source {changed[0]} has" if len(changed) == 1 else f"sources {', '.join(changed)} have"
        notes.append(
            f"{have} changed since: {away} of {len(planned)} steps do not stand for it as it is now; this is about the "
            "last run (`pipeline run CONFIG` makes them)"
        )
    if missing := _missing(planned):
        notes.append(f"{missing} of {len(planned)} steps do not stand (`pipeline run CONFIG` makes them)")
    return Standing(planned, now, notes)


def _inputs_now(config: Config, before: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """{source: what its input is}, as it was read where it cannot be read any more; and a note on each of those."""
    prints = Fingerprints(config.run.workdir / ".fingerprints.json")
    inputs: dict[str, Any] = {}
    notes = []
    with prints.kept():
        for source in config.sources:
            try:
                inputs[source.name] = source.identity(prints.of)
            except (ConfigError, InputError) as error:
                if source.name not in before:
                    raise
                inputs[source.name] = before[source.name]
                gone = f"source {source.name} cannot be read any more ({error.message})"
                notes.append(f"{gone}: this is about the last run")
    return inputs, notes


def _changed(
    config: Config, planned: Sequence[Planned], inputs: Mapping[str, Any], before: Mapping[str, Any]
) -> list[str]:
    """Sources that are not read as they are now, and of which a step stands as they were."""
    unread = [
        p.settings.name for p in planned if p.kind == "source" and not p.step.sealed and p.settings.name in before
    ]
    then = [name for name in unread if digest(inputs[name]) != digest(before[name])]
    as_read = plan(config, {**inputs, **{name: before[name] for name in then}}) if then else []
    return [p.settings.name for p in as_read if p.kind == "source" and p.settings.name in then and p.step.sealed]


def _missing(planned: Sequence[Planned]) -> int:
    return sum(not p.step.sealed for p in planned)


def _inputs_read(config: Config) -> dict[str, Any]:
    """{source: what its input was} of the last runs in the workdir, this config's before all."""
    own = name_of(config)
    found: dict[str, Any] = {}
    for run in sorted(runs(config.run.workdir), key=lambda run: run.config == own):  # the last one counts
        for name in run.finished:
            step = Step(config.run.workdir / name)
            if step.folder.name.startswith("00-source.") and step.sealed:
                manifest = step.manifest()
                found[manifest["name"].removeprefix("source.")] = manifest["recipe"]["input"]
    return found
