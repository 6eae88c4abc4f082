"""Widths of differences: none between a mixture and itself, more with distance, and they hold."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixlaws.laws.overall import Columns
from mixlaws.scoring.difference_variance import (
    NOISE_SHARE,
    ForwardPart,
    correlate,
    distances,
    fit_difference_variance,
    fit_forward_part,
)
from mixlaws.scoring.distance_errors import DistanceErrors
from mixlaws.scoring.distance_folds import Distance
from mixlaws.scoring.folds import LossTable
from mixlaws.scoring.level_variance import LevelVariance
from mixlaws.scoring.single_point import (
    single_point_coverage,
    single_point_errors,
    single_point_half_width,
)
from mixlaws.scoring.uncertainty import Uncertainty, read_uncertainty


def shares(count, domains=4, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(domains), count)


def surface(proportions, columns, seed, noise_share=NOISE_SHARE):
    """Draw smooth errors (n, columns) of variance 1, with a share of noise."""
    generator = np.random.default_rng(seed)
    covariance = correlate(distances(proportions[:, None], proportions[None]))
    covariance = (1 - noise_share) * covariance + noise_share * np.eye(len(proportions))
    return np.linalg.cholesky(covariance) @ generator.normal(size=(len(proportions), columns))


def left_out_errors(proportions, values):
    """Return the errors of kriging each value from the others, its level unknown."""
    covariance = correlate(distances(proportions[:, None], proportions[None]))
    covariance = (1 - NOISE_SHARE) * covariance + NOISE_SHARE * np.eye(len(values)) + 100
    precision = np.linalg.inv(covariance)
    return precision @ values / np.diag(precision)[:, None]


@pytest.fixture(scope="module")
def variance():
    trained = shares(20)
    forward = ForwardPart(np.array([2e-4, 0.0]), np.array([1e-4, 1e-4]))
    errors = 0.01 * np.random.default_rng(1).normal(size=(20, 2))
    return fit_difference_variance(trained, errors, forward)


mixture = st.integers(0, 10_000).map(lambda seed: shares(1, seed=seed))


@settings(max_examples=50, deadline=None)
@given(mixture, mixture, st.floats(1e-6, 1.0))
def test_a_difference_vanishes_as_two_mixtures_become_one(variance, first, second, part):
    """Continuous: half as far apart, never wider; at distance 0 nothing is left."""
    between = first + part * (second - first)
    assert variance.half_width(first, first, 0.9) == pytest.approx(np.zeros((1, 2)), abs=1e-12)
    width = variance.half_width(first, between, 0.9)
    assert (width >= 0).all()
    assert width == pytest.approx(variance.half_width(between, first, 0.9))
    # A Matern 3/2 surface has a slope: the width falls at least in proportion to the distance.
    apart = distances(first, between)[0]
    assert (width <= 0.1 * apart + 1e-9).all()


def test_many_pairs_against_one_optimum_equal_one_by_one(variance):
    many, optimum = shares(50, seed=3), shares(1, seed=4)
    together = variance.half_width(many, optimum, 0.9)
    alone = [variance.half_width(each[None], optimum, 0.9)[0] for each in many]
    assert together.shape == (50, 2)
    assert together == pytest.approx(np.array(alone))


def test_a_single_run_adds_its_noise_and_seeds_average_it(variance):
    pair = shares(1, seed=5), shares(1, seed=6)
    expected = variance.variance(*pair)
    assert variance.variance(*pair, "single_run") - expected == pytest.approx(np.full((1, 2), 1e-4))
    assert variance.variance(*pair, "single_run", num_seeds=4) - expected == pytest.approx(
        np.full((1, 2), 2.5e-5)
    )
    alone = fit_difference_variance(shares(20), np.random.default_rng(1).normal(size=(20, 2)))
    noise = alone.variance(*pair, "single_run") - alone.variance(*pair)
    assert noise[0] == pytest.approx(2 * NOISE_SHARE * alone.kappa)


def test_kappa_is_recovered_and_intervals_hold_what_was_planted():
    everything = shares(60, seed=7)
    trained, new = everything[:30], everything[30:]
    values = 0.02 * surface(everything, 400, seed=8)
    errors = left_out_errors(trained, values[:30])
    variance = fit_difference_variance(trained, errors)
    assert np.median(variance.kappa) == pytest.approx(0.02**2, rel=0.1)
    covariance = correlate(distances(trained[:, None], trained[None])) * (1 - NOISE_SHARE)
    weights = np.linalg.inv(covariance + NOISE_SHARE * np.eye(30) + 100)
    cross = (1 - NOISE_SHARE) * correlate(distances(new[:, None], trained[None])) + 100
    missed = values[30:] - cross @ weights @ values[:30]
    i, j = np.triu_indices(30, 1)
    width = variance.half_width(new[i], new[j], 0.9, "single_run")
    held = np.abs(missed[i] - missed[j]) <= width
    assert held.mean() == pytest.approx(0.9, abs=0.03)
    # New mixtures miss by their novelty and by the noise that trained ones have too.
    slope, noise = np.polyfit(variance.novelty(new).mean(axis=1), (missed**2).mean(axis=1), 1)
    assert slope == pytest.approx(1, abs=0.15)
    assert noise == pytest.approx(1.5 * NOISE_SHARE * 0.02**2, rel=0.5)


def test_novelty_is_small_at_trained_mixtures_and_grows_away_from_them(variance):
    trained = variance.trained
    at, corner = variance.novelty(trained), variance.novelty(np.eye(4))
    assert (at <= 0.5 * NOISE_SHARE * variance.kappa).all()
    assert corner.min() > 5 * at.max()


def test_the_forward_part_tells_smooth_errors_from_noise():
    """Pairs differ as planted, times the growth; the noise's share rises with the planted one."""
    proportions, shares_of_noise = shares(40, seed=9), []
    i, j = np.triu_indices(40, 1)
    correlation = correlate(distances(proportions[i], proportions[j]))[:, None]
    for planted in (0.02, 0.5, 0.95):
        errors = 0.01 * surface(proportions, 300, seed=10, noise_share=planted)
        part = fit_forward_part([(proportions, errors, np.full(300, 4.0))] * 2)
        predicted = part.smooth * (1 - correlation) + part.noise
        observed = (errors[i] - errors[j]) ** 2
        assert predicted.mean() == pytest.approx(4 * observed.mean(), rel=0.1)
        shares_of_noise.append(np.median(part.noise / predicted.mean(axis=0)))
    low, middle, high = shares_of_noise
    assert low < 0.5 < middle < high
    with pytest.raises(ValueError, match="three mixtures"):
        fit_forward_part([(proportions[:2], errors[:2], np.full(300, 4.0))])


