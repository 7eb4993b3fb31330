"""An inspection on the terminal: the spread by language, a histogram with its limits, samples of both sides.

Every word of the corpus goes through `visible` into a `Text`, which reads no markup. It must never print by itself
but in `print_inspection`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.inspection.inspected import BINS, QUANTILES, Inspected, Limits, Sample, Spread
from pipeline.inspection.words import headline, number, percent_of, snippet
from pipeline.report.wording import count, share, visible

ROWS = BINS // 2  # of the histogram
EIGHTHS = " ▏▎▍▌▋▊▉"
MOST = 12  # languages


def print_inspection(found: Inspected, console: Console) -> None:
    """The whole answer."""
    console.print(Text(headline(found)))
    if len(found.languages) > 1:
        console.print()
        console.print(_by_language(found.languages))
    console.print()
    for line in _histogram(found, max(20, console.width - 50)):
        console.print(line)
    sides = [("nearest to a limit, dropped", found.dropped), ("nearest to a limit, kept", found.kept)]
    for title, samples in sides if found.dropped or found.kept else [("from the lowest to the highest", found.along)]:
        _print_samples(console, title, samples)
    console.print(Text(f"\n{snippet(found)}"))


def _by_language(languages: Sequence[Spread]) -> Table:
    table = Table(box=None, pad_edge=False)
    heads = ["language", "documents", *(f"{q:.0%}" for q in QUANTILES), "lowest", "highest", "dropped", ""]
    for head in heads:
        table.add_column(head, justify="left" if head == "language" else "right", no_wrap=True)
    for spread in languages[:MOST]:
        quantiles = [number(q) for q in spread.quantiles] or [""] * len(QUANTILES)
        limits = ["" if limit is None else number(limit) for limit in (spread.limits.low, spread.limits.high)]
        cells = [spread.lang, count(spread.documents), *quantiles, *limits]
        cells += [count(spread.dropped), share(spread.dropped / spread.documents)] if spread.limits else ["", ""]
        table.add_row(*(Text(visible(cell)) for cell in cells))
    if len(languages) > MOST:
        table.add_row(Text(f"and {len(languages) - MOST} more: see the page"))
    return table


def _histogram(found: Inspected, width: int) -> Iterator[Text]:
    """ROWS bars; the place of a limit is a line between them."""
    pairs = [sum(found.whole.counts[i : i + 2]) for i in range(0, BINS, 2)]
    most = max([*pairs, 1])
    edges = [number(found.axis.edge(2 * row)) for row in range(ROWS)]
    room = max(map(len, edges))
    marks = dict(_marks(found.whole.limits, found))
    for row, documents in enumerate(pairs):
        if row in marks:
            yield Text(f"{'':>{room}} ┄┄ {marks[row]}", style="bold")
        parts = round(8 * width * documents / most)
        bar = "█" * (parts // 8) + EIGHTHS[parts % 8].strip() if parts else "▏" if documents else ""
        yield Text(f"{edges[row]:>{room}} {bar} {count(documents) if documents else ''}")
    if ROWS in marks:
        yield Text(f"{'':>{room}} ┄┄ {marks[ROWS]}", style="bold")


def _marks(limits: Limits, found: Inspected) -> Iterator[tuple[int, str]]:
    """(row before which the line stands, its words)."""
    if limits.low is not None:
        words = f"{number(limits.low)} is the lowest that stays; {percent_of(found.whole)} dropped"
        yield int(found.axis.place(limits.low) * ROWS), words
    if limits.high is not None:
        words = f"{number(limits.high)} is the highest that stays; {percent_of(found.whole)} dropped"
        yield min(int(found.axis.place(limits.high) * ROWS) + 1, ROWS), words


def _print_samples(console: Console, title: str, samples: Sequence[Sample]) -> None:
    if not samples:
        return
    console.print(Text(f"\n{title}", style="bold"))
    for it in samples:
        limit = "" if it.limit is None else f", limit {number(it.limit)}"
        console.print(Text(f"  {number(it.value)}{limit}  {it.lang}  {visible(it.id)}"))
        line = visible(" ".join(it.excerpt.split()))
        console.print(Text(f"    {line[: 2 * console.width]}", style="dim", no_wrap=True, overflow="ellipsis"))
