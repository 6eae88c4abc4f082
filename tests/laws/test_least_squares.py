"""Compare the batched solver with scipy's, which solves one problem at a time."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from mixlaws.laws.least_squares import Bounds, Prior, minimise

X = np.linspace(0.2, 3.0, 15)
NAMES = ("level", "height", "rate")


def curve(theta):
    """Return values (b, n) and Jacobian (b, n, 3) of level + exp(height - rate x)."""
    term = np.exp(theta[:, 1:2] - theta[:, 2:] * X)
    return theta[:, :1] + term, np.stack([np.ones_like(term), term, -term * X], axis=2)


def problems(seed, count=8):
    """Return observed values (B, n) and starts (B, 3) near the true parameters."""
    generator = np.random.default_rng(seed)
    truth = generator.uniform([1.0, -0.5, 0.3], [2.0, 0.5, 2.0], (count, 3))
    observed = curve(truth)[0] + 0.02 * generator.normal(size=(count, len(X)))
    return observed, truth + generator.uniform(-0.2, 0.2, truth.shape)


def by_scipy(observed, start, prior, bounds):
    """Return the parameters of one problem, with its prior as additional residuals."""
    root = np.linalg.cholesky(prior.precision).T

    def residuals(theta):
        return np.append(curve(theta[None])[0][0] - observed, root @ (theta - prior.mean))

    limits = (bounds.lower, bounds.upper)
    inside = np.clip(start, bounds.lower + 1e-9, bounds.upper - 1e-9)
    found = least_squares(residuals, inside, bounds=limits, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    return found.x, found.cost


@pytest.mark.parametrize("linear", [None, 0], ids=["all at once", "level projected out"])
@pytest.mark.parametrize("limit", [np.inf, 0.8], ids=["free", "rate limited"])
@pytest.mark.parametrize("seed", range(4))
def test_the_solver_finds_what_scipy_finds(seed, limit, linear):
    observed, start = problems(seed)
    prior = Prior(np.array([1.0, 0.0, 1.0]), np.diag([1e-4, 1e-3, 1e-3]))
    bounds = Bounds(np.array([0.0, -5.0, 0.0]), np.array([5.0, 5.0, limit]), NAMES)

    def evaluate(theta, rows):
        values, jacobian = curve(theta)
        return values - observed[rows], jacobian

    theta, cost = minimise(evaluate, start, prior, bounds, linear=linear)
    for row in range(len(observed)):
        expected, least = by_scipy(observed[row], start[row], prior, bounds)
        assert cost[row] == pytest.approx(least, rel=1e-6)
        assert theta[row] == pytest.approx(expected, abs=2e-3)
    assert limit == np.inf or (theta[:, 2] == limit).any()
