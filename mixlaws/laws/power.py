"""Power laws: the step law L(D) and the size law L(N).

L(x) = E + A (x / reference)^-alpha, with E >= 0 and A >= 0 (paper, equation 3). Given the
exponent, E and A have a closed form, so the fit searches over one number: on a grid of ln alpha,
then on finer grids around the best point. The fit does not depend on a starting point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from mixlaws.errors import FitError
from mixlaws.laws.least_squares import Fit, flag_names, huber_weights

EXPONENT_BOUNDS = (0.03, 2.0)
GRID_SIZE = 33
ZOOM_SIZE = 7
PIECE_SIZE = 2**15
"""Values per array while a grid of exponents is searched: small enough for a processor's cache."""
NUM_ZOOMS = 9
NUM_REWEIGHTINGS = 4
FALLBACK_NOISE = 0.01
"""nats; used if there are no more losses than parameters, so that residuals show no noise."""


@dataclass(frozen=True)
class PowerPriors:
    """Priors on the parameters.

    The exponent: ln alpha ~ N(ln exponent, exponent_sd). The irreducible loss:
    E ~ N(irreducible, irreducible_sd), both as fractions of the curve's lowest observed loss; it
    is needed where the points cannot identify three parameters (three or four sizes). A prior
    counts as one observation with noise `noise`.
    """

    exponent: float = 0.45
    exponent_sd: float = 0.25
    irreducible: float | np.ndarray = 0.5
    """One number for all curves, or one per curve (C,)."""
    irreducible_sd: float = np.inf
    noise: float | None = None
    """sd of one loss about its curve, nats; None estimates it from all residuals."""
    bounds: tuple[float, float] = EXPONENT_BOUNDS
    """Limits of the exponent."""


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """L(x) = E + A (x / reference)^-alpha for C curves.

    E and alpha trade off if the observed x span less than a decade. Then compare the curves'
    predictions, not their E.
    """

    E: np.ndarray
    """(C,) irreducible loss, nats."""
    A: np.ndarray
    """(C,) reducible loss at x = reference, nats."""
    alpha: np.ndarray
    """(C,) exponent."""
    reference: float | np.ndarray
    """Unit of x: the geometric mean of the observed x; (C,) if the curves are of several fits."""

    def predict(self, x: np.ndarray | float) -> np.ndarray:
        """Return losses (C,) for a scalar x, else (C, m) for x of shape (m,) or (C, m)."""
        x = np.asarray(x, dtype=float)
        if x.ndim == 0:
            return np.asarray(self.E + self.A * (x / self.reference) ** -self.alpha)
        scaled = x / np.reshape(self.reference, (-1, 1))
        return self.E[:, None] + self.A[:, None] * scaled ** -self.alpha[:, None]


def power_law(E: ArrayLike, A: ArrayLike, alpha: ArrayLike, reference: ArrayLike) -> PowerLaw:
    """Return the curve of one row of a law table, or the curves of its columns (C,)."""
    return PowerLaw(*(np.atleast_1d(np.asarray(part, float)) for part in (E, A, alpha, reference)))


@dataclass(frozen=True, eq=False)
class _Curves:
    """C curves of P points, with their priors; a missing point has weight 0."""

    z: np.ndarray
    """(C, P) ln(x / reference)."""
    losses: np.ndarray
    """(C, P) nats."""
    weights: np.ndarray
    """(C, P)."""
    groups: np.ndarray
    """(C,) number of the group with which a curve shares its exponent, from 0."""
    priors: PowerPriors
    noise: float
    """nats; sets the weight of a prior relative to one observation."""

    @property
    def irreducible(self) -> tuple[np.ndarray, np.ndarray]:
        """Prior mean (C,) and precision (C,) of E, relative to one observation."""
        lowest = np.where(self.weights > 0, self.losses, np.inf).min(axis=1)
        precision = (self.noise / (self.priors.irreducible_sd * lowest)) ** 2
        return self.priors.irreducible * lowest, precision


