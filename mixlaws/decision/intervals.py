"""Intervals of predicted losses, of their differences and of the optimum's shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mixlaws.decision.bootstrap import Bootstrap
from mixlaws.decision.limits import Limits
from mixlaws.decision.objective import Objective
from mixlaws.decision.optimum import Optimum, minimise_objective
from mixlaws.laws.law import Law
from mixlaws.laws.overall import Columns
from mixlaws.scoring.difference_variance import Kind
from mixlaws.scoring.uncertainty import Uncertainty


@dataclass(frozen=True, eq=False)
class Interval:
    """A value with a lower and an upper limit, arrays of one shape."""

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True, eq=False)
class Bounds:
    """What turns predicted values into intervals of one level."""

    columns: Columns
    uncertainty: Uncertainty
    level: float


def predict_losses(
    law: Law, proportions: np.ndarray, bounds: Bounds, kind: Kind = "expected"
) -> Interval:
    """Return the losses (m, V + 1) of mixtures (m, K) at the target, overall last.

    The interval is of the expected losses, or of one new run of each mixture (`single_run`).
    """
    value = bounds.columns.with_overall(law.predict(proportions))
    half = bounds.uncertainty.of_losses(proportions, bounds.level, kind)
    return Interval(value, value - half, value + half)


def predict_differences(
    law: Law, pair: tuple[np.ndarray, np.ndarray], bounds: Bounds, kind: Kind = "expected"
) -> Interval:
    """Return by how much the first mixtures of the pair lose against the second (m, V + 1).

    Both are (m, K), or one of them (1, K). A positive overall value is the gain of moving from the
    first mixture to the second. Errors common to both cancel, so this is narrower than the
    difference of two intervals, and vanishes where both are one mixture.
    """
    first, second = (bounds.columns.with_overall(law.predict(side)) for side in pair)
    value = first - second
    half = bounds.uncertainty.of_differences(pair, bounds.level, kind)
    return Interval(value, value - half, value + half)


def predict_shares(
    laws: Bootstrap, objective: Objective, limits: Limits, optimum: Optimum, *, level: float
) -> Interval:
    """Return each share of the optimum (K,): its spread over the replicates of all forms.

    It says how much the data at hand could have moved the optimum. Read these intervals with the
    near-optimal set, which also knows how far the law may miss.
    """
    shares = np.array(
        [
            minimise_objective(law, objective, limits, start=optimum.proportions).proportions
            for law in laws.every_law()
        ]
    )
    return central_interval(optimum.proportions, shares, level, laws.num_mixtures)


def measure_coverage(interval: Interval, observed: np.ndarray) -> float:
    """Return the share of observed losses (same shape as the interval) that lie inside.

    Compare it with the level of the interval: a share far below says that the intervals are too
    narrow. Pass held-out observations only.
    """
    inside = (observed >= interval.lower) & (observed <= interval.upper)
    return float(inside.mean())


def central_interval(
    value: np.ndarray, draws: np.ndarray, level: float, num_resampled: int
) -> Interval:
    """Return the central interval of draws (B, ...); it holds the value.

    Few resampled units make resamples too alike: the quantiles are taken further out, as for the
    mean of as many normal values (the expanded percentile interval of Hesterberg 2015, 1411.5279).
    """
    num, upper = num_resampled, 0.5 + level / 2
    tail = stats.norm.sf(np.sqrt(num / (num - 1)) * stats.t.ppf(upper, num - 1))
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return Interval(value, np.minimum(low, value), np.maximum(high, value))
