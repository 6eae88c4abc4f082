"""The overall loss: the validation domains and their weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OVERALL = "overall"


@dataclass(frozen=True, eq=False)
class Columns:
    """The validation domains and their weights in the overall loss."""

    validation_domains: tuple[str, ...]
    weights: np.ndarray
    """(V,) s."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the validation domains, then `overall`."""
        return (*self.validation_domains, OVERALL)

    def with_overall(self, losses: np.ndarray) -> np.ndarray:
        """Return (m, V + 1): losses (m, V), then their weighted sum."""
        return np.column_stack([losses, self.overall(losses)])

    def overall(self, losses: np.ndarray) -> np.ndarray:
        """Return (m,): the weighted sum of losses (m, V), which may be infinite at weight 0."""
        used = self.weights > 0
        return np.asarray(losses[:, used] @ self.weights[used])
