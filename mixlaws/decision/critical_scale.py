"""How the critical proportion moves with size and tokens: a joint law, and a published form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from mixlaws.decision.continual import BENT, Redraws
from mixlaws.decision.critical import Point

BENDS = BENT["exponential"][1]
EXPONENTS = np.linspace(-2.0, 2.0, 401)
MIN_POINTS = 4
"""Critical proportions that R = b0 + b1 T^s needs: one more than it has parameters."""


@dataclass(frozen=True)
class JointShareLaw:
    """Excess loss over the base: (a . x) + (b . x) exp(-t r), with x = (1, log D, log N).

    D and N are divided by `scale`, and a column that does not vary is left out.
    """

    bend: float
    level: np.ndarray
    """a, with zeros for columns left out."""
    slope: np.ndarray
    """b, likewise."""
    scale: tuple[float, float]
    """Tokens and parameters by which D and N are divided."""

    def critical(self, num_params: float, tokens: float) -> float:
        """Return the least share in [0, 1] that keeps the loss: 0 for all, inf for none."""
        x = np.array([1.0, np.log(tokens / self.scale[0]), np.log(num_params / self.scale[1])])
        level, slope = float(x @ self.level), float(x @ self.slope)
        if level + slope <= 0:
            return 0.0
        if level + slope * np.exp(-self.bend) > 0:
            return float("inf")
        return float(-np.log(-level / slope) / self.bend)


def _columns(points: Sequence[Point]) -> tuple[np.ndarray, tuple[float, float], np.ndarray]:
    """Return x (P, 3) of the points, the scale, and which columns vary."""
    tokens = np.array([point.tokens for point in points])
    params = np.array([point.num_params for point in points])
    scale = (float(np.exp(np.log(tokens).mean())), float(np.exp(np.log(params).mean())))
    logs = [np.log(tokens / scale[0]), np.log(params / scale[1])]
    x = np.column_stack([np.ones(len(points)), *logs])
    return x, scale, np.array([True, *(np.ptp(x[:, k]) > 0 for k in (1, 2))])


def fit_joint(points: Sequence[Point], excess: np.ndarray) -> JointShareLaw:
    """Fit the joint law to mean excess losses (P, K) of points with the same K shares.

    For a given bend all else is linear, so the search is over one number.
    """
    x, scale, varies = _columns(points)
    shares = points[0].shares

    def design(bend: float) -> np.ndarray:
        basis = np.exp(-bend * shares)
        parts = [np.repeat(x[:, varies], len(shares), axis=0)]
        parts.append(np.einsum("pj,k->pkj", x[:, varies], basis).reshape(-1, varies.sum()))
        return np.hstack(parts)

    def solve(bend: float) -> tuple[float, np.ndarray]:
        matrix = design(bend)
        found = np.linalg.lstsq(matrix, excess.ravel(), rcond=None)[0]
        return float(((matrix @ found - excess.ravel()) ** 2).sum()), found

    limits = (float(np.log(BENDS[0])), float(np.log(BENDS[1])))
    best = minimize_scalar(lambda value: solve(np.exp(value))[0], bounds=limits, method="bounded")
    bend = float(np.exp(best.x))
    level, slope = np.zeros(3), np.zeros(3)
    level[varies], slope[varies] = np.split(solve(bend)[1], 2)
    return JointShareLaw(bend, level, slope, scale)


def predicted(law: JointShareLaw, points: Sequence[Point]) -> np.ndarray:
    """Return the excess losses (P, K) of a joint law at points."""
    x = np.array(
        [
            [1.0, np.log(p.tokens / law.scale[0]), np.log(p.num_params / law.scale[1])]
            for p in points
        ]
    )
    basis = np.exp(-law.bend * points[0].shares)
    return np.asarray((x @ law.level)[:, None] + (x @ law.slope)[:, None] * basis)


def redrawn_laws(points: Sequence[Point], redraws: Redraws) -> list[JointShareLaw]:
    """Return the joint law refitted to redrawn runs.

    A run is redrawn with its residuals at all steps together, because they share its noise. Sizes
    are redrawn apart. As for one point, what the runs of a seed share is redrawn by seeds.
    """
    excess = np.array([point.excess for point in points])  # (P, S, K)
    fitted = predicted(fit_joint(points, excess.mean(axis=1)), points)
    offsets = (excess - fitted[:, None]).mean(axis=2)  # (P, S)
    residuals = excess - fitted[:, None] - offsets[:, :, None]
    # The means over seeds are the misfit of the law; they are redrawn with the runs.
    generator = np.random.default_rng(redraws.seed)
    sizes = np.array([point.size for point in points])
    num_seeds, num_shares = excess.shape[1:]
    laws = []
    for _ in range(redraws.replicates):
        drawn = fitted.copy()
        for size in dict.fromkeys(sizes):
            rows = np.flatnonzero(sizes == size)
            seeds = generator.integers(num_seeds, size=(num_seeds, num_shares))
            shares = generator.integers(num_shares, size=(num_seeds, num_shares))
            drawn[rows] += residuals[rows][:, seeds, shares].mean(axis=1)
            drawn[rows] += _shared(offsets[rows], residuals[rows], generator)[:, None]
        laws.append(fit_joint(points, drawn))
    return laws


def _shared(
    offsets: np.ndarray, residuals: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return a redrawn mean over seeds of what the runs of a seed share, by point (P,)."""
    num_seeds = offsets.shape[1]
    if num_seeds == 1:
        return np.asarray(residuals.std(axis=(1, 2)) * generator.standard_normal())
    centred = (offsets - offsets.mean(axis=1, keepdims=True)) * np.sqrt(num_seeds / (num_seeds - 1))
    return np.asarray(centred[:, generator.integers(num_seeds, size=num_seeds)].mean(axis=1))


@dataclass(frozen=True)
class TokenForm:
    """R = b0 + b1 T^s of the critical mixture ratio (Gu et al. 2024, arXiv:2407.17467).

    T are the tokens over `scale`.
    """

    b0: float
    b1: float
    s: float
    scale: float

    def critical(self, tokens: float) -> float:
        """Return R after so many tokens."""
        return float(self.b0 + self.b1 * (tokens / self.scale) ** self.s)


def fit_token_form(tokens: np.ndarray, critical: np.ndarray) -> TokenForm | None:
    """Fit R = b0 + b1 T^s to critical proportions (n,) after tokens (n,); None for too few."""
    if len(tokens) < MIN_POINTS:
        return None
    scale = float(np.exp(np.log(tokens).mean()))
    best: tuple[float, TokenForm] | None = None
    for s in EXPONENTS:
        if s == 0:
            continue
        powers = (tokens / scale) ** s
        b1, b0 = np.polyfit(powers, critical, 1)
        misfit = float(((b0 + b1 * powers - critical) ** 2).sum())
        if best is None or misfit < best[0]:
            best = misfit, TokenForm(float(b0), float(b1), float(s), scale)
    assert best is not None
    return best[1]
