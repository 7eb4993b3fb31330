"""The tables behind the pictures: plain cells, with the number to sort by and, in heat tables, the strength of the
colour.

    language_table(languages) -> Table(head=['language', …], rows=[Line('sw', [Cell('Swahili'), …]), …])

It must never make markup: the template does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report.levels import UNREADABLE, bytes_lost
from pipeline.report.names import name
from pipeline.report.wording import count, plural, say_bytes, seconds, share

SAY: dict[str, Callable[[float], str]] = {"documents": count, "bytes": say_bytes}
SHOWN = 60  # characters of tokens in a cell
STRONGEST = 0.7  # of the colour, so that the words on it can be read


@dataclass(frozen=True)
class Cell:
    """`sort` is a number, or '' for words; `heat` in [0, 1] or None; `title` is shown on pointing at it."""

    text: str
    sort: float | str = ""
    heat: float | None = None
    title: str = ""


@dataclass(frozen=True)
class Line:
    lang: str | None
    cells: list[Cell]


@dataclass(frozen=True)
class Table:
    caption: str
    head: list[str]
    rows: list[Line]
    heat: bool = False


def number(value: float | None, say: Callable[[float], str] = count) -> Cell:
    """A number that one can sort by; empty where it is not known."""
    return Cell("", -1) if value is None else Cell(say(value), value)


def _two(value: float) -> str:
    return f"{value:.2f}"


def language_table(languages: Sequence[dict[str, Any]]) -> Table:
    """All that is known of each language."""
    head = [
        "language",
        "code",
        "family",
        "documents in",
        "kept",
        "documents",
        "text kept",
        "text",
        "tokens",
        "share",
        "held out",
    ]
    head += [
        "tokens per word",
        "bytes per token",
        *(f"share at α {a}, epochs" for a in (languages[0]["temperature"] if languages else ())),
    ]
    return Table("Languages", head, [Line(row["lang"], _language_cells(row)) for row in languages])


def _language_cells(row: dict[str, Any]) -> list[Cell]:
    cells = [
        Cell(row["name"]),
        Cell(row["lang"]),
        Cell(row["family"]),
        number(row["documents_in"]),
        number(row["kept"], share),
    ]
    cells += [
        number(row["documents"]),
        number(row["kept_bytes"], share),
        number(row["bytes"], say_bytes),
        number(row["tokens"]),
        number(row["share"], share),
    ]
    cells += [number(row["valid"]), number(row["tokens_per_word"], _two), number(row["bytes_per_token"], _two)]
    for alpha, part in row["temperature"].items():
        epochs = row["epochs"][alpha]
        cells.append(Cell(f"{share(part)}, {epochs:.3g}" if epochs is not None else "", part))
    return cells


def funnel_table(funnel: Sequence[dict[str, Any]]) -> Table:
    """The totals of each level."""
    head = ["stage", "documents kept", "dropped", "dropped, share", "text kept", "text dropped", "text edited out"]
    head += ["languages"]
    rows = []
    for level in funnel:
        came = level["documents"] + level["dropped"]
        cells = [Cell(level["label"]), number(level["documents"]), number(level["dropped"])]
        cells += [number(level["dropped"] / came if came else None, share), number(level["bytes"], say_bytes)]
        cells += [number(level["dropped_bytes"], say_bytes), number(max(0, level["edited_bytes"]), say_bytes)]
        cells += [number(sum(1 for row in level["languages"].values() if row["documents"]))]
        rows.append(Line(None, cells))
    return Table("The funnel, level by level", head, rows)


def loss_table(funnel: Sequence[dict[str, Any]], languages: Sequence[dict[str, Any]], what: str) -> Table:
    """Languages by stages: the share of what came to a stage that it dropped, of bytes also what its edits took out.

    `what` is documents or bytes. A stage that gives languages has one column more: how many documents each language
    gained or lost by it."""
    columns = [column for level in funnel for column in _stage_columns(level, what)]
    came, stayed = ("documents_in", "documents") if what == "documents" else ("bytes_in", "bytes")
    rows = []
    for row in languages:
        ends = [number(row[name], SAY[what]) for name in (came, stayed)]
        kept = number(row[stayed] / row[came] if row[came] else None, share)
        cells = [make(row["lang"]) for _, make in columns]
        rows.append(Line(row["lang"], [Cell(row["name"]), ends[0], *cells, ends[1], kept]))
    head = ["language", f"{what} in", *(name for name, _ in columns), "at the end", "kept"]
    took = "dropped" if what == "documents" else "dropped or edited out"
    return Table(f"Share of {what} that each stage {took}, by language", head, rows, heat=True)


def _stage_columns(level: dict[str, Any], what: str) -> list[tuple[str, Callable[[str], Cell]]]:
    """Heads of a stage's columns, and what makes the cell of a language; none where it changed nothing."""
    label, rows = level["label"], level["languages"]
    out: list[tuple[str, Callable[[str], Cell]]] = []
    if any(row["arrived"] for row in rows.values()):
        out.append((f"{label}: renamed", lambda lang: _renamed(rows.get(lang), label)))
    if level["dropped"] or (what == "bytes" and any(row["edited_bytes"] > 0 for row in rows.values())):
        out.append((label, lambda lang: _loss(rows.get(lang), label, what)))
    return out


