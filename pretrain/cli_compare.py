"""`pretrain plot` and `pretrain sweep`: look at runs beside each other.

Paths go to stdout, talk to stderr.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs: run.dir of their configs.")],
    out: Annotated[Path | None, typer.Option("--out", help="The page; else plot.html in the run's folder.")] = None,
) -> None:
    """Draw runs as one page: loss, scores by language, learning rate, gradients, speed, memory, samples.

    Several runs are drawn beside each other: `pretrain plot runs/a runs/b --out both.html`. A run that is going on can
    be drawn too.
    """
    from pretrain.history import read
    from pretrain.plot import page

    target = out or (runs[0] / "plot.html" if len(runs) == 1 else Path("plot.html"))
    _write(target, page(read(runs)))
    print(target)


def _write(target: Path, text: str) -> None:
    from pretrain import seal
    from pretrain.errors import RunError

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        seal.write_text(target, text)
    except OSError as error:
        raise RunError(f"{target} cannot be written: {error}", hint="give another place with --out") from error
