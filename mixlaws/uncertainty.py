"""How far predictions can be trusted: intervals, and mixtures as good as the optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mixlaws.bootstrap import Bootstrap
from mixlaws.folds import FoldResult
from mixlaws.limits import Limits
from mixlaws.objective import Columns, Objective
from mixlaws.optimum import Optimum, find_optimum

# Part of the way from the optimum to a distant mixture at which candidates are tried.
_PARTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)

# Moves between two directions of the random walk: they mix a polytope of tens of domains.
_WALK_STEPS = 20


@dataclass(frozen=True, eq=False)
class Interval:
    """A value with a lower and an upper limit, arrays of one shape."""

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True, eq=False)
class FoldErrors:
    """Errors that the bootstrap cannot see, measured where the truth was known; overall last."""

    level: np.ndarray
    """(V + 1,) root mean square error of a predicted loss, nats."""
    difference: np.ndarray
    """(V + 1,) root mean square error of the difference between two mixtures, nats."""


@dataclass(frozen=True, eq=False)
class NearOptimal:
    """The mixtures whose predicted overall loss cannot be told from the optimum's."""

    lower: np.ndarray
    """(K,) smallest share of each domain among them."""
    upper: np.ndarray
    """(K,) largest share."""
    tolerance: float
    """By how much the worst of them is predicted to be worse than the optimum, nats."""
    num_candidates: int
    """Mixtures that were compared with the optimum."""


def measure_fold_errors(results: Sequence[FoldResult], columns: Columns) -> FoldErrors:
    """Return the errors of one law over forward folds; each fold counts the same.

    Pass the results of the law that decides: sizes, steps or mixtures it was not fitted to. The
    difference between two mixtures is freed of what a fold misses in common.
    """
    errors = [
        columns.with_overall(result.predicted) - columns.with_overall(result.observed)
        for result in results
    ]
    level = np.mean([(error**2).mean(axis=0) for error in errors], axis=0)
    several = [error for error in errors if len(error) > 1]
    # The expected squared difference of two errors is twice their variance.
    variances = [2 * error.var(axis=0, ddof=1) for error in several] or [2 * level]
    return FoldErrors(np.sqrt(level), np.sqrt(np.mean(variances, axis=0)))


def predict_losses(
    laws: Bootstrap,
    proportions: np.ndarray,
    columns: Columns,
    *,
    level: float,
    errors: FoldErrors | None = None,
) -> Interval:
    """Return the losses (m, V + 1) of named mixtures (m, K) at the target, overall last.

    The value is the mean of the forms fitted to all data; the interval is that of the
    replicates of all forms pooled, widened in quadrature by the fold errors.
    """
    value = columns.with_overall(laws.predict(proportions))
    draws = np.array([columns.with_overall(draw) for draw in laws.draws(proportions)])
    return _widened(laws, value, draws, level, None if errors is None else errors.level)


def predict_differences(
    laws: Bootstrap,
    pair: tuple[np.ndarray, np.ndarray],
    columns: Columns,
    *,
    level: float,
    errors: FoldErrors | None = None,
) -> Interval:
    """Return by how much the first mixtures of the pair lose against the second (m, V + 1).

    Both are (m, K), or one of them (1, K). A positive overall value is the gain of moving from the
    first mixture to the second. Errors common to both cancel, so this is narrower than the
    difference of two intervals.
    """
    first, second = (columns.with_overall(laws.predict(side)) for side in pair)
    draws = np.array(
        [
            columns.with_overall(one) - columns.with_overall(other)
            for one, other in zip(laws.draws(pair[0]), laws.draws(pair[1]), strict=True)
        ]
    )
    error = None if errors is None else errors.difference
    return _widened(laws, first - second, draws, level, error)


def predict_shares(
    laws: Bootstrap, objective: Objective, limits: Limits, optimum: Optimum, *, level: float
) -> Interval:
    """Return each share of the optimum (K,): its spread over the replicates of all forms.

    The fold errors have no direction in the space of mixtures, so they widen no share: read these
    intervals with the near-optimal set, which they do widen.
    """
    shares = np.array(
        [
            find_optimum(law, objective, limits, start=optimum.proportions).proportions
            for replicate in laws.replicates
            for law in replicate
        ]
    )
    return _widened(laws, optimum.proportions, shares, level, None)


