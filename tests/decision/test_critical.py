"""The critical proportion of our own runs, on planted laws."""

import numpy as np
import pandas as pd
import pytest

from mixlaws.decision.continual import Redraws
from mixlaws.decision.critical import (
    EVERY,
    FOUND,
    NONE,
    Point,
    find_critical,
    knee,
    least_safe,
    make_points,
    redraw,
)
from mixlaws.decision.critical_scale import (
    fit_joint,
    fit_token_form,
    predicted,
    redrawn_laws,
)
from mixlaws.errors import FitError
from mixlaws.runs.replay import Replay, make_replay, replay_mixtures

SHARES = np.array([0.1, 0.2, 0.35, 0.5, 0.75])


def planted_excess(share, critical=0.29, bend=3.7):
    return 0.4 * (np.exp(-bend * np.asarray(share)) - np.exp(-bend * critical))


def make_point(num_seeds=2, noise=1e-3, base_noise=1e-2, seed=0, **planted):
    generator = np.random.default_rng(seed)
    base = 3.0 + base_noise * generator.standard_normal(num_seeds)
    drawn = noise * generator.standard_normal((num_seeds, len(SHARES)))
    original = base[:, None] + planted_excess(SHARES, **planted) + drawn
    new = 2.0 - 0.5 * np.sqrt(1 - SHARES) + 0 * original
    return Point("1M", 1e6, 100, 1e6, SHARES, original, new, base, base - 1)


def test_a_planted_critical_proportion_is_found_whatever_its_base():
    found = find_critical(make_point(noise=0, base_noise=0.5), Redraws(replicates=20))
    assert found.status == FOUND
    assert found.value == pytest.approx(0.29, abs=1e-3)
    assert set(found.by_form) == {"exponential", "power", "log-quadratic"}


def test_the_interval_holds_the_planted_proportion_as_often_as_it_says():
    held = 0
    for seed in range(20):
        point = make_point(noise=3e-3, seed=seed)
        found = find_critical(point, Redraws(replicates=40))
        held += found.lower <= 0.29 <= found.upper
        assert found.upper - found.lower < 0.2
    assert held >= 15


@pytest.mark.parametrize(("critical", "status", "value"), [(0.02, EVERY, 0), (0.99, NONE, np.inf)])
def test_no_share_or_every_share_is_said(critical, status, value):
    found = find_critical(make_point(noise=1e-4, critical=critical), Redraws(replicates=10))
    assert (found.status, found.value, found.lower, found.upper) == (status, value, value, value)


def test_the_noise_of_one_base_is_that_of_a_run():
    """One seed: what its runs share is not 0, but as uncertain as one run."""
    excess = make_point(num_seeds=1, noise=1e-2).excess
    fitted = planted_excess(SHARES)
    drawn = redraw(excess, fitted, Redraws(replicates=4000)) - fitted
    shared = drawn.mean(axis=1).std()
    residuals = (excess - fitted - (excess - fitted).mean()) * np.sqrt(5 / 2)
    expected = residuals.std() * np.sqrt(1 + 1 / 5)
    assert shared == pytest.approx(expected, rel=0.05)


def test_the_least_safe_share_lies_between_grid_points():
    grid = np.array([0.1, 0.2, 0.3])
    assert least_safe(grid, np.array([0.3, 0.1, -0.1])) == pytest.approx(0.25)
    assert least_safe(grid, np.array([-0.3, 0.1, -0.1])) == 0
    assert least_safe(grid, np.array([0.3, 0.1, 0.1])) == np.inf


def test_the_knee_is_where_both_losses_are_low():
    original = np.array([1.0, 0.2, 0.1, 0.0])
    new = np.array([0.0, 0.1, 0.6, 1.0])
    assert knee(original, new) == 1
    assert knee(100 * original + 7, new) == 1


