"""Intervals of predicted losses, of their differences and of the optimum's shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mixlaws.decision.bootstrap import Bootstrap
from mixlaws.decision.limits import Limits
from mixlaws.decision.objective import Objective
from mixlaws.decision.optimum import Optimum, minimise_objective
from mixlaws.laws.overall import Columns, FoldErrors


@dataclass(frozen=True, eq=False)
class Interval:
    """A value with a lower and an upper limit, arrays of one shape."""

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


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
    value = columns.with_overall(laws.fitted.predict(proportions))
    draws = np.array([columns.with_overall(draw) for draw in laws.draws(proportions)])
    return widened(laws, value, draws, level, None if errors is None else errors.level)


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
    first, second = (columns.with_overall(laws.fitted.predict(side)) for side in pair)
    draws = np.array(
        [
            columns.with_overall(one) - columns.with_overall(other)
            for one, other in zip(laws.draws(pair[0]), laws.draws(pair[1]), strict=True)
        ]
    )
    error = None if errors is None else errors.difference
    return widened(laws, first - second, draws, level, error)


def predict_shares(
    laws: Bootstrap, objective: Objective, limits: Limits, optimum: Optimum, *, level: float
) -> Interval:
    """Return each share of the optimum (K,): its spread over the replicates of all forms.

    The fold errors have no direction in the space of mixtures, so they widen no share: read these
    intervals with the near-optimal set, which they do widen.
    """
    shares = np.array(
        [
            minimise_objective(law, objective, limits, start=optimum.proportions).proportions
            for law in laws.every_law()
        ]
    )
    return widened(laws, optimum.proportions, shares, level, None)


def measure_coverage(interval: Interval, observed: np.ndarray) -> float:
    """Return the share of observed losses (same shape as the interval) that lie inside.

    Compare it with the level of the interval: a share far below says that the intervals are too
    narrow. Pass held-out observations only.
    """
    inside = (observed >= interval.lower) & (observed <= interval.upper)
    return float(inside.mean())


def widened(
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
