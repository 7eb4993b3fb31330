"""A tokenizer's fertility as a page: the curve of sizes, parity, a table of languages, what of the vocabulary is odd.

    write_page(found, workdir) -> workdir/tokenizer.html

One file that asks the network for nothing. The walls are those of the report: every value goes through `visible` and
is escaped, no text of the corpus stands in a script or a style, and no script runs but the report's own.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from pipeline.fertility.measured import Fertility
from pipeline.fertility.words import advice, summary
from pipeline.report.draw import UNDER, Scale, element, percent, svg
from pipeline.report.environment import environment, ours, script
from pipeline.report.names import group
from pipeline.report.pictures import fertility as lollipops
from pipeline.report.wording import count, say_bytes, share
from pipeline.store.files import written_whole

HERE = Path(__file__).parent
TALL = 240  # height of the curve, pixels


def write_page(found: Fertility, workdir: Path) -> Path:
    """Writes the page whole or not at all; returns its path."""
    path = workdir / "tokenizer.html"
    with written_whole(path) as aside:
        aside.write_text(render_page(found), "utf-8")
    return path


def render_page(found: Fertility) -> str:
    """The whole page. Two pages of equal measurements are equal."""
    code, policy = script("sort.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            found=found,
            style=ours("page.css"),
            script=code,
            policy=policy,
            summary=summary(found),
            advice=advice(found),
            curve=curve(found),
            parity=_parity(found.languages),
        )
    )


def curve(found: Fertility) -> Markup:
    """Tokens of each language over sizes of vocabulary, those of the largest being 1; the mean as a thick line."""
    sizes = [one["size"] for one in found.sizes]
    if len(sizes) < 2:
        return Markup("")
    lines = {lang: _relative(found, lang) for lang in sorted(found.sizes[-1]["tokens"]) if _relative(found, lang)}
    means = [sum(line[at] for line in lines.values()) / len(lines) for at in range(len(sizes))]
    top = max(1.2, *means, *(max(line) for line in lines.values()))
    across, up = Scale(math.log2(sizes[0]), math.log2(sizes[-1])), Scale(1, top)
    drawn = [_line(line, sizes, across, up, "join", says=lang) for lang, line in lines.items()]
    drawn.append(_line(means, sizes, across, up, "curve", says="mean of the languages"))
    at = percent(across(math.log2(found.recommended)))
    mark = element("line", x1=at, x2=at, y1=0, y2=TALL, class_="median")
    words = [_under(size, percent(across(math.log2(size)))) for size in sizes]
    title = f"Tokens by size of the vocabulary; recommended: {count(found.recommended)}"
    return svg(*_levels(up), *_stretched(drawn), mark, *words, height=TALL + UNDER, title=title, left=48, right=32)


def _relative(found: Fertility, lang: str) -> list[float]:
    base = found.sizes[-1]["tokens"][lang]
    return [one["tokens"][lang] / base for one in found.sizes] if base else []


def _line(line: list[float], sizes: list[int], across: Scale, up: Scale, class_: str, says: str) -> Markup:
    places = zip(sizes, line, strict=True)
    points = " ".join(f"{100 * across(math.log2(size)):.3f},{100 * (1 - up(value)):.3f}" for size, value in places)
    return element("polyline", element("title", says), points=points, class_=f"{class_} bare")


def _stretched(lines: list[Markup]) -> list[Markup]:
    room = {"viewBox": "0 0 100 100", "preserveAspectRatio": "none", "width": "100%", "height": TALL}
    return [element("svg", *lines, overflow="visible", **room)]


def _levels(up: Scale) -> list[Markup]:
    """Level lines, with their words to the left."""
    places = [(TALL * (1 - up(tick)), f"{tick:g}×") for tick in up.ticks()]
    lines = [element("line", x1=0, x2="100%", y1=y, y2=y, class_="grid") for y, _ in places]
    return lines + [element("text", word, x=-6, y=y + 4, class_="tick", text_anchor="end") for y, word in places]


def _under(size: int, at: str) -> Markup:
    return element("text", count(size), x=at, y=TALL + 13, class_="tick", text_anchor="middle")


def _parity(languages: list[dict[str, Any]]) -> Markup:
    """A dot a language; empty without parallel text."""
    told = [
        {"lang": row["lang"], "name": row["name"], "group": group(row["lang"], row["kind"]), "parity": _own(row)}
        for row in languages
    ]
    return lollipops(told, "parity", "times the tokens of English")


def _own(row: dict[str, Any]) -> float | None:
    return row["parallel"]["parity"] if row["parallel"] else None


@cache
def _environment() -> Environment:
    return environment(HERE, count=count, bytes=say_bytes, share=share)
