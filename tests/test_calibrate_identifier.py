"""The knots of a calibration rise, and say how often a score is right."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).parent.parent / "data" / "calibrate_identifier.py"
SPEC = importlib.util.spec_from_file_location("calibrate_identifier", PATH)
calibrate = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(calibrate)


def test_neighbours_that_fall_are_pooled():
    # .1 right never, .2 always, .3 never: the last two fall, so they are one block of half
    blocks = calibrate.isotonic(np.array([0.1, 0.2, 0.3]), np.array([0.0, 1.0, 0.0]), np.ones(3))
    assert blocks == [(0.1, 0.0, 1.0), (0.25, 0.5, 2.0)]


def test_knots_tell_how_often_a_score_is_right():
    draw = np.random.default_rng(0)
    scores = draw.uniform(size=40_000)
    right = (draw.uniform(size=40_000) < scores**2).astype(float)  # surer than it ought to be
    knots = np.array(calibrate.knots(scores, right, np.ones(40_000)))
    assert (np.diff(knots, axis=0) >= 0).all()
    assert np.interp([0.3, 0.5, 0.9], *knots.T) == pytest.approx([0.09, 0.25, 0.81], abs=0.03)
