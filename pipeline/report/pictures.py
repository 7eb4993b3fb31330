"""The pictures of the language mix, the funnel and fertility: rows of bars and dots, one a language or stage.

    mix_bars(languages, log=False) -> Markup (inline SVG)

Each row of a language carries `data-lang`, by which the page can follow one language through all pictures, and a
`<title>` with its numbers. Colour says the family, but never alone: names stand beside, and one view is in groups. It
must never compute a number that is not in the report.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.report.draw import (
    FIGURE,
    LABEL,
    ROW,
    UNDER,
    Scale,
    element,
    figure,
    grid,
    label,
    log_scale,
    percent,
    row,
    svg,
)
from pipeline.report.languages import ALPHAS
from pipeline.report.levels import bytes_lost
from pipeline.report.names import GROUPS
from pipeline.report.wording import count, plural, say_bytes, share, short

Row = dict[str, Any]
BAR = 12  # height of a bar, pixels
STAGE = 120  # width of the label of a stage, pixels
REASON = 240  # width of the label of a reason with its stage


def group_class(group: str) -> str:
    """Class of a group of languages in the style sheet: its place in GROUPS."""
    return f"group g{GROUPS.index(group)}"


def language_row(it: Row, y: float, *children: Markup, says: str, words: str) -> Markup:
    """A language's row: name and code, what is drawn of it, its figure."""
    name, code = (it["lang"], "") if it["name"] == it["lang"] else (it["name"], it["lang"])
    return row(y, label(name, code), says, *children, figure(words), lang=it["lang"])


def _chart(
    rows: Sequence[Markup], scale: Scale, words: Sequence[str], height: float, title: str, *more: Markup
) -> Markup:
    lines = grid(scale, height, words)
    return svg(lines, *more, *rows, height=height + UNDER, title=title, left=LABEL, right=FIGURE)


def _bar(part: float, class_: str, start: float = 0) -> Markup:
    return element("rect", x=percent(start), y=4, width=percent(part), height=BAR, class_=class_)


def _percents(scale: Scale) -> list[str]:
    return [f"{100 * tick:.3g}%" for tick in scale.ticks()]


def mix_bars(languages: Sequence[Row], log: bool = False) -> Markup:
    """Share of tokens by language, the largest first; on a log scale the small ones can be told apart."""
    rows = [it for it in languages if it["share"]]
    scale = log_scale([it["share"] for it in rows]) if log else Scale(0, max((it["share"] for it in rows), default=1))
    drawn = [_mix_row(it, i * ROW, scale) for i, it in enumerate(rows)]
    return _chart(drawn, scale, _percents(scale), len(rows) * ROW, f"Share of tokens, {plural(len(rows), 'language')}")


def mix_groups(languages: Sequence[Row]) -> Markup:
    """The same in groups of families, each with its sum."""
    rows = [it for it in languages if it["share"]]
    scale = log_scale([it["share"] for it in rows])
    drawn, y = [], 0
    for group in GROUPS:
        members = [it for it in rows if it["group"] == group]
        if members:
            text = f"{group}: {plural(len(members), 'language')}, {share(sum(it['share'] for it in members))}"
            drawn.append(element("text", text, x=-LABEL, y=y + 16, class_="head"))
            drawn += [_mix_row(it, y + ROW * (i + 1), scale) for i, it in enumerate(members)]
            y += ROW * (len(members) + 1) + 6
    return _chart(drawn, scale, _percents(scale), y, "Share of tokens by family of languages")


def _mix_row(it: Row, y: float, scale: Scale) -> Markup:
    amount = f"{count(it['tokens'])} tokens" if it["tokens"] is not None else say_bytes(it["bytes"])
    says = f"{it['name']} ({it['lang']}), {it['family']}: {share(it['share'])}, {amount}"
    return language_row(it, y, _bar(scale(it["share"]), group_class(it["group"])), says=says, words=share(it["share"]))


def temperatures(languages: Sequence[Row]) -> Markup:
    """A dot for the natural share, one for each alpha, joined by a line; figures are epochs at the smallest alpha."""
    rows = [it for it in languages if it["share"]]
    scale = log_scale([q for it in rows for q in (it["share"], *it["temperature"].values())])
    drawn = [_temperature_row(it, i * ROW, scale) for i, it in enumerate(rows)]
    return _chart(drawn, scale, _percents(scale), len(rows) * ROW, "Shares that a temperature would give each language")


