"""Variance of the difference between two mixtures: a Gaussian process on sqrt r, variance only.

The law's error is taken as a random surface over the mixtures, smooth in sqrt r. The difference of
two mixtures then varies less the nearer they are to each other and to trained mixtures, and not at
all between a mixture and itself. One number a column is fitted (kappa, the surface's variance), to
the law's leave-one-out errors; the shape is fixed:

    k(d) = (1 + sqrt3 d / l) exp(-sqrt3 d / l),   d = |sqrt r - sqrt r'|,   l = LENGTH
    S = (1 - rho) K + rho I + 100 1 1',  W = S^-1        rho = NOISE_SHARE: noise of single runs

What size and steps add (the forward part) is measured on forward folds, whose mixtures were all
fitted: there an error is a surface of its own with a share f of noise. Those errors hold what the
law misses between trained mixtures too, so this much of the first part is not counted again.

l and rho are not fitted by marginal likelihood: no two trained mixtures are near enough to tell
them, and all would go to noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import scipy

LENGTH = 1.2
NOISE_SHARE = 0.02
_FREE_LEVEL = 100.0  # prior variance of what all mixtures share, which differences do not see
NOISE_SHARES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.95)
"""Of the forward part; averaged by their likelihood."""

Kind = Literal["expected", "single_run"]
"""Of what: the expected losses of two mixtures, or the losses of one new run of each."""


@dataclass(frozen=True, eq=False)
class ForwardPart:
    """The variance that size and steps add, at the target's distance."""

    smooth: np.ndarray
    """(V + 1,) nats squared: factor of 1 - k(d)."""
    noise: np.ndarray
    """(V + 1,) nats squared: of the difference of two single runs."""


@dataclass(frozen=True, eq=False)
class DifferenceVariance:
    """The variance of differences between any two mixtures; overall last."""

    trained: np.ndarray
    """(n, K) mixtures that were fitted."""
    kappa: np.ndarray
    """(V + 1,) nats squared."""
    forward: ForwardPart | None
    """None where the target is within what was fitted."""

    def variance(
        self,
        first: np.ndarray,
        second: np.ndarray,
        kind: Kind = "expected",
        *,
        num_seeds: int = 1,
    ) -> np.ndarray:
        """Return the variance (m, V + 1), nats squared, of the difference of pairs of mixtures.

        `first` and `second` are (m, K), or one of them (1, K). `num_seeds` runs of each mixture are
        averaged where the kind is `single_run`.
        """
        apart = 1 - correlate(distances(first, second))
        free = self._conditional_difference(first, second, apart)
        if self.forward is None:
            variance = np.maximum(free, 0.0)[:, None] * self.kappa
        else:
            # What is free between trained mixtures is in the errors of the forward folds.
            counted = self._free_between_trained * apart
            variance = np.maximum(free - counted, 0.0)[:, None] * self.kappa
            variance = variance + apart[:, None] * self.forward.smooth
        return variance if kind == "expected" else variance + self.noise / num_seeds

    def _conditional_difference(
        self, first: np.ndarray, second: np.ndarray, apart: np.ndarray
    ) -> np.ndarray:
        """Return the variance (m,) at kappa = 1, given the errors of all trained mixtures."""
        q = correlate(_cross(first, self.trained)) - correlate(_cross(second, self.trained))
        known = ((q @ self.precision) * q).sum(axis=1)
        return np.asarray(2 * (1 - NOISE_SHARE) * apart - (1 - NOISE_SHARE) ** 2 * known)

    @cached_property
    def precision(self) -> np.ndarray:
        """Return W (n, n)."""
        num = len(self.trained)
        covariance = (1 - NOISE_SHARE) * correlate(_cross(self.trained, self.trained))
        return np.asarray(np.linalg.inv(covariance + NOISE_SHARE * np.eye(num) + _FREE_LEVEL))

    @cached_property
    def _free_between_trained(self) -> float:
        """Return the mean variance between trained mixtures at kappa = 1, per 1 - k(d)."""
        i, j = np.triu_indices(len(self.trained), 1)
        apart = 1 - correlate(_cross(self.trained, self.trained)[i, j])
        free = self._conditional_difference(self.trained[i], self.trained[j], apart)
        return float(free.sum() / apart.sum())

    def novelty(self, proportions: np.ndarray) -> np.ndarray:
        """Return by how much more (m, V + 1) the error at a mixture varies than at trained ones.

        The variance given the errors of all trained mixtures, minus its mean over these: what is
        left there, the noise of their runs, is in the errors of the folds. At most some kappa.
        """
        own = self._conditional(self.trained).mean()
        return np.maximum(self._conditional(proportions) - own, 0.0)[:, None] * self.kappa

    def novelty_left_out(self) -> np.ndarray:
        """Return the mean novelty (V + 1,) of the trained mixtures, each left out in turn."""
        left_out = (1 / np.diag(self.precision)).mean() - NOISE_SHARE
        own = self._conditional(self.trained).mean()
        return np.asarray(max(left_out - own, 0.0) * self.kappa)

    def _conditional(self, proportions: np.ndarray) -> np.ndarray:
        """Return the variance (m,) at kappa = 1, given the errors of all trained mixtures."""
        k = (1 - NOISE_SHARE) * correlate(_cross(proportions, self.trained)) + _FREE_LEVEL
        known = ((k @ self.precision) * k).sum(axis=1)
        return np.asarray((1 - NOISE_SHARE) + _FREE_LEVEL - known)

    @property
    def noise(self) -> np.ndarray:
        """Return the variance (V + 1,) that the noise of two single runs adds to a difference."""
        if self.forward is not None:
            return self.forward.noise
        return 2 * NOISE_SHARE * self.kappa

    @property
    def run_noise(self) -> np.ndarray:
        """Return the variance (V + 1,) that is noise of two runs for certain.

        The forward part's noise grows with the target's distance, as errors of single mixtures do;
        the noise of a run does not.
        """
        return np.minimum(self.noise, 2 * NOISE_SHARE * self.kappa)

    def half_width(
        self,
        first: np.ndarray,
        second: np.ndarray,
        level: float,
        kind: Kind = "expected",
        *,
        num_seeds: int = 1,
    ) -> np.ndarray:
        """Return half the central interval (m, V + 1): Student's t of as many mixtures as fitted.

        The bootstrap is left out: leave-one-out errors hold what it would add.
        """
        quantile = scipy.stats.t.ppf(0.5 + level / 2, len(self.trained) - 1)
        variance = self.variance(first, second, kind, num_seeds=num_seeds)
        return np.asarray(quantile * np.sqrt(variance))


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return |sqrt r - sqrt r'| (m,) row by row, of (m, K) or (1, K) each."""
    return np.asarray(np.linalg.norm(np.sqrt(first) - np.sqrt(second), axis=-1))


