"""The language mix as a short table for the terminal.

Every word goes through `visible` into a `Text`, which reads no markup: what a language or a reason is called cannot
colour or move anything. It must never print by itself but in `print_table`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.report.numbers import Report
from pipeline.report.wording import count, plural, say_bytes, share, visible

MOST = 60  # languages


def terminal_table(report: Report) -> Table:
    """Language, documents, bytes, tokens, share, tokens per word, bytes per token; and how much of the documents and of
    their text is kept."""
    table = Table(title=Text(_title(report)), title_justify="left", title_style="", box=None, pad_edge=False)
    for name in (
        "language",
        "",
        "documents",
        "bytes",
        "tokens",
        "share",
        "tok/word",
        "bytes/tok",
        "docs kept",
        "text kept",
    ):
        table.add_column(name, justify="left" if name in ("language", "") else "right", no_wrap=True)
    rows = [row for row in report.languages if row["documents"]]
    for row in rows[:MOST]:
        cells = [
            row["name"],
            row["lang"] if row["lang"] != row["name"] else "",
            count(row["documents"]),
            say_bytes(row["bytes"]),
        ]
        cells += ["" if row["tokens"] is None else count(row["tokens"]), share(row["share"])]
        cells += ["" if row[what] is None else f"{row[what]:.2f}" for what in ("tokens_per_word", "bytes_per_token")]
        cells += ["" if row[what] is None else share(row[what]) for what in ("kept", "kept_bytes")]
        table.add_row(*(Text(visible(cell)) for cell in cells))
    if len(rows) > MOST:
        table.add_row(Text(f"and {len(rows) - MOST} more: see the report"))
    return table


def print_table(report: Report, console: Console) -> None:
    """The table, and the warnings below it."""
    console.print(terminal_table(report))
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
