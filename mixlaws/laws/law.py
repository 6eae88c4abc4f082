"""The protocol of a law: losses and their slopes as functions of the proportions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Law(Protocol):
    """The losses of V validation domains at one size and number of tokens, for K domains."""

    @property
    def name(self) -> str:
        """Return the law's name."""
        ...

    @property
    def convex(self) -> bool:
        """Return whether every loss is convex in the proportions over the simplex."""
        ...

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        ...

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return the losses' derivatives dL_i/dr_j, (m, V, K), for proportions (m, K)."""
        ...

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the parameters by name, each (V,) or (V, K)."""
        ...


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The mean of several laws, as one law."""

    laws: tuple[Law, ...]

    @property
    def name(self) -> str:
        """Return the names of the laws, joined by plus signs."""
        return "+".join(law.name for law in self.laws)

    @property
    def convex(self) -> bool:
        """Return whether every law is convex."""
        return all(law.convex for law in self.laws)

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return the mean losses (m, V) for proportions (m, K)."""
        return np.mean([law.predict(proportions) for law in self.laws], axis=0)

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return the mean slopes (m, V, K) for proportions (m, K)."""
        return np.mean([law.gradient(proportions) for law in self.laws], axis=0)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return the parameters of every law; the law's name precedes each parameter's."""
        return {
            f"{law.name}.{name}": values
            for law in self.laws
            for name, values in law.parameters().items()
        }

    def spread(self, proportions: np.ndarray) -> np.ndarray:
        """Return the standard deviation between the laws (m, V) for proportions (m, K)."""
        return np.std([law.predict(proportions) for law in self.laws], axis=0)


def members(law: Law) -> tuple[Law, ...]:
    """Return the laws of an ensemble, or a tuple of the law itself if it is none."""
    return law.laws if isinstance(law, Ensemble) else (law,)
