"""What the commands of `pretrain` have in common: their arguments, and how they talk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

ConfigPath = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="A YAML file, or the name of one that ships: bloom-560m.")
]
ModelPath = Annotated[
    Path, typer.Argument(metavar="RUN", help="run.dir of a config, a folder ckpt/step_NNNNNN in it, or an export.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON value on stdout, for programs.")]
DataPath = Annotated[Path | None, typer.Option("--data", help="The packed corpus; else the one it was trained on.")]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
