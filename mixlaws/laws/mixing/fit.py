"""Fit any mixing law to a table of losses."""

from __future__ import annotations

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.law import Law
from mixlaws.laws.least_squares import Bounds, Fit, Prior, best_of_starts, minimise, names_at_bound
from mixlaws.laws.mixing import MIXING_LAWS
from mixlaws.laws.mixing.form import MixingLaw, MixingPriors

MIN_MIXTURES = 2
"""Different mixtures that a mixing law needs: one would leave its slope to the priors."""


def fit_mixing_law(
    name: str,
    proportions: np.ndarray,
    losses: np.ndarray,
    *,
    weights: np.ndarray | None = None,
    start: Law | None = None,
    priors: MixingPriors | None = None,
) -> tuple[MixingLaw, Fit]:
    """Fit one law of MIXING_LAWS to V validation domains at once.

    `proportions` is (n, K) on the simplex, `losses` (n, V) nats. `weights` (n,) is how often each
    mixture counts (its multiplicity in a bootstrap). `start`, an earlier law of the same name,
    replaces the deterministic starts. `priors` defaults to MixingPriors(). Raises FitError for an
    unknown name, fewer than two different mixtures or a loss that is not finite.
    """
    form = _form_of(name)
    _check_table(proportions, losses)
    priors = priors or MixingPriors()
    root = np.ones(len(losses)) if weights is None else np.sqrt(weights)
    seen = root > 0
    shares, values, root = proportions[seen], losses[seen], root[seen]
    begin = form.starts(shares, values, priors) if start is None else _warm_start(start, form)
    num_starts, num_validation, num_params = begin.shape
    bounds = _bounds(form, num_params)

    def evaluate(theta: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        predicted, jacobian = form.evaluate(theta, shares)
        residuals = predicted - values.T[rows % num_validation]
        return root * residuals, root[:, None] * jacobian

    prior = _prior(form, shares, values, priors, root)
    theta, cost = minimise(
        evaluate, begin.reshape(-1, num_params), prior.repeat(num_starts), bounds, linear=0
    )
    theta, cost, num_agreeing = best_of_starts(theta, cost, num_starts)
    law = form.from_theta(theta, proportions.shape[1])
    residuals = law.predict(proportions) - losses
    return law, Fit(residuals, cost, num_starts, num_agreeing, names_at_bound(theta, bounds))


def _form_of(name: str) -> type[MixingLaw]:
    if name not in MIXING_LAWS:
        raise FitError(
            f"there is no mixing law {name!r}. Set laws.mixing in the config to one of "
            f"{', '.join(MIXING_LAWS)}"
        )
    return MIXING_LAWS[name]


def check_mixtures(proportions: np.ndarray) -> None:
    """Raise FitError if the proportions (n, K) are of fewer mixtures than a mixing law needs."""
    found = len(np.unique(proportions, axis=0))
    if found < MIN_MIXTURES:
        raise FitError(
            f"a mixing law cannot be fitted to {found} different mixtures. It needs at least "
            f"{MIN_MIXTURES}. Raise mixtures.count"
        )


def _check_table(proportions: np.ndarray, losses: np.ndarray) -> None:
    check_mixtures(proportions)
    if not np.isfinite(losses).all():
        raise FitError(
            f"{(~np.isfinite(losses)).sum()} losses are not finite, the first at (mixture, "
            f"validation domain) {tuple(np.argwhere(~np.isfinite(losses))[0].tolist())}. Leave "
            "these mixtures out"
        )


def _warm_start(start: Law, form: type[MixingLaw]) -> np.ndarray:
    if not isinstance(start, form):
        raise FitError(
            f"a fit of the {form.name} law cannot start from the law {start.name!r}. Start from a "
            "fit of the same law"
        )
    return start.theta()[None]


def _bounds(form: type[MixingLaw], num_params: int) -> Bounds:
    names, lower, upper = zip(*form.bounds(num_params), strict=True)
    return Bounds(np.array(lower), np.array(upper), names)


def _prior(
    form: type[MixingLaw],
    proportions: np.ndarray,
    losses: np.ndarray,
    priors: MixingPriors,
    root: np.ndarray,
) -> Prior:
    """Return the prior in units of each validation domain's spread; `root` (n,): sqrt(weights)."""
    mean, precision = form.prior(proportions.shape[1], losses, priors)
    # Without a floor, the priors of a validation domain whose loss is constant would weigh nothing.
    centre = np.average(losses, axis=0, weights=root**2)
    spread = np.sqrt(np.average((losses - centre) ** 2, axis=0, weights=root**2))
    spread = np.maximum(spread, 1e-6 * np.abs(centre))
    return Prior(mean, precision * (priors.noise * spread)[:, None, None] ** 2)
