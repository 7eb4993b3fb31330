"""One page that shows runs: curves, languages, speed, memory, what they write. `pretrain plot RUN [RUN ...]`.

    [History, ...]  ->  "<!doctype html> ..."     whole in itself: no script, nothing loaded, light and dark

Every text is escaped by the template. Never reads a log, never writes a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pretrain import chart
from pretrain.chart import COLOURS, Axes, Line, Point
from pretrain.history import TOTAL, History, apart

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # what HTML or UTF-8 cannot hold
_HERE = Path(__file__).parent
_MOST = 6  # lines of a picture that shows parts of one run
_OLD_SAMPLES = 12  # earlier looks that are kept on the page


@dataclass(frozen=True)
class Picture:
    """A chart, and what its colours mean where they do not mean runs."""

    svg: Markup
    names: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True)
class Samples:
    """What a run wrote at one step."""

    step: int
    texts: Sequence[tuple[str, str]]  # the prompt, what follows it


def page(runs: Sequence[History], first: Sequence[Picture] = ()) -> str:
    """The whole page as HTML; `first` stands before the curves of the runs."""
    templates = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    html = templates.get_template("plot.html").render(
        title=", ".join(run.name for run in runs),
        rows=[_row(run, i) for i, run in enumerate(runs)],
        apart=[(key, [_say(value) for value in values]) for key, values in apart(runs)],
        curves=[*first, *_curves(runs)],
        layers=[_layers(run) for run in runs if run.layers],
        consumed=[_consumed(run) for run in runs if run.consumed],
        languages=_languages(runs),
        table=_table(runs),
        samples=[(run.name, _samples(run)) for run in runs if run.samples],
        style=Markup(chart.STYLE),  # noqa: S704  # ours
        many=len(runs) > 1,
    )
    return _UNSEEN.sub("\ufffd", html)


def _curves(runs: Sequence[History]) -> list[Picture]:
    """Everything that is one line a run; a picture without any point is left out."""

    def one(title: str, series: Callable[[History], Sequence[Point]], **axes: Any) -> list[Picture]:
        lines = [Line(run.name, series(run), i % COLOURS, len(series(run)) < 40) for i, run in enumerate(runs)]
        return [_picture(lines, Axes(title, **axes))] if any(line.points for line in lines) else []

    return [
        *one("training loss, nats a token", lambda run: run.metric("loss")),
        *one("holdout loss, nats a token", lambda run: run.score(TOTAL, "loss")),
        *one("holdout, bits a byte", lambda run: run.score(TOTAL, "bits_per_byte")),
        *one("gradient's norm before clipping", lambda run: run.metric("grad_norm"), log_y=True),
        *one("learning rate", lambda run: run.metric("lr")),
        *one("samples a step", lambda run: run.metric("batch")),
        *one("tokens a second", lambda run: run.pace("tokens_per_second")),
        *one("MFU, % of the peak", lambda run: [(x, 100 * y) for x, y in run.pace("mfu")]),
        *one("memory of the process, bytes", lambda run: run.pace("memory")),
        *one("memory of a GPU at most, bytes", lambda run: run.pace("device_memory")),
    ]


def _picture(lines: Sequence[Line], axes: Axes, names: Sequence[tuple[int, str]] = ()) -> Picture:
    return Picture(Markup(chart.draw(lines, axes)), names)  # noqa: S704  # names are escaped there


def _parts(title: str, names: Sequence[str], series: Callable[[str], Sequence[Point]], **axes: Any) -> Picture:
    """A picture of one run, with a line for each of some parts of it."""
    lines = [Line(name, series(name), i % COLOURS, len(series(name)) < 40) for i, name in enumerate(names)]
    return _picture(lines, Axes(title, **axes), [(i % COLOURS, name) for i, name in enumerate(names)])


def _layers(run: History) -> Picture:
    return _parts(f"{run.name}: gradient's norm by layer", _spread(run.layers), run.layer, log_y=True)


def _consumed(run: History) -> Picture:
    return _parts(f"{run.name}: tokens by language", list(run.consumed)[:_MOST], run.tokens_of)


def _spread(names: Sequence[str]) -> list[str]:
    """A few of many, the first and the last among them."""
    count = min(_MOST, len(names))
    return [names[round(i * (len(names) - 1) / max(1, count - 1))] for i in range(count)]


def _languages(runs: Sequence[History]) -> list[Picture]:
    """Bits a byte by language, a small picture each: those that were trained on most come first."""
    return [
        _picture(
            [Line(run.name, run.score(language, "bits_per_byte"), i % COLOURS, True) for i, run in enumerate(runs)],
            Axes(language, width=200, height=150),
        )
        for language in _scored(runs)
    ]


def _scored(runs: Sequence[History]) -> list[str]:
    consumed: dict[str, int] = {}
    for run in runs:
        for language, count in run.consumed.items():
            consumed[language] = consumed.get(language, 0) + count
    found = dict.fromkeys(language for run in runs for language in run.languages)
    return sorted(found, key=lambda language: (-consumed.get(language, 0), language))


def _table(runs: Sequence[History]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """(language, (tokens, loss, bits a byte) of each run) at the last look, and the total."""
    rows = []
    for language in [*_scored(runs), *([TOTAL] if any(run.validation for run in runs) else [])]:
        cells = []
        for run in runs:
            count = run.tokens if language == TOTAL else run.consumed.get(language)
            loss, bits = (_number(run.last(run.score(language, name))) for name in ("loss", "bits_per_byte"))
            cells.append((_count(count), loss, bits))
        rows.append((language, cells))
    return rows


def _row(run: History, place: int) -> dict[str, Any]:
    total = run.settings.get("train.steps")
    mfu = run.middle("mfu")
    return {
        "colour": place % COLOURS,
        "name": run.name,
        "steps": f"{run.steps:,}" + (f" of {total:,}" if isinstance(total, int) and total != run.steps else ""),
        "tokens": _count(run.tokens),
        "loss": _number(run.loss),
        "valid": _number(run.last(run.score(TOTAL, "loss"))),
        "bits": _number(run.last(run.score(TOTAL, "bits_per_byte"))),
        "speed": _count(run.middle("tokens_per_second")),
        "mfu": "" if mfu is None else f"{mfu:.1%}",
        "skipped": len(run.skips),
    }


def _samples(run: History) -> tuple[Samples, list[Samples]]:
    """What the run wrote last, and some of what it wrote before, the latest first."""
    steps = list(dict.fromkeys(line["step"] for line in run.samples))[::-1]
    looks = [Samples(step, [_cut(line) for line in run.samples if line["step"] == step]) for step in steps]
    earlier = looks[1:]
    return looks[0], earlier[:: max(1, -(-len(earlier) // _OLD_SAMPLES))]


def _cut(line: dict[str, Any]) -> tuple[str, str]:
    prompt, text = line["prompt"], line["text"]
    return (prompt, text[len(prompt) :]) if text.startswith(prompt) else ("", text)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _count(value: float | None) -> str:
    return "" if value is None else chart.short(round(value, 1)) if value >= 10_000 else f"{value:,.0f}"


def _say(value: Any) -> str:
    return "" if value is None else str(value)
