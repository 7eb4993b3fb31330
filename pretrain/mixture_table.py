"""What a mixture comes to in a run, language by language, told before anything is trained.

    MixturePlan  ->  [Line("sw", rows=40, natural=0.004, share=0.063, samples=2016, epochs=50.4, ...), ...]
                 ->  a table for people, notes and warnings

The samples are the real ones, counted in the order itself; tokens are reckoned from a language's mean row. Imports no
torch, decides nothing.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pretrain.errors import ConfigError
from pretrain.mixture import MixturePlan, Stock
from pretrain.seam import Seam

EPOCHS = 4  # up to about so many, repeated text teaches nearly as well as new text (Muennighoff et al. 2023)


@dataclass(frozen=True)
class Line:
    """What the run makes of a language of the corpus."""

    language: str
    rows: int  # of the corpus
    tokens: int
    natural: float  # share of the corpus's rows
    share: float  # of the run's samples
    samples: int
    tokens_trained: int
    epochs: float
    upsampling: float  # share / natural


def corpus_of(seam: Seam) -> dict[str, Stock]:
    """What a packed corpus has to train on, by language. Raises ConfigError if it has no row."""
    if not seam.languages("train"):
        raise ConfigError(f"{seam.folder} has no rows to train on", hint="give the pipeline more text")
    return {x: Stock(own["rows"], own["tokens"]) for x, own in sorted(seam.split("train").items())}


def lines(plan: MixturePlan) -> list[Line]:
    """One for each language of the corpus that has a row, sorted."""
    counts, total = plan.order(0).counts(plan.samples), sum(stock.rows for stock in plan.corpus.values())
    return [_line(plan, x, counts.get(x, 0), total) for x in sorted(plan.corpus) if plan.corpus[x].rows]


def warnings(plan: MixturePlan) -> list[str]:
    """What is likely no good: languages that are read too often, and those that are hardly read at all."""
    often = sorted((line for line in lines(plan) if line.epochs > EPOCHS), key=lambda line: -line.epochs)
    unread = [x for x, n in plan.order(0).counts(plan.samples).items() if not n]
    told = []
    if often:
        named = ", ".join(f"{line.language} {line.epochs:,.1f} times" for line in often[:6])
        more = f" and {len(often) - 6} more" if len(often) > 6 else ""
        told.append(
            f"read more than {EPOCHS} times: {named}{more}. Beyond that, repeating teaches less and less "
            f"(Muennighoff et al. 2023, arXiv:2305.16264); `max_epochs: {EPOCHS}` caps it, longer text is better"
        )
    if unread:
        told.append(f"never reached in {plan.samples:,} samples: {', '.join(unread)}")
    return told


def as_json(plan: MixturePlan) -> dict[str, Any]:
    """The same for programs."""
    return {
        "languages": [asdict(line) for line in lines(plan)],
        "stages": [asdict(stage) for stage in plan.order(0).stages],
        "notes": list(plan.notes),
        "warnings": warnings(plan),
    }


def table(plan: MixturePlan, most: int | None = None) -> Table:
    """A row for each language, or for the `most` with the most samples."""
    made = Table(title=f"mixture of {plan.samples:,} samples", title_justify="left", box=box.SIMPLE_HEAD)
    made.add_column("language")
    for name in ("rows", "tokens", "natural", "share", "x natural", "samples", "trained on", "epochs"):
        made.add_column(name, justify="right")
    rows = lines(plan)
    shown = sorted(sorted(rows, key=lambda line: -line.samples)[:most], key=lambda line: line.language)
    for line in shown:
        made.add_row(*_cells(line))
    if len(shown) < len(rows):
        made.add_row(f"{len(rows) - len(shown)} more")
    made.add_section()
    whole = [sum(line.rows for line in rows), sum(line.tokens for line in rows)]
    trained = sum(line.tokens_trained for line in rows)
    epochs = plan.samples / whole[0]
    samples = f"{plan.samples:,}"
    made.add_row("all", f"{whole[0]:,}", _si(whole[1]), "", "", "", samples, _si(trained), f"{epochs:,.2f}")
    return made


def told(plan: MixturePlan, most: int | None = None) -> str:
    """The table, of the `most` languages with the most samples, notes and warnings as text."""
    page = io.StringIO()
    Console(file=page, width=100).print(table(plan, most))
    rows = [row.rstrip() for row in page.getvalue().split("\n") if row.strip()]
    return "\n".join([*rows, *(f"mixture: {note}" for note in [*plan.notes, *warnings(plan)])])


def _line(plan: MixturePlan, language: str, samples: int, total: int) -> Line:
    stock = plan.corpus[language]
    natural, share = stock.rows / total, samples / plan.samples
    return Line(
        language,
        stock.rows,
        stock.tokens,
        natural,
        share,
        samples,
        round(samples * stock.tokens / stock.rows),
        samples / stock.rows,
        share / natural,
    )


def _si(number: float) -> str:
    for unit, scale in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{number / scale:,.2f} {unit}"
    return f"{number:,.0f}"


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.language,
        f"{line.rows:,}",
        _si(line.tokens),
        f"{line.natural:.3%}",
        f"{line.share:.3%}",
        f"{line.upsampling:,.2f}",
        f"{line.samples:,}",
        _si(line.tokens_trained),
        f"{line.epochs:,.2f}",
    )
