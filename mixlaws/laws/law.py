"""What a law at the target is: losses and their slopes as functions of the proportions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class TargetLaw(Protocol):
    """What decisions need of a law at the target: K domains, V validation domains."""

    @property
    def name(self) -> str:
        """Return the law's name."""
        ...

    @property
    def convex(self) -> bool:
        """Return whether every loss is convex in the proportions."""
        ...

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V) in nats at proportions (m, K)."""
        ...

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return the losses' derivatives (m, V, K) by the proportions (m, K)."""
        ...


class Ensemble:
    """The mean of a pipeline's forms at the target, as one law."""

    name = "ensemble"

    def __init__(self, laws: Sequence[TargetLaw]) -> None:
        self.laws = tuple(laws)

    @property
    def convex(self) -> bool:
        """Return whether every form is convex."""
        return all(law.convex for law in self.laws)

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return mean losses (m, V)."""
        return np.mean([law.predict(proportions) for law in self.laws], axis=0)

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return mean slopes (m, V, K)."""
        return np.mean([law.gradient(proportions) for law in self.laws], axis=0)
