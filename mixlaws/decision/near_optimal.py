"""Mixtures as good as the optimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixlaws.decision.intervals import Bounds, predict_differences
from mixlaws.decision.limits import Limits
from mixlaws.laws.law import Law

# Part of the way from the optimum to a distant mixture at which candidates are tried.
_PARTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0)

# Moves between two directions of the random walk: they mix a polytope of tens of domains.
_WALK_STEPS = 20

# Mixtures of the random walk.
_NUM_DRAWN = 256


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
    share: float
    """Share of the allowed mixtures, drawn at random, that belong to the set."""


def find_near_optimal(law: Law, optimum: np.ndarray, limits: Limits, bounds: Bounds) -> NearOptimal:
    """Compare allowed mixtures with the optimum (K,): which could be as good?

    A mixture belongs to the set if the interval of its expected overall loss minus the optimum's
    reaches 0.
    Candidates lie on lines from the optimum to the extremes of each domain and to 256 mixtures of
    a seeded random walk through the limits, so the ranges are reached, never exaggerated.
    """
    ends = np.concatenate([_extremes(limits), _random_walk(limits, _NUM_DRAWN)])
    parts = np.array(_PARTS)[:, None, None]
    candidates = (optimum + parts * (ends - optimum)).reshape(-1, len(optimum))
    mixtures = np.concatenate([candidates, optimum[None]])
    excess = predict_differences(law, (mixtures, optimum[None]), bounds)
    alike = excess.lower[:, -1] <= 0
    whole_way = alike[:-1].reshape(len(_PARTS), len(ends))[-1]
    return NearOptimal(
        lower=mixtures[alike].min(axis=0),
        upper=mixtures[alike].max(axis=0),
        tolerance=float(excess.value[alike, -1].max()),
        num_candidates=len(candidates),
        share=float(whole_way[-_NUM_DRAWN:].mean()),
    )


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
