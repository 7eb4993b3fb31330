"""What a reader of the report has to know first: one sentence each, the gravest on top.

    report parts -> [{level: 'error' | 'warning' | 'notice', text, langs}]

It must never repeat what is as it should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.codes import MORE, hint
from pipeline.document import UNDETERMINED
from pipeline.report.levels import UNREADABLE, Level, bytes_lost, imbalances
from pipeline.report.wording import count, plural, share, visible

FEW_TOKENS = 10_000  # a language with fewer is named: no model learns to write it from so little
HALF = 0.5  # a stage that drops more of a language is named
AT_LEAST = 5  # documents of a language, for a share of it to mean something
NAMED = 12  # languages in one sentence

Warning_ = dict[str, Any]


def warnings(
    funnel: Sequence[Level],
    languages: Sequence[dict[str, Any]],
    sources: Sequence[dict[str, Any]],
    tokenizer: dict[str, Any] | None,
    drops: Sequence[dict[str, Any]] = (),
) -> list[Warning_]:
    """All warnings; none where all is well. `drops` are those of `levels.drops`."""
    halved = _halved(funnel, {row["lang"]: row["name"] for row in languages if row["documents"]})
    told = {lang for warning in halved for lang in warning["langs"]}
    return [
        *[
            _say("error", f"The books do not balance: {text}. Run `pipeline verify CONFIG`.")
            for text in imbalances(funnel)
        ],
        *([_say("error", nothing)] if (nothing := nothing_left(funnel, drops)) else []),
        *_empty(sources),
        *_unreadable(sources),
        *_strange(sources),
        *_vanished(funnel, languages),
        *_undeclared(funnel, languages),
        *_unevaluated(languages),
        *halved,
        *_shortened(funnel, [row for row in languages if row["lang"] not in told]),
        *_small_vocabulary(tokenizer),
        *_pruned(tokenizer),
        *_few_tokens(languages),
    ]


def _say(level: str, text: str, langs: Sequence[str] = ()) -> Warning_:
    return {"level": level, "text": text, "langs": list(langs)}


def nothing_left(funnel: Sequence[Level], drops: Sequence[dict[str, Any]]) -> str:
    """One sentence where no document is left, with the stage that dropped most and why; else nothing."""
    if not funnel or funnel[-1]["documents"]:
        return ""
    came = funnel[0]["documents"] + funnel[0]["dropped"]
    if not came:
        return "Nothing is left: the sources hold no document."
    worst = max(funnel, key=lambda level: level["dropped"])
    reasons = [drop for drop in drops if drop["address"] == worst["address"]] if worst is not funnel[0] else []
    why = f" ({max(reasons, key=lambda drop: drop['documents'])['reason']})" if reasons else ""
    took = f"{worst['label']} dropped" if worst is not funnel[0] else "not to be read were"
    return f"Nothing is left of {plural(came, 'record')}: {took} {count(worst['dropped'])} of them{why}."


def _empty(sources: Sequence[dict[str, Any]]) -> list[Warning_]:
    empty = [source["name"] for source in sources if not source["documents_in"]]
    return [_say("warning", f"There is no document in the source {name}.") for name in empty]


def _names(rows: Sequence[dict[str, Any]]) -> str:
    shown = ", ".join(row["name"] for row in rows[:NAMED])
    return shown if len(rows) <= NAMED else f"{shown} and {len(rows) - NAMED} more"


def _unreadable(sources: Sequence[dict[str, Any]]) -> list[Warning_]:
    out = []
    for source in sources:
        if source["bad"]:
            reasons = ", ".join(
                f"{reason} {count(n)}" for reason, n in source["reasons"].items() if reason not in source["harmless"]
            )
            text = f"{plural(source['bad'], 'record')} of the source {source['name']} could not be read ({reasons})."
            out.append(
                _say("warning", f"{text} File and offset of each stand in its ledger; some are shown under Sources.")
            )
    return out


def _strange(sources: Sequence[dict[str, Any]]) -> list[Warning_]:
    """Codes that documents declare and nobody knows: a filter by language would pass these documents by."""
    out = []
    for source in sources:
        if codes := source.get("strange"):
            shown = [_code(code, n) for code, n in list(codes.items())[:NAMED]]
            more = f" and {len(codes) - NAMED} more codes" if len(codes) > NAMED else ""
            head = f"{plural(sum(codes.values()), 'document')} of the source {source['name']}"
            text = f"{head} declared as no language known here: {', '.join(shown)}{more}. They are kept as they are."
            out.append(_say("warning", text))
    return out


def _code(code: str, documents: int) -> str:
    return f"others ({count(documents)})" if code == MORE else f"{visible(code)!r} ({count(documents)}{hint(code)})"


def _vanished(funnel: Sequence[Level], languages: Sequence[dict[str, Any]]) -> list[Warning_]:
    """Languages of which nothing is left: those that a source declares, and those that were only found."""
    declared = {lang for level in funnel[:1] for lang, row in level["languages"].items() if row["documents"]}
    gone = [row for row in languages if not row["documents"] and row["lang"] != UNDETERMINED]
    out = []
    if dropped := [row for row in gone if row["documents_in"] and row["lang"] in declared]:
        head = plural(len(dropped), "language")
        text = f"{head} vanished: all documents of {_counted(dropped, funnel)} were dropped."
        out.append(_say("warning", text, [row["lang"] for row in dropped]))
    if renamed := [row for row in gone if not row["documents_in"]]:
        text = f"Every document declared as {_names(renamed)} was found to be of another language."
        out.append(_say("warning", text, [row["lang"] for row in renamed]))
    if found := [row for row in gone if row["documents_in"] and row["lang"] not in declared]:
        which = (
            "languages that were found, which no source declares" if declared - {UNDETERMINED} else "languages found"
        )
        text = f"Nothing is left of {which}: {_counted(found, funnel)}."
        out.append(_say("notice", text, [row["lang"] for row in found]))
    return out


def _undeclared(funnel: Sequence[Level], languages: Sequence[dict[str, Any]]) -> list[Warning_]:
    """Languages that are kept and that no source declares, where sources declare any: a sign of misread ones."""
    declared = {lang for level in funnel[:1] for lang in level["languages"]} - {UNDETERMINED, UNREADABLE}
    rows = [row for row in languages if row["documents"] and row["lang"] not in {*declared, UNDETERMINED}]
    if not declared or not rows:
        return []
    named = _names([{"name": f"{row['name']} ({count(row['documents'])})"} for row in rows])
    text = f"No source declares {named}: these documents were found to be of it, and are kept."
    return [_say("notice", text, [row["lang"] for row in rows])]


def _counted(rows: Sequence[dict[str, Any]], funnel: Sequence[Level]) -> str:
    """Languages with their documents and the stage that dropped most of them."""
    told = [f"{row['name']} ({count(row['documents_in'])}, most at {_taker(funnel, row['lang'])})" for row in rows]
    return _names([{"name": name} for name in told])


def _taker(funnel: Sequence[Level], lang: str) -> str:
    """The stage that dropped most documents of a language."""
    return str(max(funnel, key=lambda level: level["languages"].get(lang, {"dropped": 0})["dropped"])["label"])


def _unevaluated(languages: Sequence[dict[str, Any]]) -> list[Warning_]:
    rows = [row for row in languages if row["train"] and not row["valid"]]
    if not rows:
        return []
    return [
        _say(
            "notice", f"No held-out text for {_names(rows)}: loss cannot be told for it.", [row["lang"] for row in rows]
        )
    ]


def _halved(funnel: Sequence[Level], names: dict[str, str]) -> list[Warning_]:
    out = []
    for level in funnel:
        rows = {lang: row for lang, row in level["languages"].items() if lang in names}  # not those that vanished
        lost = {
            lang: row["dropped"] / (row["dropped"] + row["documents"])
            for lang, row in rows.items()
            if row["dropped"] >= AT_LEAST
        }
        hit = sorted((lang for lang, part in lost.items() if part > HALF), key=lambda lang: (-lost[lang], lang))
        if hit:
            named = ", ".join(f"{names[lang]} ({share(lost[lang])})" for lang in hit[:NAMED])
            more = f" and {len(hit) - NAMED} more" if len(hit) > NAMED else ""
            out.append(
                _say("warning", f"{level['label']} dropped more than half of the documents of {named}{more}.", hit)
            )
    return out


def _shortened(funnel: Sequence[Level], languages: Sequence[dict[str, Any]]) -> list[Warning_]:
    """Languages of which more than half of the text is gone, most often by edits; by the stage that took most of it."""
    short = [row for row in languages if row["documents"] >= AT_LEAST and row["bytes_in"] and row["kept_bytes"] < HALF]
    by_stage: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(short, key=lambda row: (row["kept_bytes"], row["lang"])):
        level = max(funnel, key=lambda level: _text_lost(level, row["lang"]))
        by_stage.setdefault(level["label"], []).append({**row, "name": f"{row['name']} ({share(row['kept_bytes'])})"})
    return [
        _say(
            "warning",
            f"Less than half of the text is kept of {_names(rows)}: {label} took most of what is gone.",
            [row["lang"] for row in rows],
        )
        for label, rows in by_stage.items()
    ]


def _text_lost(level: Level, lang: str) -> int:
    row = level["languages"].get(lang)
    return bytes_lost(row) if row else 0


def _small_vocabulary(tokenizer: dict[str, Any] | None) -> list[Warning_]:
    if not tokenizer or not tokenizer.get("asked") or tokenizer["vocab_size"] >= tokenizer["asked"]:
        return []
    got, asked = count(tokenizer["vocab_size"]), count(tokenizer["asked"])
    return [
        _say("warning", f"The vocabulary has {got} tokens, not the {asked} asked for: the sample holds no more merges.")
    ]


def _pruned(tokenizer: dict[str, Any] | None) -> list[Warning_]:
    """Pieces beyond `most_pieces`, which the tokenizer did not learn from."""
    pieces = (tokenizer or {}).get("pieces")
    if not pieces or not pieces["pruned"]["pieces"]:
        return []
    gone = pieces["pruned"]
    part = share(gone["occurrences"] / pieces["occurrences"])
    head = f"The tokenizer learned without {count(gone['pieces'])} of {count(pieces['pieces'])} distinct pieces"
    text = (
        f"{head} ({part} of all that stand in the sample), none of them seen more than {plural(gone['seen'], 'time')}"
    )
    return [_say("warning", f"{text}. `most_pieces` of the tokenizer allows more, where memory does.")]


def _few_tokens(languages: Sequence[dict[str, Any]]) -> list[Warning_]:
    few = [row for row in languages if row["documents"] and row["tokens"] is not None and row["tokens"] < FEW_TOKENS]
    few.sort(key=lambda row: (row["tokens"], row["lang"]))
    if not few:
        return []
    head = "1 language has" if len(few) == 1 else f"{len(few)} languages have"
    text = f"{head} fewer than {count(FEW_TOKENS)} tokens: {_names(few)}."
    return [_say("notice", text, [row["lang"] for row in few])]
