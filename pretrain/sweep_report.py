"""What a sweep found, for people: a table, the best rate of each shape and length, a law, one page.

    [Result, ...]  ->  Table, lines, "<!doctype html> ..."

Never trains.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from rich.table import Table

from pretrain import chart, law
from pretrain.chart import COLOURS, Axes, Line
from pretrain.config import Config
from pretrain.history import read
from pretrain.model import ModelConfig
from pretrain.plot import Picture, page
from pretrain.sweep import Result, Shape, best_rate, groups


def table(results: Sequence[Result]) -> Table:
    made = Table(title=f"{len(results)} runs")
    made.add_column("shape")
    for name in ("steps", "lr", "tokens", "loss", "bits per byte"):
        made.add_column(name, justify="right")
    made.add_column("")
    for it in results:
        numbers = [f"{it.loss:.4f}" if it.loss is not None else ""]
        numbers += [f"{it.bits_per_byte:.4f}" if it.bits_per_byte is not None else ""]
        trial = it.trial
        made.add_row(str(trial.shape), f"{trial.steps:,}", f"{it.rate:g}", f"{it.tokens:,}", *numbers, it.failed)
    return made


def rate_lines(results: Sequence[Result]) -> list[str]:
    """The best learning rate of each shape and length for which there was a choice."""
    lines = []
    for (shape, steps), found in groups(results).items():
        if len({it.rate for it in found}) < 2:
            continue
        best = best_rate((it.rate, it.loss) for it in found if it.loss is not None)
        assert best is not None
        told = f"best rate {best.rate:.3g}, {best.why}; tried best: {best.tried:g} with {best.loss:.4f}"
        lines.append(f"{shape}, {steps:,} steps: {told}")
    return lines


def law_lines(results: Sequence[Result], settings: Config) -> list[str]:
    """The law through the best run of each shape and length, and what it says of the config itself.

    Raises InputError where there are too few of them.
    """
    best = [min(found, key=lambda it: it.loss or 0.0) for found in groups(results).values()]
    fitted = law.fit([(parameters(it.trial.shape, it), it.tokens, it.loss or 0.0) for it in best])
    lines = [f"{fitted}   (N parameters, D tokens; off by {fitted.off:.2%} through {len(best)} runs)"]
    if not fitted.sound:
        why = "the runs lie too near each other, or larger ones were not at their own best rate"
        return [*lines, f"an exponent is no power of anything: {why} (--lr with three or more)"]
    if not any((it.trial.shape, it.trial.steps) == _own(settings) for it in best):
        shape, steps = _own(settings)
        tokens = best[0].tokens / best[0].trial.config.train.total_samples * settings.train.total_samples
        loss = fitted.loss(parameters(shape, best[0]), tokens)
        lines.append(f"{shape}, {steps:,} steps, as in the config: {loss:.3f} by this law")
    return lines


def _own(settings: Config) -> tuple[Shape, int]:
    model = settings.model
    return Shape(model.num_layers, model.hidden_size, model.num_heads), settings.train.total_steps


def parameters(shape: Shape, like: Result) -> int:
    """Of a model of `shape`, with the embedding of the run `like`."""
    from pretrain.fit import model_config
    from pretrain.seam import Seam

    config = like.trial.config
    rows = model_config(config, Seam.open(config.data.path)).vocab_size
    return ModelConfig(rows, shape.width, shape.layers, shape.heads).num_parameters


def sweep_page(results: Sequence[Result]) -> str:
    """Loss over the rate, a line for each shape and length, above the page of all runs."""
    lines, names = [], []
    for i, ((shape, steps), found) in enumerate(groups(results).items()):
        points = sorted((it.rate, it.loss) for it in found if it.loss is not None)
        name = f"{shape}, {steps:,} steps"
        lines.append(Line(name, points, i % COLOURS, dots=True))
        names.append((i % COLOURS, name))
    drawn = chart.draw(lines, Axes("loss by learning rate", "learning rate", log_x=True))
    runs = read([it.trial.config.run.dir for it in results if (it.trial.config.run.dir / "run.json").is_file()])
    return page(runs, [Picture(Markup(drawn), names)])  # noqa: S704  # names are escaped there
