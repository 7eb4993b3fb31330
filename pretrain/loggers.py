"""Where the numbers of a run go besides its own JSON lines: TensorBoard, a CSV file, Weights & Biases.

    run.loggers: [tensorboard, csv, wandb]  ->  [Logger, ...]     as Lightning knows them, which users may add to

`csv` writes metrics.csv, one line a number (step, metric, value), and goes on where it stopped. `wandb` writes its
files to the run's folder and never opens a connection (`wandb sync` does, when the user asks for it); `wandb-online`
does. A package that was asked for and is not there is an error, told before anything is written. Never decides what
is logged.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from pretrain import seal
from pretrain.config import Config, LoggerName
from pretrain.errors import ConfigError

_PACKAGES: dict[LoggerName, tuple[str, str]] = {  # module, extra of this project that brings it
    "tensorboard": ("tensorboard", "pretrain"),
    "wandb": ("wandb", "wandb"),
    "wandb-online": ("wandb", "wandb"),
}
_HEADER = ("step", "metric", "value")


def names(config: Config) -> tuple[LoggerName, ...]:
    """Those that were asked for; TensorBoard alone, if it is installed, where nothing was said.

    Raises ConfigError if a package is missing.
    """
    if config.run.loggers is None:
        return ("tensorboard",) if _installed("tensorboard") else ()
    for name in config.run.loggers:
        module, extra = _PACKAGES.get(name, ("csv", ""))
        if not _installed(module):
            raise ConfigError(
                f"run.loggers: {name} needs the package {module}, which is not installed",
                hint=f"pip install 'seedbed[{extra}]', or leave {name} out",
            )
    return config.run.loggers


def loggers(config: Config, step: int) -> list[Logger]:
    """The loggers of a run that goes on after `step`: what they hold of later steps is forgotten where they can."""
    return [_MAKERS[name](config, step) for name in names(config)]


class CsvLogger(Logger):
    """Every number as a line `step,metric,value`; lines after `step` are dropped when a run goes on from there."""

    def __init__(self, path: Path, step: int) -> None:
        super().__init__()
        self._path = path
        if getattr(rank_zero_only, "rank", 0) == 0:
            seal.write_text(path, _csv([_HEADER, *_lines_until(path, step)]))

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(_csv([(step, _one_line(name), value) for name, value in metrics.items()]))

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """run.json has them."""


def _lines_until(path: Path, step: int) -> list[list[str]]:
    """Whole lines of steps up to `step`; one that a crash cut off is no line."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        text = file.read()
    rows = csv.reader(io.StringIO(text[: text.rfind("\n") + 1]))
    return [row for row in rows if len(row) == 3 and row[0].isdecimal() and int(row[0]) <= step]


def _one_line(name: str) -> str:
    return name.replace("\r", " ").replace("\n", " ")  # else a line that a crash cut off could not be told


def _csv(rows: list[Any]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerows(rows)
    return made.getvalue()


def _tensorboard(config: Config, step: int) -> Logger:
    return TensorBoardLogger(str(config.run.dir), name="", version="tensorboard", purge_step=step + 1)


def _wandb(config: Config, offline: bool) -> Logger:
    """One run of Weights & Biases for one run of ours, however often it is stopped: its id follows from the folder."""
    from lightning.pytorch.loggers import WandbLogger

    if offline:
        os.environ["WANDB_MODE"] = "offline"  # whatever the environment says
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # its own reports of crashes would go out all the same
    folder = config.run.dir.resolve()
    return WandbLogger(
        name=folder.name,
        project=os.environ.get("WANDB_PROJECT", "seedbed"),
        save_dir=folder,
        id=hashlib.sha256(str(folder).encode()).hexdigest()[:16],
        offline=offline,
        config=config.model_dump(mode="json"),
    )


_MAKERS: dict[LoggerName, Callable[[Config, int], Logger]] = {
    "tensorboard": _tensorboard,
    "csv": lambda config, step: CsvLogger(config.run.dir / "metrics.csv", step),
    "wandb": lambda config, step: _wandb(config, offline=True),
    "wandb-online": lambda config, step: _wandb(config, offline=False),
}


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
