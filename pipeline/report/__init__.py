"""The report: what is in the corpus and why, as numbers, as a page, as a dataset card and as a table on the terminal.

report = gather(steps)             # sources first, then stages, tokenizer, encode, packed
write(report, workdir)             # report.html, report.json, README.md; each whole or not at all
print_table(report, console)
"""

from __future__ import annotations

from pathlib import Path

from pipeline.report.card import render_card
from pipeline.report.levels import STAGES, drops, levels
from pipeline.report.numbers import Report, gather
from pipeline.report.page import render_page
from pipeline.report.terminal import print_table, print_warnings, terminal_table
from pipeline.report.warn import nothing_left
from pipeline.store.files import write_json, written_whole

__all__ = [
    "STAGES",
    "Report",
    "drops",
    "gather",
    "levels",
    "nothing_left",
    "print_table",
    "print_warnings",
    "terminal_table",
    "write",
]


def write(report: Report, workdir: Path) -> Path:
    """Writes report.json, README.md and report.html; returns the path of the page. Raises RunError on a full disk."""
    write_json(workdir / "report.json", report.to_json())
    for name, text in (("README.md", render_card(report)), ("report.html", render_page(report))):
        with written_whole(workdir / name) as aside:
            aside.write_text(text, "utf-8")
    return workdir / "report.html"
