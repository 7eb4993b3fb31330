"""What the stages make of the Declaration of Human Rights is pinned: a change of bytes is a decision.

A changed digest here is right only beside a raised `version` of the stage: a store of old steps would be taken for new.
"""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard

from pipeline.stages import STAGES
from pipeline.stages.measure import FAMILIES
from tests.pipeline.making import config, go, kept_after, ledger_of
from tests.pipeline.stages.tables import docs

UDHR = Path(__file__).parents[3] / "data" / "udhr"
# stage, settings, version, digest of the columns it makes
COLUMNS = [
    ("normalize", {}, 1, "d6378785e3d85c42"),
    ("measure", {}, 3, "c8c78c5b18e2d5c0"),
    ("measure", {"names": ["gopher"]}, 3, "cf5242198721f2f5"),
    ("measure", {"names": ["c4"]}, 3, "89061e860965d015"),
    ("measure", {"names": ["fineweb"]}, 3, "4f4f6a8c0cb76f47"),
    ("measure", {"names": ["slimpajama"]}, 3, "fe6a797309648594"),
    ("measure", {"names": ["code"]}, 3, "797b8dfbb39cbd4e"),
    ("redact", {}, 2, "ce1f3b77d754c01f"),
]
# the same over SPOILED, with what they drop
EDITED = [
    ("drop_lines", {}, 1, "179094e5932336ca"),
    ("drop_lines", {"holding": [], "repeated": True}, 1, "41cf259e0e54c0d3"),
    ("html_leftovers", {}, 1, "3f4824e99522ff4c"),
]
# the same of whole runs: what stays, and the ledger
RUNS = [
    ("dedup_lines", {"min_count": 5}, 2, "7687103a158ebb1d"),
    ("dedup_lines", {"min_chars": 1, "min_count": 2, "keep": "none", "within": "corpus"}, 2, "256730021170cb52"),
    ("dedup_lines", {"unit": "paragraph", "min_chars": 5, "min_count": 2}, 2, "6d5c48fcd3f506f4"),
    ("dedup_simhash", {"by_words": []}, 2, "2c240af4233b6299"),
    ("dedup_url", {}, 2, "92d3b89359ea98a4"),
    ("dedup_substrings", {}, 1, "4c53cd04cb68ca36"),
    ("dedup_substrings", {"unit": "words", "length": 9, "min_left": 300}, 1, "f7208c18fb1eb721"),
]
MENU = "Home | News | About us | Contact"
LEFT = ["<div class='x'>&copy; 1948 &amp; later</div>", "if (a) { return; }", MENU, "<script>var x = 1</script>", ""]


@pytest.fixture(scope="module")
def texts() -> tuple[list[str], list[str]]:
    texts, langs = [], []
    for path in sorted(UDHR.glob("*.jsonl.zst")):
        with zstandard.open(path, "rb") as file:
            found = [json.loads(line)["text"] for line in io.TextIOWrapper(file, encoding="utf-8")]
        texts += found
        langs += [path.name.split(".")[0]] * len(found)
    assert len(set(langs)) == 42
    return texts, langs


def spoiled(texts: list[str]) -> list[str]:
    """As a crawl brings them: leftovers of HTML, lines of code, a menu, lines twice; some hold nothing else."""
    out = [f"{MENU}\n{text}\n{LEFT[i % 5]}\n{text.splitlines()[0]}" for i, text in enumerate(texts)]
    return [*out, *LEFT, *("\n".join([left, left]) for left in LEFT)]


def digest(made: Any) -> str:
    return hashlib.sha256(json.dumps(made, ensure_ascii=False).encode()).hexdigest()[:16]


@pytest.mark.parametrize(("name", "settings", "version", "pinned"), COLUMNS)
def test_the_bytes_that_a_stage_makes_are_pinned(name, settings, version, pinned, texts):
    columns = STAGES[name](**settings).apply(docs(texts[0], lang=texts[1])).columns
    made = digest({column: values.to_pylist() for column, values in columns.items()})
    assert (STAGES[name].version, made) == (version, pinned)


@pytest.mark.parametrize(("name", "settings", "version", "pinned"), EDITED)
def test_the_bytes_that_an_editing_stage_makes_are_pinned(name, settings, version, pinned, texts):
    outcome = STAGES[name](**settings).apply(docs(spoiled(texts[0])))
    columns = {column: values.to_pylist() for column, values in outcome.columns.items()}
    assert any(columns["text"])  # else nothing would be pinned
    assert (STAGES[name].version, digest([columns, outcome.dropped.to_pylist()])) == (version, pinned)


@pytest.mark.parametrize(("name", "settings", "version", "pinned"), RUNS)
def test_the_bytes_that_a_stage_over_all_documents_makes_are_pinned(name, settings, version, pinned, texts, tmp_path):
    lines = [
        json.dumps({"text": text, "url": f"https://example.org/{i // 2}?a={i}"})
        for i, text in enumerate(spoiled(texts[0]))
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    result = go(config(tmp_path, stages=[{name: settings}], shard_size=200_000))
    ledger = ledger_of(result.steps[-1])
    kept = kept_after(result, 1)
    assert result.steps[-1].step.manifest()["tallies"] or ledger.num_rows  # else nothing would be pinned
    assert (STAGES[name].version, digest([kept.to_pylist(), ledger.to_pylist()])) == (version, pinned)


def test_the_measures_of_every_family_are_pinned():
    asked = {name for _, settings, *_ in COLUMNS for name in settings.get("names", ["default"])}
    assert asked >= set(FAMILIES) - {"roots", "all"}  # these have no measure of their own but flagged_ratio
