"""A tokenizer's fertility on the terminal: languages, the curve of sizes, what of the vocabulary is odd.

Every word goes through `visible` into a `Text`, which reads no markup: a token cannot colour or move anything. It must
never print by itself but in `print_fertility`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.fertility.measured import Fertility
from pipeline.fertility.words import LEGEND, advice, summary
from pipeline.report.wording import count, share, visible

MOST = 60  # languages
WIDEST = 24  # characters of a token


def print_fertility(found: Fertility, console: Console) -> None:
    """The whole answer."""
    console.print(Text(summary(found)))
    console.print()
    console.print(_languages(found))
    console.print(Text(LEGEND, style="dim"))
    console.print()
    console.print(_sizes(found))
    console.print(Text(advice(found)))
    console.print()
    console.print(_strange(found.usage))


def _table(*heads: str, words: int = 1) -> Table:
    """The first `words` columns hold words."""
    table = Table(box=None, pad_edge=False)
    for at, head in enumerate(heads):
        table.add_column(Text(head), justify="left" if at < words else "right", no_wrap=True)
    return table


def _add(table: Table, *cells: str) -> None:
    table.add_row(*(Text(visible(cell)) for cell in cells))


def _languages(found: Fertility) -> Table:
    heads = ["language", "", "tok/word", "bytes/tok", "used", "fallback"]
    heads += ["parity"] if found.parallel else []
    heads += [head for name in found.against for head in ([name, "parity"] if found.parallel else [name])]
    table = _table(*(visible(head) for head in [*heads, "longest"]), words=2)
    for row in found.languages[:MOST]:
        _add(table, *_cells(row, found.parallel is not None))
    if len(found.languages) > MOST:
        _add(table, f"and {len(found.languages) - MOST} more: see the page")
    return table


def _cells(row: dict[str, Any], parallel: bool) -> list[str]:
    own = row["parallel"] or {}
    cells = [row["name"], row["lang"], _said(row["tokens_per_word"]), _said(row["bytes_per_token"])]
    cells += [_said(row["share"], share), _said(row["fallback"], share)]
    cells += [_said(own.get("parity"))] if parallel else []
    for one in row["against"]:
        cells += [_said(one["ratio"]), _said(one["parity"])] if parallel else [_said(one["ratio"])]
    return [*cells, _token(row["longest"][0]["token"]) if row["longest"] else ""]


def _said(value: float | None, say: Callable[[float], str] = "{:.2f}".format) -> str:
    return "" if value is None else say(value)


def _token(token: str) -> str:
    return token if len(token) <= WIDEST else token[: WIDEST - 1] + "…"


def _sizes(found: Fertility) -> Table:
    table = _table("vocabulary", "tokens", "a doubling saves", "", words=0)
    most = sum(found.sizes[-1]["tokens"].values())
    for one in found.sizes:
        part = sum(one["tokens"].values()) / most if most else 0.0
        mark = "recommended" if one["size"] == found.recommended else ""
        _add(table, count(one["size"]), f"{part:.2f}×", _said(one["saved"], share), mark)
    return table


def _strange(usage: dict[str, Any]) -> Table:
    table = _table("strange tokens", "how many", "never used", "longest", words=1)
    table.columns[-1].justify = "left"
    for one in usage["strange"]:
        _add(table, one["kind"], count(one["tokens"]), count(one["never"]), _examples(one["examples"]))
    return table


def _examples(shown: Sequence[dict[str, Any]]) -> str:
    return "  ".join(_token(one["token"]) for one in shown[:3])
