"""The guard: what passes, what does not, and that its window is all it remembers."""

import math
import statistics

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pretrain.guard import LOSS, NORM, NOT_FINITE, Guard


def verdicts(pairs, window=8, sigma=3.0, guard=None, first=0):
    guard = guard or Guard(window, sigma, torch.device("cpu"))
    return [
        int(guard.judge(first + i, torch.tensor(loss), torch.tensor(norm))[0]) for i, (loss, norm) in enumerate(pairs)
    ]


def by_hand(pairs, window, sigma):
    """The same rule in plain Python."""
    told = []
    for i, pair in enumerate(pairs):
        verdict = 0
        for which, bit in ((0, LOSS), (1, NORM)):
            if not math.isfinite(pair[which]):
                verdict |= NOT_FINITE
                continue
            seen = [p[which] for p in pairs[max(0, i - window) : i] if math.isfinite(p[which])]
            if len(seen) >= max(2, window // 2):
                mean = statistics.fmean(seen)
                apart = max(statistics.stdev(seen), 1e-4 * abs(mean))
                verdict |= bit * (pair[which] > mean + sigma * apart)
        told.append(verdict)
    return told


near = st.floats(0.5, 2.0, width=16)
values = st.one_of(near, near, near, st.sampled_from([3.0, 9.0, 200.0, math.nan, math.inf, -math.inf]))


@given(st.lists(st.tuples(values, values), max_size=40), st.sampled_from([4, 8, 16]), st.sampled_from([1.0, 2.5, 6.0]))
@settings(max_examples=60)
def test_the_guard_does_what_the_plain_rule_says(pairs, window, sigma):
    edges = [
        abs(p - q) for p, q in zip(by_hand(pairs, window, sigma), by_hand(pairs, window, sigma + 1e-3), strict=True)
    ]
    if not any(edges):  # else a value stands on the limit itself, where fp32 may round either way
        assert verdicts(pairs, window, sigma) == by_hand(pairs, window, sigma)


def test_half_a_window_has_to_be_there_before_a_spike_is_one():
    assert verdicts([(1.0, 1.0)] * 3 + [(50.0, 1.0)]) == [0, 0, 0, 0]
    assert verdicts([(1.0, 1.0)] * 4 + [(50.0, 1.0)]) == [0, 0, 0, 0, LOSS]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_never_passes_and_leaves_no_trace(bad):
    assert verdicts([(bad, 1.0), (1.0, bad), (bad, bad)]) == [NOT_FINITE] * 3
    calm = [(1.0 + i % 2 / 8, 1.0) for i in range(8)]
    assert verdicts([*calm, (bad, 1.0), (1.1, 1.0), (2.0, 1.0)])[8:] == [NOT_FINITE, 0, LOSS]


def test_a_limit_is_passed_only_from_above():
    # eight values, four of 1 and four of 3: mean 2, variance 8 / 7, so the limit of one sigma is 2 + 1.0690 = 3.0690
    pairs = [(1.0, 1.0), (3.0, 1.0)] * 4
    assert verdicts([*pairs, (3.068, 1.0)], sigma=1.0)[-1] == 0
    assert verdicts([*pairs, (3.070, 1.0)], sigma=1.0)[-1] == LOSS
    assert verdicts([*pairs, (-90.0, 1.0)], sigma=1.0)[-1] == 0


@pytest.mark.parametrize("level", [1e2, 1e6])
def test_a_level_that_stays_is_let_through_after_four_steps_however_high(level):
    # of 128 values, k are the new level at distance d and the rest at 0: mean k d / 128, deviation about
    # d sqrt(k / 128), so the limit is d (k / 128 + 6 sqrt(k / 128)): .54 d, .77 d, .94 d, 1.09 d for k = 1, 2, 3, 4
    calm = [(1.0 + i % 2 / 100, 1.0) for i in range(128)]
    assert verdicts([*calm, *[(level, 1.0)] * 6], window=128, sigma=6.0)[128:] == [LOSS] * 4 + [0, 0]


def test_rounding_on_a_flat_curve_is_no_spike():
    assert verdicts([(1.7, 0.3)] * 20 + [(1.7001, 0.3)], window=16, sigma=6.0) == [0] * 21


def test_without_a_sigma_only_what_is_not_finite_is_refused():
    assert verdicts([(1.0, 1.0)] * 20 + [(1e9, 1e9), (math.nan, 1.0)], sigma=None)[20:] == [0, NOT_FINITE]


def test_both_can_be_wrong_at_once():
    assert verdicts([(1.0, 1.0)] * 8 + [(9.0, 9.0), (1.0, 99.0)])[8:] == [LOSS + NORM, NORM]


def test_a_guard_with_the_window_of_another_goes_on_as_that_one():
    pairs = [(1.0 + i % 3 / 10, 2.0 - i % 5 / 10) for i in range(13)]
    rest = [(1.5, 2.0), (1.0, 2.5), (1.2, 1.9), (1.4, 2.1)]
    guard, other = (Guard(8, 1.5, torch.device("cpu")) for _ in range(2))
    verdicts(pairs, guard=guard)
    other.window = guard.window
    told = verdicts(rest, guard=guard, first=13)
    assert verdicts(rest, guard=other, first=13) == told and any(told)
    assert torch.equal(guard.window, other.window)
