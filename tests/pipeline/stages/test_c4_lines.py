"""`c4_lines` edits as its switches say and counts what it did; with `measure` and `keep` it decides as C4."""

import pytest
from pydantic import ValidationError

from pipeline.stages.c4_lines import C4Lines
from pipeline.stages.keep import Keep
from pipeline.stages.measure import Measure
from tests.pipeline.stages.tables import docs, texts_after

LONG = "x" * 13
PAGE = (
    f"Menu of things\nOne two three.[1]\nPlease turn on JavaScript.\nWe use cookies here.\nOne two.\n{LONG} two three."
)


def test_each_reason_is_counted_and_the_rest_stays():
    outcome = C4Lines(max_word_length=12).apply(docs([PAGE, "One two three."]))
    assert outcome.columns["text"].to_pylist() == ["One two three.", None]
    assert outcome.tallies == {
        "long_word": 1, "unended": 1, "few_words": 1, "javascript": 1, "policy": 1, "citations": 1,
        "bytes": len(PAGE) - len("One two three."),
    }  # fmt: skip
    assert outcome.columns["c4_lines"].to_pylist() == [6, 0]
    assert outcome.dropped.num_rows == 0


def test_each_rule_can_be_switched_off():
    off = {"ended": False, "min_words": 0, "max_word_length": None, "citations": False, "javascript": False}
    for rule, on in [("ended", True), ("min_words", 3), ("max_word_length", 12), ("citations", True), ("policy", True)]:
        assert texts_after(C4Lines(**{**off, "policy": False, rule: on}), docs([PAGE])) != [PAGE], rule
    with pytest.raises(ValidationError, match="every rule is off"):
        C4Lines(**off, policy=False)
    for rule, value in (*off.items(), ("policy", False)):
        assert texts_after(C4Lines(**{"max_word_length": 12, rule: value}), docs([PAGE])) != ["One two three."], rule


def test_lines_that_condemn_a_document_stay_for_keep_to_see():
    keep = Keep(bounds={"curly_brackets": [None, 0], "lorem_ipsum": [None, 0], "sentences": [2, None]})
    script, filler = "if { javascript.", "Lorem ipsum and javascript."
    pages = [
        f"{filler}\na b {{ c.",
        f"a {{ use cookies.\n{filler}",
        f"{script} It goes.\nOne two three.",
        "One two three.",
        "A b c. D e f.",
    ]
    assert C4Lines().apply(docs(pages)).dropped.num_rows == 0  # else a text below is not as edited
    table = docs(texts_after(C4Lines(), docs(pages)))
    for name, column in Measure(names=["c4"]).apply(table).columns.items():
        table = table.append_column(name, column)
    dropped = keep.apply(table).dropped
    assert dict(zip(dropped["row"].to_pylist(), dropped["reason"].to_pylist(), strict=True)) == {
        0: "lorem_ipsum",  # its line comes first
        1: "curly_brackets",
        2: "sentences",  # the line with JavaScript went, and its bracket with it
        3: "sentences",
    }
