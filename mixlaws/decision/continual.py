"""Continual pre-training: the share of the original data that keeps its loss (paper, section 5).

More of the new domain teaches it faster and forgets the old one. The critical proportion is the
share of the original domain at which its loss ends where it began.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from mixlaws.errors import FitError

MIN_MIXTURES = 4
SEARCHED = (0.01, 1.0)
"""Shares between which a crossing is looked for."""
Law = Callable[[np.ndarray], np.ndarray]
"""share of the original domain -> its loss, nats."""


def _exponential(share: np.ndarray, t: float) -> np.ndarray:
    return np.exp(-t * share)


def _power(share: np.ndarray, g: float) -> np.ndarray:
    return share**-g


BENT: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], tuple[float, float]]] = {
    "exponential": (_exponential, (0.01, 30.0)),
    "power": (_power, (0.01, 5.0)),
}
"""L = c + k basis(share, bend): the basis and the limits of its bend."""
FORMS = (*BENT, "log-quadratic")


@dataclass(frozen=True)
class CriticalProportion:
    """The share of the original domain at which its loss stays what it was."""

    value: float
    """By the exponential form; nan where its loss is on one side of the original's everywhere."""
    lower: float
    upper: float
    by_form: dict[str, float]
    """The same for each of FORMS: none is known to be the right one."""


def fit_share_law(form: str, shares: np.ndarray, losses: np.ndarray) -> Law:
    """Fit one of FORMS by least squares to losses (n,), nats, of shares (n,) in (0, 1].

    c and k follow in closed form for a given bend, so the search is over one number. Raises
    FitError for fewer than four different shares.
    """
    if len(np.unique(shares)) < MIN_MIXTURES:
        raise FitError(
            f"{len(np.unique(shares))} different shares of the original domain are too few for a "
            f"critical proportion, which needs {MIN_MIXTURES}: train more mixtures"
        )
    if form == "log-quadratic":
        return partial(_polynomial, np.polyfit(np.log(shares), losses, 2))
    basis, limits = BENT[form]

    def misfit(log_bend: float) -> float:
        return float(((_linear(basis(shares, np.exp(log_bend)), losses)[0] - losses) ** 2).sum())

    found = minimize_scalar(misfit, bounds=tuple(np.log(limits)), method="bounded")
    bend = float(np.exp(found.x))
    return partial(_bent, basis, bend, _linear(basis(shares, bend), losses)[1])


def _linear(values: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return fitted losses and (k, c) of losses = c + k values."""
    line = np.polyfit(values, losses, 1)
    return np.polyval(line, values), line


def _bent(
    basis: Callable[[np.ndarray, float], np.ndarray],
    bend: float,
    line: np.ndarray,
    share: np.ndarray,
) -> np.ndarray:
    return np.polyval(line, basis(np.asarray(share, dtype=float), bend))


def _polynomial(coefficients: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.polyval(coefficients, np.log(share))


def crossing(law: Law, loss: float) -> float:
    """Return the share in SEARCHED at which a law equals a loss; nan if its ends do not tell."""
    low, high = SEARCHED

    def excess(share: float) -> float:
        return float(law(np.array(share))) - loss

    if excess(low) * excess(high) > 0:
        return float("nan")
    return float(brentq(excess, low, high))


@dataclass(frozen=True)
class Redraws:
    """How the interval of a critical proportion is drawn."""

    level: float = 0.9
    replicates: int = 200
    seed: int = 0


def critical_proportion(
    shares: np.ndarray,
    losses: np.ndarray,
    original_loss: float,
    *,
    noise: float,
    redraws: Redraws = Redraws(),
) -> CriticalProportion:
    """Return where the original domain's loss is `original_loss`, with an interval.

    `noise` is the sd of one loss, nats, that of the original model included; the interval holds the
    crossings of every form refitted to so many redraws of the losses (n,). It depends on the number
    of steps: state them. Raises FitError where no share keeps the loss.
    """
    by_form = {form: crossing(fit_share_law(form, shares, losses), original_loss) for form in FORMS}
    generator, draws = np.random.default_rng(redraws.seed), []
    for _ in range(redraws.replicates):
        redrawn = losses + noise * generator.standard_normal(len(losses))
        goal = original_loss + noise * generator.standard_normal()
        draws += [crossing(fit_share_law(form, shares, redrawn), goal) for form in FORMS]
    if np.isnan(draws).all():
        raise FitError(
            f"no share from {SEARCHED[0]:g} to {SEARCHED[1]:g} keeps a loss of {original_loss:g} "
            f"nats: the observed losses go from {losses.min():.4g} to {losses.max():.4g}. Train "
            "mixtures on both sides of it"
        )
    tail = (1 - redraws.level) / 2
    lower, upper = np.nanquantile(draws, [tail, 1 - tail])
    return CriticalProportion(by_form["exponential"], float(lower), float(upper), by_form)


def late_noise(tokens: np.ndarray, losses: np.ndarray) -> float:
    """Return the sd of a checkpoint about straight lines, for losses (R, P) at tokens (P,).

    Pass the last few checkpoints of each run: over them a loss falls in a straight line.
    """
    basis = np.column_stack([np.ones(len(tokens)), tokens / tokens.mean()])
    fitted = basis @ np.linalg.lstsq(basis, losses.T, rcond=None)[0]
    return float(np.sqrt(((losses.T - fitted) ** 2).sum() / (losses.size - 2 * len(losses))))
