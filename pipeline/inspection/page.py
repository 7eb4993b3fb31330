"""An inspection as a page: histograms by language with their limits, a table, documents to read on both sides.

    write_page(found, workdir) -> workdir/inspect-<measure>[-<languages>].html

One file that asks the network for nothing. The walls are those of the report: every value goes through `visible` and
is escaped, no text of the corpus stands in a script or a style, and no script runs but the report's own.
"""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from pipeline.inspection.inspected import BINS, QUANTILES, Axis, Inspected, Spread
from pipeline.inspection.words import headline, number, percent_of, snippet
from pipeline.report.draw import element, percent, svg
from pipeline.report.environment import environment, ours, script
from pipeline.report.wording import count, plural, say_bytes, share
from pipeline.store.files import written_whole
from pipeline.text.languages import LANGUAGES

HERE = Path(__file__).parent
LARGE, SMALL = 180, 54  # heights of histograms, pixels
MOST_NAMED = 3  # languages in the name of the file


def write_page(found: Inspected, workdir: Path) -> Path:
    """Writes the page whole or not at all; returns its path."""
    path = workdir / f"{_file_name(found)}.html"
    with written_whole(path) as aside:
        aside.write_text(render_page(found), "utf-8")
    return path


def render_page(found: Inspected) -> str:
    """The whole page. Two pages of equal inspections are equal."""
    code, policy = script("sort.js")
    sides = [("Dropped, nearest to a limit", found.dropped), ("Kept, nearest to a limit", found.kept)]
    return (
        _environment()
        .get_template("page.html")
        .render(
            found=found,
            style=ours("page.css"),
            script=code,
            policy=policy,
            headline=headline(found),
            snippet=snippet(found),
            whole=histogram(found.whole, found.axis, LARGE),
            small=[(spread, histogram(spread, found.axis, SMALL)) for spread in found.languages],
            sides=[side for side in (*sides, ("From the lowest value to the highest", found.along)) if side[1]],
            quantiles=QUANTILES,
            known=LANGUAGES,
        )
    )


def histogram(spread: Spread, axis: Axis, height: int) -> Markup:
    """Documents by value; bars by the square root of their number, beyond a limit hatched; limits as lines."""
    most, wide = max([*spread.counts, 1]), 1 / BINS
    limits = [limit for limit in (spread.limits.low, spread.limits.high) if limit is not None]
    bars = [
        _bar(which, n, most, wide, height, _class(spread, axis, which)) for which, n in enumerate(spread.counts) if n
    ]
    lines = [_line(float(axis.place(limit)), height) for limit in limits]
    words = [
        (number(axis.edge(which)), which / BINS) for which in range(0, BINS + 1, BINS // (8 if height > 100 else 2))
    ]
    ticks = [_tick(word, place, height) for word, place in words]
    base = element("line", x1=0, x2="100%", y1=height, y2=height, class_="axis")
    title = f"{spread.lang or 'all languages'}: {percent_of(spread)} dropped"
    return svg(
        element("title", title), base, *bars, *lines, *ticks, height=height + 18, title=title, class_="histogram"
    )


def _class(spread: Spread, axis: Axis, which: int) -> str:
    """Whether a bin lies beyond a limit, by its middle: a bin that a limit cuts is as most of it."""
    middle, limits = axis.edge(which + 0.5), spread.limits
    low, high = limits.low, limits.high
    return "gone" if (low is not None and middle < low) or (high is not None and middle > high) else "kept"


def _bar(which: int, documents: int, most: int, wide: float, height: int, class_: str) -> Markup:
    tall = max(1.0, math.sqrt(documents / most) * (height - 2))  # a square root, so that few documents can be seen
    says = element("title", plural(documents, "document"))
    place = {"x": percent(which * wide), "width": percent(wide * 0.94), "y": height - tall, "height": tall}
    return element("rect", says, class_=class_, **place)


def _line(place: float, height: int) -> Markup:
    return element("line", x1=percent(place), x2=percent(place), y1=0, y2=height, class_="median")


def _tick(word: str, place: float, height: int) -> Markup:
    anchor = "start" if place == 0 else "end" if place == 1 else "middle"
    return element("text", word, x=percent(place), y=height + 13, class_="tick", text_anchor=anchor)


@cache
def _environment() -> Environment:
    return environment(HERE, count=count, bytes=say_bytes, share=share, number=number)


def _file_name(found: Inspected) -> str:
    """A name of plain letters, whatever a language is called."""
    langs = sorted(spread.lang for spread in found.languages)
    parts = ["inspect", found.measure, *(langs if len(langs) <= MOST_NAMED else [])]
    return re.sub(r"[^A-Za-z0-9_.-]", "_", "-".join(parts))
