"""The objective of a decision, built on the validation losses and their weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixlaws.decision.limits import Limits
from mixlaws.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Objective:
    """What to minimise, in nats: (1 - q) sum_i s_i L_i + q max_i L_i + strength KL(r || prior).

    q is `maximum_share`; the maximum is over the validation domains with s_i > 0.
    """

    weights: np.ndarray
    """(V,) s, not negative."""
    maximum_share: float = 0.0
    """q in [0, 1]: 0 is the weighted sum, 1 the maximum."""
    prior: np.ndarray | None = None
    """(K,) mixture that the optimum is pulled to."""
    prior_strength: float = 0.0
    """Nats per unit of Kullback-Leibler divergence from the prior."""

    def value(self, losses: np.ndarray, proportions: np.ndarray) -> np.ndarray:
        """Return (m,) objective values of losses (m, V) at proportions (m, K)."""
        largest = losses[:, self.weights > 0].max(axis=1)
        mean = losses @ self.weights
        value = (1 - self.maximum_share) * mean + self.maximum_share * largest
        return value + self.divergence(proportions)

    def divergence(self, proportions: np.ndarray) -> np.ndarray:
        """Return (m,): strength times the divergence of (m, K) proportions from the prior."""
        if self.prior is None:
            return np.zeros(len(proportions))
        positive = proportions > 0
        ratio = np.where(positive, proportions, 1.0) / np.where(positive, self.prior, 1.0)
        return self.prior_strength * (proportions * np.log(ratio)).sum(axis=1)

    def divergence_slope(self, proportions: np.ndarray) -> np.ndarray:
        """Return (K,) derivatives of the divergence at positive proportions (K,)."""
        if self.prior is None:
            return np.zeros(len(proportions))
        used = self.prior > 0
        ratio = np.where(used, proportions, 1.0) / np.where(used, self.prior, 1.0)
        return self.prior_strength * np.where(used, np.log(ratio) + 1, 0.0)


def check_objective(objective: Objective, limits: Limits) -> None:
    """Raise if the objective is not one: the certificate needs weights that are not negative."""
    weights = objective.weights
    if (weights < 0).any() or not weights.sum() > 0:
        raise ConfigError(
            f"the weights {weights.tolist()} make no objective: in validation.weights, let none be "
            "below 0 and one be above"
        )
    if not 0 <= objective.maximum_share <= 1 or objective.prior_strength < 0:
        raise ConfigError(
            f"maximum_share {objective.maximum_share} or the prior's strength "
            f"{objective.prior_strength} is out of range: in optimum, keep maximum_share within "
            "[0, 1] and the strength at 0 or above"
        )
    if objective.prior is None:
        return
    impossible = (objective.prior <= 0) & (limits.upper > 0)
    if impossible.any():
        names = [name for name, flag in zip(limits.domains, impossible, strict=True) if flag]
        raise ConfigError(
            f"the prior mixture has no share of {names}, which the limits allow: set their upper "
            "limit to 0 or choose another prior in optimum.prior"
        )
