"""Boosted mixing laws: AdaBoost.R2 (Drucker 1997), which the paper uses for its implicit law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixlaws.laws.law import Law
from mixlaws.laws.mixing.fit import fit_mixing_law
from mixlaws.laws.mixing.form import MixingPriors

MAX_MEAN_ERROR = 0.5
"""Boosting ends at a round whose mean weighted error, over its largest error, exceeds this."""


@dataclass(frozen=True, eq=False)
class BoostedLaw:
    """The weighted median of several laws of one loss."""

    laws: tuple[Law, ...]
    log_weights: np.ndarray
    """(B,) ln(1 / beta), the weight of each law; a better fit weighs more."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m,), nats, for proportions (m, K)."""
        values = np.column_stack([law.predict(proportions)[:, 0] for law in self.laws])
        order = values.argsort(axis=1)
        total = self.log_weights[order].cumsum(axis=1)
        median = (total >= 0.5 * total[:, -1:]).argmax(axis=1)
        rows = np.arange(len(values))
        return np.asarray(values[rows, order[rows, median]])


def fit_boosted_law(
    proportions: np.ndarray,
    losses: np.ndarray,
    *,
    num_laws: int = 30,
    priors: MixingPriors | None = None,
    seed: int = 0,
) -> BoostedLaw:
    """Fit up to `num_laws` implicit laws to resampled losses (n,) at proportions (n, K).

    Mixtures that one law fits badly are drawn more often for the next. `priors` sets the number of
    implicit domains. Raises FitError in the same cases as `fit_mixing_law`.
    """
    generator, num = np.random.default_rng(seed), len(losses)
    weights = np.full(num, 1.0 / num)
    laws: list[Law] = []
    log_weights: list[float] = []
    for _ in range(num_laws):
        drawn = np.bincount(generator.choice(num, num, p=weights), minlength=num).astype(float)
        law, _ = fit_mixing_law(
            "implicit", proportions, losses[:, None], weights=drawn, priors=priors
        )
        error = np.abs(law.predict(proportions)[:, 0] - losses)
        error /= max(error.max(), 1e-12)
        mean = float(weights @ error)
        poor = mean >= MAX_MEAN_ERROR
        if not (poor and laws):  # the first law is kept even if it is poor
            beta = 1e-12 if poor else max(mean / (1 - mean), 1e-12)
            laws.append(law)
            log_weights.append(-np.log(beta))
        if poor:
            break
        weights *= beta ** (1 - error)
        weights /= weights.sum()
    return BoostedLaw(tuple(laws), np.array(log_weights))
