"""Chinchilla's law: loss as a function of size and tokens, fitted to many curves at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.least_squares import (
    Bounds,
    Fit,
    Prior,
    best_of_starts,
    huber_weights,
    minimise,
    names_at_bound,
)
from mixlaws.laws.power import EXPONENT_BOUNDS

LOG_RANGE = 12.0
"""Limits of ln A and ln B, nats at the reference."""
NUM_PARAMETERS = 5
NUM_REWEIGHTINGS = 2
IRREDUCIBLE_STARTS = (0.3, 0.7)
"""Starting values of E, as fractions of the lowest loss."""


@dataclass(frozen=True)
class ChinchillaPriors:
    """Priors on the parameters; each prior counts as one observation.

    ln alpha ~ N(ln size_exponent, exponent_sd), ln beta ~ N(ln token_exponent, exponent_sd),
    E ~ N(irreducible, irreducible_sd), the last two as fractions of the curve's lowest loss. A mean
    is one for all curves, or (C,).
    """

    size_exponent: float | np.ndarray = 0.3
    token_exponent: float | np.ndarray = 0.45
    exponent_sd: float = 0.25
    irreducible: float | np.ndarray = 0.5
    irreducible_sd: float = 0.25
    noise: float = 0.01
    """sd of one loss about the law, nats."""


@dataclass(frozen=True, eq=False)
class ChinchillaLaw:
    """L(N, D) = E + A (N / N0)^-alpha + B (D / D0)^-beta (Hoffmann et al. 2022, 2203.15556).

    The authors of the mixing laws found this joint fit unstable and nested two laws instead
    (paper, section 4.1). E, A and alpha trade off unless the sizes span more than a decade.
    """

    E: np.ndarray
    """(C,) irreducible loss, nats."""
    A: np.ndarray
    """(C,) nats at N0 parameters."""
    alpha: np.ndarray
    """(C,)."""
    B: np.ndarray
    """(C,) nats at D0 tokens."""
    beta: np.ndarray
    """(C,)."""
    reference_params: float
    """N0, geometric mean of the observed sizes."""
    reference_tokens: float
    """D0, geometric mean of the observed tokens."""

    def predict(self, num_params: float | np.ndarray, tokens: float | np.ndarray) -> np.ndarray:
        """Return losses (C,) at one point, or at a point for each curve."""
        size, token = self.terms(num_params, tokens)
        return np.asarray(self.E + size + token)

    def terms(
        self, num_params: float | np.ndarray, tokens: float | np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the terms of size and of tokens (C,), at one point or one for each curve."""
        size = self.A * (num_params / self.reference_params) ** -self.alpha
        return size, self.B * (tokens / self.reference_tokens) ** -self.beta

    def optimum(self, flops: float) -> tuple[np.ndarray, np.ndarray]:
        """Return N and D, (C,) each, of the lowest loss with 6 N D = flops.

        There both terms fall alike: alpha A N^-alpha = beta B D^-beta (Hoffmann et al. 2022,
        equation 4).
        """
        scale = self.reference_params * self.reference_tokens
        log_product = np.log(flops / 6 / scale)
        steepness = np.log(self.alpha * self.A / (self.beta * self.B))
        log_size = (steepness + self.beta * log_product) / (self.alpha + self.beta)
        num_params = self.reference_params * np.exp(log_size)
        return num_params, flops / 6 / num_params

    def growth(self, factor: float) -> tuple[np.ndarray, np.ndarray]:
        """Return by which factors (C,) the optimum's N and D grow with `factor` times the FLOPs."""
        total = self.alpha + self.beta
        return factor ** (self.beta / total), factor ** (self.alpha / total)


