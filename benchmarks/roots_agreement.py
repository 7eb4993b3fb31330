"""Does the pipeline with configs/roots.yaml decide as ROOTS? Document by document, reason by reason.

    python benchmarks/roots_agreement.py DOCUMENTS... [--roots FOLDER] [--each 150] [--others 40] [--json FILE]

DOCUMENTS are JSON lines (.zst or not) with `text` and `meta.lang`: `each` of every one of the 13 languages of ROOTS and
`others` of the other 33 are taken.

First: the stages `normalize`, `drop_words`, `measure` and `keep` of the config beside the plain-Python twin of ROOTS'
filters (roots_twin.py), which judges the text as it was measured: every difference of reason, value or limit is a bug,
and is printed; then exit code 1.

Then, with FOLDER (`preprocessing/training/01b_oscar_cleaning_and_filtering` of a clone of bigscience-workshop/
data-preparation): the same documents through ROOTS' own functions with its own lists and limits, and how often the
decisions differ, for each language and each filter: of the recipe as it is; on the text as ROOTS leaves it; and on that
text with ROOTS' lists and limits. These differences are of definitions: docs/filters.md names them.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import roots_twin as twin
from roots_documents import ROOTS, Document, Lists, documents, original

from pipeline.config import load
from pipeline.stages.base import RowStage
from pipeline.stages.keep import Keep
from pipeline.stages.measure import CHARACTERS, CHARACTERS_OF, WORDS, WORDS_OF, Measure
from pipeline.text import stopwords
from pipeline.text.languages import LANGUAGES

CONFIG = Path(__file__).parents[1] / "configs" / "roots.yaml"
FILTERS = ("words", "char_repetition", "word_repetition", "symbol_ratio", "stopword_ratio")
Verdict = tuple[str, float, float] | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", nargs="+")
    parser.add_argument("--roots", type=Path)
    parser.add_argument("--each", type=int, default=150)
    parser.add_argument("--others", type=int, default=40)
    parser.add_argument("--cache", type=Path, default=Path(".bench"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = documents(args.documents, ROOTS, args.each)
    others = documents(args.documents, [lang for lang in LANGUAGES if lang not in ROOTS], args.others)
    texts, numbers, verdicts, keep = decided(found + others)
    differences = beside_twin(found + others, texts, verdicts, keep)
    rows = beside_original(found, args, numbers, keep) if args.roots else {}
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    sys.exit(1 if differences else 0)


def table(found: list[Document]) -> pa.Table:
    n = len(found)
    columns: dict[str, list[Any]] = {
        "id": [str(i) for i in range(n)], "source": ["docs"] * n, "kind": ["text"] * n,
        "lang_declared": [one.lang for one in found], "lang": [one.lang for one in found],
        "text": [one.text for one in found],
    }  # fmt: skip
    return pa.table(columns).set_column(5, "text", pa.array(columns["text"], pa.large_string()))


def decided(found: list[Document]) -> tuple[list[str], dict[str, list[Any]], list[Verdict], Keep]:
    """(texts as they were measured, {measure: values}, the first bound that each broke, the stage that has the bounds):
    by the config's own stages, up to the first keep."""
    docs, named = table(found), {stage.name: stage for stage in reversed(load(CONFIG).stages)}
    for stage in (named["normalize"], named["drop_words"], named["measure"]):
        assert isinstance(stage, RowStage)
        docs = overlaid(docs, stage.apply(docs).columns)
    keep = named["keep"]
    assert isinstance(keep, Keep)
    verdicts: list[Verdict] = [None] * len(found)
    for row in keep.apply(docs).dropped.to_pylist():
        verdicts[row["row"]] = (row["reason"], row["value"], row["limit"])
    columns = docs.to_pydict()
    return columns["text"], columns, verdicts, keep


def overlaid(docs: pa.Table, columns: dict[str, Any]) -> pa.Table:
    """The documents with these columns; a null text is an unchanged one."""
    for name, values in columns.items():
        if name == "text":
            values = pc.coalesce(values, docs.column("text").combine_chunks())
            docs = docs.set_column(docs.column_names.index("text"), name, values)
        else:
            docs = docs.append_column(name, values)
    return docs


def bounds_of(keep: Keep, lang: str) -> twin.Bounds:
    own = dict(dict(keep.lang).get(lang, ()))
    return [(name, *own.get(name, common)) for name, common in keep.bounds]


def rules_of(lang: str) -> twin.Rules:
    return twin.Rules(
        CHARACTERS_OF.get(lang, CHARACTERS),
        WORDS_OF.get(lang, WORDS),
        frozenset(stopwords.words(lang)) if lang in stopwords.listed() else None,
    )


