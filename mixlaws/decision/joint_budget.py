"""The best size, tokens and mixture together, for a number of FLOPs and limited text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixlaws.decision.counting import Sizes
from mixlaws.decision.intervals import central_interval
from mixlaws.decision.limits import Limits
from mixlaws.decision.objective import Objective
from mixlaws.decision.optimum import Optimum, minimise_objective
from mixlaws.decision.support import MEASURED_FACTOR
from mixlaws.errors import ConfigError
from mixlaws.laws.joint.law import JointAtTarget
from mixlaws.laws.law import Ensemble, Law, members
from mixlaws.laws.observations import Observations, Target

COARSE_POINTS = 17
"""Sizes, over all that are allowed, at which a mixture is optimised."""
FINE_POINTS = 7
NUM_REFINEMENTS = 2
"""How often so many sizes between the best one's neighbours follow."""
BELOW_FACTOR = 10.0
"""How far below the smallest run a size or a number of tokens may lie."""

LimitsAt = Callable[[float], Limits]
"""Training tokens -> the allowed mixtures. Raises ConfigError where there are none."""


@dataclass(frozen=True, eq=False)
class Search:
    """What a search over sizes needs."""

    law: Law
    """Joint laws at any target."""
    target: Target
    """Whose schedule the runs end on."""
    flops: float
    sizes: Sizes
    """Converts N to the parameters that the FLOPs are counted by."""
    compute: Sizes
    """Converts N to the parameters that the joint laws are fitted in."""
    objective: Objective

    def at(self, num_params: float) -> Target:
        """Return the run of this size that uses the FLOPs."""
        tokens = self.tokens(num_params)
        share = self.target.effective_tokens / self.target.tokens
        return replace(
            self.target,
            num_params=num_params,
            compute_params=float(self.compute.params_of(num_params)),
            tokens=tokens,
            effective_tokens=share * tokens,
        )

    def tokens(self, num_params: float) -> float:
        """Return the tokens that a size can be trained on."""
        return self.flops / 6 / float(self.sizes.params_of(num_params))


@dataclass(frozen=True, eq=False)
class Point:
    """The best mixture of one size."""

    num_params: float
    tokens: float
    best: Optimum


def law_at(law: Law, target: Target) -> Law:
    """Return joint laws at another target."""
    moved = [each.law.at(target) for each in members(law) if isinstance(each, JointAtTarget)]
    return Ensemble(tuple(moved))


def choose_together(
    search: Search,
    limits_at: LimitsAt,
    observations: Observations,
    *,
    replicates: Sequence[Law],
    level: float,
) -> dict[str, Any]:
    """Return the best N, D and mixture with C FLOPs, or `reason`, why there is none.

    N and D have intervals if there are `replicates`: each takes the best of the same sizes with
    the mixture that the law finds best there, to which the loss is flat.
    """
    points, tried = _search(search, limits_at, observations)
    if not points:
        return {
            "reason": (
                "No size within reach can be trained with these FLOPs on the tokens that there "
                "are, given the limits of the shares and of repetition."
            )
        }
    best = min(points, key=lambda point: point.best.value)
    if best.num_params in (tried[0], tried[-1]):
        return {
            "reason": (
                "The best size lies at the edge of what the runs support, so the joint laws do not "
                "tell it."
            )
        }
    record: dict[str, Any] = {
        "reason": "",
        "num_params": {"value": best.num_params},
        "tokens": {"value": best.tokens},
        "proportions": _named(observations.domains, best.best.proportions),
        "at_limit": [each.name for each in best.best.active if each.side == "upper"],
        "uses_all_text": best is points[0],
    }
    if replicates:
        chosen = [_best_of(law, points, search) for law in replicates]
        for name in ("num_params", "tokens"):
            value = np.array(getattr(best, name))
            draws = np.array([getattr(point, name) for point in chosen])
            num = len(np.unique(observations.mixture))
            bounds = central_interval(value, draws, level, num)
            record[name] |= {"lower": float(bounds.lower), "upper": float(bounds.upper)}
    return record


def _search(
    search: Search, limits_at: LimitsAt, observations: Observations
) -> tuple[list[Point], list[float]]:
    """Return the best mixture of every size that has one, and all sizes tried; smallest first."""
    tried = _allowed_sizes(search, observations)
    points = _points(search, limits_at, tried)
    if not points:
        return [], tried.tolist()
    for _ in range(NUM_REFINEMENTS):
        best = min(points, key=lambda point: point.best.value)
        place = int(np.searchsorted(tried, best.num_params))
        ends = tried[max(place - 1, 0)], tried[min(place + 1, len(tried) - 1)]
        between = np.geomspace(*ends, FINE_POINTS)[1:-1]
        points += _points(search, limits_at, between)
        tried = np.unique(np.concatenate([tried, between]))
    return sorted(points, key=lambda point: point.num_params), tried.tolist()


def _allowed_sizes(search: Search, observations: Observations) -> np.ndarray:
    """Return sizes for which neither N nor D is farther from the runs than is supported."""
    seen, tokens = observations.num_params, observations.tokens
    low, high = seen.min() / BELOW_FACTOR, seen.max() * MEASURED_FACTOR
    grid = np.geomspace(low, high, 401)
    given = np.array([search.tokens(size) for size in grid])
    allowed = (given >= tokens.min() / BELOW_FACTOR) & (given <= tokens.max() * MEASURED_FACTOR)
    if not allowed.any():
        return np.array([])
    return np.geomspace(grid[allowed].min(), grid[allowed].max(), COARSE_POINTS)


def _points(search: Search, limits_at: LimitsAt, sizes: np.ndarray) -> list[Point]:
    """Return the best mixture of each size; a size without an allowed mixture is left out."""
    points: list[Point] = []
    for size in sizes.tolist():
        target = search.at(size)
        try:
            limits = limits_at(target.tokens)
        except ConfigError:
            continue
        start = points[-1].best.proportions if points else None
        law = law_at(search.law, target)
        best = minimise_objective(law, search.objective, limits, start=start)
        points.append(Point(size, target.tokens, best))
    return points


def _best_of(law: Law, points: Sequence[Point], search: Search) -> Point:
    """Return the point that another law finds best."""
    values = []
    for point in points:
        shares = point.best.proportions[None]
        losses = law_at(law, search.at(point.num_params)).predict(shares)
        values.append(float(search.objective.value(losses, shares)[0]))
    return points[int(np.argmin(values))]


def _named(domains: Sequence[str], shares: np.ndarray) -> Mapping[str, float]:
    return dict(zip(domains, map(float, shares), strict=True))
