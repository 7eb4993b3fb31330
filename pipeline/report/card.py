"""The dataset card: README.md with the metadata that Hugging Face reads, and the language mix as a table.

    Report -> '---\\nlanguage:\\n- sw\\n…---\\n# …'

Names of languages, sources and reasons come from the data: they are made visible and escaped for Markdown. The card
claims no licence: sources have theirs, and whoever publishes the corpus has to name them. It must never hold a text
of the corpus.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from pipeline.report.numbers import Report
from pipeline.report.wording import count, plural, say_bytes, share, visible
from pipeline.text.languages import LANGUAGES

ROWS = {  # of each mode of packing
    "concat": "the last is the next row's first",
    "best_fit": "documents whole where they fit, padding at the end",
}
SIZES = (("K", 3), ("M", 6), ("B", 9), ("T", 12))


def render_card(report: Report) -> str:
    """The whole card."""
    head = yaml.safe_dump(metadata(report), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n" + "\n".join(_body(report))


def metadata(report: Report) -> dict[str, Any]:
    """The YAML block: only codes that the Hub knows go into `language`, the exact ones into `language_bcp47`."""
    kept = [row for row in report.languages if row["documents"] and row["lang"] in LANGUAGES]
    codes = sorted(
        {row["lang"].split("-")[0] for row in kept} | ({"code"} if report.totals["code_languages"] else set())
    )
    scripts = sorted(_bcp47(row["lang"]) for row in kept if "-" in row["lang"])
    out: dict[str, Any] = {"pretty_name": "A multilingual pretraining corpus made by seedbed", "language": codes}
    if scripts:
        out["language_bcp47"] = sorted({row["lang"] for row in kept if "-" not in row["lang"]} | set(scripts))
    out |= {
        "multilinguality": "multilingual" if len(kept) > 1 else "monolingual",
        "task_categories": ["text-generation"],
        "size_categories": [size_category(report.totals["documents"])],
        "license": "unknown",
        "tags": ["pretraining", "seedbed"],
    }
    if report.packed:
        splits = [
            {
                "split": {"valid": "validation"}.get(split, split),
                "path": f"{report.packed['folder']}/{split}/**/*.arrow",
            }
            for split, sums in report.packed["splits"].items()
            if sums["rows"]
        ]
        out["configs"] = [{"config_name": "default", "data_files": splits}]
    return out


def _bcp47(code: str) -> str:
    """zh-hans -> zh-Hans."""
    language, script = code.split("-", 1)
    return f"{language}-{script.title()}"


def size_category(documents: int) -> str:
    """As the Hub names them: n<1K, 1K<n<10K, …, n>1T."""
    if documents < 1000:
        return "n<1K"
    power = len(str(documents)) - 1
    if power >= 12:
        return "n>1T"
    return f"{_power(power)}<n<{_power(power + 1)}"


def _power(power: int) -> str:
    unit, below = next((u, p) for u, p in reversed(SIZES) if power >= p)
    return f"{10 ** (power - below)}{unit}"


def markdown(text: str) -> str:
    """One line that Markdown and HTML leave as it is."""
    flat = " ".join(visible(text).split())
    return re.sub(r"([\\`*_{}\[\]()#+!|<>&~$:@])", r"\\\1", flat)


def _body(report: Report) -> list[str]:
    totals = report.totals
    tokens = "" if totals["tokens"] is None else f", {count(totals['tokens'])} tokens"
    held = f"{plural(totals['documents'], 'document')} ({say_bytes(totals['bytes'])} of text{tokens})"
    code = f" and {plural(totals['code_languages'], 'programming language')}" if totals["code_languages"] else ""
    made = f"Made from {plural(totals['documents_in'], 'record')} of {plural(totals['sources'], 'source')}"
    lines = [
        "# A multilingual pretraining corpus",
        "",
        f"{held} in {plural(totals['languages'], 'language')}{code}.",
        f"{made}; each of the {count(totals['dropped'])} that are not here has a reason on record.",
        "",
        "`report.html` beside this card shows the mix, the funnel, what was dropped and why;",
        "`report.json` has its numbers.",
        "",
    ]
    parts = (_warnings, _use, _mix, _dropped, _sources, _repeat)
    return lines + [line for part in parts for line in part(report)]


def _warnings(report: Report) -> list[str]:
    said = [f"- {markdown(warning['text'])}" for warning in report.warnings]
    return ["## Know this first", "", *said, ""] if said else []


def _use(report: Report) -> list[str]:
    if report.packed is None:
        return []
    packed, made = report.packed, ROWS[report.packed["mode"]]
    return [
        "## Use",
        "",
        f"`{packed['folder']}` holds rows of {packed['seq_len'] + 1} token ids ({made}),",
        f"with the ids of the documents in them, and the tokenizer ({count(packed['vocab_size'])} tokens).",
        "In this folder:",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        'rows = load_dataset(".", split="train")  # columns: tokens, starts, doc_ids, doc_offsets',
        "```",
        "",
    ]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)] + [""]


def _mix(report: Report) -> list[str]:
    rows = [
        [
            markdown(f"{row['name']} ({row['lang']})") if row["name"] != row["lang"] else markdown(row["lang"]),
            count(row["documents"]),
            say_bytes(row["bytes"]),
            "" if row["tokens"] is None else count(row["tokens"]),
            share(row["share"]),
            "" if row["tokens_per_word"] is None else f"{row['tokens_per_word']:.2f}",
            "" if row["bytes_per_token"] is None else f"{row['bytes_per_token']:.2f}",
            "" if row["kept"] is None else share(row["kept"]),
        ]
        for row in report.languages
    ]
    head = ["language", "documents", "text", "tokens", "share", "tokens per word", "bytes per token", "kept"]
    return ["## Languages", "", *_table(head, rows)]


def _dropped(report: Report) -> list[str]:
    rows = [
        [f"{markdown(d['stage'])}, {markdown(d['reason'])}", count(d["documents"]), say_bytes(d["bytes"])]
        for d in report.drops
    ]
    return ["## Dropped", "", *_table(["stage, reason", "documents", "text"], rows)] if rows else []


def _sources(report: Report) -> list[str]:
    rows = [
        [markdown(s["name"]), count(s["documents_in"]), count(s["bad"]), count(s["documents"]), say_bytes(s["bytes"])]
        for s in report.sources
    ]
    head = ["source", "documents", "unreadable", "kept", "text kept"]
    note = "The licence of each source is its own; name it here before you publish this corpus."
    return ["## Sources", "", *_table(head, rows), note, ""]


def _repeat(report: Report) -> list[str]:
    versions = ", ".join(f"{name} {found}" for name, found in report.versions.items())
    lines = [
        "## Repeat",
        "",
        f"`pipeline run CONFIG` with the same files and versions ({versions}) makes the same bytes",
    ]
    return [*lines[:2], lines[2] + (f", in `{report.packed['folder']}`." if report.packed else "."), ""]
