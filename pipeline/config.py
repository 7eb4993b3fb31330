"""The config of a run, read whole before anything starts: every mistake in it is told at once.

    load("configs/demo.yaml") -> Config(run, sources, stages, identifier, tokenizer, pack, shard_size)

Everything outside `run:` may change bytes and goes into recipes; nothing in `run:` does. No expressions, no
templating: a stage is its name, or its name with parameters, and may have a `where:` beside it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

import psutil
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, field_validator, model_validator

from pipeline.document import CODE, TEXT
from pipeline.errors import ConfigError
from pipeline.identifier import IdentifierConfig
from pipeline.pack import PackConfig
from pipeline.sources import SOURCES
from pipeline.sources.base import Source
from pipeline.stages import STAGES
from pipeline.stages.base import CorpusStage, Stage
from pipeline.store.place import place
from pipeline.tokenizer import TokenizerConfig
from pipeline.units import Share, Size, parse_size
from pipeline.yamlsafe import load as load_yaml

LEAST_MEMORY = 1_000_000  # bytes; below it a unit was forgotten

Problems = list[str]
Place = Annotated[Path, PlainValidator(place, json_schema_input_type=str)]  # or a remote place, used as a Path
SECTIONS = ("run", "sources", "stages", "identifier", "tokenizer", "pack", "shard_size")


class RunSettings(BaseModel):
    """Speed and place; no byte of any step depends on these."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    workdir: Place = Field(
        Path("runs/default"), description="folder of the steps and the report, or s3://bucket/folder"
    )
    memory: Size | None = Field(None, description="bound on the whole process tree; default: half of the machine's")
    workers: int | None = Field(
        None, description="processes; `auto`: one a core, fewer where memory would not hold them"
    )
    engine: Literal["local", "ray"] = Field(
        "local", description="what runs the tasks: processes here, or a Ray cluster"
    )
    address: str | None = Field(
        None, description="of the Ray cluster: `auto`, or host:port; without one Ray runs on this machine alone"
    )
    max_bad: Share = Field(
        0.01, description="share of records (and of files) that may be unreadable before the run stops"
    )

    @field_validator("workers", mode="before")
    @classmethod
    def _auto(cls, value: Any) -> Any:
        return None if value == "auto" else value

    @field_validator("memory", mode="before")
    @classmethod
    def _auto_memory(cls, value: Any) -> Any:
        return None if value == "auto" else value

    @field_validator("memory")
    @classmethod
    def _has_a_unit(cls, value: int | None) -> int | None:
        if value is not None and value < LEAST_MEMORY:
            raise ValueError(f"{value} bytes are too little for anything; write the unit, such as {value}GB")
        return value

    @field_validator("workers")
    @classmethod
    def _at_least_one(cls, value: int | None) -> int | None:
        if value is not None and value < 1:
            raise ValueError("must be 1 or more, or auto")
        return value

    @field_validator("address")
    @classmethod
    def _a_node(cls, value: str | None) -> str | None:
        if value is not None and value.startswith("ray://"):
            raise ValueError(
                "must be `auto` or host:port: start the run on a node of the cluster, not through a client"
            )
        return value

    @model_validator(mode="after")
    def _whose_address(self) -> RunSettings:
        if self.address is not None and self.engine != "ray":
            raise ValueError("an address is for `engine: ray`")
        return self

    @property
    def memory_bytes(self) -> int:
        return self.memory if self.memory is not None else machine_memory() // 2

    @property
    def worker_count(self) -> int:
        return self.workers if self.workers is not None else machine_cores()


