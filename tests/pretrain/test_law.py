"""The law that a sweep fits: published coefficients come back, and what cannot be told is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pretrain.errors import InputError
from pretrain.law import Law, _huber, _predict, fit

CHINCHILLA = Law(1.69, 406.4, 0.34, 410.7, 0.28, 0.0)  # Hoffmann et al. 2022, equation 10
SIZES, LENGTHS = (1e7, 4e7, 1.6e8, 6.4e8), (2e8, 1e9, 5e9, 2.5e10)


def seen(law, sizes=SIZES, lengths=LENGTHS):
    return [(n, d, law.loss(n, d)) for n in sizes for d in lengths]


def test_the_law_worked_by_hand():
    # 70e9 ** 0.34 = 4,869.6 and 1.4e12 ** 0.28 = 2,516.7: 1.69 + 0.0835 + 0.1632
    assert CHINCHILLA.loss(70e9, 1.4e12) == pytest.approx(1.69 + 406.4 / 4869.6 + 410.7 / 2516.7, rel=1e-4)
    size, tokens = CHINCHILLA.optimal(5.76e23)
    assert 6 * size * tokens == pytest.approx(5.76e23)
    # no other split of the same FLOPs is better
    assert all(CHINCHILLA.loss(size * f, tokens / f) > CHINCHILLA.loss(size, tokens) for f in (0.5, 0.9, 1.1, 2))


def test_published_coefficients_come_back_from_their_own_losses():
    found = fit(seen(CHINCHILLA))
    for name in ("floor", "a_size", "by_size", "a_data", "by_data"):
        assert getattr(found, name) == pytest.approx(getattr(CHINCHILLA, name), rel=1e-3)
    assert found.off < 1e-9 and found.sound


def test_one_run_that_went_wrong_does_not_bend_the_law():
    observations = seen(CHINCHILLA)
    n, d, loss = observations[5]
    observations[5] = (n, d, loss * 1.3)
    found = fit(observations)
    assert found.loss(7e10, 1.4e12) == pytest.approx(CHINCHILLA.loss(7e10, 1.4e12), rel=0.01)
    assert found.off > 0.05  # and is told


def test_what_does_not_vary_has_no_term():
    sizes = fit(seen(CHINCHILLA, lengths=[1e9]))
    assert sizes.a_data == 0 and sizes.by_size == pytest.approx(0.34, rel=1e-3)
    assert sizes.floor == pytest.approx(1.69 + 410.7 / 1e9**0.28, rel=1e-3) and sizes.optimal(1e20) is None
    assert "N^" in str(sizes) and "D^" not in str(sizes)
    lengths = fit(seen(CHINCHILLA, sizes=[1e7]))
    assert lengths.a_size == 0 and lengths.by_data == pytest.approx(0.28, rel=1e-3)


@pytest.mark.parametrize(
    "observations",
    [
        [],
        seen(CHINCHILLA, SIZES[:3], [1e9]),  # three runs
        seen(CHINCHILLA, SIZES[:2], [1e9]) * 3,  # two sizes
        seen(CHINCHILLA, [1e7], [1e9]) * 9,  # nothing varies
        seen(CHINCHILLA, SIZES, LENGTHS[:2]),  # two lengths
    ],
)
def test_too_few_runs_are_refused_with_what_to_add(observations):
    with pytest.raises(InputError, match="a law wants") as told:
        fit(observations)
    assert "--shape" in told.value.hint


def test_runs_that_all_end_alike_show_no_law():
    assert not fit([(n, 1e9, 3.0) for n in SIZES]).sound


@settings(max_examples=5, deadline=None)
@given(
    st.floats(1, 3), st.floats(0.2, 0.6), st.floats(0.2, 0.6), st.floats(0.1, 1.5), st.floats(0.1, 1.5)
)  # fmt: skip
def test_any_law_is_found_again(floor, by_size, by_data, at_size, at_data):
    """`at_size`: what the term comes to at 1e8 parameters; `at_data`: at 1e9 tokens."""
    law = Law(floor, at_size * 1e8**by_size, by_size, at_data * 1e9**by_data, by_data, 0.0)
    found = fit(seen(law))
    assert found.off < 1e-4
    assert found.loss(2e9, 5e10) == pytest.approx(law.loss(2e9, 5e10), rel=0.02)


def test_the_derivatives_are_those_of_the_law():
    theta, scaled = np.array([0.3, -0.5, 0.4, 0.1, 0.7]), np.array([[0.2, -1.0], [-2.0, 0.5]])
    total, slope = _predict(theta, scaled)
    for i in range(5):
        step = np.zeros(5)
        step[i] = 1e-6
        assert slope[:, i] == pytest.approx((_predict(theta + step, scaled)[0] - total) / 1e-6, abs=1e-5)


def test_the_huber_loss_is_square_near_and_straight_far():
    assert _huber(np.array([5e-4])) == pytest.approx(1.25e-7)  # (5e-4)^2 / 2
    assert _huber(np.array([-0.1])) == pytest.approx(1e-3 * (0.1 - 5e-4))