def fit_power_laws(
    x: np.ndarray,
    losses: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    priors: PowerPriors | None = None,
    robust: bool = False,
) -> tuple[PowerLaw, Fit]:
    """Fit one power law to each of C curves.

    `x` is (P,) or (C, P), positive; `losses` is (C, P), nan where not observed. Curves with the
    same number in `groups` (C,) share an exponent; by default each has its own. `priors` defaults
    to PowerPriors(). `robust` reweights by Huber's function, for the checkpoints of a run. Raises
    FitError for a curve without an observed point, or an x that is not positive.
    """
    curves, reference = _prepare(x, losses, groups, priors or PowerPriors())
    if priors is None or priors.noise is None:
        curves = replace(curves, noise=_pooled_noise(curves))
    exponents = _search(curves)
    for _ in range(NUM_REWEIGHTINGS if robust else 0):
        E, A, _ = _best_linear(curves, exponents.best)
        curves = replace(curves, weights=huber_weights(_residuals(curves, E, A, exponents.best)))
        exponents = _search(curves)
    return _law_and_evidence(curves, exponents, reference)


def _prepare(
    x: np.ndarray, losses: np.ndarray, groups: np.ndarray | None, priors: PowerPriors
) -> tuple[_Curves, float]:
    x = np.broadcast_to(np.asarray(x, dtype=float), losses.shape)
    observed = np.isfinite(losses)
    if not observed.any(axis=1).all():
        raise FitError(
            f"the curves {np.flatnonzero(~observed.any(axis=1)).tolist()} of a power law have no "
            "observed loss. Leave them out"
        )
    if not (x[observed] > 0).all():
        raise FitError(
            f"a power law is not defined at {x[observed].min():g} parameters or tokens. Leave out "
            "the losses of untrained models"
        )
    reference = float(np.exp(np.log(x[observed]).mean()))
    curves = _Curves(
        z=np.log(np.where(observed, x, reference) / reference),
        losses=np.where(observed, losses, 0.0),
        weights=observed.astype(float),
        groups=np.arange(len(losses))
        if groups is None
        else np.unique(groups, return_inverse=True)[1],
        priors=priors,
        noise=0.0 if priors.noise is None else priors.noise,
    )
    return curves, reference


@dataclass(frozen=True, eq=False)
class _Exponents:
    best: np.ndarray
    """(C,) exponent of each curve."""
    basin: np.ndarray
    """(C,) number of points of the coarse grid from which a descent ends at the best point."""


def _search(curves: _Curves) -> _Exponents:
    """Find each group's exponent: the lowest profiled cost on a grid, then on finer ones."""
    low, high = np.log(curves.priors.bounds)
    num_groups = int(curves.groups.max()) + 1
    grid = np.broadcast_to(np.linspace(low, high, GRID_SIZE), (num_groups, GRID_SIZE))
    costs = _group_costs(curves, grid)
    basin = _basin_sizes(costs)
    step = grid[0, 1] - grid[0, 0]
    for _ in range(NUM_ZOOMS):
        centre = grid[np.arange(num_groups), costs.argmin(axis=1)]
        offsets = np.linspace(-step, step, ZOOM_SIZE)
        grid = np.clip(centre[:, None] + offsets, low, high)
        costs = _group_costs(curves, grid)
        step = offsets[1] - offsets[0]
    best = grid[np.arange(num_groups), costs.argmin(axis=1)]
    return _Exponents(np.exp(best)[curves.groups], basin[curves.groups])


