from hypothesis import given
from hypothesis import strategies as st

from pipeline.digest import coin
from pipeline.sources.lot import draw

FILES = st.dictionaries(st.text(max_size=4), st.integers(0, 50), max_size=20)


@given(files=FILES, limit=st.integers(0, 300), seed=st.integers(0, 9))
def test_the_files_taken_are_the_first_by_coin_and_the_next_would_be_too_much(files, limit, seed):
    lot = draw(files.items(), limit, seed)
    fitting = sorted((name for name in files if files[name] <= limit), key=lambda name: coin(seed, name))
    taken = [name for name in fitting if lot.takes(name, files[name])]
    assert taken == fitting[: len(taken)]
    assert sum(files[name] for name in taken) <= limit
    assert len(taken) == len(fitting) or sum(files[name] for name in fitting[: len(taken) + 1]) > limit


@given(files=FILES, limit=st.integers(0, 300))
def test_the_order_of_the_files_changes_nothing(files, limit):
    assert draw(files.items(), limit, 0) == draw(reversed(files.items()), limit, 0)


def test_another_seed_takes_other_files():
    files = [(str(i), 1) for i in range(100)]
    taken = [{name for name, size in files if draw(files, 50, seed).takes(name, size)} for seed in (0, 1)]
    assert len(taken[0]) == len(taken[1]) == 50
    assert taken[0] != taken[1]
