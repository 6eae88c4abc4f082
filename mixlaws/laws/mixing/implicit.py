"""The implicit-domain mixing law: several exponential terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mixlaws.laws.mixing.form import MixingPriors, contrast_precision, irreducible_prior

LOG_RANGE = 30.0
"""Limits of every exponent; beyond them exp is no plausible loss."""
IRREDUCIBLE_STARTS = (0.6, 0.9)
"""Starting values of c, as fractions of the lowest loss."""


@dataclass(frozen=True, eq=False)
class Implicit:
    """L_i(r) = c_i + sum_q k_iq exp(sum_j t_iqj r_j), q = 1..T (paper, section 3.3).

    This is the paper's implicit domain aggregation for one validation set; its weights s_q and
    constants are absorbed in k_q and c. Since sum_j r_j = 1, adding a constant to all t_qj scales
    k_q, so t is fixed to mean zero over j. The terms have no natural order: compare predictions,
    not terms. The law is convex, as a sum of exponentials of linear functions.
    """

    name: ClassVar[str] = "implicit"
    convex: ClassVar[bool] = True
    decides_from: ClassVar[float | None] = np.inf
    fixed_terms: ClassVar[int | None] = None
    """Number of terms; None takes it from the priors."""

    c: np.ndarray
    """(V,) irreducible loss, nats."""
    k: np.ndarray
    """(V, T) positive, nats."""
    t: np.ndarray
    """(V, T, K) with mean zero over the training domains; a negative one lowers the loss."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        return self.c + self._terms(proportions).sum(axis=2)

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return dL_i/dr_j, (m, V, K)."""
        return np.einsum("mvq,vqj->mvj", self._terms(proportions), self.t)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return c (V,), then k_q (V,) and t_q (V, K) of each term."""
        terms = range(self.k.shape[1])
        return (
            {"c": self.c}
            | {f"k_{q + 1}": self.k[:, q] for q in terms}
            | {f"t_{q + 1}": self.t[:, q] for q in terms}
        )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        terms = range(1, len(parameters) // 2 + 1)
        return cls(
            parameters["c"],
            np.stack([parameters[f"k_{q}"] for q in terms], axis=1),
            np.stack([parameters[f"t_{q}"] for q in terms], axis=1),
        )

    def theta(self) -> np.ndarray:
        """Return (V, 1 + T K): c, then ln k_q + t_qj."""
        slopes = (np.log(self.k)[:, :, None] + self.t).reshape(len(self.c), -1)
        return np.concatenate([self.c[:, None], slopes], axis=1)

    @classmethod
    def from_theta(cls, theta: np.ndarray, num_domains: int) -> Self:
        """Return the law with the parameters theta (V, 1 + T K)."""
        slopes = theta[:, 1:].reshape(len(theta), -1, num_domains)
        mean = slopes.mean(axis=2)
        return cls(theta[:, 0], np.exp(mean), slopes - mean[:, :, None])

    @classmethod
    def starts(
        cls, proportions: np.ndarray, losses: np.ndarray, priors: MixingPriors
    ) -> np.ndarray:
        """Return two starts whose terms fall along the shares that lower the loss, some steeper."""
        steepness = np.linspace(0.0, 3.0, 1 + (cls.fixed_terms or priors.num_terms))[1:]
        help_of = loss_correlations(proportions, losses)
        starts = []
        for part in IRREDUCIBLE_STARTS:
            c = part * losses.min(axis=0)
            level = np.log((losses.mean(axis=0) - c) / len(steepness))
            slopes = level[:, None, None] + steepness[:, None] * help_of[:, None, :]
            starts.append(np.concatenate([c[:, None], slopes.reshape(len(c), -1)], axis=1))
        return np.stack(starts)

    @classmethod
    def evaluate(cls, theta: np.ndarray, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (b, n) and their Jacobian (b, n, p) for theta (b, p), p = 1 + T K."""
        n, num_domains = proportions.shape
        slopes = theta[:, 1:].reshape(len(theta), -1, num_domains)
        terms = np.exp(np.einsum("nj,bqj->bnq", proportions, slopes))
        by_slope = terms[..., None] * proportions[:, None, :]
        jacobian = np.concatenate(
            [np.ones((len(theta), n, 1)), by_slope.reshape(len(theta), n, -1)], axis=2
        )
        return theta[:, :1] + terms.sum(axis=2), jacobian

    @classmethod
    def prior(
        cls, num_domains: int, losses: np.ndarray, priors: MixingPriors
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (V, p) and precision (V, p, p) of a ridge on the contrasts of each t_q."""
        num_terms = cls.fixed_terms or priors.num_terms
        shape = (losses.shape[1], 1 + num_terms * num_domains)
        mean, precision = np.zeros(shape), np.zeros((*shape, shape[1]))
        mean[:, 0], precision[:, 0, 0] = irreducible_prior(losses, priors)
        contrasts = contrast_precision(num_domains, priors.slope_sd)
        precision[:, 1:, 1:] = np.kron(np.eye(num_terms), contrasts)
        return mean, precision

    @classmethod
    def bounds(cls, num_params: int) -> list[tuple[str, float, float]]:
        """Return name, lower and upper limit of c and of every ln k_q + t_qj."""
        return [("c", 0.0, np.inf), *[("t", -LOG_RANGE, LOG_RANGE)] * (num_params - 1)]

    def _terms(self, proportions: np.ndarray) -> np.ndarray:
        return self.k * np.exp(np.einsum("mj,vqj->mvq", proportions, self.t))


def loss_correlations(proportions: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Return the correlation (V, K) of each validation loss with each share; 0 if constant."""
    shares = proportions - proportions.mean(axis=0)
    values = losses - losses.mean(axis=0)
    sizes = np.outer(np.linalg.norm(values, axis=0), np.linalg.norm(shares, axis=0))
    return values.T @ shares / np.maximum(sizes, 1e-300)
