"""Explains stages and sources from their own docstrings and fields: what there is, what it takes, its defaults."""

from __future__ import annotations

import difflib
import inspect
import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Column, Table

from pipeline.errors import ConfigError
from pipeline.units import parse_size, say_bytes

Models = dict[str, type[BaseModel]]
WIDTH = 48  # characters of the column of defaults
UNSEEN = 120  # characters of a line where no terminal says how wide it is


def table(known: Models, sources: int) -> None:
    """One line each: name, first sentence, settings; sources first, then stages, then sections of the config."""
    rows = Table("name", "is", "settings", box=None)
    for at, (name, model) in enumerate(known.items()):
        if at == sources:
            rows.add_section()
        rows.add_row(name, _summary(model), ", ".join(f for f in model.model_fields if f != "where"))
    _console().print(rows)


def one(known: Models, name: str) -> None:
    """The whole docstring and every setting with its default. Raises ConfigError for an unknown name."""
    if name not in known:
        near = [one for one in known if one.startswith(name)] or difflib.get_close_matches(name, known, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        raise ConfigError(f"there is no stage or source {name!r}", hint=hint)
    model = known[name]
    console = _console()
    console.print(f"{name}\n\n{inspect.cleandoc(model.__doc__ or '')}\n", soft_wrap=True)  # its columns stay whole
    rows = Table("setting", Column("default", max_width=WIDTH, overflow="fold"), "", box=None)
    for field, info in model.model_fields.items():
        default = "required" if info.is_required() else spelled(info)
        rows.add_row(field, default, info.description or "")
    console.print(rows)


def _console() -> Console:
    """As wide as the terminal; as wide as a docstring where there is none."""
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else UNSEEN)


def _summary(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def spelled(info: FieldInfo) -> str:
    """A setting's default, whole, as a config would spell it: `{en: 25, fr: 45}`, `[a, b]`, `null`, `3.0 MB`."""
    value = info.get_default(call_default_factory=True)
    if any(getattr(rule, "func", None) is parse_size for rule in info.metadata):
        said = say_bytes(value)
        return said if parse_size(said) == value else str(value)  # 1 MiB is no round number of kB
    if value == () and str(info.annotation).startswith("tuple[tuple["):
        return "{}"
    return yaml.safe_dump([_plain(value)], default_flow_style=True, width=1 << 30, allow_unicode=True, sort_keys=False)[
        1:-2
    ]


def _plain(value: Any) -> Any:
    """What YAML has words for; pairs, as stages hold what is by name, are a mapping again."""
    if isinstance(value, BaseModel):
        return _plain(dict(value))
    if isinstance(value, dict):
        return {key: _plain(own) for key, own in value.items()}
    if not isinstance(value, tuple | list):
        return str(value) if isinstance(value, Path) else value
    pairs = bool(value) and all(isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str) for p in value)
    return {name: _plain(own) for name, own in value} if pairs else [_plain(one) for one in value]
