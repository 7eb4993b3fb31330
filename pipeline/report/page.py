"""The page: one HTML file that holds its pictures, style and script, and asks the network for nothing.

    Report -> '<!doctype html>…'

Three walls keep text of the corpus from breaking out: every value goes through `visible` and is escaped (by Jinja and
by `draw.element`); no text of the corpus stands in a script or a style; and the page's own policy allows one script,
by its hash. It must never mark a value as safe that comes from a report.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from pipeline.report.environment import environment, ours, script
from pipeline.report.languages import ALPHAS
from pipeline.report.names import GROUPS
from pipeline.report.numbers import Report
from pipeline.report.pictures import (
    fertility,
    funnel_bars,
    group_class,
    mix_bars,
    mix_groups,
    reason_bars,
    temperatures,
)
from pipeline.report.shapes import bins, clusters, lengths, lsh_curve, median
from pipeline.report.tables import (
    contamination_table,
    drop_table,
    funnel_table,
    language_table,
    loss_table,
    packing_table,
    pair_table,
    reason_table,
    sample_table,
    source_table,
    step_table,
    usage_table,
)
from pipeline.report.wording import count, plural, say_bytes, share, short
from pipeline.text.languages import LANGUAGES

HERE = Path(__file__).parent


def render_page(report: Report) -> str:
    """The whole page. Two pages of equal reports are equal."""
    style, (code, policy) = ours("page.css"), script("sort.js", "page.js")
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            style=style,
            script=code,
            policy=policy,
            alphas=ALPHAS,
            known=LANGUAGES,
            **_pictures(report),
            **_tables(report),
        )
    )


@cache
def _environment() -> Environment:
    made = environment(HERE, count=count, bytes=say_bytes, share=share, short=short, recipe=_recipe)
    made.globals |= {"plural": plural}
    return made


def _recipe(recipe: dict[str, Any]) -> str:
    """A recipe as JSON; the digests of many input files are counted, not listed."""
    given = recipe.get("input")
    shown = {**recipe, "input": f"{len(given)} files"} if isinstance(given, list) and len(given) > 3 else recipe
    return json.dumps(shown, indent=1, ensure_ascii=False)


def _pictures(report: Report) -> dict[str, Any]:
    languages, low_high = report.languages, bins(report.languages)
    return {
        "groups": [g for g in GROUPS if any(row["group"] == g for row in languages)],
        "group_class": group_class,
        "mix": [
            ("share", mix_bars(languages)),
            ("logarithmic", mix_bars(languages, log=True)),
            ("in families", mix_groups(languages)),
        ],
        "temperatures": temperatures(languages),
        "funnel": [
            ("documents", funnel_bars(report.funnel, "documents", count)),
            ("text", funnel_bars(report.funnel, "bytes", say_bytes)),
        ],
        "reasons": reason_bars(report.drops),
        "fertility": [
            ("tokens per word", fertility(languages, "tokens_per_word", "tokens per word")),
            ("bytes per token", fertility(languages, "bytes_per_token", "bytes per token")),
        ],
        "histograms": [(row, lengths(row, *low_high)) for row in languages if row["sizes"] or row["sizes_in"]],
        "median": median,
        "duplicates": [_duplicate(entry) for entry in report.duplicates],
    }


def _duplicate(entry: dict[str, Any]) -> dict[str, Any]:
    """What a step of duplicates says about itself, with its pictures; parts that it does not tell are left out."""
    about = entry["about"]
    settings = about.get("settings", {})
    return {
        "stage": entry["stage"],
        "found": entry["found"],
        "facts": [
            (k.replace("_", " "), v) for k, v in about.items() if isinstance(v, int | float) and not isinstance(v, bool)
        ],
        "settings": settings,
        "curve": lsh_curve(settings, about["curve"]) if about.get("curve") else None,
        "sizes": clusters(about["sizes"]) if about.get("sizes") else None,
        "clusters": about.get("clusters", []),
        "pairs": pair_table(about["pairs"]) if about.get("pairs") else None,
    }


def _tables(report: Report) -> dict[str, Any]:
    return {
        "language_table": language_table(report.languages),
        "funnel_table": funnel_table(report.funnel),
        "losses": [(what, loss_table(report.funnel, report.languages, what)) for what in ("documents", "bytes")],
        "quiet_stages": [
            level["label"] for level in report.funnel if not level["dropped"] and level["edited_bytes"] <= 0
        ],
        "editing": [(level["label"], level["edited_bytes"]) for level in report.funnel if level["edited_bytes"] > 0],
        "drop_table": drop_table(report.drops),
        "reason_table": reason_table(report.drops, report.languages),
        "packing_table": packing_table(report.packed),
        "sample_table": sample_table(report.tokenizer, report.languages),
        "usage_table": usage_table(report.tokenizer, report.languages),
        "source_table": source_table(report.sources),
        "step_table": step_table(report.steps),
        "contamination": [{**entry, "table": contamination_table(entry["sets"])} for entry in report.contamination],
    }
