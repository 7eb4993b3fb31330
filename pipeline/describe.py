"""Explains stages and sources from their own docstrings and fields: what there is, what it takes, its defaults."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from pipeline.errors import ConfigError

Models = dict[str, type[BaseModel]]


def table(known: Models, sources: int) -> None:
    """One line each: name, first sentence, settings; sources first, then stages, then sections of the config."""
    rows = Table("name", "is", "settings", box=None)
    for at, (name, model) in enumerate(known.items()):
        if at == sources:
            rows.add_section()
        rows.add_row(name, _summary(model), ", ".join(f for f in model.model_fields if f != "where"))
    Console(highlight=False, markup=False).print(rows)


def one(known: Models, name: str) -> None:
    """The whole docstring and every setting with its default. Raises ConfigError for an unknown name."""
    if name not in known:
        raise ConfigError(f"there is no stage or source {name!r}", hint=f"there are {', '.join(known)}")
    model = known[name]
    console = Console(highlight=False, markup=False)
    console.print(f"{name}\n\n{inspect.cleandoc(model.__doc__ or '')}\n", markup=False)
    rows = Table("setting", "default", "", box=None)
    for field, info in model.model_fields.items():
        default = "required" if info.is_required() else _short(info.get_default(call_default_factory=True))
        rows.add_row(field, default, info.description or "")
    console.print(rows)


def _summary(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 50 else text[:47] + "..."
