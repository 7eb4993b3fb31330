"""What `pipeline inspect` says agrees with what `keep` does, whatever the shards and the shape of the values."""

import math

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, InputError
from pipeline.inspection import Question, inspect
from pipeline.inspection.inspected import BINS, Axis, Limits, Spread
from pipeline.inspection.page import render_page, write_page
from pipeline.inspection.terminal import print_inspection
from pipeline.inspection.words import snippet
from pipeline.plan import plan
from pipeline.stages.base import Where
from tests.pipeline.making import config, go, ledger_of, write_jsonl

MEMORY = 10**9
KEEP = {"keep": {"bounds": {"words": [3, 8]}, "lang": {"sw": {"words": [1, 6]}}}}
STAGES = [{"measure": {"names": ["words"]}}, KEEP]


@pytest.fixture
def run(tmp_path):
    """Texts of 1 to 12 words in en, of 2 to 7 in sw, and one without any."""
    texts = [" ".join(["word"] * n) for n in range(1, 13)]
    write_jsonl(tmp_path / "en.jsonl", texts, lang="en")
    write_jsonl(tmp_path / "sw.jsonl", [*texts[1:7], ""], lang="sw")
    sources = [{"jsonl": {"name": f"s_{lang}", "path": str(tmp_path / f"{lang}.jsonl")}} for lang in ("en", "sw")]
    made = config(tmp_path, stages=STAGES, sources=sources)
    return go(made), plan(made)


def test_what_the_limits_of_the_config_break_is_what_keep_dropped(run):
    _, planned = run
    found = inspect(planned, Question("words"), MEMORY)
    keep = next(p for p in planned if p.name == "keep")
    assert found.judge == keep.step.folder.name
    ledger = ledger_of(keep)
    assert found.whole.dropped == ledger.num_rows == 2 + 4 + 1 + 1  # en under 3, over 8; sw over 6, under 1
    assert found.whole.dropped_bytes == sum(ledger.column("bytes").to_pylist())
    assert {it.lang: it.dropped for it in found.languages} == {"en": 6, "sw": 2}


def test_limits_that_are_asked_for_take_the_place_of_the_configs(run):
    _, planned = run
    found = inspect(planned, Question("words", langs=("sw",), high=3), MEMORY)
    assert (found.whole.documents, found.whole.dropped, found.judge) == (7, 4, None)
    assert found.whole.limits == Limits(None, 3)


def test_samples_stand_nearest_to_a_limit_on_their_own_side(run):
    _, planned = run
    found = inspect(planned, Question("words", langs=("en",), samples=2), MEMORY)
    assert sorted(it.value for it in found.dropped) == [2, 9]  # limits 3 and 8
    assert sorted(it.value for it in found.kept) == [3, 8]
    assert all(
        len(it.excerpt.split()) == it.value for it in [*found.kept, *found.dropped]
    )  # and they are those documents
    assert found.along[0].value == 1 and found.along[-1].value == 12


def test_where_chooses_documents(run):
    _, planned = run
    assert inspect(planned, Question("words", where=Where(source="*_sw")), MEMORY).whole.documents == 7
    with pytest.raises(InputError, match="kind code"):
        inspect(planned, Question("words", where=Where(kind="code")), MEMORY)


def test_it_says_what_is_wrong_and_what_to_do(run, tmp_path):
    _, planned = run
    with pytest.raises(ConfigError, match="no stage of this config writes 'wrods'") as told:
        inspect(planned, Question("wrods"), MEMORY)
    assert "words" in told.value.hint
    with pytest.raises(ConfigError, match="'07' does not judge words") as told:
        inspect(planned, Question("words", step="07"), MEMORY)
    assert "02-keep" in told.value.hint
    with pytest.raises(InputError, match="19 documents take"):
        inspect(planned, Question("words"), 100)
    with pytest.raises(InputError, match="does not stand yet"):
        inspect(plan(config(tmp_path, "elsewhere", STAGES)), Question("words"), MEMORY)


def test_words_are_no_measure_and_no_hint_names_them(tmp_path):
    write_jsonl(tmp_path / "en.jsonl", ["a b c", "a b c"], lang="en")
    made = config(tmp_path, stages=["identify", {"dedup_exact": {"action": "mark"}}])
    go(made)
    for name in ("lang_second", "cluster"):
        with pytest.raises(ConfigError, match=f"{name!r} holds words, no numbers") as told:
            inspect(plan(made), Question(name), MEMORY)
        assert told.value.hint == "it measures lang_score, lang_second_share"