def find_near_optimal(
    laws: Bootstrap,
    optimum: np.ndarray,
    limits: Limits,
    columns: Columns,
    *,
    level: float,
    errors: FoldErrors | None = None,
) -> NearOptimal:
    """Compare allowed mixtures with the optimum (K,): which could be as good?

    A mixture belongs to the set if the interval of its overall loss minus the optimum's reaches 0.
    Candidates lie on lines from the optimum to the extremes of each domain and to 256 mixtures of
    a seeded random walk through the limits, so the ranges are reached, never exaggerated.
    """
    ends = np.concatenate([_extremes(limits), _random_walk(limits, 256)])
    parts = np.array(_PARTS)[:, None, None]
    candidates = (optimum + parts * (ends - optimum)).reshape(-1, len(optimum))
    mixtures = np.concatenate([candidates, optimum[None]])
    every = [law for replicate in laws.replicates for law in replicate]
    overall = np.array([columns.overall(law.predict(mixtures)) for law in every])
    value = columns.overall(laws.predict(mixtures))
    error = None if errors is None else errors.difference[-1:]
    excess = _widened(laws, value - value[-1], overall - overall[:, -1:], level, error)
    alike = excess.lower <= 0
    return NearOptimal(
        lower=mixtures[alike].min(axis=0),
        upper=mixtures[alike].max(axis=0),
        tolerance=float(excess.value[alike].max()),
        num_candidates=len(candidates),
    )


def measure_coverage(interval: Interval, observed: np.ndarray) -> float:
    """Return the share of observed losses (same shape as the interval) that lie inside.

    Compare it with the level of the interval: a share far below says that the intervals are too
    narrow. Pass held-out observations only.
    """
    inside = (observed >= interval.lower) & (observed <= interval.upper)
    return float(inside.mean())


def _widened(
    laws: Bootstrap, value: np.ndarray, draws: np.ndarray, level: float, error: np.ndarray | None
) -> Interval:
    """Return the central interval of draws (B, ...), each side joined with z times the error.

    Few mixtures make resamples too alike: the quantiles are taken further out, as for the mean of
    as many normal values (the expanded percentile interval of Hesterberg 2015, 1411.5279).
    """
    num, upper = laws.num_mixtures, 0.5 + level / 2
    tail = stats.norm.sf(np.sqrt(num / (num - 1)) * stats.t.ppf(upper, num - 1))
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    extra = 0.0 if error is None else stats.norm.ppf(upper) * error
    below = np.hypot(np.maximum(value - low, 0), extra)
    above = np.hypot(np.maximum(high - value, 0), extra)
    return Interval(value, value - below, value + above)


def _extremes(limits: Limits) -> np.ndarray:
    """Return (2 K, K): an allowed mixture with the most, and with the least, of each domain."""
    units = np.eye(len(limits.domains))
    return np.array([limits.furthest(row) for row in [*units, *-units]])


def _random_walk(limits: Limits, count: int) -> np.ndarray:
    """Return (count, K) mixtures spread over the limits by hit-and-run from their centre."""
    generator = np.random.default_rng(0)
    moves = (limits.upper > limits.lower).astype(float)
    pinned = limits.group_lower == limits.group_upper
    fixed = np.concatenate([moves[None], moves * limits.membership[pinned]])
    allowed = np.diag(moves) - np.linalg.pinv(fixed) @ fixed
    point, visited = limits.center, []
    for _ in range(count):
        for _ in range(_WALK_STEPS):
            point = _walk(point, allowed @ generator.normal(size=len(point)), limits, generator)
        visited.append(point)
    return np.array(visited)


def _walk(
    point: np.ndarray, direction: np.ndarray, limits: Limits, generator: np.random.Generator
) -> np.ndarray:
    """Return a uniform point on the allowed part of the line, at most one direction away."""
    speed = np.concatenate([direction, limits.membership @ direction])
    place = np.concatenate([point, limits.membership @ point])
    above = np.concatenate([limits.upper, limits.group_upper]) - place
    below = place - np.concatenate([limits.lower, limits.group_lower])
    moving = np.abs(speed) > 1e-12
    forward = np.where(speed > 0, above, below)[moving] / np.abs(speed[moving])
    backward = np.where(speed > 0, below, above)[moving] / np.abs(speed[moving])
    reach = (-max(backward.min(initial=1.0), 0.0), max(forward.min(initial=1.0), 0.0))
    return limits.repair(point + generator.uniform(*reach) * direction)
