"""Figure 2: with two domains, log reducible loss is linear in a domain's own share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from mixlaws.errors import FitError
from mixlaws.laws.mixing.fit import fit_mixing_law
from mixlaws.laws.mixing.form import MixingPriors
from mixlaws.laws.observations import Observations
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.points import Settings, cross_section
from mixlaws.tables import write_table

WEAK = MixingPriors(noise=1e-3, slope_sd=10.0)
"""Weak priors, which only keep a fit of three parameters to five points finite."""


@dataclass(frozen=True)
class OwnShareLaw:
    """L(r) = c + exp(t r + ln k): a validation domain's loss over its own share (equation 6)."""

    c: float
    """Irreducible loss, nats."""
    t: float
    log_k: float

    def predict(self, shares: np.ndarray) -> np.ndarray:
        """Return losses (n,), nats, at own shares (n,)."""
        return self.c + np.exp(self.t * np.asarray(shares) + self.log_k)

    def share_at(self, loss: float) -> float:
        """Return the share at which the law reaches a loss; nan if the loss is not above c."""
        return float((np.log(loss - self.c) - self.log_k) / self.t) if loss > self.c else np.nan


def fit_by_grid(
    shares: np.ndarray, losses: np.ndarray, *, num_constants: int, huber: float
) -> OwnShareLaw:
    """Fit by the authors' procedure: c from a grid, then t and k with c fixed.

    Of `num_constants` values from 0 to the lowest loss, c is the one whose log reducible loss
    correlates best with the share; t and ln k then minimise a Huber loss (`huber`, nats).
    Raises FitError for fewer than three points.
    """
    if len(shares) < 3:
        raise FitError(
            f"{len(shares)} points do not determine the three parameters of a two-domain law. "
            "Add mixtures"
        )
    constants = np.linspace(0.0, losses.min(), num_constants, endpoint=False)
    correlations = [abs(correlation(shares, losses, c)) for c in constants]
    c = float(constants[int(np.argmax(correlations))])

    def residuals(p: np.ndarray) -> np.ndarray:
        return np.exp(p[0] * shares + p[1]) - (losses - c)

    start = np.polyfit(shares, np.log(losses - c), 1)
    fit = least_squares(residuals, start, loss="huber", f_scale=huber)
    return OwnShareLaw(c, float(fit.x[0]), float(fit.x[1]))


def fit_jointly(shares: np.ndarray, losses: np.ndarray) -> OwnShareLaw:
    """Fit c, t and k together by least squares, as the exponential law of two domains."""
    proportions = np.column_stack([shares, 1 - shares])
    law, _ = fit_mixing_law("exponential", proportions, losses[:, None], priors=WEAK)
    found = law.parameters()
    own, other = found["t"][0]
    return OwnShareLaw(float(found["c"][0]), own - other, float(np.log(found["k"][0]) + other))


def correlation(shares: np.ndarray, losses: np.ndarray, constant: float) -> float:
    """Return the correlation of share and log reducible loss."""
    return float(np.corrcoef(shares, np.log(losses - constant))[0, 1])


def fit_two_domains(
    study: str | Path, settings: Settings, *, laws: str | Path, points: str | Path
) -> None:
    """Fit the laws of figure 2 to the study in a folder; write them and their points."""
    tables = two_domain_laws(Swarm.load(study), settings)
    for table, path in zip(tables, (laws, points), strict=True):
        write_table(table, path)


def two_domain_laws(swarm: Swarm, settings: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the laws and the points of figure 2.

    The laws have one row per size, step, validation domain and procedure (grid or joint), with c,
    t, ln_k, the correlation, the largest residual and the mean error with each point left out in
    turn. The points have each loss, and the loss minus the c of the grid.
    """
    laws, points = [], []
    for size in settings["sizes"]:
        for step in settings["steps"]:
            rows = cross_section(swarm, size, step)
            for domain, place in zip(swarm.weights, range(rows.losses.shape[1]), strict=True):
                labels = {"size": size, "step": step, "validation_domain": domain}
                shares, losses = rows.proportions[:, place], rows.losses[:, place]
                found = list(_law_rows(shares, losses, settings))
                laws += [labels | row for row in found]
                points += [labels | row for row in _point_rows(rows, place, found[0]["c"])]
    return pd.DataFrame(laws), pd.DataFrame(points)


def _law_rows(
    shares: np.ndarray, losses: np.ndarray, settings: Settings
) -> Iterator[dict[str, Any]]:
    def by_grid(shares: np.ndarray, losses: np.ndarray) -> OwnShareLaw:
        return fit_by_grid(
            shares, losses, num_constants=settings["num_constants"], huber=settings["huber"]
        )

    for procedure, fit in (("grid", by_grid), ("joint", fit_jointly)):
        law = fit(shares, losses)
        left_out = []
        for place in range(len(shares)):
            others = np.arange(len(shares)) != place
            predicted = fit(shares[others], losses[others]).predict(shares[place])
            left_out.append(abs(float(predicted) - losses[place]))
        yield {
            "procedure": procedure,
            "c": law.c,
            "t": law.t,
            "ln_k": law.log_k,
            "correlation": abs(correlation(shares, losses, law.c)),
            "max_residual": float(np.abs(law.predict(shares) - losses).max()),
            "left_out_mae": float(np.mean(left_out)),
        }


def _point_rows(rows: Observations, place: int, constant: float) -> Iterator[dict[str, Any]]:
    for mixture, share, loss in zip(
        rows.mixture, rows.proportions[:, place], rows.losses[:, place], strict=True
    ):
        yield {"mixture": mixture, "share": share, "loss": loss, "reducible": loss - constant}