def test_the_lines_to_take_over_load_in_norwegian(tmp_path):
    for lang in ("no", "en"):
        write_jsonl(tmp_path / f"{lang}.jsonl", ["a b c", "d e f g"], lang=lang)
    bounds = {"lang": {"no": {"words": [1, 9]}, "en": {"words": [2, 8]}}}
    made = config(tmp_path, stages=[{"measure": {"names": ["words"]}}, {"keep": bounds, "where": {"source": "s*"}}])
    go(made)
    (told,) = yaml.safe_load(snippet(inspect(plan(made), Question("words"), MEMORY)))
    assert told == {"keep": bounds, "where": {"source": ["s*"]}}


def test_the_lines_to_take_over_are_the_limits_to_the_digit(tmp_path):
    texts = ["a b c", "d e f g"]
    for lang in ("en", "fr", "sw"):
        write_jsonl(tmp_path / f"{lang}.jsonl", texts, lang=lang)
    bounds = {"words": [1, 123456], "symbol_ratio": [0, 0.123456]}
    keep = {"keep": {"bounds": bounds, "lang": {"sw": {"words": [2, None]}}}, "where": {"kind": "text"}}
    made = config(tmp_path, stages=[{"measure": {"names": list(bounds)}}, keep])
    go(made)
    told = {measure: yaml.safe_load(snippet(inspect(plan(made), Question(measure), MEMORY)))[0] for measure in bounds}
    assert told["words"]["keep"] == {"bounds": {"words": [1, 123456]}, "lang": {"sw": {"words": [2, None]}}}
    assert told["symbol_ratio"]["keep"] == {"bounds": {"symbol_ratio": [None, 0.123456]}}
    assert told["words"]["where"] == {"kind": ["text"]}


def test_an_inspection_changes_no_file_of_the_steps(run, tmp_path):
    _, planned = run
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")}
    write_page(inspect(planned, Question("words"), MEMORY), tmp_path)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")} == before


@given(
    st.lists(st.floats(-1e6, 1e9) | st.just(math.nan) | st.integers(0, 50), max_size=60),
    st.none() | st.floats(0, 100),
    st.none() | st.floats(0, 1e5),
    st.booleans(),
)
def test_a_histogram_holds_each_number_once_whatever_the_values(values, low, high, is_share):
    numbers, limits = np.array(values, float), Limits(low, high)
    axis = Axis.of(numbers, limits, is_share)
    spread = Spread.of("en", numbers, np.ones(len(numbers), np.int64), limits.breaks(numbers), limits, axis)
    assert sum(spread.counts) == len(numbers) - spread.missing == np.count_nonzero(~np.isnan(numbers))
    edges = [axis.edge(which) for which in range(BINS + 1)]
    assert edges == sorted(edges) and len(spread.counts) == BINS
    plain = sum((low is not None and v < low) or (high is not None and v > high) for v in numbers if v == v)
    assert spread.dropped == plain


def test_a_limit_that_nothing_can_break_is_no_limit_to_look_at(tmp_path):
    write_jsonl(tmp_path / "en.jsonl", ["a b c", "d"], lang="en")
    stages = [{"measure": {"names": ["symbol_ratio"]}}, {"keep": {"bounds": {"symbol_ratio": [0, 0.9]}}}]
    made = config(tmp_path, stages=stages)
    go(made)
    found = inspect(plan(made), Question("symbol_ratio"), MEMORY)
    assert found.whole.limits == Limits(None, 0.9)


def test_hostile_text_cannot_act_on_the_page_or_the_terminal(tmp_path):
    from rich.console import Console

    evil = "<script>alert(1)</script> \x1b[31m [red]x[/red] ‮ ]]>"
    write_jsonl(tmp_path / "a.jsonl", [evil, "a b c d e f g h i j"], lang="<i>")
    made = config(tmp_path, stages=STAGES)
    go(made)
    found = inspect(plan(made), Question("words", high=4), MEMORY)
    page = render_page(found)
    assert "<script>alert" not in page and "\x1b" not in page and "‮" not in page and "<i>" not in page
    console = Console(width=100, record=True, file=(tmp_path / "out").open("w", encoding="utf-8"))
    print_inspection(found, console)
    told = console.export_text()
    assert "\x1b" not in told and "[red]x[/red]" in told


def test_the_histogram_on_the_terminal_says_where_the_limit_is(run, tmp_path):
    from rich.console import Console

    console = Console(width=100, record=True, file=(tmp_path / "out").open("w", encoding="utf-8"))
    print_inspection(inspect(run[1], Question("words", langs=("en",)), MEMORY), console)
    told = console.export_text().splitlines()
    low = next(i for i, line in enumerate(told) if "3 is the lowest that stays; 6 of 12" in line)
    high = next(i for i, line in enumerate(told) if "8 is the highest that stays" in line)
    between = [float(line.split()[0]) for line in told[low + 1 : high] if line.strip()]
    assert between and all(2 < edge <= 8 for edge in between)