def _group_costs(curves: _Curves, grid: np.ndarray) -> np.ndarray:
    """Return the cost (num_groups, G) at ln alpha (num_groups, G), with the best E and A."""
    pieces = -(-grid.size * curves.losses.size // (grid.shape[0] * PIECE_SIZE))
    per_curve = np.concatenate(
        [
            _solve_linear(curves, np.exp(piece[curves.groups]))[2]
            for piece in np.array_split(grid, min(pieces, grid.shape[1]), axis=1)
        ],
        axis=1,
    )
    total = np.zeros(grid.shape)
    np.add.at(total, curves.groups, per_curve)
    priors = curves.priors
    distance = (grid - np.log(priors.exponent)) / priors.exponent_sd
    return total + 0.5 * (curves.noise * distance) ** 2


def _best_linear(curves: _Curves, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return E, A and the cost (C,) that are best for one exponent per curve, alpha (C,)."""
    E, A, cost = _solve_linear(curves, alpha[:, None])
    return E[:, 0], A[:, 0], cost[:, 0]


def _solve_linear(curves: _Curves, alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return E, A and the cost (C, G) that are best for the exponents alpha (C, G)."""
    w, y = curves.weights[:, None], curves.losses[:, None]
    basis = np.exp(-alpha[:, :, None] * curves.z[:, None])
    mean, precision = (each[:, None] for each in curves.irreducible)
    total = w.sum(axis=2) + precision
    level = ((w * y).sum(axis=2) + precision * mean) / total
    centre = _dot(w, basis) / total
    # Centred on its weighted mean, so that a nearly constant basis (small alpha) loses no digits.
    centred = basis - centre[:, :, None]
    weighted = w * centred
    spread = _dot(weighted, centred) + precision * centre**2
    slope = _dot(weighted, y - level[:, :, None]) - precision * centre * (mean - level)
    A = np.maximum(slope / np.maximum(spread, 1e-300), 0.0)
    E = level - A * centre
    if (E < 0).any():
        weighted = w * basis
        A = np.where(E < 0, _dot(weighted, y) / _dot(weighted, basis), A)
        E = np.maximum(E, 0.0)
    residuals = E[:, :, None] + A[:, :, None] * basis - y
    cost = 0.5 * _dot(w * residuals, residuals) + 0.5 * precision * (E - mean) ** 2
    return E, A, cost


def _dot(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the sums (C, G) over the points of two arrays (C, G, P), or (C, 1, P), multiplied."""
    return np.einsum("cgp,cgp->cg", left, right)


def _pooled_noise(curves: _Curves) -> float:
    """Estimate the sd of one loss about its curve from the residuals of a fit without priors."""
    alpha = _search(curves).best
    E, A, _ = _best_linear(curves, alpha)
    residuals = _residuals(curves, E, A, alpha)
    num_free = curves.weights.sum() - 2 * len(E) - (curves.groups.max() + 1)
    if num_free < 1:
        return FALLBACK_NOISE
    return float(np.sqrt(np.nansum(residuals**2) / num_free))


def _residuals(curves: _Curves, E: np.ndarray, A: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return fitted minus observed (C, P), nan where not observed."""
    fitted = E[:, None] + A[:, None] * np.exp(-alpha[:, None] * curves.z)
    return np.where(curves.weights > 0, fitted - curves.losses, np.nan)


def _law_and_evidence(
    curves: _Curves, exponents: _Exponents, reference: float
) -> tuple[PowerLaw, Fit]:
    alpha = exponents.best
    E, A, cost = _best_linear(curves, alpha)
    low, high = curves.priors.bounds
    at_limit = (alpha <= low * (1 + 1e-6)) | (alpha >= high * (1 - 1e-6))
    fit = Fit(
        residuals=_residuals(curves, E, A, alpha).T,
        cost=cost,
        num_starts=GRID_SIZE,
        num_agreeing=exponents.basin,
        at_bound=flag_names(np.stack([E <= 0, A <= 0, at_limit], axis=1), ("E", "A", "alpha")),
    )
    return PowerLaw(E, A, alpha, reference), fit


def _basin_sizes(costs: np.ndarray) -> np.ndarray:
    """Return the number (g,) of grid points in the valley of the lowest cost, of costs (g, G)."""
    best = costs.argmin(axis=1)[:, None]
    place = np.arange(costs.shape[1])
    rises = np.diff(costs, axis=1) >= 0
    right = np.where(place[:-1] >= best, rises, True).cumprod(axis=1) * (place[:-1] >= best)
    left = np.where(place[:-1] < best, ~rises, True)[:, ::-1].cumprod(axis=1)[:, ::-1]
    return 1 + right.sum(axis=1) + (left * (place[:-1] < best)).sum(axis=1)
