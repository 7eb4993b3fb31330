"""Do the recipes decide as datatrove's filters do? Document by document, reason by reason, on the same real text.

    python benchmarks/agreement.py FILE... [--documents 250] [--langs en fr ...] [--own] [--cache DIR] [--json OUT]

A FILE has {text, meta: {lang}} a line, and may end in .zst (`benchmarks/corpora.py` makes one); of each language the
documents are taken evenly over all files. Ours are the `keep` stages of configs/fineweb.yaml, as they stand. Theirs run
in an environment of their own (made on first use in --cache) with our words and sentences in place of theirs: then
every difference is a bug, and the exit code is 1. With --own they split by themselves; then the table says how often
two decisions differ (kept or dropped), and the exit code is 0.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import zstandard
from environments import python_of

from pipeline.config import load
from pipeline.document import TEXT
from pipeline.stages.base import RowStage
from pipeline.stages.c4_lines import C4Lines
from pipeline.stages.keep import Keep
from pipeline.stages.measure import Measure
from pipeline.text.stopwords import words

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ["datatrove[io,processing]==0.10.1", "spacy", "jieba", "pyvi", "indic-nlp-library", "numba"]
LANGS = [
    "en",
    "fr",
    "es",
    "pt",
    "ca",
    "eu",
    "id",
    "vi",
    "hi",
    "ar",
    "ur",
    "bn",
    "ta",
    "te",
    "sw",
    "yo",
    "zh-hans",
    "zh-hant",
]
# (measure, the limit is the lower one) -> datatrove's reason
REASONS = {
    ("gopher_words", True): "gopher_short_doc",
    ("gopher_words", False): "gopher_long_doc",
    ("gopher_mean_word_length", True): "gopher_below_avg_threshold",
    ("gopher_mean_word_length", False): "gopher_above_avg_threshold",
    ("hashes_per_word", False): "gopher_too_many_hashes",
    ("ellipses_per_word", False): "gopher_too_many_ellipsis",
    ("bullet_line_ratio", False): "gopher_too_many_bullets",
    ("ellipsis_line_ratio", False): "gopher_too_many_end_ellipsis",
    ("alphabetic_word_ratio", True): "gopher_below_alpha_threshold",
    ("gopher_stop_words", True): "gopher_enough_stop_words",
    ("stop_words_met", True): "gopher_enough_stop_words",
    ("paragraphs", True): "empty",
    ("duplicate_paragraph_ratio", False): "dup_para_frac",
    ("duplicate_paragraph_characters", False): "dup_para_char_frac",
    ("duplicate_line_ratio", False): "dup_line_frac",
    ("duplicate_line_characters", False): "dup_line_char_frac",
    **{(f"top_{n}_gram", False): f"top_{n}_gram" for n in (2, 3, 4)},
    **{(f"duplicate_{n}_grams", False): f"duplicated_{n}_n_grams" for n in range(5, 11)},
    ("curly_brackets", False): "curly_bracket",
    ("lorem_ipsum", False): "lorem_ipsum",
    ("sentences", True): "too_few_sentences",
    ("filled_lines", True): "empty",
    ("ended_line_ratio", True): "line_punct_ratio",
    ("short_line_ratio", False): "short_line_ratio",
    ("duplicate_filled_characters", False): "char_dup_ratio",
    ("feeds_per_word", False): "list_ratio",
}


def keeps(recipe: str) -> list[Keep]:
    return [stage for stage in load(ROOT / "configs" / f"{recipe}.yaml").stages if isinstance(stage, Keep)]


def recipes() -> dict[str, list[RowStage]]:
    """Our stages for each of their filters, from the configs; of Gopher's quality both ways to count stop words."""
    _, repetition, quality, page, own = keeps("fineweb")
    bounds = dict(quality.bounds)
    any_language = {**bounds, "stop_words_met": bounds["gopher_stop_words"]}
    del any_language["gopher_stop_words"]
    return {
        "gopher_quality": [Measure(names=("gopher",)), quality],
        "gopher_quality, own stop words": [Measure(names=("gopher",)), Keep(bounds=any_language)],
        "gopher_repetition": [Measure(names=("gopher",)), repetition],
        "c4": [C4Lines(), Measure(names=("c4",)), page],
        "c4 without end marks": [C4Lines(ended=False), Measure(names=("c4",)), page],
        "fineweb": [Measure(names=("fineweb",)), own],
    }


