"""How far a pipeline misses at a distance: error variances over folds, extrapolated to the target.

For each validation domain, and for the overall loss, the variance of an error at the distance
(x, y) of `distance_folds` is

    s^2 (a + b x^2 + c y^2)

a, b, c >= 0 are one shape for all domains and one for the overall loss; s^2 is each column's own.
One experiment has few folds and identifies b and c poorly, so its shape is shrunk towards the one
pooled over public swarms (POOLED), which weighs PRIOR_FOLDS folds at each of the distances (0, 0),
(1, 0) and (0, 1). A direction in which no fold looks takes the pooled value and is not `measured`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from mixlaws.scoring.distance_folds import Distance, FoldPrediction

Shape = tuple[float, float, float]
"""(a, b, c) of a variance, up to a factor."""


@dataclass(frozen=True)
class Pooled:
    """Shapes pooled over public swarms, towards which an experiment's own are shrunk."""

    domains: Shape | None
    """None does not shrink."""
    overall: Shape | None
    num_swarms: int
    """Of how many swarms they are the mean."""


PRIOR_FOLDS = 2.0
_ITERATIONS = 50
_PRIOR_POINTS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))


@dataclass(frozen=True, eq=False)
class DistanceErrors:
    """Standard deviations of a pipeline's errors by distance; overall last."""

    scale: np.ndarray
    """(V + 1,) s, nats."""
    domains: Shape
    """The shape of the validation domains."""
    overall: Shape
    """The shape of the overall loss."""
    measured: tuple[bool, bool]
    """Whether any fold looks to a larger size, and to later steps; False: the pooled value."""
    num_folds: int
    num_swarms: int
    """Of how many public swarms the pooled shape is the mean."""

    def sigma(self, distance: Distance) -> np.ndarray:
        """Return the standard deviation (V + 1,) of an error at a distance, nats."""
        return self.scale * np.sqrt(self._parts(distance).sum(axis=1))

    def quantile(self, level: float, distance: Distance) -> np.ndarray:
        """Return what an interval of the level multiplies sigma (V + 1,) by at a distance.

        Student's t, as few folds do not know their sigma well. What they measured has as many
        degrees of freedom as there are folds, those of the pooled shape included; growth in a
        direction that no fold measured has one more than there are swarms behind the pooled value.
        Their inverses are averaged by the two parts of the variance, which share one scale.
        """
        known = self.num_folds + len(_PRIOR_POINTS) * PRIOR_FOLDS - 1
        parts = self._parts(distance)
        pooled = parts[:, 1:] @ ~np.array(self.measured)
        share = pooled / np.maximum(parts.sum(axis=1), 1e-300)
        degrees = 1 / ((1 - share) / known + share / (1 + self.num_swarms))
        return np.asarray(scipy.stats.t.ppf(0.5 + level / 2, degrees))

    def _parts(self, distance: Distance) -> np.ndarray:
        """Return the parts (V + 1, 3) of the variance at a distance over scale squared."""
        shapes = np.array([self.domains] * (len(self.scale) - 1) + [self.overall])
        return shapes * _features([distance])[0]

    def growth(self, at: Distance, other: Distance) -> np.ndarray:
        """Return the variance (V + 1,) at one distance over that at another."""
        return np.asarray((self.sigma(at) / self.sigma(other)) ** 2)


