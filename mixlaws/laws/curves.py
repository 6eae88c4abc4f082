"""Power laws of many curves, fitted together: one per run or mixture and validation domain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixlaws.laws.least_squares import Fit
from mixlaws.laws.power import PowerLaw


@dataclass(frozen=True, eq=False)
class Curves:
    """One power law per (row, validation domain); a row is a run (step law) or a mixture (size)."""

    size: np.ndarray
    """(R,) size labels; empty strings for size laws."""
    mixture: np.ndarray
    """(R,) mixture ids."""
    seed: np.ndarray
    """(R,) seeds; -1 for size laws."""
    first: np.ndarray
    """(R,) smallest fitted x: tokens (step laws) or parameters (size laws)."""
    num_points: np.ndarray
    """(R,) number of fitted points."""
    law: PowerLaw
    """R V curves, row by row."""
    fit: Fit

    def predict(self, x: float) -> np.ndarray:
        """Return losses (R, V) at x."""
        return np.asarray(self.law.predict(x)).reshape(len(self.mixture), -1)

    def rmse(self) -> np.ndarray:
        """Return the root mean squared residual (R, V), nats."""
        return np.sqrt(np.nanmean(self.fit.residuals**2, axis=0)).reshape(len(self.mixture), -1)
