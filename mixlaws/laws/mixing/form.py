"""The protocol through which one solver fits every mixing law, and the priors they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from mixlaws.laws.law import Law


@dataclass(frozen=True)
class MixingPriors:
    """Priors on the parameters of mixing laws.

    Each prior weighs as much as one mixture observed with a noise of `noise` times the spread (sd
    over the mixtures) of that validation domain's losses. The values were chosen by leave-one-out
    on the 70M runs of the published logs only; docs/method.md has the table.
    """

    noise: float = 0.05
    """sd of one loss, as a fraction of the spread."""
    strength_sd: float = 1.0
    """Additive law: sd of ln C_j about its mean over the training domains."""
    exponent: float = 0.7
    """Additive law: ln g_j ~ N(ln exponent, exponent_sd)."""
    exponent_sd: float = 0.4
    slope_sd: float = 3.0
    """Exponential laws and M1, M2, M3: sd of t_j about its mean over the training domains."""
    coefficient_sd: float = 3.0
    """Square-root law: sd of its coefficients, as a multiple of the spread."""
    irreducible_sd: float = 1.0
    """Irreducible loss: sd about half of the lowest loss, as a fraction of the lowest loss."""
    num_terms: int = 3
    """Implicit law: number of exponential terms, the paper's K."""


class MixingLaw(Law, Protocol):
    """A mixing law, with p parameters per validation domain in the rows of `theta`.

    Its losses are those at one size and number of tokens.
    """

    name: ClassVar[str]
    convex: ClassVar[bool]
    """Whether every L_i is convex in r over the simplex for all parameters."""
    decides_from: ClassVar[float | None]
    """From how many mixtures on the folds may choose the law; infinite: only the config may name
    it, at any number of mixtures. None: the law is only compared."""

    @classmethod
    def starts(
        cls, proportions: np.ndarray, losses: np.ndarray, priors: MixingPriors
    ) -> np.ndarray:
        """Return deterministic starts (S, V, p)."""
        ...

    @classmethod
    def evaluate(cls, theta: np.ndarray, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (b, n) and their Jacobian (b, n, p) for theta (b, p)."""
        ...

    @classmethod
    def prior(
        cls, num_domains: int, losses: np.ndarray, priors: MixingPriors
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (V, p) and precision (V, p, p) for losses (n, V)."""
        ...

    @classmethod
    def bounds(cls, num_params: int) -> list[tuple[str, float, float]]:
        """Return name, lower and upper limit of each of the p parameters."""
        ...

    @classmethod
    def from_theta(cls, theta: np.ndarray, num_domains: int) -> Self:
        """Return the law with the parameters theta (V, p)."""
        ...

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        ...

    def theta(self) -> np.ndarray:
        """Return the parameters as theta (V, p), from which a later fit can start."""
        ...


def contrast_precision(num_domains: int, sd: float) -> np.ndarray:
    """Return the precision (K, K) of K values that deviate by `sd` from their own mean."""
    return (np.eye(num_domains) - 1.0 / num_domains) / sd**2


def irreducible_prior(losses: np.ndarray, priors: MixingPriors) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (V,) and precision (V,) of the irreducible losses, for losses (n, V)."""
    lowest = losses.min(axis=0)
    return 0.5 * lowest, 1.0 / (priors.irreducible_sd * lowest) ** 2
