"""The additive law with several terms: implicit validation domains, each with a law of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mixlaws.laws.mixing.additive import Additive
from mixlaws.laws.mixing.form import MixingPriors, contrast_precision, irreducible_prior
from mixlaws.laws.mixing.implicit import loss_correlations

MIN_MIXTURES = 256
"""Several terms predict unseen mixtures better from about so many on, and worse below 64."""
NUM_TERMS = 2
"""Three terms miss unseen mixtures of RegMix as two do (.0588 and .0579) and take twice as long."""
IRREDUCIBLE_START = 0.6
"""Starting value of E, as a fraction of the lowest loss."""


@dataclass(frozen=True, eq=False)
class AdditiveTerms:
    """L_i(r) = E_i + sum_q 1 / sum_j C_iqj r_j^g_iqj, q = 1..T, 0 < g <= 1.

    A validation set is seen as several implicit ones (paper, section 3.3), each with an additive
    law. The terms have no natural order: compare predictions, not terms. As a sum of convex terms
    the law is convex, so that an optimum can be certified.
    """

    name: ClassVar[str] = "additive-terms"
    convex: ClassVar[bool] = True
    decides_from: ClassVar[float | None] = MIN_MIXTURES

    E: np.ndarray
    """(V,) irreducible loss, nats."""
    C: np.ndarray
    """(V, T, K) strength of each training domain in each term, 1 / nats."""
    g: np.ndarray
    """(V, T, K) exponent of each share in each term."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        parts = [term.predict(proportions) for term in self._terms]
        return np.asarray(self.E + np.sum(parts, axis=0))

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return dL_i/dr_j, (m, V, K); a zero share counts as additive.SMALLEST_SHARE."""
        return np.asarray(np.sum([term.gradient(proportions) for term in self._terms], axis=0))

    @property
    def _terms(self) -> list[Additive]:
        """Return the terms as additive laws without an irreducible loss."""
        none = np.zeros(len(self.E))
        num_terms = self.C.shape[1]
        return [Additive(none, self.C[:, q], self.g[:, q]) for q in range(num_terms)]

    def parameters(self) -> dict[str, np.ndarray]:
        """Return E (V,), then C_q and g_q (V, K) of each term."""
        terms = range(self.C.shape[1])
        return (
            {"E": self.E}
            | {f"C_{q + 1}": self.C[:, q] for q in terms}
            | {f"g_{q + 1}": self.g[:, q] for q in terms}
        )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        terms = range(1, len(parameters) // 2 + 1)
        C, g = (np.stack([parameters[f"{name}_{q}"] for q in terms], axis=1) for name in "Cg")
        return cls(parameters["E"], C, g)

    def theta(self) -> np.ndarray:
        """Return (V, 1 + 2 T K): E, ln C of all terms, ln g of all terms."""
        flat = (np.log(each).reshape(len(self.E), -1) for each in (self.C, self.g))
        return np.column_stack([self.E, *flat])

    @classmethod
    def from_theta(cls, theta: np.ndarray, num_domains: int) -> Self:
        """Return the law with the parameters theta (V, 1 + 2 T K)."""
        both = np.exp(theta[:, 1:]).reshape(len(theta), 2, -1, num_domains)
        return cls(theta[:, 0], both[:, 0], both[:, 1])

    @classmethod
    def starts(
        cls, proportions: np.ndarray, losses: np.ndarray, priors: MixingPriors
    ) -> np.ndarray:
        """Return one start whose terms lean on the shares that lower the loss, some more."""
        amount = (proportions**priors.exponent).sum(axis=1).mean()
        steepness = np.linspace(0.0, 3.0, 1 + NUM_TERMS)[1:]
        help_of = -loss_correlations(proportions, losses)
        E = IRREDUCIBLE_START * losses.min(axis=0)
        level = -np.log((losses.mean(axis=0) - E) / NUM_TERMS * amount)
        strength = level[:, None, None] + steepness[:, None] * help_of[:, None, :]
        strength = strength.reshape(len(E), -1)
        exponent = np.full_like(strength, np.log(priors.exponent))
        return np.column_stack([E, strength, exponent])[None]

    @classmethod
    def evaluate(cls, theta: np.ndarray, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (b, n) and their Jacobian (b, n, p) for theta (b, p), p = 1 + 2 T K."""
        batch, (num_points, num_domains) = len(theta), proportions.shape
        both = theta[:, 1:].reshape(batch, 2, -1, num_domains)
        num_terms = both.shape[2]
        terms = both.swapaxes(1, 2).reshape(batch * num_terms, -1)
        values, slopes = Additive.evaluate(np.pad(terms, ((0, 0), (1, 0))), proportions)  # E = 0
        slopes = slopes[..., 1:].reshape(batch, num_terms, num_points, 2, num_domains)
        slopes = slopes.transpose(0, 2, 3, 1, 4).reshape(batch, num_points, -1)
        summed = values.reshape(batch, num_terms, num_points).sum(axis=1)
        ones = np.ones((batch, num_points, 1))
        return theta[:, :1] + summed, np.concatenate([ones, slopes], axis=2)

    @classmethod
    def prior(
        cls, num_domains: int, losses: np.ndarray, priors: MixingPriors
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (V, p) and precision (V, p, p): each term's is the additive law's."""
        width = NUM_TERMS * num_domains
        mean = np.zeros((losses.shape[1], 1 + 2 * width))
        precision = np.zeros((*mean.shape, mean.shape[1]))
        mean[:, 0], precision[:, 0, 0] = irreducible_prior(losses, priors)
        mean[:, 1 + width :] = np.log(priors.exponent)
        contrasts = contrast_precision(num_domains, priors.strength_sd)
        precision[:, 1 : 1 + width, 1 : 1 + width] = np.kron(np.eye(NUM_TERMS), contrasts)
        precision[:, 1 + width :, 1 + width :] = np.eye(width) / priors.exponent_sd**2
        return mean, precision

    @classmethod
    def bounds(cls, num_params: int) -> list[tuple[str, float, float]]:
        """Return name, lower and upper limit of E, every ln C and every ln g."""
        return Additive.bounds(num_params)