def decide(stages: list[RowStage], docs: pa.Table) -> list[tuple[str, str | None]]:
    """(datatrove's name for our reason, the edited text of C4's filters) of each document."""
    edited = isinstance(stages[0], C4Lines)
    emptied: list[int] = []  # C4 drops these as too short, which they are
    answers: list[tuple[str, str | None]] = [("", None)] * docs.num_rows
    for stage in stages:
        outcome = stage.apply(docs)
        if isinstance(stage, C4Lines):
            emptied = outcome.dropped.column("row").to_pylist()
        for name, column in outcome.columns.items():
            if name == "text":
                old = docs.column("text").to_pylist()
                column = pa.array(
                    [o if n is None else n for o, n in zip(old, column.to_pylist(), strict=True)], pa.large_string()
                )
                docs = docs.set_column(docs.column_names.index("text"), "text", column)
            else:
                docs = docs.append_column(name, column)
        if isinstance(stage, Keep):
            texts = docs.column("text").to_pylist()
            answers = [("", text if edited else None) for text in texts]
            for row in outcome.dropped.to_pylist():
                reason = REASONS[row["reason"], row["value"] < row["limit"]]
                answers[row["row"]] = (reason, None)
    for row in emptied:
        answers[row] = ("too_few_sentences", None)
    return answers


def sample(paths: list[Path], langs: list[str], most: int) -> dict[str, list[str]]:
    """Of each language up to so many documents, evenly over the files."""
    found: dict[str, list[str]] = {lang: [] for lang in langs}
    for path in paths:
        opener = zstandard.open if path.suffix == ".zst" else open
        with opener(path, "rt", encoding="utf-8") as file:
            for given in map(json.loads, file):
                if (given.get("meta") or {}).get("lang") in found:
                    found[given["meta"]["lang"]].append(given["text"])
    return {lang: texts[:: max(1, -(-len(texts) // most))] for lang, texts in found.items() if texts}


def theirs(python: Path, splitter: str, lang: str, texts: list[str]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
        stops = words(lang)
        source.write_text("".join(json.dumps({"text": t, "lang": lang, "stops": stops}) + "\n" for t in texts), "utf-8")
        command = [str(python), str(Path(__file__).with_name("agreement_peer.py")), splitter, str(source), str(out)]
        quiet = {"LOGURU_LEVEL": "ERROR", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        subprocess.run(command, check=True, env={**os.environ, **quiet}, stdout=sys.stderr)
        return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def rows(python: Path, own: bool, found: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    """One for each language and filter: documents, dropped by each, decisions and reasons that differ, edits too."""
    for lang, texts in found.items():
        docs = pa.table(
            {"text": pa.array(texts, pa.large_string()), "kind": [TEXT] * len(texts), "lang": [lang] * len(texts)}
        )
        answers = theirs(python, "own" if own else "ours", lang, texts)
        for name, stages in recipes().items():
            if name not in answers[0]:
                continue
            pairs = list(zip(decide(stages, docs), (tuple(answer[name]) for answer in answers), strict=True))
            unlike = Counter((mine[0], other[0]) for mine, other in pairs if mine[0] != other[0])
            common = unlike.most_common(3)
            yield {
                "lang": lang,
                "filter": name,
                "documents": len(texts),
                "dropped": sum(mine[0] != "" for mine, _ in pairs),
                "dropped_by_datatrove": sum(other[0] != "" for _, other in pairs),
                "reasons": len({mine[0] for mine, _ in pairs} - {""}),
                "decisions_differ": sum((mine[0] == "") != (other[0] == "") for mine, other in pairs),
                "reasons_differ": sum(unlike.values()),
                "texts_differ": sum(mine[0] == other[0] == "" and mine[1] != other[1] for mine, other in pairs),
                "examples": [f"{mine or 'kept'} here, {other or 'kept'} there: {n}" for (mine, other), n in common],
            }


def main() -> int:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("files", nargs="+", type=Path)
    ask.add_argument("--documents", type=int, default=250, help="of each language, at most")
    ask.add_argument("--langs", nargs="+", default=LANGS)
    ask.add_argument("--own", action="store_true", help="datatrove splits words and sentences by itself")
    ask.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "seedbed-benchmarks")
    ask.add_argument("--json", type=Path)
    args = ask.parse_args()
    python = python_of("datatrove", REQUIREMENTS, args.cache)
    print("| language | filter | documents | dropped | by datatrove | other decision | other reason | other text |")
    print("|---|---|---|---|---|---|---|---|")
    made = []
    for row in rows(python, args.own, sample(args.files, args.langs, args.documents)):
        made.append(row)
        cells = [row[key] for key in ("lang", "filter", "documents", "dropped", "dropped_by_datatrove")]
        cells += [row[key] for key in ("decisions_differ", "reasons_differ", "texts_differ")]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        if not args.own:
            print(*(f"    {example}" for example in row["examples"]), sep="\n", end="\n" * bool(row["examples"]))
    if args.json:
        args.json.write_text(json.dumps(made, indent=1))
    return int(not args.own and any(row["reasons_differ"] or row["texts_differ"] for row in made))


if __name__ == "__main__":
    sys.exit(main())
