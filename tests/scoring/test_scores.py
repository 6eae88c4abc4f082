"""Scores of predictions on one fold."""

import warnings

import numpy as np
import pytest

from mixlaws.scoring.scores import _scores


def test_losses_that_differ_by_rounding_have_no_ranks():
    """The mean of equal numbers may differ from them in its last bit."""
    predicted = np.array([3.0, 3.1, 3.2, 3.3, 3.4, 3.5])
    for observed in (np.full(6, 3.1), np.full(6, 3.1) + np.arange(6) * 1e-15):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = _scores(observed, predicted, ranks=True)
        assert np.isnan([found["r2"], found["spearman"]]).all()
        assert found["mae"] == pytest.approx(1.1 / 6)
    assert _scores(predicted + 1e-6, predicted, ranks=True)["spearman"] == pytest.approx(1)
