"""The critical proportion on planted laws."""

import numpy as np
import pytest

from mixlaws.decision.continual import Redraws, critical_proportion, fit_share_law, late_noise
from mixlaws.errors import FitError

SHARES = np.array([0.125, 0.25, 0.375, 0.5])


def losses_of(share):
    return 2.8 + np.exp(-1.7 - 3.7 * np.asarray(share))


def test_a_planted_crossing_is_found():
    found = critical_proportion(SHARES, losses_of(SHARES), losses_of(0.29), noise=1e-4)
    assert found.value == pytest.approx(0.29, abs=1e-3)
    assert found.lower <= 0.29 <= found.upper
    assert found.by_form["power"] == pytest.approx(0.29, abs=0.01)


def test_the_interval_widens_with_the_noise():
    widths = []
    for noise in (1e-4, 1e-3):
        found = critical_proportion(SHARES, losses_of(SHARES), losses_of(0.29), noise=noise)
        widths.append(found.upper - found.lower)
    assert widths[1] > 2 * widths[0]


def test_the_interval_holds_the_truth_as_often_as_it_says():
    held = 0
    for seed in range(20):
        noisy = losses_of(SHARES) + 1e-3 * np.random.default_rng(seed).standard_normal(4)
        redraws = Redraws(replicates=40)
        found = critical_proportion(SHARES, noisy, losses_of(0.29), noise=1e-3, redraws=redraws)
        held += found.lower <= 0.29 <= found.upper
    assert held >= 15


def test_no_share_keeps_a_loss_that_is_out_of_reach():
    with pytest.raises(FitError, match=r"no share from 0.01 to 1 keeps a loss of 1 nats"):
        critical_proportion(SHARES, losses_of(SHARES), 1.0, noise=0.0)


def test_too_few_mixtures_are_refused():
    with pytest.raises(FitError, match="3 different shares of the original domain are too few"):
        fit_share_law("power", SHARES[:3], losses_of(SHARES[:3]))


def test_noise_about_straight_lines():
    tokens = np.linspace(1.0, 2.0, 50)
    generator = np.random.default_rng(0)
    lines = 3.0 - 0.1 * np.outer([1, 2, 3], tokens)
    noise = late_noise(tokens, lines + 0.01 * generator.standard_normal(lines.shape))
    assert noise == pytest.approx(0.01, rel=0.15)
