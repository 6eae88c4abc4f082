"""The mixing laws that the paper rejected, kept for the comparison: M1, M2 and M3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mixlaws.laws.mixing.form import MixingPriors, irreducible_prior
from mixlaws.laws.mixing.implicit import IRREDUCIBLE_STARTS, LOG_RANGE


@dataclass(frozen=True, eq=False)
class M1:
    """L_i(r) = c_i + sum_j k_ij exp(t_ij r_j), k > 0 (paper, section 3.1, candidate M1).

    It is convex. A flat term (t near 0) is a constant and trades off with c and the other k.
    """

    name: ClassVar[str] = "M1"
    convex: ClassVar[bool] = True
    decides_from: ClassVar[float | None] = 0

    c: np.ndarray
    """(V,) irreducible loss, nats."""
    k: np.ndarray
    """(V, K) nats."""
    t: np.ndarray
    """(V, K) exponents; a negative one lowers loss i."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        return self.c + (self.k * np.exp(self.t * proportions[:, None, :])).sum(axis=2)

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return dL_i/dr_j, (m, V, K)."""
        return self.k * self.t * np.exp(self.t * proportions[:, None, :])

    def parameters(self) -> dict[str, np.ndarray]:
        """Return c (V,), k and t (V, K)."""
        return {"c": self.c, "k": self.k, "t": self.t}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        return cls(**parameters)

    def theta(self) -> np.ndarray:
        """Return (V, 1 + 2K): c, ln k, t."""
        return np.concatenate([self.c[:, None], np.log(self.k), self.t], axis=1)

    @classmethod
    def from_theta(cls, theta: np.ndarray, num_domains: int) -> Self:
        """Return the law with the parameters theta (V, 1 + 2K)."""
        log_k, t = np.split(theta[:, 1:], [num_domains], axis=1)
        return cls(theta[:, 0], np.exp(log_k), t)

    @classmethod
    def starts(
        cls, proportions: np.ndarray, losses: np.ndarray, _priors: MixingPriors
    ) -> np.ndarray:
        """Return two starts, with c at two fractions of the lowest loss and equal domains."""
        num_domains = proportions.shape[1]
        return _starts(losses, num_domains, (num_domains, num_domains))

    @classmethod
    def evaluate(cls, theta: np.ndarray, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (b, n) and their Jacobian (b, n, 1 + 2K) for theta (b, 1 + 2K)."""
        log_k, t = np.split(theta[:, None, 1:], [proportions.shape[1]], axis=2)
        terms = np.exp(log_k + t * proportions)
        ones = np.ones((*terms.shape[:2], 1))
        jacobian = np.concatenate([ones, terms, terms * proportions], axis=2)
        return theta[:, :1] + terms.sum(axis=2), jacobian

    @classmethod
    def prior(
        cls, num_domains: int, losses: np.ndarray, priors: MixingPriors
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (V, p) and precision (V, p, p): all k within a factor e, t about 0."""
        mean, precision = _prior(losses, (num_domains, num_domains), priors)
        centre = np.eye(num_domains) - 1.0 / num_domains
        precision[:, 1 : 1 + num_domains, 1 : 1 + num_domains] = centre
        return mean, precision

    @classmethod
    def bounds(cls, num_params: int) -> list[tuple[str, float, float]]:
        """Return name, lower and upper limit of c, every ln k and every t."""
        num_domains = num_params // 2
        limits = (-LOG_RANGE, LOG_RANGE)
        names = [*["k"] * num_domains, *["t"] * num_domains]
        return [("c", 0.0, np.inf), *((name, *limits) for name in names)]


@dataclass(frozen=True, eq=False)
class M2:
    """L_i(r) = c_i + k_i sum_j exp(t_ij r_j), k > 0 (paper, section 3.1, candidate M2). Convex."""

    name: ClassVar[str] = "M2"
    convex: ClassVar[bool] = True
    decides_from: ClassVar[float | None] = None

    c: np.ndarray
    """(V,) irreducible loss, nats."""
    k: np.ndarray
    """(V,) nats."""
    t: np.ndarray
    """(V, K) exponents; a negative one lowers loss i."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        return self.c + self.k * np.exp(self.t * proportions[:, None, :]).sum(axis=2)

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return dL_i/dr_j, (m, V, K)."""
        return self.k[:, None] * self.t * np.exp(self.t * proportions[:, None, :])

    def parameters(self) -> dict[str, np.ndarray]:
        """Return c and k (V,), and t (V, K)."""
        return {"c": self.c, "k": self.k, "t": self.t}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        return cls(**parameters)

    def theta(self) -> np.ndarray:
        """Return (V, 2 + K): c, ln k, t."""
        return np.concatenate([np.stack([self.c, np.log(self.k)], axis=1), self.t], axis=1)

    @classmethod
    def from_theta(cls, theta: np.ndarray, num_domains: int) -> Self:
        """Return the law with the parameters theta (V, 2 + K)."""
        return cls(theta[:, 0], np.exp(theta[:, 1]), theta[:, -num_domains:])

    @classmethod
    def starts(
        cls, proportions: np.ndarray, losses: np.ndarray, _priors: MixingPriors
    ) -> np.ndarray:
        """Return two starts, with c at two fractions of the lowest loss and equal domains."""
        return _starts(losses, proportions.shape[1], (1, proportions.shape[1]))

    @classmethod
    def evaluate(cls, theta: np.ndarray, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (b, n) and their Jacobian (b, n, 2 + K) for theta (b, 2 + K)."""
        terms = np.exp(theta[:, None, 1:2] + theta[:, None, 2:] * proportions)
        total = terms.sum(axis=2)
        jacobian = np.concatenate(
            [np.ones((*total.shape, 1)), total[..., None], terms * proportions], axis=2
        )
        return theta[:, :1] + total, jacobian

    @classmethod
    def prior(
        cls, num_domains: int, losses: np.ndarray, priors: MixingPriors
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (V, p) and precision (V, p, p): t about 0, k free."""
        return _prior(losses, (1, num_domains), priors)

    @classmethod
    def bounds(cls, num_params: int) -> list[tuple[str, float, float]]:
        """Return name, lower and upper limit of c, ln k and every t."""
        limits = (-LOG_RANGE, LOG_RANGE)
        return [("c", 0.0, np.inf), ("k", *limits), *[("t", *limits)] * (num_params - 2)]


@dataclass(frozen=True, eq=False)
class M3:
    """L_i(r) = c_i + k_i exp(prod_j t_ij r_j), k > 0 (paper, section 3.1, candidate M3).

    Only the product of the t_ij is identifiable, as one number T_i. M3 is neither convex nor
    concave.
    """

    name: ClassVar[str] = "M3"
    convex: ClassVar[bool] = False
    decides_from: ClassVar[float | None] = None

    c: np.ndarray
    """(V,) irreducible loss, nats."""
    k: np.ndarray
    """(V,) nats."""
    T: np.ndarray
    """(V,) product of the t_ij in units of K^K, which is the exponent at equal shares."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        return self.c + self.k * np.exp(self.T * _scaled_product(proportions)[:, None])

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return dL_i/dr_j, (m, V, K)."""
        num_domains = proportions.shape[1]
        others = np.stack(
            [np.delete(proportions, j, axis=1).prod(axis=1) for j in range(num_domains)], axis=1
        )
        outer = self.T * (self.predict(proportions) - self.c)
        return outer[:, :, None] * others[:, None, :] * float(num_domains) ** num_domains

    def parameters(self) -> dict[str, np.ndarray]:
        """Return c, k and T, each (V,)."""
        return {"c": self.c, "k": self.k, "T": self.T}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        return cls(**parameters)

    def theta(self) -> np.ndarray:
        """Return (V, 3): c, ln k, T."""
        return np.stack([self.c, np.log(self.k), self.T], axis=1)

    @classmethod
    def from_theta(cls, theta: np.ndarray, _num_domains: int) -> Self:
        """Return the law with the parameters theta (V, 3)."""
        return cls(theta[:, 0], np.exp(theta[:, 1]), theta[:, 2])

    @classmethod
    def starts(
        cls, _proportions: np.ndarray, losses: np.ndarray, _priors: MixingPriors
    ) -> np.ndarray:
        """Return two starts, with c at two fractions of the lowest loss; mixing lowers the loss."""
        return _starts(losses, 1, (1, 1))

    @classmethod
    def evaluate(cls, theta: np.ndarray, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (b, n) and their Jacobian (b, n, 3) for theta (b, 3)."""
        product = _scaled_product(proportions)
        term = np.exp(theta[:, 1:2] + theta[:, 2:] * product)
        jacobian = np.stack([np.ones_like(term), term, term * product], axis=2)
        return theta[:, :1] + term, jacobian

    @classmethod
    def prior(
        cls, _num_domains: int, losses: np.ndarray, priors: MixingPriors
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (V, 3) and precision (V, 3, 3): T about 0, k free."""
        return _prior(losses, (1, 1), priors)

    @classmethod
    def bounds(cls, _num_params: int) -> list[tuple[str, float, float]]:
        """Return name, lower and upper limit of c, ln k and T."""
        limits = (-LOG_RANGE, LOG_RANGE)
        return [("c", 0.0, np.inf), ("k", *limits), ("T", *limits)]


def _starts(losses: np.ndarray, num_terms: int, widths: tuple[int, int]) -> np.ndarray:
    """Return starts (2, V, p): c, `widths[0]` equal ln k and `widths[1]` slopes of -1."""
    starts = []
    for part in IRREDUCIBLE_STARTS:
        c = part * losses.min(axis=0)
        level = np.log((losses.mean(axis=0) - c) / num_terms)
        parts = [c[:, None], np.repeat(level[:, None], widths[0], axis=1)]
        starts.append(np.concatenate([*parts, np.full((len(c), widths[1]), -1.0)], axis=1))
    return np.stack(starts)


def _prior(
    losses: np.ndarray, widths: tuple[int, int], priors: MixingPriors
) -> tuple[np.ndarray, np.ndarray]:
    """Return the prior of c and of the slopes, in the order of `_starts`."""
    shape = (losses.shape[1], 1 + sum(widths))
    mean, precision = np.zeros(shape), np.zeros((*shape, shape[1]))
    mean[:, 0], precision[:, 0, 0] = irreducible_prior(losses, priors)
    slopes = slice(1 + widths[0], None)
    precision[:, slopes, slopes] = np.eye(widths[1]) / priors.slope_sd**2
    return mean, precision


def _scaled_product(proportions: np.ndarray) -> np.ndarray:
    """Return prod_j K r_j (n,), which is 1 at equal shares and 0 where a domain is absent."""
    return (proportions * proportions.shape[1]).prod(axis=1)