@dataclass(frozen=True, eq=False)
class _Curves:
    """C curves of P points; theta holds E, ln A, ln alpha, ln B, ln beta."""

    size: np.ndarray
    """(C, P) ln(N / N0)."""
    tokens: np.ndarray
    """(C, P) ln(D / D0)."""
    losses: np.ndarray
    """(C, P), nan where not observed."""
    weights: np.ndarray

    def residuals(self, theta: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return fitted minus observed (b, P), nan where not observed, and the Jacobian."""
        E, log_a, log_alpha, log_b, log_beta = (part[:, None] for part in theta.T)
        by_size = -np.exp(log_alpha) * self.size[rows]
        by_tokens = -np.exp(log_beta) * self.tokens[rows]
        A, B = np.exp(log_a + by_size), np.exp(log_b + by_tokens)
        jacobian = np.stack([np.ones_like(A), A, A * by_size, B, B * by_tokens], axis=2)
        return E + A + B - self.losses[rows], jacobian

    def evaluate(self, theta: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weighted residuals and Jacobian; the batch is ordered start by start."""
        rows = rows % len(self.losses)
        residuals, jacobian = self.residuals(theta, rows)
        root = np.sqrt(self.weights[rows])
        return np.where(root > 0, root * residuals, 0.0), root[..., None] * jacobian


def fit_chinchilla(
    num_params: np.ndarray,
    tokens: np.ndarray,
    losses: np.ndarray,
    *,
    priors: ChinchillaPriors | None = None,
) -> tuple[ChinchillaLaw, Fit]:
    """Fit the law to each of C curves, with Huber's reweighting.

    `num_params` and `tokens` are (P,) or (C, P), `losses` (C, P), nan where not observed: one
    curve is one (mixture, validation domain) over its sizes and checkpoints. Raises FitError if
    a curve has fewer losses than parameters.
    """
    priors = priors or ChinchillaPriors()
    _check_counts(losses)
    observed = np.isfinite(losses)
    size, reference_params = _scaled_logs(num_params, observed)
    token, reference_tokens = _scaled_logs(tokens, observed)
    curves = _Curves(size, token, losses, observed.astype(float))
    prior, bounds = _prior(losses, priors), _bounds()
    theta, num_starts = _starts(losses, priors), len(IRREDUCIBLE_STARTS)
    for reweighting in range(NUM_REWEIGHTINGS + 1):
        theta, cost = minimise(curves.evaluate, theta, prior.repeat(num_starts), bounds, linear=0)
        best, cost, num_agreeing = best_of_starts(theta, cost, num_starts)
        residuals, _ = curves.residuals(best, np.arange(len(best)))
        if reweighting < NUM_REWEIGHTINGS:
            curves = replace(curves, weights=huber_weights(residuals))
    A, alpha, B, beta = np.exp(best[:, 1:]).T
    law = ChinchillaLaw(best[:, 0], A, alpha, B, beta, reference_params, reference_tokens)
    at_bound = names_at_bound(best, bounds)
    return law, Fit(residuals.T, cost, num_starts, num_agreeing, at_bound)


def _check_counts(losses: np.ndarray) -> None:
    counts = np.isfinite(losses).sum(axis=1)
    if counts.min() < NUM_PARAMETERS:
        raise FitError(
            f"curve {counts.argmin()} has only {counts.min()} losses, too few for the "
            f"{NUM_PARAMETERS} parameters of L(N, D). Add sizes or checkpoints"
        )


def _scaled_logs(x: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, float]:
    logs = np.broadcast_to(np.log(np.asarray(x, dtype=float)), observed.shape)
    centre = logs[observed].mean()
    return np.where(observed, logs - centre, 0.0), float(np.exp(centre))


def _starts(losses: np.ndarray, priors: ChinchillaPriors) -> np.ndarray:
    """Return starts (S C, 5) that divide the loss above E equally between size and tokens."""
    lowest, mean = np.nanmin(losses, axis=1), np.nanmean(losses, axis=1)
    starts = []
    for part in IRREDUCIBLE_STARTS:
        half = np.log((mean - part * lowest) / 2)
        alpha = np.full_like(half, np.log(priors.size_exponent))
        beta = np.full_like(half, np.log(priors.token_exponent))
        starts.append(np.stack([part * lowest, half, alpha, half, beta], axis=1))
    return np.concatenate(starts)


def _prior(losses: np.ndarray, priors: ChinchillaPriors) -> Prior:
    lowest = np.nanmin(losses, axis=1)
    mean = np.zeros((len(lowest), NUM_PARAMETERS))
    mean[:, 0] = priors.irreducible * lowest
    mean[:, 2], mean[:, 4] = np.log(priors.size_exponent), np.log(priors.token_exponent)
    sd = np.full(mean.shape, np.inf)
    sd[:, 0] = priors.irreducible_sd * lowest
    sd[:, [2, 4]] = priors.exponent_sd
    return Prior(mean, (priors.noise / sd[:, :, None]) ** 2 * np.eye(NUM_PARAMETERS))


def _bounds() -> Bounds:
    low, high = np.log(EXPONENT_BOUNDS)
    return Bounds(
        lower=np.array([0.0, -LOG_RANGE, low, -LOG_RANGE, low]),
        upper=np.array([np.inf, LOG_RANGE, high, LOG_RANGE, high]),
        names=("E", "A", "alpha", "B", "beta"),
    )
