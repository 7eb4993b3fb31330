"""The pictures of distributions: lengths of documents, sizes of clusters, the curve of LSH.

    lengths(row) -> Markup       a histogram of one language, where languages were set (outline) and at the end (filled)
    clusters([[2, 310], [3, 41]]) -> Markup
    lsh_curve({bands, rows, threshold}, [[0.0, 0.0], …]) -> Markup

It must never compute a number that is not in the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from pipeline.report.draw import FIGURE, LABEL, ROW, UNDER, Scale, element, figure, grid, label, percent, row, svg
from pipeline.report.pictures import BAR, counts_scale, group_class
from pipeline.report.wording import count, plural, say_bytes, short

HEIGHT = 54  # of a histogram, pixels


def bins(languages: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """The smallest and the largest log2 size that any language has, so that all histograms share one axis."""
    found = [size for row in languages for size, _ in [*row["sizes_in"], *row["sizes"]]]
    return (min(found), max(found) + 1) if found else (0, 1)


def lengths(it: dict[str, Any], low: int, high: int) -> Markup:
    """Documents by bytes, in bins of a factor of two; the highest bar fills the height."""
    most = max((n for _, n in [*it["sizes_in"], *it["sizes"]]), default=1)
    wide = 1 / (high - low)
    kinds = ((it["sizes"], group_class(it["group"])), (it["sizes_in"], "before"))
    bars = [_column((size - low) * wide, wide, n / most, class_) for sizes, class_ in kinds for size, n in sizes]
    axis = element("line", x1=0, x2="100%", y1=HEIGHT, y2=HEIGHT, class_="axis")
    words = [(low, "start"), (high, "end")]
    marks = [
        element(
            "text", _size(2.0**size), x=percent((size - low) * wide), y=HEIGHT + 12, class_="tick", text_anchor=anchor
        )
        for size, anchor in words
    ]
    documents = plural(it["documents"], "document")
    title = f"{it['name']}: bytes a document; {documents} at the end, median about {median(it['sizes'])}"
    return svg(element("title", title), axis, *bars, *marks, height=HEIGHT + 16, title=title, class_="histogram")


def _size(size: float) -> str:
    """A power of two, in few digits: it is the edge of a bin."""
    number, unit = say_bytes(size).split()
    return f"{float(number):.0f} {unit}"


def _column(x: float, width: float, part: float, class_: str) -> Markup:
    tall = max(1.0, part * (HEIGHT - 2))
    return element("rect", x=percent(x), width=percent(width * 0.96), y=HEIGHT - tall, height=tall, class_=class_)


def median(sizes: Sequence[Sequence[int]]) -> str:
    """The middle of the bin that holds the median document, in words."""
    half, seen = sum(n for _, n in sizes) / 2, 0
    for size, n in sizes:
        seen += n
        if seen >= half:
            return say_bytes(2.0 ** (size + 0.5))
    return "nothing"


def clusters(sizes: Sequence[Sequence[int]], most: int = 16) -> Markup:
    """How many clusters there are of each size; sizes beyond the first `most` in bins of a factor of two."""
    rows = _folded(sizes, most)
    scale, height = counts_scale([n for _, n in rows]), len(rows) * ROW
    drawn = []
    for i, (name, n) in enumerate(rows):
        bar = element("rect", x=0, y=4, width=percent(scale(n)), height=BAR, class_="kept")
        drawn.append(
            row(
                i * ROW,
                label(f"{name} documents"),
                f"{plural(n, 'cluster')} of {name} documents",
                bar,
                figure(count(n)),
            )
        )
    lines = grid(scale, height, [short(t) for t in scale.ticks()])
    return svg(lines, *drawn, height=height + UNDER, title="Clusters by number of documents", left=LABEL, right=FIGURE)


def _folded(sizes: Sequence[Sequence[int]], most: int) -> list[tuple[str, int]]:
    out = [(str(size), n) for size, n in sorted(map(tuple, sizes))[:most]]
    bins: dict[int, int] = {}
    for size, n in sorted(map(tuple, sizes))[most:]:
        bins[size.bit_length() - 1] = bins.get(size.bit_length() - 1, 0) + n
    return out + [(f"{2**b}–{2 ** (b + 1) - 1}", n) for b, n in sorted(bins.items())]


def lsh_curve(settings: dict[str, Any], curve: Sequence[Sequence[float]]) -> Markup:
    """Chance that two documents become candidates, over their Jaccard; the threshold is a broken line."""
    tall, scale = 180, Scale(0, 1)
    points = " ".join(f"{100 * j:.3f},{100 * (1 - p):.3f}" for j, p in curve)
    stretched = {
        "viewBox": "0 0 100 100",
        "preserveAspectRatio": "none",
        "width": "100%",
        "height": tall,
        "overflow": "visible",
    }
    line = element("svg", element("polyline", points=points, class_="curve"), **stretched)
    axis = element("text", "Jaccard of two documents", x="50%", y=tall + 30, class_="tick", text_anchor="middle")
    inside = element(
        "g",
        grid(scale, tall, [f"{t:g}" for t in scale.ticks()]),
        *_levels(scale, tall),
        line,
        *_threshold(settings, scale, tall),
        axis,
        transform="translate(0 16)",
    )
    title = f"Chance to become candidates: {settings.get('bands')} bands of {settings.get('rows')} rows"
    return svg(inside, height=tall + 56, title=title, left=48, right=16)


def _levels(scale: Scale, tall: float) -> list[Markup]:
    """Level lines of a chance, with their words to the left."""
    places = [(tall * (1 - tick), f"{100 * tick:g}%") for tick in scale.ticks()]
    lines = [element("line", x1=0, x2="100%", y1=y, y2=y, class_="grid") for y, _ in places]
    return lines + [element("text", word, x=-6, y=y + 4, class_="tick", text_anchor="end") for y, word in places]


def _threshold(settings: dict[str, Any], scale: Scale, tall: float) -> list[Markup]:
    if (threshold := settings.get("threshold")) is None:
        return []
    at = percent(scale(threshold))
    line = element("line", x1=at, x2=at, y1=0, y2=tall, class_="median")
    return [line, element("text", f"threshold {threshold:g}", x=at, y=-5, class_="tick", text_anchor="middle")]
