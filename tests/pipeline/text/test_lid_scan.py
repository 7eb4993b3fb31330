"""`find` decides as its plain twin does; windows cover short texts and sample long ones; rows are added exactly."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.compiling import kernel
from pipeline.text.lid_model import DIM
from pipeline.text.lid_rows import add_rows
from pipeline.text.lid_scan import MOST, OVERRUN, WINDOW, find, window
from tests.pipeline.text import lid_twin
from tests.pipeline.text.test_lid_model import small
from tests.pipeline.text.texts import ANY_TEXT

MODEL = small(rows=500)


def judged(text, model=MODEL):
    labels, scores, seconds, shares = find(pa.array([text], pa.large_string()), model, np.zeros(1, bool))
    return labels[0], scores[0], seconds[0], shares[0]


def twin(text, model=MODEL):
    """(label, score before calibration) of a text of one window; label -1 without letters."""
    _, letters, _ = lid_twin.units(text)
    total = sum(letters.values())
    if not total:
        return -1, 0.0
    foreign = letters.get("other", 0) / total
    most = max(lid_twin.BLOCKS, key=lambda name: letters.get(name, 0))
    rows = lid_twin.features(text, len(model.embedding))
    if letters.get(most, 0) < letters.get("other", 0) or not rows:
        return 3, foreign
    hidden = model.embedding[rows].astype(np.int64).sum(axis=0) * model.steps / np.sqrt(len(rows))
    chances = np.exp(hidden @ model.output - (hidden @ model.output).max())
    chances = chances / chances.sum() * (1 - foreign)
    chances[3] += foreign
    return int(chances[:3].argmax()) if chances[:3].max() > chances[3] else 3, chances.max()


@settings(deadline=None, max_examples=150)
@given(ANY_TEXT.filter(lambda text: len(text.encode()) <= WINDOW))
def test_label_and_score_are_those_of_the_twin(text):
    label, score, *_ = judged(text)
    expected, chance = twin(text)
    counted = lid_twin.units(text)[1]
    if max(counted.values(), default=0) == counted.get("other", -1):
        return  # as many letters of another script as of any: either may be taken for the first
    assert score == pytest.approx(np.interp(chance, *np.array(MODEL.calibration).T), abs=1e-3)
    assert label == expected or score < 0.6  # two that are level may be taken for either


@settings(deadline=None, max_examples=100)
@given(st.lists(ANY_TEXT, max_size=4))
def test_a_text_is_judged_alone(texts):
    together = find(pa.array(texts, pa.large_string()), MODEL, np.zeros(len(texts), bool))
    alone = [judged(text) for text in texts]
    assert [tuple(part[i] for part in together) for i in range(len(texts))] == alone


@kernel
def _cut(data, count):
    out = np.zeros((count, 2), np.int64)
    stop = 0
    for w in range(count):
        out[w, 0], stop = window(data, 0, len(data), w, count, stop)
        out[w, 1] = stop
    return out


def windows(text):
    data = np.frombuffer(text.encode(), np.uint8)
    return [tuple(cut) for cut in _cut(data, min(MOST, -(-len(data) // WINDOW)))]


@settings(deadline=None, max_examples=100)
@given(ANY_TEXT, st.integers(1, 200))
def test_windows_cover_a_short_text_and_lie_evenly_in_a_long_one(part, times):
    text = part * times
    size, cuts = len(text.encode()), windows(text)
    assert all(0 <= at <= stop <= size and stop - at <= WINDOW + 2 * OVERRUN + 4 for at, stop in cuts)
    for at, stop in cuts:
        text.encode()[at:stop].decode()  # no character is cut through
    if size <= MOST * WINDOW:
        assert [at for at, _ in cuts] == [0, *(stop for _, stop in cuts[:-1])][: len(cuts)]
        assert not cuts or cuts[-1][1] == size
    else:
        starts = [at for at, _ in cuts]
        assert starts == sorted(starts)
        assert all(abs(at - size // MOST * w) <= WINDOW + 2 * OVERRUN + 4 for w, at in enumerate(starts))


@kernel
def _sum(table, rows):
    sums = np.zeros(DIM, np.int32)
    add_rows(table, rows, len(rows), sums)
    return sums


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 700])
@pytest.mark.parametrize("extreme", [-128, -127, 127, None])
def test_rows_are_added_exactly(count, extreme):
    draw = np.random.default_rng(count)
    table = (
        draw.integers(-127, 128, (50, DIM)).astype(np.int8) if extreme is None else np.full((50, DIM), extreme, np.int8)
    )
    rows = draw.integers(0, 50, count).astype(np.uint32)
    assert np.array_equal(_sum(table.view(np.uint64), rows), table[rows].astype(np.int64).sum(axis=0))