def test_what_is_written_gives_the_same_widths(variance):
    errors = DistanceErrors(
        np.array([0.01, 0.02]), (0.5, 0.2, 0.3), (0.4, 0.1, 0.5), (True, False), 9, 2
    )
    widths = Uncertainty(LevelVariance(errors, Distance(0.9, 1.1), variance))
    back = read_uncertainty(json.loads(json.dumps(widths.record())))
    new, pair = shares(3, seed=12), (shares(3, seed=12), shares(1, seed=13))
    for kind in ("expected", "single_run"):
        assert back.of_losses(new, 0.9, kind) == pytest.approx(widths.of_losses(new, 0.9, kind))
        assert back.of_differences(pair, 0.9, kind) == pytest.approx(
            widths.of_differences(pair, 0.9, kind)
        )
    assert back.levels.errors.measured == (True, False)
    # One run holds its noise, an expected loss does not: half of a difference's, at most.
    single, expected = widths.of_losses(new, 0.9), widths.of_losses(new, 0.9, "expected")
    quantile = errors.quantile(0.9, Distance(0.9, 1.1))
    noise = np.broadcast_to(variance.run_noise / 2, (3, 2))
    assert (single**2 - expected**2) / quantile**2 == pytest.approx(noise)
    # Far away single mixtures err more, but the noise of a run does not grow: the width stays.
    far = replace(variance, forward=ForwardPart(np.array([2e-4, 0.0]), np.array([1e2, 1e2])))
    levels = LevelVariance(errors, Distance(0.9, 1.1), far)
    assert levels.half_width(new, 0.9, "expected") == pytest.approx(expected)
    # At a trained mixture the level is that of the distance, with nothing for novelty.
    trained = variance.trained
    at = widths.of_losses(trained, 0.9).min(axis=0)
    assert at == pytest.approx(quantile * errors.sigma(Distance(0.9, 1.1)), rel=1e-6)


@pytest.mark.parametrize("num_mixtures", [24, 80])
def test_at_a_single_point_nine_of_ten_new_runs_are_inside(num_mixtures):
    generator = np.random.default_rng(11)
    columns = Columns(("a", "b"), np.array([0.5, 0.5]))
    held = []
    for _ in range(15):
        everything = generator.dirichlet(np.ones(3), num_mixtures + 50)
        losses = 2 + 0.3 * np.column_stack([everything[:, 0], 1 - everything[:, 1]])
        losses += 0.02 * generator.normal(size=losses.shape)
        ids = np.array([f"mix-{i:03d}" for i in range(num_mixtures)])
        known = slice(0, num_mixtures)
        table = LossTable("S", 1e9, ids, everything[known], losses[known])
        width = single_point_half_width(single_point_errors("linear", table, columns), 0.9)
        plane = np.column_stack([np.ones(num_mixtures), everything[known, :-1]])
        slope = np.linalg.lstsq(plane, losses[known], rcond=None)[0]
        new = np.column_stack([np.ones(50), everything[num_mixtures:, :-1]]) @ slope
        missed = columns.with_overall(new) - columns.with_overall(losses[num_mixtures:])
        held.append((np.abs(missed) <= width).mean())
    assert np.mean(held) == pytest.approx(0.91, abs=0.04)


def test_the_coverage_at_a_single_point_leaves_each_mixture_out_of_its_own_width():
    errors = np.arange(1.0, 21.0)[:, None]
    # Of 19 others the 18th smallest is the half-width: 18, or 19 for those up to 18.
    assert single_point_half_width(errors, 0.9)[0] == 19
    assert single_point_coverage(errors, 0.9) == pytest.approx(18 / 20)
    assert np.isnan(single_point_coverage(errors[:1], 0.9))