def correlate(distance: np.ndarray) -> np.ndarray:
    """Return k(d): the Matern 3/2 correlation at distances of any shape."""
    scaled = np.sqrt(3) * distance / LENGTH
    return np.asarray((1 + scaled) * np.exp(-scaled))


def fit_difference_variance(
    proportions: np.ndarray, errors: np.ndarray, forward: ForwardPart | None = None
) -> DifferenceVariance:
    """Return the variance of differences, from leave-one-out errors (n, V + 1) of the law.

    `proportions` (n, K) are the trained mixtures at the largest size, `errors` what the mixing law
    that decides misses at each when it is left out. kappa is the mean over pairs of the squared
    difference of two errors over the variance that both left out would have at kappa = 1.
    """
    unit = DifferenceVariance(proportions, np.ones(errors.shape[1]), forward)
    i, j = np.triu_indices(len(proportions), 1)
    own, shared = np.diag(unit.precision), unit.precision[i, j]
    left_out = (own[i] + own[j] + 2 * shared) / (own[i] * own[j] - shared**2)
    kappa = ((errors[i] - errors[j]) ** 2 / left_out[:, None]).mean(axis=0)
    return replace(unit, kappa=kappa)


def fit_forward_part(folds: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> ForwardPart:
    """Return the forward part at the target from forward folds, each fold counting the same.

    A fold is (proportions (m, K), errors (m, V + 1), growth (V + 1,)): its mixtures, what the
    pipeline missed at them, and the variance of differences at the target's distance over that at
    the fold's. Folds of fewer than three mixtures are passed over. Raises ValueError without any.
    """
    parts = [_one_fold(p, errors) * growth for p, errors, growth in folds if len(p) > 2]
    if not parts:
        raise ValueError("the forward part needs a fold of at least three mixtures")
    smooth, noise = np.mean(parts, axis=0)
    return ForwardPart(smooth, noise)


def _one_fold(proportions: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return (2, V + 1): smooth part and noise, averaged over the shares f by likelihood."""
    i, j = np.triu_indices(len(proportions), 1)
    correlation = correlate(distances(proportions[i], proportions[j]))
    squares = (errors[i] - errors[j]) ** 2
    f = np.array(NOISE_SHARES)[:, None]
    units = 2 * ((1 - f) * (1 - correlation) + f)  # (F, pairs)
    kappa = (squares / units[:, :, None]).mean(axis=1)  # (F, V + 1)
    expected = np.maximum(kappa[:, None] * units[:, :, None], 1e-30)
    misfit = (np.log(expected) + squares / expected).sum(axis=1) / len(proportions)
    weight = np.exp(misfit.min(axis=0) - misfit)
    weight /= weight.sum(axis=0)
    return np.array([(weight * 2 * kappa * (1 - f)).sum(axis=0), (weight * 2 * kappa * f).sum(0)])


def _cross(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return |sqrt r - sqrt r'| (m, n) of all pairs."""
    # |sqrt r|^2 = sum r. Rounding near 0 does no harm: k is flat there.
    square = (
        first.sum(axis=1)[:, None] + second.sum(axis=1) - 2 * np.sqrt(first) @ np.sqrt(second.T)
    )
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))
