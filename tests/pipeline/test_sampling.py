"""A sample: budgets by a stated rule, worked by hand, and documents that are chosen by their names alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.sampling import budgets, chosen, in_bytes, parse_part, shares, tosses
from pipeline.tokenizer import TokenizerConfig


@settings(deadline=None)
@given(
    available=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**12), max_size=8),
    total=st.integers(0, 10**12),
    alpha=st.floats(0, 1),
)
def test_a_budget_is_never_more_than_there_is_and_never_wasted(available, total, alpha):
    taken = budgets(available, total, alpha)
    assert all(0 <= taken[lang] <= available[lang] for lang in available)
    wanted = min(total, sum(available.values()))
    assert wanted * (1 - 1e-9) - len(available) <= sum(taken.values()) <= wanted * (1 + 1e-9)


def test_budgets_worked_by_hand():
    # roots of 400, 100 and 4 go as 20 : 10 : 2; 128 bytes give 80, 40 and 8, but c has only 4; its 4 left go 2 : 1
    assert budgets({"a": 400, "b": 100, "c": 4}, total=128, alpha=0.5) == {"a": 82, "b": 41, "c": 4}


def test_budgets_are_whole_numbers_all_the_way():
    # 10^16 + 1 is no float, nor are two thirds of the total
    available = {"a": 10**18, "b": 2 * 10**18}
    assert budgets(available, 3 * (10**16 + 1), 1) == {"a": 10**16 + 1, "b": 2 * (10**16 + 1)}
    # roots of 9 and 16 go as 3 : 4 exactly, and of 700 bytes none is lost
    assert budgets({"a": 9 * 10**6, "b": 16 * 10**6}, 700, 0.5) == {"a": 300, "b": 400}


@pytest.mark.parametrize(("alpha", "taken"), [(1, {"a": 90, "b": 10}), (0, {"a": 50, "b": 50})])
def test_alpha_1_is_natural_and_0_is_even(alpha, taken):
    assert budgets({"a": 9000, "b": 1000}, 100, alpha) == taken


def test_a_document_is_chosen_by_its_name_alone():
    ids = [f"s/a#{i}" for i in range(4000)]
    available = {"en": 1000, "sw": 100}
    share = shares(available, budgets(available, 550, alpha=1.0))
    assert share == {"en": 0.5, "sw": 0.5}
    mask = chosen(ids, ["en"] * 4000, share, seed=7)
    assert mask.tolist() == [bool(chosen([name], ["en"], share, seed=7)[0]) for name in ids]
    assert 1850 < mask.sum() < 2150  # 2000, and 4.7 standard deviations of 31.6
    assert (mask != chosen(ids, ["en"] * 4000, share, seed=8)).any()


def test_shares_of_0_and_1_choose_none_and_all():
    ids = [f"s/a#{i}" for i in range(1000)]
    assert not chosen(ids, ["a"] * 1000, {"a": 0.0}, seed=0).any()
    assert chosen(ids, ["a"] * 1000, {"a": 1.0}, seed=0).all()


def test_a_larger_sample_holds_every_document_of_a_smaller_one():
    ids = [f"s/a#{i}" for i in range(1000)]
    small, large = (chosen(ids, ["a"] * 1000, {"a": share}, seed=3) for share in (0.2, 0.3))
    assert 0 < small.sum() < large.sum()
    assert not (small & ~large).any()


def test_tosses_are_held_exactly_by_a_float():
    toss = tosses([f"s/a#{i}" for i in range(1000)], seed=0)
    assert np.array_equal(toss, toss.astype(np.float64).astype(np.uint64))
    assert toss.max() >= 2**52  # else the shift took too much


# Parts that a config fixes


def test_parts_worked_by_hand():
    # of 200: fr gets its tenth, 20; the 180 left go to en and sw by 900 : 10, and sw has no more than 10
    available = {"en": 900, "fr": 90, "sw": 10}
    assert budgets(available, 200, 1.0, {"fr": 0.1}) == {"en": 178, "fr": 20, "sw": 1}
    assert budgets(available, 200, 0.0, {"fr": 0.1}) == {"en": 170, "fr": 20, "sw": 10}


def test_a_part_that_a_language_does_not_have_goes_to_the_others():
    assert budgets({"en": 900, "sw": 10}, 200, 0.5, {"sw": 100}) == {"en": 190, "sw": 10}


def test_a_part_of_nothing_leaves_a_language_out():
    assert budgets({"en": 900, "python": 900}, 100, 0.5, {"python": 0}) == {"en": 100, "python": 0}


def test_parts_that_fill_the_sample_leave_the_others_nothing():
    assert budgets({"a": 900, "b": 900, "c": 900}, 100, 0.5, {"a": 0.3, "b": 0.7}) == {"a": 30, "b": 70, "c": 0}


@settings(deadline=None)
@given(
    available=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**12), max_size=8),
    total=st.integers(0, 10**12),
    alpha=st.floats(0, 1),
    parts=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**11) | st.floats(0, 0.12), max_size=8),
)
def test_with_parts_too_no_budget_is_more_than_there_is(available, total, alpha, parts):
    taken = budgets(available, total, alpha, parts)
    assert taken.keys() == available.keys()
    assert all(0 <= taken[lang] <= available[lang] for lang in available)
    assert all(
        taken[lang] == min(in_bytes(part, total), available[lang]) for lang, part in parts.items() if lang in taken
    )


@pytest.mark.parametrize(
    ("written", "part"),
    [("30%", 0.3), ("5MB", 5_000_000), (0.25, 0.25), (0, 0), (2000, 2000), ("100%", 1.0), ("1B", 1), (1.0, 1.0)],
)
def test_a_part_is_bytes_or_a_share_as_people_write_it(written, part):
    assert parse_part(written) == part and type(parse_part(written)) is type(part)


@pytest.mark.parametrize("written", [1, "much", "130%", -5, 1.5, True, None])
def test_a_part_that_may_be_read_two_ways_or_none_is_refused(written):
    with pytest.raises(ValueError, match=r"write|is no"):
        parse_part(written)


def test_languages_are_spelled_in_one_way_and_known():
    config = TokenizerConfig.model_validate({"languages": {"swh": "5MB", "eng": "30%"}})
    assert config.languages == (("en", 0.3), ("sw", 5_000_000))
    with pytest.raises(ValidationError, match="did you mean"):
        TokenizerConfig.model_validate({"languages": {"englsh": "5MB"}})
    with pytest.raises(ValidationError, match="named twice"):
        TokenizerConfig.model_validate({"languages": {"en": "5MB", "eng": "3MB"}})


def test_parts_of_more_than_the_sample_are_refused():
    assert TokenizerConfig.model_validate({"sample": 1000, "languages": {"en": "60%", "fr": 400}})
    with pytest.raises(ValidationError, match=r"languages come to 1\.2 kB, and the sample is 1\.0 kB"):
        TokenizerConfig.model_validate({"sample": 1000, "languages": {"en": "60%", "fr": 600}})
