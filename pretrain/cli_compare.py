"""`pretrain plot` and `pretrain sweep`: look at runs beside each other.

Paths go to stdout, talk to stderr.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
import yaml
from rich.console import Console

from pretrain.cli_words import ConfigPath, Json, say

if TYPE_CHECKING:
    from pretrain.sweep import Result, Trial

T = TypeVar("T", int, float)


def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs: run.dir of their configs.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The page; else plot.html in the run's folder, or here if of several.")
    ] = None,
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


def sweep(
    config: ConfigPath,
    lr: Annotated[str, typer.Option("--lr", help="Learning rates: 1e-3,2e-3,4e-3.")] = "",
    shape: Annotated[str, typer.Option("--shape", help="Layers x width x heads: 3x128x8,4x192x6.")] = "",
    steps: Annotated[str, typer.Option("--steps", help="Lengths, in optimizer steps: 200,400.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="The folder of all runs; else run.dir and -sweep.")] = None,
    law: Annotated[bool, typer.Option("--law", help="Fit L = E + A/N^a + B/D^b through the best run of each.")] = False,
    as_json: Json = False,
) -> None:
    """Train CONFIG with every rate, shape and length given; tell the best rate of each, and draw all.

    Small runs, one after the other, each in a folder of its own. Run the same command again to go on: what is finished
    is not trained again. `pretrain sweep bloom-tiny --lr 1e-3,2e-3,4e-3,8e-3`
    """
    from pretrain.config import load_config
    from pretrain.sweep import as_json as plain
    from pretrain.sweep import parse_shape, trials
    from pretrain.sweep_report import law_lines, rate_lines, sweep_page, table

    settings = load_config(config)
    folder = out or settings.run.dir.with_name(f"{settings.run.dir.name}-sweep")
    rates = [_number(text, float) for text in _split(lr)]
    lengths = [_number(text, int) for text in _split(steps)]
    chosen = trials(settings, rates, [parse_shape(text) for text in _split(shape)], lengths, folder)
    results = _train_all(chosen, folder)
    fitted = law_lines(results, settings) if law else []
    _write(folder / "sweep.json", json.dumps(plain(results), indent=1))
    _write(folder / "sweep.html", sweep_page(results))
    if as_json:
        print(json.dumps(plain(results), indent=1))
    else:
        Console().print(table(results))
        for line in [*rate_lines(results), *fitted]:
            print(line)
    say(f"page: {folder / 'sweep.html'}")
    if all(result.failed for result in results):
        raise typer.Exit(1)


def _train_all(chosen: Sequence[Trial], folder: Path) -> list[Result]:
    """Raises RunError when it is asked to stop: the run that was under way has saved."""
    from pretrain import child
    from pretrain.errors import RunError
    from pretrain.history import read
    from pretrain.rundir import finished
    from pretrain.seam import Seam
    from pretrain.sweep import result, run_all

    seam = Seam.open(chosen[0].config.data.path)

    def train(trial: Trial) -> str:
        file = folder / f"{trial.name}.yaml"
        _write(file, yaml.safe_dump(trial.config.model_dump(mode="json", exclude_unset=True), sort_keys=False))
        if finished(trial.config, seam):
            return ""
        ended = child.fit(file, lambda line: say(line) if line.startswith("step ") else None)
        if ended.stopped:
            raise RunError("the sweep was asked to stop", hint="run the same command again to go on")
        return f"failed: {ended.why}" if ended.code else ""

    def look(trial: Trial, failed: str) -> Result:
        there = (trial.config.run.dir / "run.json").is_file()
        run = read([trial.config.run.dir])[0] if there else None
        return result(trial, run, bool(seam.languages("valid")), failed)

    return run_all(chosen, train, look, say)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(text: str, kind: type[T]) -> T:
    """Raises ConfigError for what is no number above zero."""
    from pretrain.errors import ConfigError

    wrong = ConfigError(f"sweep: {text!r} is no positive number", hint="write them as 1e-3,2e-3 or 200,400")
    try:
        value = kind(text)
    except ValueError:
        raise wrong from None
    if not 0 < value < math.inf:
        raise wrong
    return value
