"""The noise between seeds."""

from __future__ import annotations

import numpy as np


def seed_noise(losses: np.ndarray) -> float | None:
    """Return the pooled sd over seeds of a mixture's effect, nats; None for a single seed.

    `losses` is (mixtures, seeds). What all mixtures of a seed share (initialisation, order of the
    data) is removed: comparisons are between mixtures of one seed.
    """
    num_mixtures, num_seeds = losses.shape
    degrees = (num_mixtures - 1) * (num_seeds - 1)
    if degrees == 0:
        return None
    effects = losses - losses.mean(axis=0)
    residuals = effects - effects.mean(axis=1, keepdims=True)
    return float(np.sqrt((residuals**2).sum() / degrees))
