"""Best fit decreasing is what its plain twin does, and fills rows as it promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.fit import best_fit, lay

WIDTHS = st.integers(1, 40)
CASES = WIDTHS.flatmap(lambda width: st.tuples(st.lists(st.integers(1, width), max_size=60), st.just(width)))


def twin(lengths: list[int], width: int) -> list[int]:
    """Row of each piece: every open row is looked at. Touched last wins among rows with as much room."""
    rows: list[dict] = []
    for turn, i in enumerate(sorted(range(len(lengths)), key=lambda i: -lengths[i])):
        fitting = [row for row in rows if row["room"] >= lengths[i]]
        if not fitting:
            rows.append({"room": width, "touched": turn, "pieces": []})
            fitting = rows[-1:]
        row = min(fitting, key=lambda row: (row["room"], -row["touched"]))
        row["room"] -= lengths[i]
        row["touched"] = turn
        row["pieces"].append(i)
    rows.sort(key=lambda row: row["pieces"][0])  # the piece that opened it
    return [n for i in range(len(lengths)) for n, row in enumerate(rows) if i in row["pieces"]]


@settings(deadline=None, max_examples=300)
@given(CASES)
def test_it_is_its_twin(case):
    lengths, width = case
    found, rows = best_fit(np.array(lengths, np.int64), width)
    assert found.tolist() == twin(lengths, width)
    assert rows == len(set(found.tolist()))


@settings(deadline=None)
@given(CASES)
def test_no_row_is_too_full_and_no_two_rows_would_do_as_one(case):
    lengths, width = case
    found, rows = best_fit(np.array(lengths, np.int64), width)
    filled = sorted(np.bincount(found, weights=lengths, minlength=rows))
    assert not filled or filled[-1] <= width
    assert len(filled) < 2 or filled[0] + filled[1] > width


@pytest.mark.parametrize(
    ("lengths", "width", "rows"),
    [
        ([], 4, []),
        ([4, 4], 4, [0, 1]),
        ([1, 1, 1, 1], 4, [0, 0, 0, 0]),
        # 5 alone; 4 opens a row; 3 another; 2 fits behind 3, exactly; 1 behind 4, exactly. Numbered by 4, 3, 5
        ([2, 4, 3, 5, 1], 5, [1, 0, 1, 2, 0]),
        # 6 and 5 open rows with room for 4 and 5; 4 fits in both, and behind 6 exactly
        ([4, 5, 6], 10, [1, 0, 1]),
    ],
)
def test_rows_worked_by_hand(lengths, width, rows):
    found, count = best_fit(np.array(lengths, np.int64), width)
    assert (found.tolist(), count) == (rows, len(set(rows)))


@pytest.mark.parametrize("width", [2**20 + 1, 2**20])
def test_the_widest_rows_there_are(width):
    found, rows = best_fit(np.array([width, width - 1, 1, 1], np.int64), width)
    assert (found.tolist(), rows) == ([0, 1, 1, 2], 3)


def test_pieces_are_laid_where_they_are_to_stand_and_nothing_else_is_touched():
    out = np.full(8, 3, np.int32)
    lay(np.arange(10, 20, dtype=np.int32), np.array([4, 0]), np.array([3, 2]), np.array([0, 5]), out)
    assert out.tolist() == [14, 15, 16, 3, 3, 10, 11, 3]