def beside_twin(found: list[Document], texts: list[str], verdicts: list[Verdict], keep: Keep) -> int:
    differences, reasons = 0, dict.fromkeys(FILTERS, 0)
    for i, (document, text) in enumerate(zip(found, texts, strict=True)):
        told = twin.judge(text, rules_of(document.lang), bounds_of(keep, document.lang))
        if verdicts[i] is not None:
            reasons[verdicts[i][0]] += 1
        if told != verdicts[i]:
            differences += 1
            print(f"{document.lang}: twin {told}, pipeline {verdicts[i]}: {text[:80]!r}")
    size = sum(len(text.encode()) for text in texts)
    langs = len({one.lang for one in found})
    print(f"{len(found)} documents in {langs} languages, {size / 1e6:.1f} MB; dropped: {reasons}")
    print(f"differences of reason, value or limit between the pipeline and the twin: {differences}")
    return differences


def beside_original(
    found: list[Document], args: Any, numbers: dict[str, list[Any]], keep: Keep
) -> dict[str, list[dict[str, Any]]]:
    """Three comparisons, a row a language each: documents, how many each side drops, differences by filter."""
    said, lists = original(found, args.roots, args.cache)
    edited = pa.table({"text": pa.array([one["edited"] for one in said], pa.large_string()), "lang": langs_of(found)})
    ours = {lang: {name: (low, high) for name, low, high in bounds_of(keep, lang)} for lang in ROOTS}
    theirs = {one.lang: looked["limits"] for one, looked in zip(found, said, strict=True)}
    same_text = measured(edited, Measure(names=FILTERS))
    own_lists = measured(edited, Measure(names=(*FILTERS, "flagged_ratio"), **files(lists, args.cache)))
    out = {
        "the recipe beside ROOTS": compared(found, said, theirs, numbers, ours, FILTERS),
        "on the same text": compared(found, said, theirs, same_text, ours, FILTERS),
        "on the same text, with ROOTS' lists and limits": compared(
            found, said, theirs, own_lists, theirs, (*FILTERS, "flagged_ratio")
        ),
    }
    for title, rows in out.items():
        show(title, rows)
    return out


def langs_of(found: list[Document]) -> list[str]:
    return [one.lang for one in found]


def measured(docs: pa.Table, measure: Measure) -> dict[str, list[Any]]:
    return {name: values.to_pylist() for name, values in measure.apply(docs).columns.items()}


def files(lists: Lists, cache: Path) -> dict[str, dict[str, str]]:
    """The lists of ROOTS as files for `measure`; entries of no word or of more than four could never be met."""
    paths: dict[str, dict[str, str]] = {"stop_words": {}, "flagged": {}}
    for lang, named in lists.items():
        for kind, entries in named.items():
            path = cache / f"roots-{lang}-{kind}.txt"
            path.write_text("\n".join(entry for entry in entries if 0 < len(twin.words(entry)) <= 4), encoding="utf-8")
            paths[kind][lang] = str(path)
    return paths


def compared(
    found: list[Document],
    said: list[dict[str, Any]],
    theirs: dict[str, Any],
    numbers: dict[str, list[Any]],
    ours: dict[str, Any],
    filters: tuple[str, ...],
) -> list[dict[str, Any]]:
    rows = []
    for lang in ROOTS:
        at = [i for i, one in enumerate(found) if one.lang == lang]
        there = [{name for name in filters if broken(said[i][name], *theirs[lang][name])} for i in at]
        here = [{name for name in filters if broken(numbers[name][i], *ours[lang][name])} for i in at]
        rows.append(row(lang, there, here, filters))
    return [*rows, {key: sum(one[key] for one in rows) if key != "lang" else "all" for key in rows[0]}]


def broken(value: float | None, low: float | None, high: float | None) -> bool:
    return value is not None and ((low is not None and value < low) or (high is not None and value > high))


def row(lang: str, theirs: list[set[str]], ours: list[set[str]], filters: tuple[str, ...]) -> dict[str, Any]:
    pairs = list(zip(theirs, ours, strict=True))
    out: dict[str, Any] = {
        "lang": lang,
        "documents": len(pairs),
        "dropped there": sum(bool(one) for one in theirs),
        "dropped here": sum(bool(one) for one in ours),
        "there alone": sum(bool(one) and not other for one, other in pairs),
        "here alone": sum(bool(other) and not one for one, other in pairs),
    }
    return out | {name: sum((name in one) != (name in other) for one, other in pairs) for name in filters}


def show(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{title}\n\n| " + " | ".join(rows[0]) + " |\n|---" + "|---:" * (len(rows[0]) - 1) + "|")
    for one in rows:
        print("| " + " | ".join(str(value) for value in one.values()) + " |")


if __name__ == "__main__":
    main()
