"""Whether log-log lines share one slope: planted lines with equal and with unequal slopes."""

from dataclasses import replace

import numpy as np
import pytest
from planted import planted_observations

from mixlaws.laws.loglog import LogLogSettings
from mixlaws.laws.overall import Columns
from mixlaws.laws.slopes import compare_slopes

SETTINGS = LogLogSettings(early_cut=0.0)
COLUMNS = Columns(("a", "b", "c", "d"), np.array([0.25] * 4))
SIZES = {"S": 1e6, "M": 2e6, "L": 4e6, "XL": 8e6}


def lines(spread, *, noise=1e-3, bend=0.0, seed=0, sizes=SIZES):
    """Return log-log lines of 10 mixtures whose slopes differ by +-spread, with noise of runs."""
    found = planted_observations(sizes=sizes)
    rng = np.random.default_rng(seed)
    ids, number = np.unique(found.mixture, return_inverse=True)
    apart = spread * np.linspace(-1, 1, len(ids))[number]
    x, y = np.log(found.num_params / 2e6), np.log(found.tokens / found.tokens.mean())
    run = np.unique(np.stack([found.num_params, number]), axis=1, return_inverse=True)[1].ravel()
    level, tilt = rng.normal(0, noise, (2, run.max() + 1))
    logs = 1.0 + (apart - 0.1) * x + (apart - 0.2 + tilt[run]) * y + bend * x**2 + level[run]
    return replace(found, losses=np.exp(logs)[:, None].repeat(4, axis=1))


def test_own_slopes_are_those_planted():
    tests = {t.regressor: t for t in compare_slopes(lines(0.05, noise=0), COLUMNS, SETTINGS)}
    assert list(tests) == ["num_params", "tokens"]
    planted = 0.05 * np.linspace(-1, 1, 10)
    assert tests["num_params"].slopes[:, -1] == pytest.approx(planted - 0.1, abs=1e-9)
    assert tests["tokens"].slopes[:, -1] == pytest.approx(planted - 0.2, abs=1e-9)
    assert tests["num_params"].degrees == (9, 18)
    assert tests["tokens"].degrees == (9, 27)


def test_unequal_slopes_are_found_and_equal_ones_are_not():
    for test in compare_slopes(lines(0.01), COLUMNS, SETTINGS):
        assert test.p[-1] < 1e-6
    chances = np.array(
        [[t.p[-1] for t in compare_slopes(lines(0, seed=k), COLUMNS, SETTINGS)] for k in range(40)]
    )
    # Uniform if the slope is common: at the level .05 about 2 of 40 are called unequal.
    assert ((chances < 0.05).sum(axis=0) <= 6).all()
    assert ((chances < 0.5).mean(axis=0) > 0.25).all()


def test_a_curve_that_all_mixtures_share_is_no_difference_of_slopes():
    sizes, _ = compare_slopes(lines(0, bend=0.3), COLUMNS, SETTINGS)
    assert sizes.p[-1] > 0.05


def test_two_sizes_cannot_test_the_slope_in_parameters():
    sizes, tokens = compare_slopes(lines(0.01, sizes={"S": 1e6, "L": 4e6}), COLUMNS, SETTINGS)
    assert np.isnan(sizes.p).all()
    assert tokens.p[-1] < 1e-6


def test_compute_has_one_slope():
    settings = LogLogSettings(regressors="compute", early_cut=0.0)
    (test,) = compare_slopes(lines(0.0), COLUMNS, settings)
    assert test.regressor == "compute"
    assert test.slopes.shape == (10, 5)


def test_mixtures_that_some_size_lacks_are_left_out():
    found = lines(0.01)
    partial = found.select(~((found.mixture == "mix-003") & (found.size == "L")))
    assert all(len(t.mixtures) == 9 for t in compare_slopes(partial, COLUMNS, SETTINGS))
    few = found.select(np.isin(found.mixture, ["mix-000", "mix-001"]))
    assert compare_slopes(few, COLUMNS, SETTINGS) == []
