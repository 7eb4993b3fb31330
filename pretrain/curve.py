"""The loss over training as a picture: one SVG file, no library, light and dark.

    [(samples, loss), ...], [(samples, validation loss), ...]  ->  "<svg ...>"

Never opens a file.
"""

from __future__ import annotations

import math
from html import escape
from itertools import pairwise

Point = tuple[float, float]
_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 40, 44
_MOST = 600  # points drawn; a longer curve is averaged
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#555}.grid{stroke:#ddd}.title{font-size:14px;fill:#222}"
    ".train{stroke:#2b6cb0;fill:none;stroke-width:1.5}.valid{stroke:#c05621;fill:none;stroke-width:2}.dot{fill:#c05621}"
    "@media(prefers-color-scheme:dark){text{fill:#aaa}.title{fill:#eee}.grid{stroke:#444}"
    ".train{stroke:#63b3ed}.valid{stroke:#f6ad55}.dot{fill:#f6ad55}}"
)


def draw(train: list[Point], valid: list[Point], title: str) -> str:
    """Training loss as a line, validation loss as dots on a line; x in samples, y in nats a token.

    Points that are no finite number are left out.
    """
    train, valid = _finite(train), _finite(valid)
    points = _thin(train)
    everything = points + valid
    if not everything:
        return f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}"></svg>\n'
    x_ticks = _ticks(0.0, max(x for x, _ in everything))
    y_ticks = _ticks(min(y for _, y in everything), max(y for _, y in everything))
    scale = _Scale(x_ticks, y_ticks)
    body = [
        *(scale.row(y) for y in y_ticks),
        *(scale.column(x) for x in x_ticks),
        _line("train", [scale.at(p) for p in points]),
        _line("valid", [scale.at(p) for p in valid]),
        *(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in map(scale.at, valid)),
        f'<text class="title" x="{_LEFT}" y="22">{escape(title)}</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 8}" text-anchor="end">samples</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="22" text-anchor="end">loss, nats a token: line training, dots holdout</text>',
    ]
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{escape(title)}</title>'
    return "\n".join([head, f"<style>{_STYLE}</style>", *body, "</svg>", ""])


class _Scale:
    def __init__(self, x_ticks: list[float], y_ticks: list[float]) -> None:
        self._x, self._y = (x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1])

    def at(self, point: Point) -> Point:
        across = (point[0] - self._x[0]) / (self._x[1] - self._x[0])
        up = (point[1] - self._y[0]) / (self._y[1] - self._y[0])
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)

    def row(self, value: float) -> str:
        y = self.at((self._x[0], value))[1]
        line = f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        return line + f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'

    def column(self, value: float) -> str:
        x = self.at((value, self._y[0]))[0]
        return f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{_short(value)}</text>'


def _line(kind: str, points: list[Point]) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{kind}" points="{path}"/>'


def _finite(points: list[Point]) -> list[Point]:
    return [point for point in points if all(map(math.isfinite, point))]


def _thin(points: list[Point]) -> list[Point]:
    if len(points) <= _MOST:
        return points
    edges = [i * len(points) // _MOST for i in range(_MOST + 1)]
    groups = [points[a:b] for a, b in pairwise(edges)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def _ticks(low: float, high: float) -> list[float]:
    """Four to ten round values from at or below `low` to at or above `high`."""
    span = (high - low) or abs(high) or 1.0
    unit = 10.0 ** _floor_log10(span / 5)
    step = next(unit * m for m in (1, 2, 5, 10) if span / (unit * m) <= 8)
    first = int(low // step)
    last = max(first + 1, int(-(-high // step)))
    return [round(i * step, 10) for i in range(first, last + 1)]


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".partition("e")[2])


def _short(value: float) -> str:
    for unit, scale in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= scale:
            return f"{value / scale:g}{unit}"
    return f"{value:g}"