def _renamed(row: dict[str, int] | None, label: str) -> Cell:
    arrived = row["arrived"] if row else 0
    words = f"{label}: {plural(abs(arrived), 'document')} {'gained' if arrived > 0 else 'lost'}, on balance"
    return Cell(f"{arrived:+,}".replace("-", "−") if arrived else "·", arrived, title=words if arrived else "")


def _loss(row: dict[str, int] | None, label: str, what: str) -> Cell:
    lost = 0 if row is None else row["dropped"] if what == "documents" else bytes_lost(row)
    came = row[what] + lost if row else 0
    if not row or not came:
        return Cell("", -1, title=f"{label}: nothing came")
    part, say = lost / came, SAY[what]
    took = "dropped" if what == "documents" or row["edited_bytes"] <= 0 else "dropped or edited out"
    return Cell(share(part) if part else "·", part, _heat(part), f"{label}: {say(lost)} of {say(came)} {took}")


def _heat(part: float) -> float | None:
    """Strength of the colour: by the square root, so that a loss of 1 % can be seen."""
    return round(STRONGEST * part**0.5, 3) if part else None


def reason_table(drops: Sequence[dict[str, Any]], languages: Sequence[dict[str, Any]]) -> Table:
    """Languages by reasons: the share of a language's documents that went for each reason."""
    heads = [f"{drop['stage']}: {drop['reason']}" for drop in drops]
    known = [(row["lang"], row["name"], row["documents_in"]) for row in languages]
    if any(UNREADABLE in drop["languages"] for drop in drops):
        known.append((UNREADABLE, name(UNREADABLE), 0))
    rows = []
    for lang, called, came in known:
        gone = [drop["languages"].get(lang, {"documents": 0})["documents"] for drop in drops]
        if any(gone):
            cells = [_reason(n, came, head) for n, head in zip(gone, heads, strict=True)]
            rows.append(Line(lang, [Cell(called), number(sum(gone)), *cells]))
    return Table(
        "Documents dropped, by language and reason; colour is the share of the language",
        ["language", "dropped", *heads],
        rows,
        heat=True,
    )


def _reason(gone: int, came: int, head: str) -> Cell:
    if not gone:
        return Cell("·", 0)
    part = gone / came if came else 1.0
    return Cell(count(gone), gone, _heat(min(1.0, part)), f"{head}: {share(min(1.0, part))} of its documents")


def drop_table(drops: Sequence[dict[str, Any]]) -> Table:
    """All reasons with their totals."""
    head = ["stage", "reason", "documents", "text", "languages"]
    rows = [
        Line(
            None,
            [
                Cell(d["stage"]),
                Cell(d["reason"]),
                number(d["documents"]),
                number(d["bytes"], say_bytes),
                number(len(d["languages"])),
            ],
        )
        for d in drops
    ]
    return Table("Reasons", head, rows)


def contamination_table(sets: Sequence[dict[str, Any]]) -> Table:
    """What was found of each evaluation set."""
    head = ["set", "items", "too short to look for", "found", "found, share", "documents"]
    rows = []
    for one in sets:
        part = one["found"] / one["items"] if one["items"] else None
        cells = [number(one[name]) for name in ("items", "not_looked_for", "found")]
        rows.append(Line(None, [Cell(one["name"]), *cells, number(part, share), number(one["documents"])]))
    return Table("What was found of each evaluation set", head, rows)


def sample_table(tokenizer: dict[str, Any] | None, languages: Sequence[dict[str, Any]]) -> Table | None:
    """How much of each language the tokenizer was trained on. None where it was not trained here."""
    sample = (tokenizer or {}).get("sample")
    if not sample:
        return None
    whole = sum(entry["bytes"] for entry in sample.values())
    known = [row for row in languages if row["lang"] in sample]
    rows = [Line(row["lang"], [Cell(row["name"]), *_sample_cells(sample[row["lang"]], whole)]) for row in known]
    head = ["language", "documents", "text", "of the language", "of the sample"]
    return Table("What the tokenizer was trained on", head, rows)