def measure_distance_errors(
    predictions: Sequence[FoldPrediction],
    pooled: Pooled,
    *,
    differences: bool = False,
) -> DistanceErrors:
    """Return the errors of one pipeline by distance.

    With `differences` what a fold misses in common is removed first: the result is half the
    variance of the difference between two mixtures; folds of one mixture say nothing of it. Raises
    ValueError without a fold.
    """
    used = [p for p in predictions if len(p.errors) > 1] if differences else list(predictions)
    if not used:
        raise ValueError("no fold has errors to measure")
    squares = np.array([_mean_square(p.errors, differences) for p in used])
    distances = [p.distance for p in used]
    relative = squares / squares.mean(axis=0)
    domains = fit_shape(distances, relative[:, :-1].mean(axis=1), pooled.domains)
    overall = fit_shape(distances, relative[:, -1], pooled.overall)
    features = _features(distances)
    expected = np.column_stack(
        [*[features @ np.array(domains)] * (squares.shape[1] - 1), features @ np.array(overall)]
    )
    return DistanceErrors(
        # The mean of the ratios makes far folds, whose errors are large, count no more than near.
        scale=np.sqrt((squares / expected).mean(axis=0)),
        domains=domains,
        overall=overall,
        measured=(any(d.size > 0 for d in distances), any(d.tokens > 0 for d in distances)),
        num_folds=len(used),
        num_swarms=pooled.num_swarms,
    )


def measure_fold_coverage(
    predictions: Sequence[FoldPrediction], pooled: Pooled, level: float
) -> float:
    """Return the share of fold errors inside the interval that all other folds predict.

    Compare it with the level; each fold counts the same. nan with fewer than two folds.
    """
    held = []
    for left_out in predictions:
        others = [p for p in predictions if p is not left_out]
        if others:
            errors = measure_distance_errors(others, pooled)
            at = left_out.distance
            width = errors.quantile(level, at) * errors.sigma(at)
            held.append((np.abs(left_out.errors) <= width).mean())
    return float(np.mean(held)) if held else float("nan")


def shapes_of(
    predictions: Sequence[FoldPrediction], *, differences: bool = False
) -> tuple[Shape, Shape]:
    """Return one swarm's shapes of (domains, overall), not shrunk, scaled to a + b + c = 1."""
    errors = measure_distance_errors(predictions, Pooled(None, None, 0), differences=differences)
    domains, overall = (np.array(s) / sum(s) for s in (errors.domains, errors.overall))
    return tuple(domains.round(3).tolist()), tuple(overall.round(3).tolist())


def fit_shape(
    distances: Sequence[Distance],
    squares: np.ndarray,
    pooled: Shape | None,
    *,
    prior_folds: float = PRIOR_FOLDS,
) -> Shape:
    """Return a, b, c >= 0 of squared errors (folds,), shrunk towards the pooled shape.

    The pooled shape enters as squared errors at three further distances, times the factor that fits
    the folds best. Squared errors scatter in proportion to their mean, so least squares are
    reweighted by 1 / fitted^2 until they settle. None does not shrink.
    """
    features, weights = _features(distances), np.ones(len(distances))
    if pooled is not None:
        prior = _features([Distance(*point) for point in _PRIOR_POINTS])
        level = float(np.mean(squares / np.maximum(features @ np.array(pooled), 1e-12)))
        features = np.concatenate([features, prior])
        squares = np.concatenate([squares, level * prior @ np.array(pooled)])
        weights = np.concatenate([weights, np.full(len(prior), prior_folds)])
    fitted = np.full(len(squares), squares.mean())
    for _ in range(_ITERATIONS):
        # A floor keeps a fold that happens to be hit exactly from deciding alone.
        root = np.sqrt(weights) / np.maximum(fitted, 0.05 * squares.mean())
        shape, _ = scipy.optimize.nnls(root[:, None] * features, root * squares)
        fitted = features @ shape
    return (float(shape[0]), float(shape[1]), float(shape[2]))


def _features(distances: Sequence[Distance]) -> np.ndarray:
    """Return (n, 3): 1, x^2, y^2."""
    return np.array([(1.0, d.size**2, d.tokens**2) for d in distances])


def _mean_square(errors: np.ndarray, differences: bool) -> np.ndarray:
    """Return (V + 1,): the mean squared error, or the errors' variance over the mixtures."""
    return errors.var(axis=0, ddof=1) if differences else (errors**2).mean(axis=0)
