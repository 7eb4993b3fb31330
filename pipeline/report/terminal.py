"""The language mix as a short table for the terminal.

Every word goes through `visible` into a `Text`, which reads no markup: what a language or a reason is called cannot
colour or move anything. It must never print by itself but in `print_table`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from rich.console import Console, JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pipeline.report.numbers import Report
from pipeline.report.wording import count, plural, say_bytes, share, visible

MOST = 60  # languages
WIDE = 1000  # characters, for a table as wide as it wants to be
COLUMNS = (
    "language", "code", "documents", "bytes", "tokens", "share", "tok/word", "bytes/tok", "docs kept", "text kept",
)  # fmt: skip
SPARED = ("bytes/tok", "share", "tok/word", "docs kept", "code", "tokens")  # where there is no room, the first first


def terminal_table(report: Report, without: Collection[str] = ()) -> Table:
    """Language, documents, bytes, tokens, share, tokens per word, bytes per token; and how much of the documents and of
    their text is kept. Columns in `without` are left out."""
    table = Table(title=Text(_title(report)), title_justify="left", title_style="", box=None, pad_edge=False)
    shown = [column for column in COLUMNS if column not in without]
    for column in shown:
        side: JustifyMethod = "left" if column in ("language", "code") else "right"
        table.add_column("" if column == "code" else column, justify=side, no_wrap=True)
    rows = [row for row in report.languages if row["documents"]]
    for row in rows[:MOST]:
        cells = _cells(row)
        table.add_row(*(Text(visible(cells[column])) for column in shown))
    if len(rows) > MOST:
        table.add_row(Text(f"and {len(rows) - MOST} more: see the report"))
    return table


def _cells(row: dict[str, Any]) -> dict[str, str]:
    """What stands in each column."""

    def said(what: str, say: Callable[[float], str]) -> str:
        return "" if row[what] is None else say(row[what])

    return {
        "language": row["name"],
        "code": row["lang"] if row["lang"] != row["name"] else "",
        "documents": count(row["documents"]),
        "bytes": say_bytes(row["bytes"]),
        "tokens": said("tokens", count),
        "share": share(row["share"]),
        "tok/word": said("tokens_per_word", "{:.2f}".format),
        "bytes/tok": said("bytes_per_token", "{:.2f}".format),
        "docs kept": said("kept", share),
        "text kept": said("kept_bytes", share),
    }


def print_table(report: Report, console: Console) -> None:
    """The table, without columns that a narrow terminal has no room for, and the warnings below it."""
    for columns in range(len(SPARED) + 1):
        table = terminal_table(report, SPARED[:columns])
        table.title = None  # else it would count, and be as narrow as the table
        if Measurement.get(console, console.options.update(max_width=WIDE), table).maximum <= console.width:
            break
    console.print(Text(_title(report)))
    console.print(table)
    print_warnings(report, console)


def print_warnings(report: Report, console: Console, levels: Sequence[str] = ("error", "warning", "notice")) -> None:
    """A line for each warning of these levels; errors are red."""
    for warning in report.warnings:
        if warning["level"] in levels:
            style = "bold red" if warning["level"] == "error" else ""
            console.print(Text(f"{warning['level']}: {visible(warning['text'])}", style=style))


def _title(report: Report) -> str:
    totals = report.totals
    tokens = "" if totals["tokens"] is None else f", {count(totals['tokens'])} tokens"
    kept = f"{count(totals['documents'])} of {plural(totals['documents_in'], 'record')} kept"
    size = f"{say_bytes(totals['bytes'])} of {say_bytes(totals['bytes_in'])}"
    return f"{kept}, {size}{tokens}, {plural(totals['languages'], 'language')}"