def usage_table(tokenizer: dict[str, Any] | None, languages: Sequence[dict[str, Any]]) -> Table | None:
    """What each language uses of the vocabulary; None before documents are encoded."""
    if tokenizer is None or tokenizer.get("usage") is None:
        return None
    used, rows = tokenizer["usage"]["languages"], []
    for row in languages:
        if (of := used.get(row["lang"])) is not None:
            cells = [Cell(row["name"]), Cell(row["lang"]), number(of["tokens"]), number(of["used"])]
            cells += [number(of["share"], share), number(of["fallback"], share), number(of["partial"], share)]
            longest = "  ".join(one["token"] for one in of["longest"])
            rows.append(Line(row["lang"], [*cells, Cell(longest[:SHOWN], title=longest[: 10 * SHOWN])]))
    head = ["language", "code", "tokens counted", "different ones", "of the vocabulary", "fallback", "partial"]
    return Table("What each language uses of the vocabulary", [*head, "longest tokens"], rows)


def _sample_cells(entry: dict[str, int], whole: int) -> list[Cell]:
    parts = [entry["bytes"] / of if of else None for of in (entry["available"], whole)]
    return [number(entry["documents"]), number(entry["bytes"], say_bytes), *(number(part, share) for part in parts)]


def packing_table(packed: dict[str, Any] | None) -> Table | None:
    """What became of documents and tokens in rows, by split. None where nothing was packed."""
    if packed is None:
        return None
    head = ["split", "documents", "cut", "cut, share", "rows", "tokens", "tokens a row", "padding", "padding, share"]
    rows = [
        Line(None, [Cell(split), *_packing_cells(sums, packed["seq_len"] + 1)])
        for split, sums in packed["splits"].items()
    ]
    return Table(f"Packed rows ({packed['mode']})", head, rows)


def _packing_cells(sums: dict[str, Any], width: int) -> list[Cell]:
    documents, rows, cut = sums["documents"], sums["rows"], sums["cut"]
    return [
        number(documents),
        number(cut),
        number(cut / documents if documents and cut is not None else None, share),
        number(rows),
        number(sums["tokens"]),
        number(sums["tokens"] / rows if rows else None, lambda value: f"{value:,.1f}"),
        number(sums["padding"]),
        number(sums["padding"] / (rows * width) if rows else None, share),
    ]


def pair_table(pairs: Sequence[Sequence[Any]], most: int = 50) -> Table:
    """Who duplicates whom: [source, source of what stayed, documents], the most first; the rest in one line."""
    shown, rest = pairs[:most], pairs[most:]
    rows = [Line(None, [Cell(str(source)), Cell(str(twin)), number(n)]) for source, twin, n in shown]
    if rest:
        others = sum(n for *_, n in rest)
        rows.append(Line(None, [Cell(plural(len(rest), "other pair")), Cell(""), number(others)]))
    head = ["documents of", "went for documents of", "documents"]
    return Table("Which source duplicates which", head, rows)


def source_table(sources: Sequence[dict[str, Any]]) -> Table:
    """What each source gave and what is left of it."""
    head = [
        "source",
        "files",
        "languages",
        "records",
        "unreadable",
        "set aside",
        "text read",
        "documents kept",
        "text kept",
        "kept",
    ]
    rows = []
    for source in sources:
        aside = sum(source["reasons"].values()) - source["bad"]
        cells = [
            Cell(source["name"]),
            number(source["files"]),
            number(source["languages"]),
            number(source["documents_in"]),
        ]
        cells += [
            number(source["bad"]),
            number(aside),
            number(source["bytes_read"], say_bytes),
            number(source["documents"]),
        ]
        cells += [
            number(source["bytes"], say_bytes),
            number(source["documents"] / source["documents_read"] if source["documents_read"] else None, share),
        ]
        rows.append(Line(None, cells))
    return Table("Sources", head, rows)


def step_table(steps: Sequence[dict[str, Any]]) -> Table:
    """Address, time, speed, memory and disk of each step."""
    head = ["step", "address", "text in", "time", "time of workers", "speed a worker", "peak memory", "on disk"]
    rows, before = [], None
    for step in steps:
        shared = step["started"] is not None and step["started"] == before
        before = step["started"]
        speed = step["bytes_per_worker_second"]
        cells = [Cell(step["label"]), Cell(step["address"]), number(step["bytes_in"], say_bytes)]
        cells += [
            Cell("same pass", step["seconds"]) if shared else number(step["seconds"], seconds),
            number(step["worker_seconds"], seconds),
        ]
        cells += [
            number(speed, lambda v: f"{say_bytes(v)}/s"),
            number(step["peak_memory"], say_bytes),
            number(step["disk"], say_bytes),
        ]
        rows.append(Line(None, cells))
    return Table("Steps", head, rows)
