"""The dataset card, the table on the terminal, and how numbers and foreign text are put into words."""

from __future__ import annotations

import io
import unicodedata

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pipeline.report import gather, print_table
from pipeline.report.card import markdown, render_card, size_category
from pipeline.report.wording import plural, seconds, share, short, visible


def front(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_the_card_names_languages_as_the_hub_knows_them(made):
    made.source("s", [("a", "zh-hans", "x"), ("b", "sw", "x"), ("c", "python", "x", "code"), ("d", "xx</script>", "x")])
    made.tail({"sw": 10, "zh-hans": 10})
    head = front(render_card(gather(made.steps)))
    assert head["language"] == ["code", "sw", "zh"]
    assert head["language_bcp47"] == ["sw", "zh-Hans"]
    assert head["size_categories"] == ["n<1K"] and head["multilinguality"] == "multilingual"


def test_the_card_points_at_the_packed_shards(made):
    made.source("s", [("a", "sw", "x")])
    made.tail({"sw": 10})
    files = front(render_card(gather(made.steps)))["configs"][0]["data_files"]
    assert files == [
        {"split": "train", "path": "packed-00000000000000ff/train/**/*.arrow"},
        {"split": "validation", "path": "packed-00000000000000ff/valid/**/*.arrow"},
    ]


def test_a_hostile_language_neither_opens_html_nor_another_cell(made):
    made.source("s", [("a", "x|y\n<b>`\u202e", "x")])
    body = render_card(gather(made.steps)).split("---\n", 2)[2]
    assert "<b>" not in body.replace("\\<b\\>", "") and "\u202e" not in body
    (row,) = [line for line in body.splitlines() if line.startswith("| x")]
    assert row.replace("\\|", "").count("|") == 9  # eight cells


@given(st.text())
def test_markdown_is_one_line_without_a_bare_sign(text):
    escaped = markdown(text)
    assert "\n" not in escaped
    bare = escaped.replace("\\\\", "")
    assert not any(bare[i] in "|<>`*_[]" and bare[i - 1 : i] != "\\" for i in range(len(bare)))


@pytest.mark.parametrize(
    ("documents", "category"),
    [
        (0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (9999, "1K<n<10K"), (10_000, "10K<n<100K"),
        (999_999, "100K<n<1M"),
        (1_000_000, "1M<n<10M"), (10**9, "1B<n<10B"), (10**12 - 1, "100B<n<1T"), (10**12, "n>1T"),
    ],
)  # fmt: skip
def test_sizes_are_named_as_the_hub_names_them(documents, category):
    assert size_category(documents) == category


def test_the_terminal_shows_a_hostile_language_and_obeys_none_of_it(made):
    made.source("s", [("a", "[red]x[/red]\x1b[31m", "text"), ("b", "sw", "text")])
    made.tail({"sw": 100, "[red]x[/red]\x1b[31m": 90_000})
    out = io.StringIO()
    print_table(gather(made.steps), Console(file=out, width=200, force_terminal=True, color_system="truecolor"))
    assert "[red]x[/red]␛[31m" in out.getvalue()
    assert "\x1b[31m" not in out.getvalue()
    assert "Swahili" in out.getvalue() and "notice: 1 language has fewer" in out.getvalue()


@pytest.mark.parametrize(("width", "gone"), [(110, []), (80, ["bytes/tok", "share"]), (60, ["tok/word", "docs kept"])])
def test_a_narrow_terminal_has_fewer_columns_and_no_cut_number(made, width, gone):
    made.source("s", [("a", "zh-hans", "text " * 3_000_000), ("b", "sw", "text")])
    made.tail({"zh-hans": 123_456_789, "sw": 90_000}, words={"zh-hans": 100_000_000})
    out = io.StringIO()
    print_table(gather(made.steps), Console(file=out, width=width))
    table = "\n".join(
        line for line in out.getvalue().splitlines() if "Simplified" in line or line.startswith("language")
    )
    assert "…" not in table and "Simplified Chinese" in table and "15.0 MB" in table
    assert all(name not in table for name in gone)
    assert ("bytes/tok" in table) == (width == 110)


@given(st.text())
def test_what_is_visible_holds_no_control_and_is_visible_already(text):
    shown = visible(text)
    assert visible(shown) == shown
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n"]
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff")


def test_scripts_that_need_joiners_and_marks_are_left_as_they_are():
    for text in ("नमस्ते क्‍ष", "می‌خواهم", "ẹ̀kọ́", "👩‍👧 emoji", "tab\tline\n"):
        assert visible(text) == text
    assert visible("a\x1b[31m\u202eb\x00\x85") == "a␛[31m⟨U+202E⟩b␀⟨U+0085⟩"


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.9999, ">99.9%"),
        (0.00004, "<0.01%"),
        (0.0042, "0.42%"),
        (0.123, "12.3%"),
        (0.0001, "0.01%"),
    ],
)
def test_a_share_is_never_nothing_nor_all_when_it_is_not(part, words):
    assert share(part) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0"), (999, "999"), (1000, "1k"), (1234567, "1.23M"), (999_700, "1M"), (3e15, "3,000T")],
)
def test_short_numbers_have_three_digits_and_a_unit(number, words):
    assert short(number) == words


def test_times_and_plurals_read_as_people_write_them():
    assert [seconds(s) for s in (0.4213, 12.34, 245, 7380)] == ["0.42 s", "12.3 s", "4 min 05 s", "2 h 03 min"]
    assert (plural(1, "language"), plural(1200, "language")) == ("1 language", "1,200 languages")
