"""What is drawn is what was counted: places, widths and heights of pictures, shares and colours of tables."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report import gather
from pipeline.report.draw import Scale, element, log_scale
from pipeline.report.pictures import fertility, funnel_bars, mix_bars, mix_groups, temperatures
from pipeline.report.shapes import HEIGHT, clusters, lengths, lsh_curve, median
from pipeline.report.tables import STRONGEST, language_table, loss_table, pair_table, reason_table, step_table
from pipeline.report.wording import count


@pytest.fixture
def report(made):
    made.source(
        "s", [(f"{lang}{i}", lang, "x" * 10) for lang, n in (("en", 4), ("sw", 4), ("yo", 1)) for i in range(n)]
    )
    made.stage("keep", {"sw0": ("words", 1.0, 5.0), "sw1": ("length", 1.0, 5.0)})
    made.stage("keep", {"yo0": ("words", 1.0, 5.0)})
    made.tail({"en": 800, "sw": 200}, words={"en": 400, "sw": 50})
    return gather(made.steps)


def numbers(picture: str, attribute: str, class_: str) -> list[float]:
    elements = [e for e in re.findall(r"<[^>]*>", picture) if f'class="{class_}"' in e]
    return [float(re.search(rf' {attribute}="([\d.]+)%?"', e)[1]) for e in elements]


def test_a_bar_is_as_wide_as_its_share_of_the_largest(report):
    drawn = mix_bars(report.languages)
    assert numbers(drawn, "width", "group g3") == [100.0]  # English, .8
    assert numbers(drawn, "width", "group g0") == [25.0]  # Swahili, .2; Yoruba has nothing and no bar


def test_on_a_log_scale_equal_ratios_are_equal_distances():
    scale = Scale(0.01, 1.0, log=True)
    assert [scale(v) for v in (0.001, 0.01, 0.1, 1.0)] == pytest.approx([0.0, 0.0, 0.5, 1.0])
    assert scale.ticks() == pytest.approx([0.01, 0.1, 1.0])


@given(st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=20))
def test_every_value_has_a_place_in_the_plot_and_the_order_is_kept(values):
    scale = log_scale(values)
    places = [scale(v) for v in sorted(values)]
    assert places == sorted(places) and places[0] >= 0 and places[-1] <= 1
    assert all(0 <= scale(t) <= 1 for t in scale.ticks())


@given(st.floats(1e-6, 1e12))
def test_a_linear_scale_has_a_few_round_ticks(high):
    assert 3 <= len(Scale(0, high).ticks()) <= 6


def test_families_are_summed(report):
    drawn = mix_groups(report.languages)
    assert "Niger-Congo: 1 language, 20.0%" in drawn and "Germanic: 1 language, 80.0%" in drawn


def test_the_dots_of_a_temperature_stand_at_their_shares(report):
    # natural .2; alpha .5: sqrt(.2) / (sqrt(.2) + sqrt(.8)) = 1/3
    assert "Swahili: natural 20.0%; alpha 0.7: 27.5% (1.37 epochs), 0.5: 33.3% (1.67 epochs)" in temperatures(
        report.languages
    )
    # between 10 % and 100 % on a log scale: 1 + log10(.8) = .90309 and 1 + log10(.2) = .30103
    assert numbers(temperatures(report.languages), "cx", "alpha natural") == [90.309, 30.103]


def test_the_funnel_draws_what_stayed_and_beside_it_what_went(report):
    drawn = funnel_bars(report.funnel, "documents", count)
    assert numbers(drawn, "width", "kept") == pytest.approx([100, 700 / 9, 600 / 9], abs=0.001)
    assert numbers(drawn, "x", "gone") == pytest.approx([700 / 9, 600 / 9], abs=0.001)  # where what stayed ends
    assert numbers(drawn, "width", "gone") == pytest.approx([200 / 9, 100 / 9], abs=0.001)


def test_fertility_is_drawn_the_worst_on_top(report):
    drawn = fertility(report.languages, "tokens_per_word", "tokens per word")
    assert re.findall(r"<title>([^<]*)</title>", drawn) == [
        "Swahili: 4.00 tokens per word",
        "English: 2.00 tokens per word",
    ]


def test_a_histogram_is_as_tall_as_its_largest_bin():
    row = {
        "name": "Swahili",
        "group": "Niger-Congo",
        "documents": 3,
        "sizes_in": [[3, 4], [4, 2]],
        "sizes": [[3, 2], [4, 1]],
    }
    drawn = lengths(row, 3, 5)
    assert numbers(drawn, "height", "before") == [HEIGHT - 2, (HEIGHT - 2) / 2]
    assert numbers(drawn, "height", "group g0") == [(HEIGHT - 2) / 2, (HEIGHT - 2) / 4]
    assert numbers(drawn, "x", "before") == [0.0, 50.0]


def test_the_median_is_the_middle_of_the_bin_that_holds_it():
    assert median([[3, 2], [10, 3]]) == "1.4 kB"  # the third of five; 2^10.5 = 1448
    assert median([[3, 2], [10, 2]]) == "11 B"  # of four the second; 2^3.5 = 11.3
    assert median([]) == "nothing"


def test_large_clusters_are_folded_and_none_is_lost():
    drawn = clusters([[size, 1] for size in range(2, 40)], most=4)
    shown = re.findall(r"<title>([^<]*)</title>", drawn)
    assert shown[3:6] == ["1 cluster of 5 documents", "2 clusters of 4–7 documents", "8 clusters of 8–15 documents"]
    assert sum(int(words.split()[0]) for words in shown) == 38


def test_the_curve_goes_through_its_points():
    drawn = lsh_curve({"bands": 2, "rows": 1, "threshold": 0.5}, [[0.0, 0.0], [0.5, 0.75], [1.0, 1.0]])
    assert 'points="0.000,100.000 50.000,25.000 100.000,0.000"' in drawn
    assert "threshold 0.5" in drawn


def test_losses_are_shares_of_what_came_to_the_stage_and_colour_is_their_root(report):
    table = loss_table(report.funnel, report.languages, "documents")
    assert table.head == ["language", "documents in", "keep", "keep 2", "at the end", "kept"]
    cells = {row.lang: row.cells for row in table.rows}
    assert [cell.text for cell in cells["sw"]] == ["Swahili", "4", "50.0%", "·", "2", "50.0%"]
    assert [cell.text for cell in cells["yo"]] == ["Yoruba", "1", "·", "100%", "0", "0%"]
    assert cells["sw"][2].heat == pytest.approx(STRONGEST * 0.5**0.5, abs=0.001)
    assert cells["sw"][3].heat is None and cells["yo"][3].heat == STRONGEST


def test_a_stage_that_renames_has_a_column_of_what_each_language_gained(made):
    made.source("s", [("a", "sw", "x"), ("b", "en", "x"), ("c", "en", "x")])
    made.stage("identify", lang={"b": "sw", "c": "sw"})
    made.stage("keep", {"a": ("words", 1.0, 5.0)})
    report = gather(made.steps)
    table = loss_table(report.funnel, report.languages, "documents")
    assert table.head == ["language", "documents in", "identify: renamed", "keep", "at the end", "kept"]
    cells = {row.lang: [cell.text for cell in row.cells] for row in table.rows}
    assert cells == {"sw": ["Swahili", "3", "+2", "33.3%", "2", "66.7%"], "en": ["English", "0", "−2", "", "0", ""]}


def test_reasons_are_counted_by_language(report):
    table = reason_table(report.drops, report.languages)
    assert table.head == ["language", "dropped", "keep: length", "keep: words", "keep 2: words"]
    assert [cell.text for cell in next(row for row in table.rows if row.lang == "sw").cells] == [
        "Swahili",
        "2",
        "1",
        "1",
        "·",
    ]
    assert "en" not in [row.lang for row in table.rows]


def test_every_table_has_as_many_cells_as_heads(report):
    for table in (
        language_table(report.languages),
        step_table(report.steps),
        reason_table(report.drops, report.languages),
    ):
        assert table.rows and {len(row.cells) for row in table.rows} == {len(table.head)}


def test_an_element_escapes_what_it_is_given():
    made = element("text", "<b>&\x00", title='"><i>', data_lang="sw", class_="x", y=None)
    assert made == '<text title="&#34;&gt;&lt;i&gt;" data-lang="sw" class="x">&lt;b&gt;&amp;␀</text>'


def test_who_duplicates_whom_tells_the_most_and_sums_the_rest():
    made = pair_table([["crawl", "books", 9], ["crawl", "wiki", 4], ["wiki", "books", 2], ["a", "b", 1]], most=2)
    told = [[cell.text for cell in line.cells] for line in made.rows]
    assert told == [["crawl", "books", "9"], ["crawl", "wiki", "4"], ["2 other pairs", "", "3"]]
