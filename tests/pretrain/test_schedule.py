"""Batch sizes and learning rates, against BLOOM's own numbers and a step-by-step run of its rule."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pretrain.config import load_config
from pretrain.schedule import Batches, LearningRate, Ramp

CONFIGS = Path(__file__).parents[2] / "configs"
BLOOM_560M = Batches(256, Ramp(192, 32, 9_765_625))
RATE_560M = LearningRate(3e-4, 1e-5, warmup_samples=183_105, decay_samples=200_000_000)


def test_bloom_560m_ramps_from_192_by_32_at_half_and_at_20_billion_tokens():
    # two increments over 9,765,625 samples: each plateau is 4,882,812.5 long
    sizes = {at: BLOOM_560M.size(at) for at in (0, 4_882_812, 4_882_813, 9_765_624, 9_765_625, 10**9)}
    assert list(sizes.values()) == [192, 192, 224, 224, 256, 256]


def test_bloom_176b_climbs_116_increments():
    batches = Batches(2048, Ramp(192, 16, 9_765_625))
    assert {batches.size(i * 9_765_625 // 116 + 1) for i in range(117)} == set(range(192, 2049, 16))


@st.composite
def ramps(draw):
    start, increment = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    count = draw(st.integers(1, 12))
    return Batches(start + count * increment, Ramp(start, increment, draw(st.integers(1, 300))))


@given(st.one_of(ramps(), st.builds(Batches, st.integers(1, 50))))
def test_a_step_begins_where_the_sum_of_the_batches_before_it_ends(batches):
    consumed = 0
    for step in range(120):
        assert batches.first_sample(step) == consumed
        assert batches.steps(consumed) == step
        if batches.size(consumed) > 1:
            assert batches.steps(consumed + 1) == step + 1
        consumed += batches.size(consumed)


def test_bloom_560m_warms_up_falls_by_a_cosine_and_stays():
    # half way between 183,105 and 200,000,000 the cosine is 0: (3e-4 + 1e-5) / 2
    middle = (183_105 + 200_000_000) / 2
    cases = {0: 0.0, 18_310.5: 3e-5, 183_105: 3e-4, middle: 1.55e-4, 200_000_000: 1e-5, 220_000_000: 1e-5}
    for consumed, lr in cases.items():
        assert abs(RATE_560M.at(consumed) - lr) < 1e-18 + 1e-9 * lr


@pytest.mark.parametrize(
    ("name", "lr", "min_lr", "batch", "start", "increment"),
    [
        ("560m", 3.0e-4, 1e-5, 256, 192, 32),
        ("1b1", 2.5e-4, 1e-5, 256, 192, 16),
        ("1b7", 2.0e-4, 1e-5, 512, 192, 16),
        ("3b", 1.6e-4, 1e-5, 512, 192, 32),
        ("7b1", 1.2e-4, 1e-5, 512, 192, 32),
        ("176b", 6.0e-5, 6e-6, 2048, 192, 16),
    ],
)
def test_every_size_of_bloom_follows_megatron_s_formulas(name, lr, min_lr, batch, start, increment):
    train = load_config(CONFIGS / f"bloom-{name}.yaml").train
    rate, batches = train.learning_rate(), train.batches()
    for consumed in (0, 1, 91_552, 183_105, 183_106, 5 * 10**6, 10**8, 199_999_999, 2 * 10**8, 22 * 10**7):
        wanted = lr * consumed / 183_105
        if consumed > 183_105:  # megatron/learning_rates.py, with its names
            decay_ratio = min(1.0, (consumed - 183_105) / (200_000_000 - 183_105))
            wanted = min_lr + 0.5 * (math.cos(math.pi * decay_ratio) + 1.0) * (lr - min_lr)
        assert rate.at(consumed) == pytest.approx(wanted, rel=1e-12)
    for consumed in (0, 84_187, 4_882_812, 4_882_813, 9_000_000, 9_765_624):  # megatron/microbatches.py
        steps = int(consumed / (9_765_625 / ((batch - start) // increment)))
        assert batches.size(consumed) == start + steps * increment
    assert batches.size(9_765_625) == batch


def test_a_quarter_of_the_cosine_leaves_85_percent():
    rate = LearningRate(1.0, 0.0, warmup_samples=0, decay_samples=400)
    assert abs(rate.at(100) - (2**0.5 / 2 + 1) / 2) < 1e-12  # (cos(pi / 4) + 1) / 2 = 0.8536


def test_wsd_is_flat_and_then_falls_on_a_line():
    rate = LearningRate(1.0, 0.2, 10, 100, cooldown_samples=20, shape="wsd")
    assert [round(rate.at(n), 12) for n in (5, 10, 80, 90, 99, 100, 500)] == [0.5, 1.0, 1.0, 0.6, 0.24, 0.2, 0.2]


def test_constant_stays_after_the_warmup():
    rate = LearningRate(1.0, 0.1, 10, 100, shape="constant")
    assert [rate.at(n) for n in (0, 5, 10, 1000)] == [0.0, 0.5, 1.0, 1.0]


def test_without_warmup_the_first_step_has_the_full_rate():
    assert LearningRate(1.0, 0.1, 0, 100).at(0) == 1.0
