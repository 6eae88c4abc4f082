"""Solve many small least-squares problems at once, in float64, and record how well each went."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Evaluate = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(theta (b, p), rows (b,)) -> residuals (b, n) and Jacobian (b, n, p) of these problems."""

NUM_BOUND_ROUNDS = 3
"""How often one step is solved; each time, parameters that hit a limit are held there."""
TOLERANCE = 1e-8
HUBER_CUT = 1.345
"""In units of the residuals' scale; gives 95 % efficiency under Gaussian noise (Huber 1964)."""
AGREEMENT = 1e-3
"""Two starts agree if their costs differ by less than this fraction of the best cost."""


@dataclass(frozen=True, eq=False)
class Fit:
    """The evidence needed to judge a batch of B fits.

    A batch is one fit per curve (power laws) or per validation domain (mixing laws).
    """

    residuals: np.ndarray
    """(n, B) fitted minus observed, nats; nan where nothing was observed."""
    cost: np.ndarray
    """(B,) half the weighted sum of squares, priors included, of the best start."""
    num_starts: int
    """Number of local fits tried for each of the B."""
    num_agreeing: np.ndarray
    """(B,) number of starts that reached the best cost; 1 of many is a warning."""
    at_bound: tuple[tuple[str, ...], ...]
    """For each of the B, the names of the parameters that ended at a bound."""


@dataclass(frozen=True, eq=False)
class Prior:
    """A Gaussian prior on the parameters, in units of the residual variance.

    It adds (theta - mean)' precision (theta - mean) / 2 to the cost.
    """

    mean: np.ndarray
    """(B, p) or (p,)."""
    precision: np.ndarray
    """(B, p, p) or (p, p), symmetric."""

    def repeat(self, num_starts: int) -> Prior:
        """Return the prior of a batch (B, ...) repeated once for each start."""
        return Prior(
            np.tile(self.mean, (num_starts, 1)), np.tile(self.precision, (num_starts, 1, 1))
        )

    def of(self, rows: np.ndarray, num_params: int) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (b, p) and precision (b, p, p) for the problems `rows` of the batch."""
        mean = self.mean if self.mean.ndim == 1 else self.mean[rows]
        precision = self.precision if self.precision.ndim == 2 else self.precision[rows]
        shape = (len(rows), num_params)
        return np.broadcast_to(mean, shape), np.broadcast_to(precision, (*shape, num_params))


@dataclass(frozen=True, eq=False)
class Bounds:
    """Lower and upper limits of the parameters, and their names for the evidence."""

    lower: np.ndarray
    """(B, p) or (p,)."""
    upper: np.ndarray
    """(B, p) or (p,)."""
    names: tuple[str, ...]

    def of(self, rows: np.ndarray, num_params: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the limits (b, p) for the problems `rows` of the batch."""
        lower = self.lower if self.lower.ndim == 1 else self.lower[rows]
        upper = self.upper if self.upper.ndim == 1 else self.upper[rows]
        shape = (len(rows), num_params)
        return np.broadcast_to(lower, shape), np.broadcast_to(upper, shape)


@dataclass
class _Local:
    """Cost, gradient and normal matrix of some problems at their current parameters."""

    cost: np.ndarray
    gradient: np.ndarray
    normal: np.ndarray


def minimise(
    evaluate: Evaluate,
    start: np.ndarray,
    prior: Prior,
    bounds: Bounds,
    *,
    linear: int | None = None,
    max_iterations: int = 80,
) -> tuple[np.ndarray, np.ndarray]:
    """Solve B bounded least-squares problems of p parameters by Levenberg-Marquardt.

    `start` has shape (B, p). `linear` is the index of a parameter in which the residuals are
    linear (a law's irreducible loss). It is set to its best value after every step, so that the
    steps follow the projected cost (variable projection). A problem stops when a step lowers its
    cost by less than a fraction TOLERANCE, or when no step lowers it. Returns theta (B, p) and
    cost (B,), half the sum of squares with the prior.
    """
    every = np.arange(len(start))
    theta = np.clip(start, *bounds.of(every, start.shape[1]))
    local = _Linearised(evaluate, prior, bounds, linear)
    state = local.at(theta, every)
    damping = np.full(len(theta), 1e-2)
    active = every
    for _ in range(max_iterations):
        if not len(active):
            break
        trial = _step(theta[active], _take(state, active), damping[active], bounds, active)
        tried = local.at(trial, active)
        gain = state.cost[active] - tried.cost
        better = gain > 0
        won = active[better]
        theta[won] = trial[better]
        _put(state, won, _take(tried, better))
        damping[active] = np.maximum(damping[active] * np.where(better, 0.2, 5.0), 1e-8)
        small = better & (gain < TOLERANCE * np.maximum(state.cost[active], 1e-30))
        active = active[~(small | (~better & (damping[active] > 1e9)))]
    return theta, state.cost


