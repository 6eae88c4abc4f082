"""Baselines of the decision: the best mixture that was observed."""

from __future__ import annotations

import numpy as np

from mixlaws.laws.observations import Observations
from mixlaws.laws.overall import Columns
from mixlaws.scoring.folds import last_losses


def best_observed(observations: Observations, columns: Columns) -> tuple[str, np.ndarray]:
    """Return id and proportions of the mixture of least overall loss at the largest size."""
    largest = str(observations.size[np.argmax(observations.num_params)])
    table = last_losses(observations, largest)
    best = int(np.argmin(columns.overall(table.losses)))
    return str(table.mixtures[best]), table.proportions[best]
