"""SVG from small functions: elements, scales, ticks.

    svg(element('circle', cx='45%', r=4), height=24, title='fertility') -> Markup('<svg …>…</svg>')

Every attribute and every text goes through `visible` and is escaped here, so that nothing from the corpus can break
out. Places are percentages of a plot that fills the room it is given; letters are never scaled, so that a page of 400
pixels and a printed one can both be read. Colours come from the style sheet by class. It must never hold a colour or
a word.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from pipeline.report.wording import visible

ROW = 20  # height of a row, pixels
LABEL = 178  # width of the labels to the left of a plot
FIGURE = 64  # width of the figures to its right
UNDER = 18  # height of the words under a plot


def element(name: str, *children: object, **attributes: object) -> Markup:
    """`<name a="…">children</name>`. `class_` is class, other underscores are hyphens; None leaves an attribute out.

    `name` and the keywords are ours and go in as they are; children and values are escaped."""
    written = "".join(  # a page has thousands of elements: plain strings are joined, each value escaped on its way in
        f' {key.rstrip("_").replace("_", "-")}="{escape(_safe(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inside = "".join(child if isinstance(child, Markup) else escape(_safe(child)) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>")  # noqa: S704


def _safe(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, Markup) else visible(str(value))


def svg(
    *children: Markup, height: float, title: str, left: float = 0, right: float = 0, class_: str = "chart"
) -> Markup:
    """A picture as wide as its room; `title` is what a screen reader says of it.

    `left` and `right` are room for labels and figures: padding, so that percentages count the plot alone."""
    style = f"padding:0 {right}px 0 {left}px" if left or right else None
    return element(
        "svg", *children, class_=class_, width="100%", height=height, style=style, role="img", aria_label=title
    )


def row(y: float, name: Markup, says: str, *children: Markup, lang: str | None = None) -> Markup:
    """One row of a chart, at `y`: its label, what it says on pointing, what is drawn (y counts from the row's top)."""
    hit = element("rect", x=0, y=0, width="100%", height=ROW, class_="hit")
    return element(
        "g", element("title", says), hit, name, *children, data_lang=lang, class_="row", transform=f"translate(0 {y:g})"
    )


def label(text: str, small: str = "") -> Markup:
    """A row's name, right-aligned at the plot; `small` is a code beside it."""
    code = element("tspan", " " + small, class_="code") if small else Markup("")
    return element("text", text, code, x=-8, y=14, class_="label", text_anchor="end")


def figure(text: str, right: float = FIGURE) -> Markup:
    """A number at the right edge."""
    return element("text", text, x="100%", dx=right, y=14, class_="figure", text_anchor="end")


def percent(part: float) -> str:
    """A place in the plot: 0 is its left edge, 1 its right."""
    return f"{100 * part:.3f}%"


@dataclass(frozen=True)
class Scale:
    """Numbers -> places in [0, 1]; `ticks` are the numbers at which lines are drawn."""

    low: float
    high: float
    log: bool = False

    def __call__(self, value: float) -> float:
        if self.log:
            low, high, value = math.log10(self.low), math.log10(self.high), math.log10(max(value, self.low))
        else:
            low, high = self.low, self.high
        return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.0

    def ticks(self) -> list[float]:
        """Whole powers of ten of a log scale (every second where there are many), else 4 to 6 round steps."""
        if self.log:
            powers = list(range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1))
            return [10.0**p for p in powers[:: 1 if len(powers) <= 6 else 2]]
        step = _round_step((self.high - self.low) / 4)
        first = math.ceil(self.low / step - 1e-9)
        return [step * i for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * (1 - 1e-9))


def log_scale(values: Sequence[float]) -> Scale:
    """From the power of ten below the smallest positive value to the largest."""
    positive = [v for v in values if v > 0] or [1.0]
    low = 10.0 ** math.floor(math.log10(min(positive)) + 1e-9)
    return Scale(low, max(*positive, low * 10), log=True)


def grid(scale: Scale, height: float, words: Sequence[str], top: float = 0) -> Markup:
    """Lines at the ticks, and their words below, which need UNDER pixels."""
    lines = [
        element("line", x1=percent(scale(t)), x2=percent(scale(t)), y1=top, y2=height, class_="grid")
        for t in scale.ticks()
    ]
    texts = [
        element("text", word, x=percent(scale(t)), y=height + 13, class_="tick", text_anchor="middle")
        for t, word in zip(scale.ticks(), words, strict=True)
    ]
    return Markup("").join([*lines, *texts])
