"""The holdout: whole clusters in all languages, least coins first, never more than half of a language."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import holdout
from pipeline.holdout import Cells, Held, hold_out, sums_of

EN, FR, SW = 0, 1, 2
# (bin, language, in a cluster, tokens)
CELLS = st.lists(
    st.tuples(st.integers(0, 65535) | st.integers(0, 5), st.integers(0, 3), st.booleans(), st.integers(1, 1000)),
    max_size=30,
)
QUOTAS = st.fixed_dictionaries({lang: st.floats(0, 5000) for lang in range(4)})


def cells_of(rows: list[tuple[int, int, bool, int]]) -> Cells:
    bins, langs, clustered, tokens = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = (np.array(column, np.int64) for column in (bins, langs, tokens))
    return Cells(next(columns), next(columns), np.array(clustered, np.bool_), next(columns))


def chosen(rows: list[tuple[int, int, bool, int]], quotas: dict[int, float]) -> Held:
    return hold_out(Cells.joined([cells_of(rows)]), quotas)


def is_held(held: Held, row: tuple[int, int, bool, int]) -> bool:
    return row[0] in (held.clusters if row[2] else held.alone[row[1]])


@settings(deadline=None)
@given(rows=CELLS, quotas=QUOTAS)
def test_of_no_language_more_than_half_is_held_out_and_none_beyond_its_quota(rows, quotas):
    held = chosen(rows, quotas)
    for lang in {row[1] for row in rows}:
        mine = [row for row in rows if row[1] == lang and is_held(held, row)]
        assert sum(row[3] for row in mine) == held.tokens[lang]
        assert 2 * held.tokens[lang] <= sum(row[3] for row in rows if row[1] == lang)
        last = max(((row[0], row[2]) for row in mine), default=None)
        assert last is None or sum(row[3] for row in mine if (row[0], row[2]) != last) < quotas[lang]  # it was needed


@settings(deadline=None)
@given(rows=CELLS, quotas=QUOTAS, data=st.data())
def test_neither_the_order_of_cells_nor_how_they_are_parted_matters(rows, quotas, data):
    cut = data.draw(st.integers(0, len(rows)))
    shuffled = data.draw(st.permutations(rows))
    parts = [cells_of(shuffled[:cut]), cells_of(shuffled[cut:])]
    assert hold_out(Cells.joined(parts), quotas) == chosen(rows, quotas)
    whole = chosen(rows, quotas)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holdout, "PIECE", 1)  # so that what is left out for want of want is left out soon
        assert hold_out(Cells.joined([Cells.joined(parts[:1]), *parts[1:]]), quotas) == whole


@settings(deadline=None)
@given(rows=CELLS, quotas=QUOTAS)
def test_where_no_cluster_spans_languages_each_language_is_decided_about_alone(rows, quotas):
    alone = [(bin_, lang, False, n) for bin_, lang, _, n in rows]
    together = chosen(alone, quotas)
    for lang in {row[1] for row in rows}:
        mine = chosen([row for row in alone if row[1] == lang], quotas)
        assert (together.alone[lang], together.tokens[lang]) == (mine.alone[lang], mine.tokens[lang])


@pytest.mark.parametrize(
    ("tokens", "quota", "held"),
    [
        ({5: 100}, 10, []),  # the only document is trained on
        ({5: 100, 9: 100}, 10, [5]),  # exactly half may go
        ({5: 101, 9: 100}, 10, [9]),  # a little more may not
        ({1: 10, 2: 10, 3: 980}, 10, [1]),  # met at the quota
        ({1: 10, 2: 10, 3: 980}, 10.5, [1, 2]),
        ({1: 10, 2: 990}, 0, []),
    ],
)
@pytest.mark.parametrize("clustered", [False, True])
def test_one_language_worked_by_hand(tokens, quota, held, clustered):
    found = chosen([(bin_, EN, clustered, n) for bin_, n in tokens.items()], {EN: quota})
    assert (found.clusters if clustered else found.alone[EN]) == held


def test_a_language_takes_more_bins_until_it_has_enough_however_cells_go_by(monkeypatch):
    monkeypatch.setattr(holdout, "PIECE", 1)
    found = chosen([(bin_, EN, False, 10) for bin_ in range(20)], {EN: 35})
    assert found.alone[EN] == [0, 1, 2, 3]  # 30 are not yet 35


def test_clusters_of_many_languages_worked_by_hand():
    rows = [
        (0, EN, False, 50),  # held: en wants 40
        (1, EN, True, 5), (1, FR, True, 12),  # trained on: en has 50 of its 40
        (2, FR, True, 4), (2, SW, True, 1),  # held: both want some, and sw's 1 is half of its 2
        (3, FR, True, 4), (3, SW, True, 1),  # trained on: 2 would be all of sw
        (4, FR, False, 7),  # held: fr has 4 of its 10
        (9, EN, False, 900), (9, FR, False, 900),
    ]  # fmt: skip
    held = chosen(rows, {EN: 40, FR: 10, SW: 10})
    assert held == Held({EN: [0], FR: [4], SW: []}, [2], {EN: 50, FR: 11, SW: 1})


def test_the_example_at_the_top_of_the_file():
    rows = [(0, EN, False, 50), (1, EN, True, 5), (1, FR, True, 12), (2, FR, False, 11), (9, EN, False, 99)]
    found = chosen([*rows, (9, FR, False, 99)], {EN: 40, FR: 10})
    assert found == Held({EN: [0], FR: [2]}, [], {EN: 50, FR: 11})


def test_cells_go_by_in_pieces_of_any_length(monkeypatch):
    rows = [(bin_, lang, bin_ % 2 == 0, 3) for bin_ in range(9) for lang in range(4)]
    all_want = np.ones(4, np.bool_)
    whole = list(Cells.joined([cells_of(rows)]).units(all_want))
    monkeypatch.setattr(holdout, "PIECE", 3)  # in the middle of a bin
    assert list(Cells.joined([cells_of(rows)]).units(all_want)) == whole
    assert len(whole) == 5 + 4 * 4  # bins of clusters; bins of others, by language


@pytest.mark.parametrize("values", [[], [7], [7, 7, 3, 7, 3]])
def test_sums_by_key(values):
    keys, sums = sums_of(np.array(values, np.int64), np.arange(len(values)))
    assert dict(zip(keys.tolist(), sums.tolist(), strict=True)) == {
        key: sum(i for i, value in enumerate(values) if value == key) for key in sorted(values)
    }
