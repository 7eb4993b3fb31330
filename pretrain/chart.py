"""Lines over an axis as a picture: SVG of a fixed shape, no library, light and dark.

    [Line("train", [(x, y), ...]), ...]  ->  "<svg viewBox='0 0 400 240' ...>...</svg>"

Colours come by class (c0 to c7) from the page, or from `STYLE` in a file of its own. Names are escaped. Points that are
no finite number, or not positive on a logarithmic axis, are left out; long lines are averaged. Never opens a file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

Point = tuple[float, float]
COLOURS = 8
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 20, 30, 36
_TINY, _HUGE = 1e-100, 1e100  # beyond these a number is no measurement
_LIGHT = ("#0072b2", "#c44e00", "#00875f", "#b5578b", "#8a6d00", "#5f6873", "#7a5195", "#4a9fdb")
_DARK = ("#5cb3ee", "#f08a4b", "#2fc79a", "#e19cc4", "#e0b83a", "#b4bcc6", "#bb9be0", "#9bd1f5")


def _colours(colours: Sequence[str]) -> str:
    return "".join(f".c{i}{{stroke:{c}}}.d{i}{{fill:{c}}}" for i, c in enumerate(colours))


STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#555}.grid{stroke:#ddd}.title{font-size:13px;fill:#222}"
    f"polyline{{fill:none;stroke-width:1.6}}.faint{{opacity:.3}}{_colours(_LIGHT)}"
    f"@media(prefers-color-scheme:dark){{text{{fill:#aaa}}.title{{fill:#eee}}.grid{{stroke:#444}}{_colours(_DARK)}}}"
)


@dataclass(frozen=True)
class Line:
    name: str  # told when it is pointed at
    points: Sequence[Point]
    colour: int = 0
    dots: bool = False  # mark every point
    faint: bool = False


@dataclass(frozen=True)
class Axes:
    """What a picture is of. Sizes are units of the viewBox, about pixels."""

    title: str
    x: str = "tokens"
    log_x: bool = False
    log_y: bool = False
    width: int = 400
    height: int = 240
    most: int = 300  # points drawn of a line


def draw(lines: Sequence[Line], axes: Axes, alone: bool = False) -> str:
    """`alone`: a file of its own, which needs its style; without any point, a picture that says so."""
    shown = [(line, thin(_finite(line.points, axes), axes.most)) for line in lines]
    points = [point for _, found in shown for point in found]
    head = f'<text class="title" x="{_LEFT}" y="18">{escape(axes.title)}</text>'
    body = [head, *(_drawn(shown, points, axes) if points else [_nothing(axes)])]
    size = f'viewBox="0 0 {axes.width} {axes.height}"' + (f' width="{axes.width}" height="{axes.height}"' * alone)
    space = ' xmlns="http://www.w3.org/2000/svg"' * alone
    title = f"<title>{escape(axes.title)}</title>" * alone
    style = f"<style>{STYLE}</style>" * alone
    label = f'role="img" aria-label="{escape(axes.title)}"'
    return "\n".join([f"<svg{space} {size} {label}>{title}{style}", *body, "</svg>", ""])


def _drawn(shown: list[tuple[Line, list[Point]]], points: list[Point], axes: Axes) -> list[str]:
    scale = _Scale(points, axes)
    return [
        *(scale.row(y) for y in scale.y_ticks),
        *(scale.column(x) for x in scale.x_ticks),
        *(_line(line, [scale.at(p) for p in found]) for line, found in shown),
        f'<text x="{axes.width - _RIGHT}" y="{axes.height - 4}" text-anchor="end">{escape(axes.x)}</text>',
    ]


def _nothing(axes: Axes) -> str:
    return f'<text x="{axes.width / 2}" y="{axes.height / 2}" text-anchor="middle">nothing yet</text>'


class _Scale:
    def __init__(self, points: list[Point], axes: Axes) -> None:
        self._axes = axes
        xs, ys = [x for x, _ in points], [y for _, y in points]
        across, up = max(2, axes.width // 70), max(2, axes.height // 40)  # so that words keep apart
        self.x_ticks = _powers(min(xs), max(xs)) if axes.log_x else ticks(min(0.0, *xs), max(xs), across)
        self.y_ticks = _powers(min(ys), max(ys)) if axes.log_y else ticks(min(ys), max(ys), up)

    def at(self, point: Point) -> Point:
        axes = self._axes
        across = _share(point[0], self.x_ticks, axes.log_x)
        up = _share(point[1], self.y_ticks, axes.log_y)
        return (
            _LEFT + across * (axes.width - _LEFT - _RIGHT),
            axes.height - _BOTTOM - up * (axes.height - _TOP - _BOTTOM),
        )

    def row(self, value: float) -> str:
        y = self.at((self.x_ticks[0], value))[1]
        line = f'<line class="grid" x1="{_LEFT}" x2="{self._axes.width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        return line + f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(value)}</text>'

    def column(self, value: float) -> str:
        x, y = self.at((value, self.y_ticks[0]))
        return f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{short(value)}</text>'


def _share(value: float, marks: list[float], log: bool) -> float:
    low, high = marks[0], marks[-1]
    if log:
        value, low, high = math.log(value), math.log(low), math.log(high)
    return (value - low) / (high - low)


def _line(line: Line, points: list[Point]) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    faint = " faint" * line.faint
    told = f"<title>{escape(line.name)}</title>"
    dots = "".join(f'<circle class="d{line.colour}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in points)
    return f'<g>{told}<polyline class="c{line.colour}{faint}" points="{path}"/>{dots * line.dots}</g>'


def _finite(points: Sequence[Point], axes: Axes) -> list[Point]:
    found = [(x, y) for x, y in points if abs(x) < _HUGE and abs(y) < _HUGE]  # which NaN is not
    return [(x, y) for x, y in found if (x > _TINY or not axes.log_x) and (y > _TINY or not axes.log_y)]


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` points: means of y over groups of neighbours, at the last x of each."""
    if len(points) <= most:
        return list(points)
    edges = [i * len(points) // most for i in range(most + 1)]
    groups = [points[a:b] for a, b in pairwise(edges)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values from at or below `low` to at or above `high`, at most `most + 2` of them (and at least two)."""
    largest = max(abs(low), abs(high))
    span = high - low
    if span < 1e-9 * largest or largest < _TINY:  # as good as one value
        span = largest if largest >= _TINY else 1.0
    unit = 10.0 ** math.floor(math.log10(span / most))
    step = next(unit * m for m in (1, 2, 5, 10, 20) if span / (unit * m) <= most)
    first = math.floor(low / step)
    last = max(first + 1, math.ceil(high / step))
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def _powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten around the values, or the powers alone where there are many."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(1, -(-(last - first) // 6))
    if last - first > 2:
        return [10.0**p for p in range(first, last + every, every)]
    marks = [float(f"{m * 10.0**p:.3g}") for p in range(first, last + 1) for m in (1, 2, 5)]
    below, above = [m for m in marks if m <= low], [m for m in marks if m >= high]
    lowest, highest = max(below), min(above, default=marks[-1])
    return [m for m in marks if lowest <= m <= highest] if lowest < highest else [lowest, lowest * 2]


def short(value: float) -> str:
    """In a few signs: 1.2M, 3e-05."""
    for unit, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= scale:
            return f"{value / scale:.4g}{unit}"
    return f"{value:.4g}"
