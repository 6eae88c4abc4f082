"""Intervals of predicted losses at the target: the distance, the mixture's novelty, the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixlaws.scoring.difference_variance import DifferenceVariance, Kind
from mixlaws.scoring.distance_errors import DistanceErrors
from mixlaws.scoring.distance_folds import Distance


@dataclass(frozen=True, eq=False)
class LevelVariance:
    """The variance of one mixture's loss at the target; overall last.

    Three parts: the errors on forward folds at the target's distance, measured on mixtures that
    were fitted; for a mixture that was not, the variance of its difference from what the trained
    mixtures tell of it; and for a single run its noise, unless the folds' errors hold it already.
    """

    errors: DistanceErrors
    distance: Distance
    differences: DifferenceVariance

    def variance(self, proportions: np.ndarray) -> np.ndarray:
        """Return (m, V + 1) nats squared, of one new run of each mixture (m, K)."""
        level = self.errors.sigma(self.distance) ** 2
        return level + self.differences.novelty(proportions)

    def half_width(
        self, proportions: np.ndarray, level: float, kind: Kind = "single_run"
    ) -> np.ndarray:
        """Return half the central interval (m, V + 1)."""
        variance = self.variance(proportions)
        if kind == "expected":
            # The folds' errors hold the noise of the runs predicted; half of it is one run's.
            variance = np.maximum(variance - self.differences.run_noise / 2, 0.0)
        return np.asarray(self.errors.quantile(level, self.distance) * np.sqrt(variance))
