"""Intervals of held-out mixtures."""

import numpy as np
import pytest

from mixlaws.laws.overall import Columns
from mixlaws.scoring.folds import FoldResult
from mixlaws.scoring.held_out import with_held_out_interval
from mixlaws.scoring.scores import PredictedLosses, prediction_rows

COLUMNS = Columns(("a", "b"), np.array([0.5, 0.5]))


def fold(kind, errors, size="L"):
    observed = np.full((len(errors), 2), 3.0)
    ids = np.array([f"mix-{i}" for i in range(len(errors))])
    predicted = observed + np.array(errors)[:, None] * [1.0, 2.0]
    return FoldResult("additive", kind, size, 1e6, ids, observed, predicted)


def held_out(kind="held-out"):
    return PredictedLosses("additive", kind, "L", 1e6, np.array(["held-1"]), np.full((1, 2), 3.1))


@pytest.mark.parametrize(("num", "place"), [(30, 28), (5, 5)])
def test_the_half_width_is_the_quantile_of_a_new_error(num, place):
    """ceil(31 x .9) = 28th of 30; of 5 errors the largest."""
    errors = (np.arange(num) + 1) * np.where(np.arange(num) % 2, -0.001, 0.001)
    folds = [fold("leave-one-mixture-out", [9.0], size="S"), fold("leave-one-mixture-out", errors)]
    found = with_held_out_interval(held_out(), folds, COLUMNS)
    half = 0.001 * place * np.array([1.0, 2.0, 1.5])
    assert found.lower[0] == pytest.approx(3.1 - half)
    assert found.upper[0] == pytest.approx(3.1 + half)
    rows = prediction_rows(found, COLUMNS)
    assert rows[-1]["validation_domain"] == "overall"
    assert rows[-1]["upper"] == pytest.approx(3.1 + half[-1])


def test_mixtures_left_out_in_turn_make_the_interval_and_have_none():
    folds = [fold("leave-one-mixture-out", [0.1, 0.2])]
    assert with_held_out_interval(held_out("leave-one-mixture-out"), folds, COLUMNS).lower is None
