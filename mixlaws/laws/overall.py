"""The overall loss: the validation domains and their weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mixlaws.errors import DataError

OVERALL = "overall"


@dataclass(frozen=True, eq=False)
class Columns:
    """The validation domains and their weights in the overall loss."""

    validation_domains: tuple[str, ...]
    weights: np.ndarray
    """(V,) weights s in the overall loss."""

    @classmethod
    def of(cls, weights: Mapping[str, float], validation_domains: Sequence[str]) -> Columns:
        """Return the columns with these weights; a validation domain without one has weight 0.

        Raises DataError when a weighted validation domain was not measured.
        """
        if unknown := sorted(set(weights) - set(validation_domains)):
            raise DataError(
                f"no loss was measured on the weighted validation domains {', '.join(unknown)}. "
                "Correct validation.weights"
            )
        values = np.array([weights.get(domain, 0.0) for domain in validation_domains])
        return cls(tuple(validation_domains), values)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the validation domains, then `overall`."""
        return (*self.validation_domains, OVERALL)

    def with_overall(self, losses: np.ndarray) -> np.ndarray:
        """Return (m, V + 1): losses (m, V), then their weighted sum."""
        return np.column_stack([losses, self.overall(losses)])

    def overall(self, losses: np.ndarray) -> np.ndarray:
        """Return the weighted sum (m,) of losses (m, V); a loss of weight 0 may be infinite."""
        used = self.weights > 0
        return np.asarray(losses[:, used] @ self.weights[used])
