"""The additive mixing law: the contributions of the training domains add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mixlaws.laws.mixing.form import MixingPriors, contrast_precision, irreducible_prior

STRENGTH_RANGE = 12.0
"""Limits of ln C_j about 0. They keep the sum positive, and so the law finite, on the simplex."""
EXPONENT_BOUNDS = (0.05, 1.0)
SMALLEST_SHARE = 1e-12
"""The gradient at a zero share is taken here, because r^g has no finite slope at 0 for g < 1."""


@dataclass(frozen=True, eq=False)
class Additive:
    """L_i(r) = E_i + 1 / sum_j C_ij r_j^g_ij with 0 < g <= 1 (Shukor et al. 2025, 2507.09404).

    The law is convex, so that an optimum can be certified: each r^g is concave, hence so is their
    sum, and the inverse of a positive concave function is convex. C_ij is how much domain j
    contributes to i, and g_ij how fast this saturates. E_i and the overall level of C_i trade off
    if the losses span a narrow range; the ratios C_ij / C_ik are well determined. If a domain's
    share was always zero, its C and g come from their priors alone.
    """

    name: ClassVar[str] = "additive"
    convex: ClassVar[bool] = True
    decides_from: ClassVar[float | None] = 0

    E: np.ndarray
    """(V,) irreducible loss, nats."""
    C: np.ndarray
    """(V, K) strength of each training domain, 1 / nats."""
    g: np.ndarray
    """(V, K) exponent of each share."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        powers = np.clip(proportions, 0.0, None)[:, None, :] ** self.g
        return self.E + 1.0 / (powers * self.C).sum(axis=2)

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return dL_i/dr_j, (m, V, K); a zero share counts as SMALLEST_SHARE."""
        shares = np.maximum(proportions, SMALLEST_SHARE)[:, None, :]
        powers = self.C * shares**self.g
        return -(self.g * powers / shares) / powers.sum(axis=2, keepdims=True) ** 2

    def parameters(self) -> dict[str, np.ndarray]:
        """Return E (V,), C and g (V, K)."""
        return {"E": self.E, "C": self.C, "g": self.g}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        return cls(**parameters)

    def theta(self) -> np.ndarray:
        """Return (V, 1 + 2K): E, ln C, ln g."""
        return np.concatenate([self.E[:, None], np.log(self.C), np.log(self.g)], axis=1)

    @classmethod
    def from_theta(cls, theta: np.ndarray, num_domains: int) -> Self:
        """Return the law with the parameters theta (V, 1 + 2K)."""
        strength, exponent = np.split(np.exp(theta[:, 1:]), [num_domains], axis=1)
        return cls(theta[:, 0], strength, exponent)

    @classmethod
    def starts(
        cls, proportions: np.ndarray, losses: np.ndarray, priors: MixingPriors
    ) -> np.ndarray:
        """Return two starts, with E at .6 and .9 of the lowest loss and equal domains."""
        num_domains = proportions.shape[1]
        amount = (proportions**priors.exponent).sum(axis=1).mean()
        starts = []
        for part in (0.6, 0.9):
            E = part * losses.min(axis=0)
            strength = -np.log((losses.mean(axis=0) - E) * amount)
            theta = np.repeat(strength[:, None], 1 + 2 * num_domains, axis=1)
            theta[:, 0] = E
            theta[:, 1 + num_domains :] = np.log(priors.exponent)
            starts.append(theta)
        return np.stack(starts)

    @classmethod
    def evaluate(cls, theta: np.ndarray, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (b, n) and their Jacobian (b, n, 1 + 2K) for theta (b, 1 + 2K)."""
        num_domains = proportions.shape[1]
        log_strength, log_exponent = np.split(theta[:, None, 1:], [num_domains], axis=2)
        exponent = np.exp(log_exponent)
        present = proportions > 0
        logs = np.log(np.where(present, proportions, 1.0))
        scaled = exponent * logs
        terms = np.exp(log_strength + scaled) * present
        inverse = 1.0 / terms.sum(axis=2)
        # Written in place: copies of these arrays would take most of the time of a fit.
        jacobian = np.empty((*inverse.shape, 1 + 2 * num_domains))
        jacobian[..., 0] = 1.0
        slope = jacobian[..., 1 : 1 + num_domains]
        np.multiply(terms, -(inverse**2)[..., None], out=slope)
        np.multiply(slope, scaled, out=jacobian[..., 1 + num_domains :])
        return theta[:, :1] + inverse, jacobian

    @classmethod
    def prior(
        cls, num_domains: int, losses: np.ndarray, priors: MixingPriors
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (V, p) and precision (V, p, p) for p = 1 + 2K."""
        shape = (losses.shape[1], 1 + 2 * num_domains)
        mean, precision = np.zeros(shape), np.zeros((*shape, shape[1]))
        mean[:, 0], precision[:, 0, 0] = irreducible_prior(losses, priors)
        strengths, exponents = slice(1, 1 + num_domains), slice(1 + num_domains, None)
        precision[:, strengths, strengths] = contrast_precision(num_domains, priors.strength_sd)
        mean[:, exponents] = np.log(priors.exponent)
        precision[:, exponents, exponents] = np.eye(num_domains) / priors.exponent_sd**2
        return mean, precision

    @classmethod
    def bounds(cls, num_params: int) -> list[tuple[str, float, float]]:
        """Return name, lower and upper limit of E, every ln C and every ln g."""
        num_domains = num_params // 2
        low, high = np.log(EXPONENT_BOUNDS)
        return [
            ("E", 0.0, np.inf),
            *(("C", -STRENGTH_RANGE, STRENGTH_RANGE) for _ in range(num_domains)),
            *(("g", low, high) for _ in range(num_domains)),
        ]
