"""From a config to the steps that it means: each with its recipe, its address and its folder. Nothing is run here.

    sources -> 00-source.<name>-<address> each
    stages  -> 01-<stage>-<address>, 02-… , in the order of the config
    identifier, tokenizer, encode, packed

The recipe of a step names all that its bytes depend on, the address of the step before included; so the plan alone
says what a change of the config makes again, and what stands already.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.config import Config
from pipeline.digest import address
from pipeline.fingerprint import Fingerprints
from pipeline.sources.base import InputFile, Source
from pipeline.stages.base import CorpusStage, RowStage, Stage
from pipeline.store.index import find_index
from pipeline.store.step import MANIFEST, Step, watched

RECIPE_VERSION = 1
ENCODE_VERSION = 2  # 2: words of the text that is encoded
ALWAYS = ("pyarrow",)  # it writes every file
SIGNS = (MANIFEST, "marks", "scratch")  # what only a step's folder holds


@dataclass(frozen=True)
class Planned:
    """A step to be: what it is called, what it depends on, where it stands."""

    name: str  # of the stage, or `source.<name>`
    kind: str  # source, row, corpus, identifier, tokenizer, encode, packed
    recipe: dict[str, Any]
    step: Step
    settings: Any  # the Source, the Stage, or the part of the config

    @property
    def address(self) -> str:
        return self.step.address


def plan(
    config: Config, inputs: Mapping[str, Any] | None = None, say: Callable[[str], None] = lambda _: None
) -> list[Planned]:
    """All steps of a config, in order. Reads the input files' bytes once for their digests (remembered).

    Of a source that `inputs` names no file is looked at: what its input is stands there, as a recipe has it."""
    workdir = config.run.workdir
    prints = Fingerprints(workdir / ".fingerprints.json", say)
    known = inputs or {}
    with prints.kept():
        given = [known[s.name] if s.name in known else s.identity(prints.of) for s in config.sources]
        sources = [_source(*pair, config.shard_size, workdir) for pair in zip(config.sources, given, strict=True)]
        steps = list(sources)
        before = [planned.address for planned in sources]
        for number, stage in enumerate(config.stages, 1):
            steps.append(_stage(stage, number, before, prints, workdir))
            before = [steps[-1].address]
    return steps + _tail(config, len(config.stages) + 1, before)


def _planned(name: str, kind: str, number: int | None, recipe: dict[str, Any], workdir: Path, settings: Any) -> Planned:
    name_of_folder = name if number is None else f"{number:02d}-{name}"
    folder = workdir / f"{name_of_folder}-{address(recipe)}"
    return Planned(name, kind, recipe, watched(folder), settings)


def _recipe(
    name: str, version_of: int, parameters: Any, packages: tuple[str, ...], before: list[str], **more: Any
) -> dict[str, Any]:
    return {
        "recipe": RECIPE_VERSION,
        "step": name,
        "version": version_of,
        "parameters": parameters,
        "packages": {package: version(package) for package in sorted({*ALWAYS, *packages})},
        "before": before,
        **more,
    }


def _source(source: Source, given: Any, shard_size: int, workdir: Path) -> Planned:
    parameters = source.model_dump(mode="json", exclude=set(source.place))
    recipe = _recipe(f"source.{source.type}", source.version, parameters, source.packages, [], shard_size=shard_size)
    recipe["input"] = given
    return _planned(f"source.{source.name}", "source", 0, recipe, workdir, source)


def _stage(stage: Stage, number: int, before: list[str], prints: Fingerprints, workdir: Path) -> Planned:
    recipe = _recipe(stage.name, stage.version, stage.recipe_parameters(), stage.packages, before)
    if stage.files:
        recipe["files"] = {name: prints.of(InputFile(name, str(path), 0)) for name, path in sorted(stage.files.items())}
    if isinstance(stage, CorpusStage) and stage.against:
        recipe["against"] = [find_index(path, stage.index_settings).manifest()["digest"] for path in stage.against]
    if stage.unicode_tables:
        recipe["unicode"] = unicodedata.unidata_version
    kind = "row" if isinstance(stage, RowStage) else "corpus"
    return _planned(stage.name, kind, number, recipe, workdir, stage)


def _tail(config: Config, number: int, before: list[str]) -> list[Planned]:
    """Identifier, tokenizer, encode and packed, as far as the config asks for them."""
    out: list[Planned] = []
    workdir = config.run.workdir
    if config.identifier is not None:
        made = config.identifier
        recipe = _recipe("identifier", made.version, made.parameters(), made.packages, before)
        recipe["unicode"] = unicodedata.unidata_version
        out.append(_planned("identifier", "identifier", number, recipe, workdir, made))
        number += 1
    if config.tokenizer is None:
        return out
    parameters = config.tokenizer.parameters()
    recipe = _recipe("tokenizer", config.tokenizer.version, parameters, config.tokenizer.packages, before)
    out.append(_planned("tokenizer", "tokenizer", number, recipe, workdir, config.tokenizer))
    recipe = _recipe("encode", ENCODE_VERSION, {}, ("tokenizers",), [*before, out[-1].address])
    out.append(_planned("encode", "encode", number + 1, recipe, workdir, None))
    if config.pack is not None:
        recipe = _recipe(
            "packed",
            config.pack.version,
            config.pack.parameters(),
            config.pack.packages,
            [out[-2].address, out[-1].address],
        )
        out.append(_planned("packed", "packed", None, recipe, workdir, config.pack))
    return out


def strangers(config: Config, used: Collection[Path]) -> list[Path]:
    """Folders of steps in the workdir that are not among those used: what `prune` removes. Other folders stay."""
    found = (path for path in config.run.workdir.glob("*-" + "[0-9a-f]" * 16) if path.is_dir())
    return sorted(path for path in found if path not in used and any((path / name).exists() for name in SIGNS))
