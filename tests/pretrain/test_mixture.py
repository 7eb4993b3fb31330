"""From a stated mixture to the rows of each language: exact caps and budgets, stages that go on, names as told."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pretrain import bloom_mixture
from pretrain.config import load_config
from pretrain.errors import ConfigError
from pretrain.mixture import Stock, plan_mixture
from pretrain.mixture_table import as_json, lines, told, warnings
from pretrain.rules import Mixture

TOKENS = 100  # of a row
CORPUS = {"en": 900, "fr": 90, "sw": 10}


def stock(rows):
    return {x: Stock(n, n * TOKENS) for x, n in rows.items()}


def plan(samples=1000, rows=None, **mixture):
    return plan_mixture(Mixture(**mixture), stock(rows or CORPUS), samples)


def counts(samples=1000, rows=None, **mixture):
    return plan(samples, rows, **mixture).order(0).counts(samples)


def refused(samples=1000, rows=None, **mixture) -> str:
    with pytest.raises(ConfigError) as error:
        plan(samples, rows, **mixture)
    assert error.value.hint
    return str(error.value)


def test_the_old_rules_give_the_weights_they_gave():
    assert plan().stages[0].weights == CORPUS  # natural: the rows themselves
    assert plan(weights={"sw": 3.0, "fr": 1.0}).stages[0].weights == {"fr": 1, "sw": 3}  # as they were written
    root = {"en": 30, "fr": 90**0.5, "sw": 10**0.5}
    assert plan(temperature=2).stages[0].weights == {x: round(2**40 * n / sum(root.values())) for x, n in root.items()}


def test_alpha_is_one_over_the_temperature():
    assert plan(alpha=0.5).stages == plan(temperature=2).stages != plan().stages


def test_a_cap_gives_its_rows_exactly_and_the_rest_to_the_others_by_the_same_rule():
    # 1 : 1 : 1 of 1,000, sw may be read twice: 20; fr 4 times would be 360 and is not reached at 2 * 90
    assert counts(weights={"en": 1, "fr": 1, "sw": 1}, max_epochs=2) == {"en": 800, "fr": 180, "sw": 20}
    assert counts(weights={"en": 1, "fr": 1}, max_epochs=100) == {"en": 500, "fr": 500}


@settings(max_examples=60)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(1, 60), min_size=1, max_size=8),
    st.floats(0.5, 9),
    st.floats(1, 9),
    st.integers(1, 400),
)
def test_no_row_is_read_more_often_than_the_cap(rows, temperature, epochs, samples):
    samples = min(samples, sum(int(epochs * n) for n in rows.values()))
    made = plan(samples, rows, temperature=temperature, max_epochs=epochs)
    assert all(n <= epochs * rows[x] for x, n in made.order(0).counts(samples).items())
    assert sum(made.stages[0].weights.values()) == samples


def test_a_budget_of_tokens_is_met_to_the_row_and_the_rest_is_shared_by_the_rule():
    assert counts(tokens={"sw": "3k tokens"}) == {"en": 882, "fr": 88, "sw": 30}  # 970 as 10 to 1: 881.8 and 88.2
    assert counts(tokens={"sw": 49}) == {"en": 908, "fr": 91, "sw": 1}  # less than a row is a row


def test_budgets_for_all_are_reached_before_the_run_s_last_whole_batch():
    made = plan(1024, tokens={"en": 90_000, "fr": 9_000, "sw": 3_000})
    assert made.order(0).counts(1020) == {"en": 900, "fr": 90, "sw": 30}
    assert "reached at sample 1,020" in told(made)


def test_a_group_is_one_language_with_natural_shares_inside():
    rows = {"en": 100, "xh": 10, "zu": 30}
    groups = {"nguni": ("xh", "zu")}
    assert counts(400, rows, groups=groups, weights={"nguni": 1, "en": 3}) == {"en": 300, "xh": 25, "zu": 75}
    assert counts(140, rows, groups=groups) == rows
    assert plan(rows=rows, groups=groups).stages[0].groups == (("xh", "zu"),)
    half = plan(600, rows, groups=groups, temperature=2).order(0).counts(600)  # sqrt: 10 and sqrt(40) = 6.32
    assert half["zu"] == pytest.approx(3 * half["xh"], abs=2) and half["en"] == pytest.approx(600 * 10 / 16.32, abs=2)
    assert counts(100, rows, groups=groups, tokens={"nguni": 4000})["zu"] == 30


def test_a_stage_goes_on_where_the_one_before_stopped():
    stages = [{"until": 300, "weights": {"sw": 1, "en": 2}}, {"weights": {"fr": 1, "sw": 1}}]
    order = plan(stages=stages).order(7)
    assert order.counts(300) == {"en": 200, "fr": 0, "sw": 100}
    assert order.counts(1000) == {"en": 200, "fr": 350, "sw": 450}
    rows = [order.row(n) for n in range(1000)]
    for language, size in CORPUS.items():
        mine = [row for x, row in rows if x == language]
        for epoch in range(len(mine) // size):  # each epoch has each row once, across the border too
            assert sorted(mine[epoch * size : (epoch + 1) * size]) == list(range(size))


def test_a_stage_takes_what_it_does_not_say_from_the_mixture():
    stages = [{"until": 100}, {"until": 200, "alpha": 1.0}, {"max_epochs": 30}]
    rules = [rule for _, rule in Mixture(temperature=2, max_epochs=50, stages=stages).rules]
    assert [(rule.temperature, rule.alpha, rule.max_epochs) for rule in rules] == [
        (2, None, 50),
        (None, 1, 50),
        (2, None, 30),
    ]


def test_a_cap_counts_from_the_beginning_of_the_run():
    stages = [{"until": 300, "weights": {"sw": 1, "en": 1}}, {"weights": {"sw": 1, "en": 1}}]
    # sw has 10 rows: 40 in the first stage are all it may give
    assert plan(max_epochs=4, stages=stages).order(0).counts(1000) == {"en": 960, "sw": 40}
    stages[0]["max_epochs"] = 1
    assert plan(max_epochs=4, stages=stages).order(0).counts(300) == {"en": 290, "sw": 10}
    assert plan(max_epochs=4, stages=stages).order(0).counts(1000) == {"en": 960, "sw": 40}


def test_many_short_stages_forget_no_small_language():
    stages = [{"until": 10 * i} for i in range(1, 100)] + [{}]
    got = plan(990, stages=stages).order(0).counts(990)  # of 10 samples, sw's share is a tenth of one
    assert all(abs(got[x] - 990 * n / 1000) < 1.5 for x, n in CORPUS.items())


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0.3, 5)), min_size=1, max_size=5), st.integers(1, 400))
def test_every_prefix_is_within_two_rows_of_the_shares_of_its_stages(parts, last):
    ends = [sum(length for length, _ in parts[: i + 1]) for i in range(len(parts))]
    stages = [{"until": end, "temperature": t} for end, (_, t) in zip(ends, parts, strict=True)] + [{}]
    made = plan(ends[-1] + last, stages=stages)
    order, wanted, begin = made.order(0), dict.fromkeys(CORPUS, 0.0), 0
    for i, stage in enumerate(made.stages):
        end = [*ends, ends[-1] + last][i]
        total = sum(stage.weights.values())
        for n in range(begin, end + 1):
            now = {x: wanted[x] + (n - begin) * stage.weights.get(x, 0) / total for x in CORPUS}
            assert all(abs(order.counts(n)[x] - now[x]) < 2 for x in CORPUS)
        wanted, begin = now, end


def test_bloom_s_streams_have_bloom_s_shares():
    assert sum(bloom_mixture.WEIGHTS.values()) == pytest.approx(1, abs=1e-5)
    rows = dict.fromkeys([x for x in bloom_mixture.WEIGHTS if x not in bloom_mixture.GROUPS], 50)
    rows |= dict.fromkeys(bloom_mixture.GROUPS["niger-congo"], 3) | {"python": 30, "java": 10, "haskell": 20}
    made = plan_mixture(Mixture.model_validate("bloom"), stock(rows), 1_000_000)
    share = {line.language: line.share for line in lines(made)}
    assert share["en"] == pytest.approx(0.3031, abs=1e-4) and share["zh-hans"] == pytest.approx(0.1762, abs=1e-4)
    assert share["python"] == pytest.approx(0.75 * 0.13027, abs=1e-5) and share["haskell"] == 0
    assert sum(share[x] for x in bloom_mixture.GROUPS["niger-congo"]) == pytest.approx(0.000316, abs=3e-6)
    assert "left out, as the mixture does not name them: haskell" in told(made)


def test_streams_that_the_corpus_lacks_are_told_and_the_others_keep_their_ratios():
    made = plan(like="bloom", rows={"en": 5, "fr": 5})
    assert "the corpus lacks" in told(made) and "56.6" in told(made)  # 1 - 0.303084 - 0.13054
    weights = made.stages[0].weights
    assert weights["en"] / weights["fr"] == pytest.approx(0.303084 / 0.13054, rel=1e-6)
    assert "none of its languages" in refused(like="bloom", rows={"de": 4})


def test_the_table_counts_what_the_order_gives():
    made = plan(1000, temperature=2)
    line = {line.language: line for line in lines(made)}["sw"]
    assert line.samples == made.order(0).counts(1000)["sw"] and line.tokens_trained == line.samples * TOKENS
    assert line.epochs == line.samples / 10 and line.upsampling == pytest.approx(line.samples / 1000 / 0.01)
    assert {x["language"] for x in json.loads(json.dumps(as_json(made)))["languages"]} == set(CORPUS)
    assert all(word in told(made) for word in ("language", "x natural", "epochs", "1,000", "100.00 k"))


def test_more_than_four_epochs_are_told_and_four_are_not():
    assert warnings(plan(1000, weights={"en": 960, "sw": 40})) == []
    often = warnings(plan(1025, weights={"en": 984, "sw": 41}))
    assert len(often) == 1 and "sw 4.1 times" in often[0] and "2305.16264" in often[0]
    assert "never reached in 10 samples: sw" in warnings(plan(10))[0]


@pytest.mark.parametrize(
    ("mixture", "words"),
    [
        ({"weights": {"enn": 1}}, "names enn (did you mean en?)"),
        ({"weights": {"xx": 1}}, "hint: it has en, fr, sw"),
        ({"tokens": {"swa": 5}}, "tokens names swa (did you mean sw?)"),
        ({"groups": {"g": ["en", "frr"]}}, "groups.g names frr (did you mean fr?)"),
        ({"groups": {"en": ["fr"]}}, "en is a language too"),
        ({"groups": {"g": ["en", "fr"]}, "weights": {"en": 1}}, "en (by itself: it is in the group g)"),
        ({"weights": {"en": 1, "sw": 1}, "tokens": {"sw": 5}}, "sw has a weight and tokens"),
        ({"max_epochs": 0.9}, "max_epochs leaves 900 rows of its languages for 1,000 samples"),
        ({"max_epochs": 4, "tokens": {"sw": 4100}}, "the tokens of sw take 41 rows, but max_epochs leaves it 40"),
        ({"tokens": {"sw": "1M"}}, "tokens asks for 10,000 rows, but there are 1,000 samples"),
        ({"tokens": {"en": 100, "fr": 100, "sw": 100}, "over_samples": 9}, "nobody is left for the others"),
        ({"stages": [{"until": 1000}, {"max_epochs": 4}]}, "begins at sample 1,000 and is planned to end at 1,000"),
        ({"stages": [{"until": 9, "max_epochs": 1, "weights": {"sw": 1, "xx": 1}}, {}]}, "names xx"),
        ({"stages": [{"until": 11, "max_epochs": 1, "weights": {"sw": 1}}, {}]}, "data.mixture.stages.0: max_epochs"),
    ],
)
def test_what_this_corpus_cannot_give_is_told_with_its_numbers(mixture, words):
    assert words in refused(**mixture)


def test_a_language_that_fills_no_row_is_left_out_by_nature_and_told_by_name():
    rows = CORPUS | {"tum": 0}
    assert "do not fill a row: tum" in told(plan(rows=rows))
    assert "tum" not in counts(rows=rows)
    assert "tum (too small to fill one)" in refused(rows=rows, weights={"tum": 1})


def test_a_language_of_one_row_is_that_row_each_time():
    order = plan(rows={"en": 9, "sw": 1}, temperature=5).order(0)
    assert {order.row(n)[1] for n in range(100) if order.row(n)[0] == "sw"} == {0}


@pytest.mark.parametrize(
    ("mixture", "words"),
    [
        ({"weights": {"en": 0.0}}, "weights are all zero"),
        ({"weights": {"en": -1.0}}, "greater than or equal to 0"),
        ({"weights": {"en": float("nan")}}, "nan"),
        ({"weights": {"en": float("inf")}}, "finite"),
        ({"weights": {}}, "names no language"),
        ({"tokens": {}}, "names no language"),
        ({"tokens": {"sw": "10 mega"}}, "'10 mega', which is no whole number: write 10000000 or 10M"),
        ({"tokens": {"sw": "1.0005k"}}, "no whole number"),
        ({"tokens": {"sw": 1.5}}, "valid integer"),
        ({"tokens": {"sw": 0}}, "greater than or equal to 1"),
        ({"alpha": 0.5, "temperature": 2.0}, "give temperature or alpha, not both"),
        ({"like": "blom"}, "bloom"),
        ({"max_epochs": 0}, "greater than 0"),
        ({"groups": {"a": ["en"], "b": ["en"]}}, "en is in two groups"),
        ({"groups": {"a": []}}, "at least 1 item"),
        ({"stages": []}, "stages is empty"),
        ({"stages": [{"temperature": 2.0}, {}]}, "stage 1 lacks until"),
        ({"stages": [{"until": 5}, {"until": 5}, {}]}, "each has to end after the one before"),
        ({"stages": [{"until": 5}, {"until": 9}]}, "the last stage has until 9"),
        ({"tokens": {"sw": 5}, "stages": [{"until": 5}, {}]}, "give each stage its own"),
        ({"over_samples": 5}, "over_samples says nothing"),
    ],
)
def test_what_contradicts_itself_is_refused_before_a_corpus_is_seen(mixture, words):
    with pytest.raises(ValidationError, match=words):
        Mixture.model_validate(mixture)


def test_amounts_are_written_as_people_write_them():
    written = {"a": "10M", "b": "1.5k tokens", "c": 7, "d": "2 G", "e": "1_000"}
    assert Mixture(tokens=written).tokens == {"a": 10**7, "b": 1500, "c": 7, "d": 2 * 10**9, "e": 1000}
    assert Mixture(stages=[{"until": "1M samples"}, {}]).stages[0].until == 10**6


def test_what_was_planned_over_less_than_the_run_is_told():
    assert "hold up to sample 500; the same shares go on" in told(plan(max_epochs=2, over_samples=500))
    assert "begin at 5,000 are not reached" in told(plan(stages=[{"until": 5000}, {"alpha": 0.5}]))


def test_a_run_that_ends_within_a_capped_stage_is_told_what_the_stage_was_planned_over():
    stages = [{"until": 1000, "max_epochs": 4}, {}]
    note = "the run ends at sample 300, within a stage that goes on to 1,000"
    assert note in told(plan(300, stages=stages))
    assert note not in told(plan(1001, stages=stages)) and "within a stage" not in told(plan(1000, stages=stages))
    assert "within a stage" not in told(plan(300, stages=[{"until": 1000}, {}]))


def test_weights_that_are_whole_numbers_stay_as_they_were_written():
    assert plan(weights={"en": 2.0, "sw": 1.0}).stages[0].weights == {"en": 2, "sw": 1}
    assert plan(weights={"en": 2.5, "sw": 1.0}).stages[0].weights["sw"] > 1000


def test_a_weight_of_zero_leaves_out():
    assert counts(weights={"en": 1, "sw": 0}) == {"en": 1000}


def identity(tmp_path, mixture, steps=10):
    path = tmp_path / "c.yaml"
    path.write_text(
        f"run: {{dir: x}}\ndata: {{path: y, mixture: {mixture}}}\n"
        f"model: {{hidden_size: 8, num_layers: 1, num_heads: 1}}\n"
        f"train: {{steps: {steps}, lr: 1e-3, decay_samples: 99}}\n"
    )
    return load_config(path).identity()


def test_a_run_may_grow_longer_unless_its_mixture_was_planned_over_it(tmp_path):
    assert identity(tmp_path, "{temperature: 2}") == identity(tmp_path, "{temperature: 2}", 11)
    assert identity(tmp_path, "{max_epochs: 2}") != identity(tmp_path, "{max_epochs: 2}", 11)
    over = "{max_epochs: 2, over_samples: 320}"  # 10 steps of 32
    assert identity(tmp_path, over, 11) == identity(tmp_path, "{max_epochs: 2}")
    early = "{stages: [{until: 64, max_epochs: 2}, {}]}"
    assert identity(tmp_path, early) == identity(tmp_path, early, 11)
