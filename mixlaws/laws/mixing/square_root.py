"""The square-root law: a loss linear in the square roots of the shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mixlaws.laws.mixing.form import MixingPriors

SMALLEST_SHARE = 1e-12
"""The gradient at a zero share is taken here, because sqrt(r) has no finite slope at 0."""


@dataclass(frozen=True, eq=False)
class SquareRoot:
    """L_i(r) = a_i + sum_j b_ij sqrt(r_j), with a ridge on b.

    It is the cheapest law with a cusp at zero shares. a is not an irreducible loss, because the
    shares are never all zero. The law is convex only if no b is positive.
    """

    name: ClassVar[str] = "sqrt-linear"
    convex: ClassVar[bool] = False
    decides_from: ClassVar[float | None] = 0

    a: np.ndarray
    """(V,) nats."""
    b: np.ndarray
    """(V, K) nats; a negative b means that domain j lowers loss i."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        return self.a + np.sqrt(np.clip(proportions, 0.0, None)) @ self.b.T

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return dL_i/dr_j, (m, V, K); a zero share counts as SMALLEST_SHARE."""
        return 0.5 * self.b / np.sqrt(np.maximum(proportions, SMALLEST_SHARE))[:, None, :]

    def parameters(self) -> dict[str, np.ndarray]:
        """Return a (V,) and b (V, K)."""
        return {"a": self.a, "b": self.b}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        return cls(**parameters)

    def theta(self) -> np.ndarray:
        """Return (V, 1 + K): a, b."""
        return np.concatenate([self.a[:, None], self.b], axis=1)

    @classmethod
    def from_theta(cls, theta: np.ndarray, _num_domains: int) -> Self:
        """Return the law with the parameters theta (V, 1 + K)."""
        return cls(theta[:, 0], theta[:, 1:])

    @classmethod
    def starts(
        cls, proportions: np.ndarray, losses: np.ndarray, _priors: MixingPriors
    ) -> np.ndarray:
        """Return one start, the mean loss; the fit is linear and needs no other."""
        start = np.zeros((1, losses.shape[1], 1 + proportions.shape[1]))
        start[0, :, 0] = losses.mean(axis=0)
        return start

    @classmethod
    def evaluate(cls, theta: np.ndarray, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (b, n) and their Jacobian (b, n, 1 + K) for theta (b, 1 + K)."""
        basis = np.concatenate([np.ones((len(proportions), 1)), np.sqrt(proportions)], axis=1)
        return theta @ basis.T, np.broadcast_to(basis, (len(theta), *basis.shape))

    @classmethod
    def prior(
        cls, num_domains: int, losses: np.ndarray, priors: MixingPriors
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (V, p) and precision (V, p, p): b about 0, in units of the spread."""
        shape = (losses.shape[1], 1 + num_domains)
        spread = np.maximum(losses.std(axis=0), 1e-6 * np.abs(losses).mean(axis=0))
        ridge = np.eye(shape[1])
        ridge[0, 0] = 0.0
        return np.zeros(shape), ridge / (priors.coefficient_sd * spread)[:, None, None] ** 2

    @classmethod
    def bounds(cls, num_params: int) -> list[tuple[str, float, float]]:
        """Return name, lower and upper limit of a and every b; none is limited."""
        return [("a", -np.inf, np.inf), *[("b", -np.inf, np.inf)] * (num_params - 1)]