class Config(BaseModel):
    """A whole config. `sources` stand in the order in which their documents count: by priority, then by name."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    run: RunSettings = RunSettings()
    sources: tuple[Source, ...]
    stages: tuple[Stage, ...] = ()
    identifier: IdentifierConfig | None = None
    tokenizer: TokenizerConfig | None = None
    pack: PackConfig | None = None
    shard_size: Size = 16_000_000  # bytes of text after which a shard is cut
    path: Path | None = None  # where it was read


def machine_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_memory() -> int:
    """Bytes of memory this process may use: the machine's, or its container's if that is less."""
    limits = [psutil.virtual_memory().total]
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path(name).read_text()))
        except (OSError, ValueError):
            continue  # no such limit on this machine
    return min(limits)


def load(path: Path, overrides: Mapping[str, Any] | None = None, to_read: bool = True) -> Config:
    """Reads and checks a config; `overrides` replace keys of `run:`. Raises ConfigError with all mistakes in one go.

    That files of its sources are not there is no mistake where they are not `to_read`."""
    raw = load_yaml(path)
    raw["run"] = (
        {**(raw.get("run") or {}), **(overrides or {})} if isinstance(raw.get("run", {}), dict | None) else raw["run"]
    )
    problems: Problems = []
    config = parse(raw, problems, to_read)
    if problems or config is None:
        many = f"{len(problems)} mistakes" if len(problems) > 1 else "a mistake"
        unknown = any("there is no '" in problem for problem in problems)
        raise ConfigError(
            f"{path} has {many}:\n  - " + "\n  - ".join(problems),
            hint="`pipeline stages` shows what there is" if unknown else "",
        )
    return config.model_copy(update={"path": path})


def parse(raw: Mapping[str, Any], problems: Problems, to_read: bool = True) -> Config | None:
    """A Config from what YAML gave, or None; says what is wrong in `problems`."""
    for name in raw:
        if name not in SECTIONS:
            problems.append(_unknown("", str(name), SECTIONS))
    run = _section(RunSettings, raw, "run", problems) or RunSettings()
    sources = [_source(item, f"sources[{i}]", problems) for i, item in enumerate(_listed(raw, "sources", problems))]
    if not sources and "sources" not in "".join(problems):
        problems.append("sources: there is none; add one, for example `- jsonl: {name: news, path: data/*.jsonl.zst}`")
    stages = [_stage(item, f"stages[{i}]", problems) for i, item in enumerate(_listed(raw, "stages", problems))]
    identifier = _section(IdentifierConfig, raw, "identifier", problems)
    tokenizer = _section(TokenizerConfig, raw, "tokenizer", problems)
    pack = _section(PackConfig, raw, "pack", problems)
    if "pack" in raw and "tokenizer" not in raw:
        problems.append("pack: there is no tokenizer to pack with; add `tokenizer: {vocab_size: 8192}`")
    shard_size = _shard_size(raw, problems)
    _check_names([s for s in sources if s], problems)
    _check_needs(stages, problems)
    _check_drop_from(stages, [s.name for s in sources if s], problems)
    if all(sources):
        _check_where(stages, [s.name for s in sources if s], problems)
    if to_read:
        _check_files([s for s in sources if s], problems)
    if problems:
        return None
    ordered = sorted((s for s in sources if s), key=lambda s: (s.priority, s.name))
    return Config.model_construct(
        run=run,
        sources=tuple(ordered),
        stages=tuple(s for s in stages if s),
        identifier=identifier,
        tokenizer=tokenizer,
        pack=pack,
        shard_size=shard_size,
    )


def _check_drop_from(stages: Iterable[Stage | None], sources: list[str], problems: Problems) -> None:
    """A pattern that no source has would drop nothing, without a word."""
    for i, stage in enumerate(stages):
        if isinstance(stage, CorpusStage) and sources and not any(map(stage.may_go, sources)):
            problems.append(
                f"stages[{i}].{stage.name}.drop_from: names none of the sources {', '.join(sorted(sources))}"
            )


def _section(model: type[BaseModel], raw: Mapping[str, Any], name: str, problems: Problems) -> Any:
    """A section of settings; None where it does not stand in the config. Without settings it has its defaults."""
    if name not in raw:
        return None
    value = {} if raw[name] is None else raw[name]
    if isinstance(value, dict):
        return _validated(model, value, name, problems)
    problems.append(f"{name}: is {value!r}, must be settings, `{name}: {{...}}`; leave it out if you do not want it")
    return None


def _shard_size(raw: Mapping[str, Any], problems: Problems) -> int:
    try:
        size = parse_size(raw.get("shard_size", Config.model_fields["shard_size"].default))
    except ValueError as error:
        problems.append(f"shard_size: {error}")
        return 0
    if size < 1000:
        problems.append(f"shard_size: {size} bytes is too small to cut a corpus by; 16MB is usual")
    return size


def _listed(raw: Mapping[str, Any], name: str, problems: Problems) -> list[Any]:
    value = raw.get(name) or []
    if isinstance(value, list):
        return value
    problems.append(f"{name}: is {type(value).__name__}, must be a list: begin each line with `- `")
    return []


def _source(item: Any, where: str, problems: Problems) -> Source | None:
    if not isinstance(item, dict) or len(item) != 1 or not isinstance(next(iter(item.values())), dict):
        problems.append(
            f"{where}: must be one kind of source and its settings: `jsonl: {{name: news, path: data/*.jsonl}}`"
        )
        return None
    ((kind, settings),) = item.items()
    if kind not in SOURCES:
        problems.append(_unknown(where, str(kind), SOURCES))
        return None
    return _validated(SOURCES[kind], settings, f"{where}.{kind}", problems)


def _stage(item: Any, where: str, problems: Problems) -> Stage | None:
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, dict) or len(item.keys() - {"where"}) != 1:
        problems.append(
            f"{where}: must be the name of a stage, or one stage with its settings (and a `where:` beside it)"
        )
        return None
    (name,) = item.keys() - {"where"}
    if name not in STAGES:
        problems.append(_unknown(where, str(name), STAGES))
        return None
    settings = {} if item[name] is None else item[name]
    if not isinstance(settings, dict):
        problems.append(f"{where}.{name}: is {type(settings).__name__}, must be settings: `{name}: {{...}}`")
        return None
    if "where" in item:
        settings = {**settings, "where": item["where"]}
    return _validated(STAGES[name], settings, f"{where}.{name}", problems)


def _validated(model: type[BaseModel], value: Any, where: str, problems: Problems) -> Any:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems.extend(_sentence(model, where, item) for item in error.errors())
    except ConfigError as error:
        problems.append(f"{where}: {error.message} ({error.hint})")
    return None


def _sentence(model: type[BaseModel], where: str, error: Any) -> str:
    place = ".".join([where, *(str(part) for part in error["loc"])])
    if error["type"] == "extra_forbidden":
        parent = ".".join(place.split(".")[:-1])
        return _unknown(parent, str(error["loc"][-1]), _fields_at(model, error["loc"][:-1]))
    if error["type"] == "missing":
        return f"{place}: is missing"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message[:1].lower() + message[1:]} (it is {_short(error['input'])})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _fields_at(model: type[BaseModel], loc: Iterable[Any]) -> list[str]:
    """Names of the fields where the unknown key stands; follows nested models as far as they are plain."""
    for part in loc:
        kind = model.model_fields[part].annotation if part in model.model_fields else None
        found = [t for t in (kind, *getattr(kind, "__args__", ())) if isinstance(t, type) and issubclass(t, BaseModel)]
        if not found:
            return []
        model = found[0]
    return list(model.model_fields)


def _unknown(where: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    place = f"{where}: " if where else ""
    if near:
        return f"{place}there is no {name!r}; did you mean {near[0]!r}?"
    return f"{place}there is no {name!r}; there are {', '.join(sorted(known))}"


def _check_names(sources: list[Source], problems: Problems) -> None:
    seen: set[str] = set()
    for source in sources:
        if source.name in seen:
            problems.append(f"sources: two are named {source.name!r}; ids begin with the name, so it must be unique")
        seen.add(source.name)


def _check_needs(stages: list[Stage | None], problems: Problems) -> None:
    written: set[str] = set()
    words: set[str] = set()
    for i, stage in enumerate(stages):
        if stage is None:
            return  # what it would have written is unknown
        for name in stage.needs:
            if name not in written:
                why = _not_a_number(name, sorted(written)) if name in words else _never_measured(name, sorted(written))
                problems.append(f"stages[{i}].{stage.name}: {name!r} {why}")
        written.update(stage.numbers)
        words.update(stage.in_words.intersection(stage.writes))


def _never_measured(name: str, numbers: list[str]) -> str:
    near = difflib.get_close_matches(name, numbers, n=1, cutoff=0.5)
    mend = f"did you mean {near[0]!r}?" if near else "put a stage above it that writes it, such as `- measure`"
    return f"was never measured; {mend}"


def _not_a_number(name: str, numbers: list[str]) -> str:
    near = difflib.get_close_matches(name, numbers, n=1, cutoff=0.7)  # `lang_second` means `lang_second_share`
    mend = f"did you mean {near[0]!r}?" if near else f"name a measure, such as {', '.join(numbers[:3]) or 'words'}"
    return f"holds words, which no bound can judge; {mend}"


def _check_where(stages: list[Stage | None], sources: list[str], problems: Problems) -> None:
    """A source or a kind that there is not would turn its stage off in silence. Languages are known when found."""
    known = {"source": sources, "kind": [TEXT, CODE]}
    for i, stage in enumerate(stages):
        if stage is None or stage.where is None:
            continue
        for field, names in known.items():
            for pattern in getattr(stage.where, field) or ():
                if not any(fnmatchcase(name, pattern) for name in names):
                    place = f"stages[{i}].{stage.name}.where.{field}"
                    problems.append(_no_match(place, field, pattern, names))


def _no_match(where: str, field: str, pattern: str, known: list[str]) -> str:
    near = difflib.get_close_matches(pattern, known, n=1, cutoff=0.5)
    mend = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(known))}"
    return f"{where}: no {field} matches {pattern!r}; {mend}"


def _check_files(sources: list[Source], problems: Problems) -> None:
    for source in sources:
        try:
            source.files()
        except ConfigError as error:
            problems.append(f"source {source.name!r}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