def _temperature_row(it: Row, y: float, scale: Scale) -> Markup:
    mixes = [it["temperature"][str(alpha)] for alpha in ALPHAS]
    ends = [scale(end) for end in (min(it["share"], *mixes), max(it["share"], *mixes))]
    line = element("line", x1=percent(ends[0]), x2=percent(ends[1]), y1=10, y2=10, class_="join")
    dots = [_dot(scale(q), f"alpha a{n}", 4) for n, q in enumerate(mixes)]
    words = [f"{a}: {share(q)} ({it['epochs'][str(a)]:.3g} epochs)" for a, q in zip(ALPHAS, mixes, strict=True)]
    says = f"{it['name']}: natural {share(it['share'])}; alpha {', '.join(words)}"
    drawn = (line, *dots, _dot(scale(it["share"]), "alpha natural", 4))
    return language_row(it, y, *drawn, says=says, words=f"{it['epochs'][str(ALPHAS[-1])]:.2f}×")


def _dot(place: float, class_: str, radius: float) -> Markup:
    return element("circle", cx=percent(place), cy=10, r=radius, class_=class_)


def fertility(languages: Sequence[Row], what: str, unit: str) -> Markup:
    """A dot a language, the largest on top; a broken line marks the median language."""
    rows = sorted((it for it in languages if it[what]), key=lambda it: (-it[what], it["lang"]))
    if not rows:
        return Markup("")
    scale, middle = Scale(0, rows[0][what] * 1.02), rows[len(rows) // 2][what]
    height, at = len(rows) * ROW, percent(scale(middle))
    drawn = [_lollipop(it, i * ROW, scale(it[what]), f"{it[what]:.2f}", unit) for i, it in enumerate(rows)]
    line = element("line", x1=at, x2=at, y1=0, y2=height, class_="median")
    title = f"{unit} by language; the median language has {middle:.2f}"
    return _chart(drawn, scale, [f"{t:g}" for t in scale.ticks()], height, title, line)


def _lollipop(it: Row, y: float, place: float, words: str, unit: str) -> Markup:
    stick = element("line", x1=0, x2=percent(place), y1=10, y2=10, class_="stick")
    return language_row(
        it, y, stick, _dot(place, group_class(it["group"]), 5), says=f"{it['name']}: {words} {unit}", words=words
    )


def funnel_bars(funnel: Sequence[Row], what: str, say: Callable[[float], str]) -> Markup:
    """What stayed at each level, and behind it, hatched, what that level dropped or edited out. `what` is documents or
    bytes."""
    gone = [level["dropped"] if what == "documents" else bytes_lost(level) for level in funnel]
    scale = Scale(0, max((level[what] + lost for level, lost in zip(funnel, gone, strict=True)), default=1) or 1)
    drawn = [
        _funnel_row(level, i * ROW, level[what], lost, scale, say)
        for i, (level, lost) in enumerate(zip(funnel, gone, strict=True))
    ]
    return svg(
        *drawn, height=len(funnel) * ROW + 4, title=f"{what} that stayed at each stage", left=STAGE, right=2 * FIGURE
    )


def _funnel_row(level: Row, y: float, kept: int, gone: int, scale: Scale, say: Callable[[float], str]) -> Markup:
    part = gone / (kept + gone) if gone else 0.0
    says = f"{level['label']}: {say(kept)} stayed, {say(gone)} went ({share(part)})"
    bars = (_bar(scale(kept), "kept"), _bar(scale(kept + gone) - scale(kept), "gone", start=scale(kept)))
    words = say(kept) + (f"  −{share(part)}" if gone else "")
    return row(y, label(level["label"]), says, *bars[: 2 if gone else 1], figure(words, 2 * FIGURE))


def reason_bars(drops: Sequence[Row]) -> Markup:
    """Documents dropped for each reason, on a log scale, with their numbers."""
    scale, height = counts_scale([drop["documents"] for drop in drops]), len(drops) * ROW
    drawn = []
    for i, drop in enumerate(drops):
        says = f"{drop['stage']}, {drop['reason']}: {plural(drop['documents'], 'document')}, {say_bytes(drop['bytes'])}"
        bar = _bar(scale(drop["documents"]), "gone")
        drawn.append(row(i * ROW, label(drop["reason"], drop["stage"]), says, bar, figure(count(drop["documents"]))))
    lines = grid(scale, height, [short(t) for t in scale.ticks()])
    return svg(lines, *drawn, height=height + UNDER, title="Documents dropped, by reason", left=REASON, right=FIGURE)


def counts_scale(counts: Sequence[int]) -> Scale:
    """A log scale that begins below 1, so that one of something has a bar."""
    return Scale(0.5, max([10, *counts]), log=True)
