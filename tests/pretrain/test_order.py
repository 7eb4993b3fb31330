"""Which row stands at sample n: fair at every prefix, each row once an epoch, the same everywhere."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pretrain.apportion import tempered, whole_weights
from pretrain.order import Order, Stage, permute

languages = st.text("abcdefgh", min_size=1, max_size=3)
mixtures = st.dictionaries(languages, st.integers(1, 10**12), min_size=1, max_size=40)


def order(weights, seed=0):
    """One stage, each language of one row."""
    return Order(dict.fromkeys(weights, 1), [Stage(0, weights)], seed)


@given(st.integers(1, 700), st.text(max_size=5))
def test_a_permutation_hits_every_row_once(size, key):
    assert sorted(permute(i, size, key) for i in range(size)) == list(range(size))


@given(mixtures, st.integers(0, 10**7))
def test_every_prefix_is_within_two_rows_of_the_wanted_shares(weights, n):
    counts, total = order(weights).counts(n), sum(weights.values())
    assert sum(counts.values()) == n
    assert all(abs(counts[language] - n * w / total) < 2 for language, w in weights.items())


@settings(max_examples=30)
@given(mixtures)
def test_taking_samples_one_by_one_gives_the_counts(weights):
    turns, seen = order(weights), Counter()
    for n in range(150):
        language, before = turns.turn(n)
        assert before == seen[language]
        seen[language] += 1
        assert turns.counts(n + 1) == {language: seen[language] for language in weights}


@settings(max_examples=30)
@given(st.dictionaries(languages, st.integers(1, 30), min_size=1, max_size=6), st.integers(0, 99))
def test_natural_shares_show_each_row_once_before_any_comes_again(rows, seed):
    order, epoch = Order(rows, [Stage(0, tempered(rows, 1.0))], seed), sum(rows.values())
    first = [order.row(n) for n in range(epoch)]
    assert sorted(first) == [(language, row) for language in sorted(rows) for row in range(rows[language])]


def test_two_epochs_and_two_seeds_are_ordered_differently():
    rows = {"en": 50}
    orders = [
        [Order(rows, [Stage(0, rows)], seed).row(n)[1] for n in span]
        for seed, span in [(1, range(50)), (1, range(50, 100)), (2, range(50))]
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    assert sorted(orders[0]) == sorted(orders[1]) == sorted(orders[2])


def test_rows_are_spread_evenly_by_the_seed():
    # row 0 of 10 over 2,000 seeds: 200 times at each place, standard deviation 13.4; 5 of those are 67
    places = Counter(permute(0, 10, f"{seed}") for seed in range(2000))
    assert all(abs(places[place] - 200) < 67 for place in range(10))


def test_the_order_is_pinned():
    order = Order({"en": 9, "sw": 3}, [Stage(0, {"en": 3, "sw": 1})], seed=42)
    assert [order.row(n) for n in range(8)] == PINNED


def test_temperature_two_takes_the_square_root():
    weights = tempered({"en": 400, "sw": 100}, 2.0)  # sqrt: 20 to 10
    assert weights["en"] / weights["sw"] == 2.0 or abs(weights["en"] / weights["sw"] - 2.0) < 1e-9


def test_a_language_of_a_millionth_is_not_lost():
    weights = whole_weights({"en": 1.0, "tum": 2e-13})
    assert weights["tum"] == 1  # rounded up, never to 0
    assert 1 <= order({"en": 999_999, "tum": 1}).counts(2_000_000)["tum"] <= 3


PINNED = [("en", 5), ("sw", 0), ("en", 0), ("en", 3), ("en", 7), ("sw", 1), ("en", 6), ("en", 8)]
