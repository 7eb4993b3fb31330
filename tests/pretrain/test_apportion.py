"""Shares to whole numbers: limits are kept, sums are exact, the same rule holds for all that are not limited."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pretrain.apportion import filled, rounded, tempered, whole_weights

names = st.text("abc", min_size=1, max_size=2)
weights = st.dictionaries(names, st.integers(1, 10**12), min_size=1, max_size=9)


def test_temperature_two_takes_the_square_root():
    made = tempered({"en": 400, "sw": 100}, 2.0)  # sqrt: 20 to 10
    assert made["en"] / made["sw"] == pytest.approx(2.0, rel=1e-9)


def test_a_language_of_a_millionth_is_not_lost():
    assert whole_weights({"en": 1.0, "tum": 2e-13})["tum"] == 1  # rounded up, never to 0


def test_what_is_above_a_limit_goes_to_the_others_by_their_weights():
    # 80 : 16 : 4 of 100; zu may 1, so 3 go to en and sw as 5 : 1
    assert filled(100, {"en": 80, "sw": 16, "zu": 4}, {"zu": 1}) == {
        "en": Fraction(165, 2),
        "sw": Fraction(33, 2),
        "zu": 1,
    }
    # en may 60: 40 for sw and zu as 4 : 1, sw 32 but may 20; zu gets what is left
    assert filled(100, {"en": 80, "sw": 16, "zu": 4}, {"en": 60, "sw": 20}) == {"en": 60, "sw": 20, "zu": 20}


@given(weights, st.data())
def test_filling_is_one_level_for_all_that_are_not_at_their_limit(weights, data):
    limits = data.draw(st.dictionaries(st.sampled_from(sorted(weights)), st.integers(0, 500)))
    total = data.draw(st.integers(1, 2000))
    assume(len(limits) < len(weights) or sum(limits.values()) >= total)
    shares = filled(total, weights, limits)
    assert sum(shares.values()) == total
    levels = {shares[x] / weights[x] for x in weights if shares[x] < limits.get(x, total + 1)}
    assert len(levels) <= 1
    assert all(shares[x] <= n and shares[x] / weights[x] <= max(levels, default=total) for x, n in limits.items())


@given(st.dictionaries(names, st.fractions(0, 300, max_denominator=99), min_size=1, max_size=9))
def test_rounding_moves_nothing_by_a_whole(wanted):
    total = int(sum(wanted.values()))
    wanted |= {min(wanted): wanted[min(wanted)] - (sum(wanted.values()) - total)}
    assume(min(wanted.values()) >= 0)
    counts = rounded(total, wanted, {})
    assert sum(counts.values()) == total
    assert all(abs(counts[x] - wanted[x]) < 1 for x in wanted)


def test_rounding_gives_the_rest_to_the_largest_remainders_and_keeps_limits():
    thirds = {x: Fraction(4, 3) for x in "abc"}
    assert rounded(4, thirds, {}) == {"a": 2, "b": 1, "c": 1}  # equal remainders: by name
    assert rounded(4, thirds, {"a": 1}) == {"a": 1, "b": 2, "c": 1}
    assert rounded(5, thirds, {"a": 1, "b": 1}) == {"a": 1, "b": 1, "c": 3}
    assert rounded(4, {"a": Fraction(3), "b": Fraction(1)}, {"a": 2}) == {"a": 2, "b": 2}


def test_rows_that_were_given_too_early_are_taken_back():
    early = {"a": Fraction(-1, 2), "b": Fraction(3, 2), "c": Fraction(2)}  # 3 in sum; the floors are 0, 1, 2
    assert rounded(3, early, {}) == {"a": 0, "b": 1, "c": 2}
    assert rounded(1, {"a": Fraction(-1), "b": Fraction(1), "c": Fraction(1)}, {}) == {"a": 0, "b": 0, "c": 1}