def best_of_starts(
    theta: np.ndarray, cost: np.ndarray, num_starts: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep the best of `num_starts` fits; rows are ordered start by start.

    Returns theta (B, p), cost (B,) and the number of starts that agree with the best (B,).
    """
    costs = cost.reshape(num_starts, -1)
    best = costs.argmin(axis=0)
    lowest = costs.min(axis=0)
    agreeing = (costs <= lowest * (1 + AGREEMENT) + 1e-12).sum(axis=0)
    return (
        theta.reshape(num_starts, costs.shape[1], -1)[best, np.arange(len(best))],
        lowest,
        agreeing,
    )


def names_at_bound(theta: np.ndarray, bounds: Bounds) -> tuple[tuple[str, ...], ...]:
    """Name the parameters of each of the B fits that lie on a limit; theta (B, p)."""
    lower, upper = bounds.of(np.arange(len(theta)), theta.shape[1])
    return flag_names((theta <= lower) | (theta >= upper), bounds.names)


def flag_names(flags: np.ndarray, names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Turn flags (B, p) into the names of the raised ones, B tuples."""
    return tuple(
        tuple(name for name, up in zip(names, row, strict=True) if up) for row in flags.tolist()
    )


def huber_weights(residuals: np.ndarray) -> np.ndarray:
    """Return Huber's weights (B, n) for residuals (B, n); a nan (not observed) gets weight 0.

    The scale is each row's median absolute residual.
    """
    size = np.abs(residuals)
    scale = 1.4826 * np.nanmedian(size, axis=1, keepdims=True)
    weights = np.minimum(1.0, HUBER_CUT * np.maximum(scale, 1e-12) / np.maximum(size, 1e-12))
    return np.where(np.isfinite(size), weights, 0.0)


@dataclass(frozen=True)
class _Linearised:
    """A batch of problems that can be linearised at any parameters."""

    evaluate: Evaluate
    prior: Prior
    bounds: Bounds
    linear: int | None

    def at(self, theta: np.ndarray, rows: np.ndarray) -> _Local:
        """Linearise the problems `rows` at theta (b, p); set its linear parameter in place."""
        residuals, jacobian = self.evaluate(theta, rows)
        if self.linear is not None:
            residuals = residuals + self._project(theta, rows, residuals, jacobian)
        mean, precision = self.prior.of(rows, theta.shape[1])
        pull = np.einsum("bpq,bq->bp", precision, theta - mean)
        transposed = jacobian.swapaxes(1, 2)
        return _Local(
            cost=0.5 * (residuals**2).sum(axis=1) + 0.5 * ((theta - mean) * pull).sum(axis=1),
            gradient=(transposed @ residuals[..., None])[..., 0] + pull,
            normal=transposed @ jacobian + precision,
        )

    def _project(
        self, theta: np.ndarray, rows: np.ndarray, residuals: np.ndarray, jacobian: np.ndarray
    ) -> np.ndarray:
        """Set the linear parameter to its best value and return the change of the residuals."""
        place = self.linear
        mean, precision = self.prior.of(rows, theta.shape[1])
        lower, upper = self.bounds.of(rows, theta.shape[1])
        column = jacobian[:, :, place]
        pull = np.einsum("bq,bq->b", precision[:, place], theta - mean)
        slope = (column * residuals).sum(axis=1) + pull
        curvature = (column**2).sum(axis=1) + precision[:, place, place]
        old = theta[:, place].copy()
        theta[:, place] = np.clip(old - slope / curvature, lower[:, place], upper[:, place])
        return column * (theta[:, place] - old)[:, None]


def _step(
    theta: np.ndarray, state: _Local, damping: np.ndarray, bounds: Bounds, rows: np.ndarray
) -> np.ndarray:
    """Return theta after a damped Gauss-Newton step inside the bounds.

    A parameter that the step would carry past a limit is held at the limit, and the step is solved
    again for the others. Clipping alone would move them as if there were no limit.
    """
    lower, upper = bounds.of(rows, theta.shape[1])
    diagonal = np.arange(theta.shape[1])
    scale = state.normal[:, diagonal, diagonal]
    normal = state.normal.copy()
    # Without the floor, a parameter that no residual depends on would make the matrix singular.
    floor = 1e-12 * scale.max(axis=1, keepdims=True) + 1e-300
    normal[:, diagonal, diagonal] += damping[:, None] * scale + floor
    held = np.zeros(theta.shape, dtype=bool)
    step = np.zeros_like(theta)
    for _ in range(NUM_BOUND_ROUNDS):
        held |= (theta + step < lower) | (theta + step > upper)
        limited = np.where(held, np.clip(theta + step, lower, upper) - theta, 0.0)
        pull = state.gradient + np.einsum("bpq,bq->bp", normal, limited)
        free = normal * ~(held[:, :, None] | held[:, None, :])
        free[:, diagonal, diagonal] += held
        solved = np.linalg.solve(free, -np.where(held, 0.0, pull)[..., None])[..., 0]
        step = np.where(held, limited, solved)
        if not ((theta + step < lower) | (theta + step > upper)).any():
            break
    return np.clip(theta + step, lower, upper)


def _take(state: _Local, rows: np.ndarray) -> _Local:
    return _Local(state.cost[rows], state.gradient[rows], state.normal[rows])


def _put(state: _Local, rows: np.ndarray, new: _Local) -> None:
    state.cost[rows], state.gradient[rows], state.normal[rows] = (
        new.cost,
        new.gradient,
        new.normal,
    )