def loss_rows(point):
    """Return tables of losses, split over validation domains that the weights put together."""
    rows, initial = [], []
    for s, seed in enumerate((0, 1)):
        for k, share in enumerate(point.shares):
            key = {"size": "1M", "seed": seed, "share": share}
            values = {"docs": point.original[s, k] + 0.3, "cpp": point.original[s, k] - 0.1}
            values["python"] = point.new[s, k]
            start = {"docs": point.base_original[s] + 0.3, "cpp": point.base_original[s] - 0.1}
            start["python"] = point.base_new[s]
            for name in values:
                row = key | {"validation_domain": name, "step": 100, "tokens": 1e6}
                rows.append(row | {"loss": values[name]})
                initial.append(row | {"loss": start[name], "step": 0, "tokens": 0})
    return pd.DataFrame(rows), pd.DataFrame(initial)


def test_weighted_domains_are_read_from_the_tables():
    point = make_point()
    replay = Replay({}, {}, {"docs": 0.25, "cpp": 0.75}, {"python": 1.0})
    losses, initial = loss_rows(point)
    (read,) = make_points(losses, initial, {"1M": 1e6}, replay)
    np.testing.assert_allclose(read.original, point.original, atol=1e-12)
    np.testing.assert_allclose(read.excess, point.excess, atol=1e-12)
    np.testing.assert_allclose(read.new, point.new)
    np.testing.assert_allclose(read.base_new, point.base_new)
    with pytest.raises(FitError, match=r"found 9 runs at 5 shares\. Train the missing runs"):
        make_points(losses.iloc[3:], initial, {"1M": 1e6}, replay)


def test_the_mixtures_of_several_original_domains():
    section = {"original": {"docs": 0.75, "cpp": 0.25}, "new": {}, "preserve": {}, "learn": {}}
    section["shares"] = [0.5, 0.2]
    domains = ["python", "docs", "cpp", "rst"]
    least, most = replay_mixtures(section, domains)
    assert (least.id, most.id) == ("replay-200", "replay-500")
    expected = {"python": 0.4, "docs": 0.15, "cpp": 0.05, "rst": 0.4}
    assert least.proportions == pytest.approx(expected)
    assert list(least.proportions) == domains
    assert make_replay(section, domains).preserve == {"docs": 0.75, "cpp": 0.25}


def planted_points(noise=0.0, seed=0):
    """Points of two sizes and four numbers of tokens whose critical proportion moves."""
    generator = np.random.default_rng(seed)
    points = []
    for num_params in (1e6, 4e6):
        base = np.array([3.0, 3.1])
        for tokens in (1e6, 2e6, 4e6, 8e6):
            curve = level(num_params, tokens) + 0.4 * np.exp(-3.0 * SHARES)
            losses = base[:, None] + curve + noise * generator.standard_normal((2, 5))
            shape = (str(num_params), num_params, 1, tokens, SHARES)
            points.append(Point(*shape, losses, losses, base, base))
    return points


def level(num_params, tokens):
    return -0.08 - 0.01 * np.log(tokens / 1e6) + 0.005 * np.log(num_params / 1e6)


def true_critical(num_params, tokens):
    return -np.log(-level(num_params, tokens) / 0.4) / 3.0


def test_the_joint_law_extrapolates_a_planted_proportion():
    points = planted_points()
    law = fit_joint(points, np.array([p.excess.mean(axis=0) for p in points]))
    assert law.bend == pytest.approx(3.0, rel=1e-3)
    assert law.critical(64e6, 64e6) == pytest.approx(true_critical(64e6, 64e6), abs=1e-3)
    np.testing.assert_allclose(predicted(law, points), [p.excess[0] for p in points], atol=1e-5)


def test_the_extrapolated_interval_holds_the_planted_proportion():
    truth, held = true_critical(16e6, 32e6), 0
    for seed in range(10):
        laws = redrawn_laws(planted_points(noise=3e-3, seed=seed), Redraws(replicates=60))
        draws = [law.critical(16e6, 32e6) for law in laws]
        held += np.quantile(draws, 0.05) <= truth <= np.quantile(draws, 0.95)
    assert held >= 7


def test_the_published_form_of_tokens_is_recovered():
    tokens = np.array([1e6, 2e6, 4e6, 8e6, 16e6])
    form = fit_token_form(tokens, 0.2 + 0.15 * (tokens / 1e6) ** -0.5)
    assert form.s == pytest.approx(-0.5, abs=0.01)
    assert form.critical(64e6) == pytest.approx(0.2 + 0.15 * 64**-0.5, abs=1e-3)
    assert fit_token_form(tokens[:3], tokens[:3]) is None
