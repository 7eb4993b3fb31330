"""`keep` drops what breaks a bound, names the first one broken, and lets bounds themselves pass."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.errors import ConfigError
from pipeline.stages.keep import Keep
from tests.pipeline.stages.tables import docs


def dropped(stage, **columns):
    n = len(next(iter(columns.values())))
    made = docs([""] * n, **columns)
    return [
        tuple(row[name] for name in ("row", "reason", "value", "limit"))
        for row in stage.apply(made).dropped.to_pylist()
    ]


def test_bounds_are_inclusive():
    stage = Keep(bounds={"words": [2, 4]})
    assert dropped(stage, words=[1, 2, 3, 4, 5]) == [(0, "words", 1, 2), (4, "words", 5, 4)]


def test_the_first_bound_written_is_the_reason():
    columns = {"words": [1], "bytes": [1]}
    assert dropped(Keep(bounds={"words": [2, None], "bytes": [3, None]}), **columns) == [(0, "words", 1, 2)]
    assert dropped(Keep(bounds={"bytes": [3, None], "words": [2, None]}), **columns) == [(0, "bytes", 1, 3)]


def test_the_order_of_bounds_is_part_of_the_recipe():
    one, other = (
        Keep(bounds={"words": [2, None], "bytes": [3, None]}),
        Keep(bounds={"bytes": [3, None], "words": [2, None]}),
    )
    assert one.model_dump(mode="json") != other.model_dump(mode="json")
    assert Keep.model_validate(one.model_dump(mode="json")) == one


def test_a_languages_bound_replaces_the_one_of_that_measure_and_leaves_the_others():
    stage = Keep(
        bounds={"words": [3, None], "bytes": [None, 9]}, lang={"swa": {"words": [1, None], "lines": [None, 5]}}
    )
    rows = dropped(stage, words=[2, 2, 2, 2], bytes=[1, 1, 10, 1], lines=[9, 1, 1, 9], lang=["en", "sw", "sw", "sw"])
    assert rows == [(0, "words", 2, 3), (2, "bytes", 10, 9), (3, "lines", 9, 5)]
    assert stage.needs == ("words", "bytes", "lines")


def test_no_number_breaks_no_bound():
    assert dropped(Keep(bounds={"stopword_ratio": [0.5, 0.6]}), stopword_ratio=[None, 0.1]) == [
        (1, "stopword_ratio", 0.1, 0.5)
    ]


def test_other_languages_are_dropped_before_bounds_are_tried():
    stage = Keep(bounds={"words": [2, None]}, languages=["eng", "zh-CN"])
    rows = dropped(stage, words=[1, 1, 5], lang=["fr", "en", "zh-hans"])
    assert rows == [(0, "language", None, None), (1, "words", 1, 2)]


def test_documents_in_another_language_than_declared_can_be_dropped():
    declared, found = ["swa", None, "tw", "fr"], ["sw", "en", "ak", "en"]
    assert dropped(Keep(as_declared=True), lang_declared=declared, lang=found) == [(3, "declared", None, None)]


NUMBERS = st.lists(st.integers(0, 10) | st.none(), min_size=1, max_size=8)


@settings(deadline=None, max_examples=60)
@given(NUMBERS, st.integers(0, 10), st.integers(0, 5), st.integers(0, 3))
def test_a_tighter_bound_never_keeps_more(words, low, width, more):
    column = pa.array(words, pa.int64())
    loose = {row for row, *_ in dropped(Keep(bounds={"words": [low, low + width]}), words=column)}
    tight = {
        row for row, *_ in dropped(Keep(bounds={"words": [low + more, max(low + width, low + more)]}), words=column)
    }
    outside = {row for row, value in enumerate(words) if value is not None and not low <= value <= low + width}
    assert loose == outside
    if width >= more:
        assert loose <= tight


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "keeps everything"),
        ({"bounds": {"words": [5, 2]}}, r"words: \[5, 2\] holds nothing"),
        ({"bounds": {"words": [1]}}, "Field required|too_short|at least 2|words"),
        ({"bounds": {"words": [float("nan"), 2]}}, "finite"),
        ({"lang": {"en": {"words": [5, 2]}}}, "holds nothing"),
        ({"lang": {"eng": {"words": [1, 2]}, "en": {"words": [1, 3]}}}, "'en' is named twice"),
        ({"bound": {"words": [1, 2]}}, "Extra inputs"),
        ({"bounds": {"top_2_gram": [None, 20]}}, "top_2_gram is a share, 1 being the whole: write 0.2"),
        ({"bounds": {"duplicate_5_grams": [None, 1.5]}}, "is a share"),
        ({"lang": {"en": {"duplicate_line_characters": [20, None]}}}, "is a share"),
    ],
)
def test_bounds_that_cannot_be_are_refused(wrong, says):
    with pytest.raises(ValidationError, match=says):
        Keep.model_validate(wrong)


def test_a_measure_that_was_never_taken_is_named_with_a_deed():
    with pytest.raises(ConfigError, match="'words' was never measured\n  hint: add `- measure"):
        Keep(bounds={"words": [1, 2]}).apply(docs(["a"]))
