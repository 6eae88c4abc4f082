"""The additive law with an exponent of its own: how fast useful data lowers the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from mixlaws.laws.mixing.additive import SMALLEST_SHARE, Additive
from mixlaws.laws.mixing.form import MixingPriors

POWER_SD = 0.3
"""sd of ln p about 0."""
POWER_BOUNDS = (0.2, 5.0)


@dataclass(frozen=True, eq=False)
class AdditivePower:
    """L_i(r) = E_i + (sum_j C_ij r_j^g_ij)^-p_i with 0 < g <= 1, p > 0: additive where p = 1.

    The sum is concave and positive, and a negative power of it is convex: the optimum can be
    certified. p and the curvature that E leaves trade off, so p has a prior at 1.
    """

    name: ClassVar[str] = "additive-power"
    convex: ClassVar[bool] = True

    decides_from: ClassVar[float | None] = 0

    E: np.ndarray
    """(V,) irreducible loss, nats."""
    C: np.ndarray
    """(V, K) strength of each training domain."""
    g: np.ndarray
    """(V, K) exponent of each share."""
    p: np.ndarray
    """(V,) exponent of the sum."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V), nats, for proportions (m, K)."""
        return self.E + (self._plain.predict(proportions) - self.E) ** self.p

    def gradient(self, proportions: np.ndarray) -> np.ndarray:
        """Return dL_i/dr_j, (m, V, K); a zero share counts as SMALLEST_SHARE."""
        shares = np.maximum(proportions, SMALLEST_SHARE)
        part = self._plain.predict(shares) - self.E
        slope = self.p * part ** (self.p - 1)
        return np.asarray(slope[..., None] * self._plain.gradient(proportions))

    @property
    def _plain(self) -> Additive:
        """Return the additive law of p = 1."""
        return Additive(self.E, self.C, self.g)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return E and p (V,), C and g (V, K)."""
        return {"E": self.E, "C": self.C, "g": self.g, "p": self.p}

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, np.ndarray]) -> Self:
        """Return the law with these parameters, named as `parameters` names them."""
        return cls(**parameters)

    def theta(self) -> np.ndarray:
        """Return (V, 2 + 2K): E, ln C, ln g, ln p."""
        return np.column_stack([self._plain.theta(), np.log(self.p)])

    @classmethod
    def from_theta(cls, theta: np.ndarray, num_domains: int) -> Self:
        """Return the law with the parameters theta (V, 2 + 2K)."""
        plain = Additive.from_theta(theta[:, :-1], num_domains)
        return cls(plain.E, plain.C, plain.g, np.exp(theta[:, -1]))

    @classmethod
    def starts(
        cls, proportions: np.ndarray, losses: np.ndarray, priors: MixingPriors
    ) -> np.ndarray:
        """Return the additive law's two starts with p = 1."""
        starts = Additive.starts(proportions, losses, priors)
        return np.concatenate([starts, np.zeros((*starts.shape[:2], 1))], axis=2)

    @classmethod
    def evaluate(cls, theta: np.ndarray, proportions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (b, n) and their Jacobian (b, n, 2 + 2K) for theta (b, 2 + 2K)."""
        plain, slopes = Additive.evaluate(theta[:, :-1], proportions)
        part, p = plain - theta[:, :1], np.exp(theta[:, -1:])
        powered = part**p
        inner = slopes[..., 1:] * (p * powered / part)[..., None]
        to_p = powered * p * np.log(part)
        jacobian = np.concatenate([slopes[..., :1], inner, to_p[..., None]], axis=2)
        return theta[:, :1] + powered, jacobian

    @classmethod
    def prior(
        cls, num_domains: int, losses: np.ndarray, priors: MixingPriors
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean (V, p) and precision (V, p, p) for p = 2 + 2K."""
        mean, precision = Additive.prior(num_domains, losses, priors)
        mean = np.pad(mean, ((0, 0), (0, 1)))
        precision = np.pad(precision, ((0, 0), (0, 1), (0, 1)))
        precision[:, -1, -1] = 1 / POWER_SD**2
        return mean, precision

    @classmethod
    def bounds(cls, num_params: int) -> list[tuple[str, float, float]]:
        """Return name, lower and upper limit of E, the ln C, the ln g and ln p."""
        low, high = np.log(POWER_BOUNDS)
        return [*Additive.bounds(num_params - 1), ("p", float(low), float(high))]
