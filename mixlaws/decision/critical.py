"""The critical proportion of our own runs: which replay share keeps the loss of the base.

All losses are compared with the base that the run itself started from, measured on the same
windows before the first step. What differs between bases drops out of these excess losses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mixlaws.decision.continual import FORMS, MIN_MIXTURES, Redraws, fit_share_law
from mixlaws.errors import FitError
from mixlaws.runs.replay import Replay

FOUND, EVERY, NONE = "found", "every", "none"
"""Whether a trained share, every one or none of them keeps the loss."""
MAIN_FORM = FORMS[0]
GRID_POINTS = 401


@dataclass(frozen=True)
class Point:
    """All runs of one size after one number of steps: S seeds, K shares."""

    size: str
    num_params: float
    step: int
    tokens: float
    shares: np.ndarray
    """Shares (K,) of the original data, rising."""
    original: np.ndarray
    """Losses (S, K) to preserve, nats."""
    new: np.ndarray
    """Losses (S, K) to lower, nats."""
    base_original: np.ndarray
    """Loss (S,) to preserve before the first step, by seed."""
    base_new: np.ndarray
    """Loss (S,) to lower before the first step, by seed."""

    @property
    def excess(self) -> np.ndarray:
        """Return how far the losses (S, K) to preserve are above those of the bases."""
        return self.original - self.base_original[:, None]

    @property
    def grid(self) -> np.ndarray:
        """Return shares (GRID_POINTS,) from the least to the largest that was trained."""
        return np.linspace(self.shares[0], self.shares[-1], GRID_POINTS)


@dataclass(frozen=True)
class Critical:
    """The critical proportion of one point."""

    status: str
    """FOUND, EVERY or NONE, by the main form."""
    value: float
    """0 where every trained share keeps the loss, inf where none does."""
    lower: float
    upper: float
    by_form: Mapping[str, float]
    draws: np.ndarray
    """Redrawn excess losses (R, GRID_POINTS) of the main form on the point's grid."""


def make_points(
    losses: pd.DataFrame, initial: pd.DataFrame, num_params: Mapping[str, float], replay: Replay
) -> list[Point]:
    """Return a point for each size and step, sizes and steps rising.

    `losses` have the columns of losses.parquet and `share`; `initial` those of the losses before
    the first step. Raises FitError for fewer than four shares, and where a run is missing.
    """
    wide = {
        "original": _weighted(losses, replay.preserve),
        "new": _weighted(losses, replay.learn),
        "base_original": _weighted(initial, replay.preserve),
        "base_new": _weighted(initial, replay.learn),
    }
    points = []
    for size in sorted(num_params, key=lambda name: num_params[name]):
        base = {name: wide[f"base_{name}"].loc[size].groupby("seed").mean() for name in KINDS}
        for step, part in wide["original"].loc[size].groupby("step"):
            table = part.reset_index().pivot(index="seed", columns="share", values="loss")
            others = wide["new"].loc[size].xs(step, level="step").reset_index()
            new = others.pivot(index="seed", columns="share", values="loss")
            if table.isna().to_numpy().any() or len(table.columns) < MIN_MIXTURES:
                raise FitError(
                    f"{size} after step {step}: a critical proportion needs every seed at the same "
                    f"{MIN_MIXTURES} or more shares, found {table.notna().to_numpy().sum()} runs "
                    f"at {len(table.columns)} shares. Train the missing runs"
                )
            tokens = float(part.reset_index()["tokens"].iloc[0])
            points.append(
                Point(
                    str(size),
                    float(num_params[size]),
                    int(step),
                    tokens,
                    table.columns.to_numpy(dtype=float),
                    table.to_numpy(),
                    new.to_numpy(),
                    base["original"].loc[table.index].to_numpy(),
                    base["new"].loc[table.index].to_numpy(),
                )
            )
    return points


KINDS = ("original", "new")


def _weighted(losses: pd.DataFrame, weights: Mapping[str, float]) -> pd.Series:
    """Return the weighted loss by size, step, seed, share and tokens."""
    part = losses[losses["validation_domain"].isin(list(weights))]
    weighted = part["loss"] * part["validation_domain"].map(dict(weights))
    key = ["size", "step", "seed", "share", "tokens"]
    return part.assign(loss=weighted).groupby(key)["loss"].sum()


def find_critical(point: Point, redraws: Redraws) -> Critical:
    """Return the least share whose predicted loss is at or below the base's, with an interval.

    Only trained shares are searched. The interval holds all forms, refitted to redrawn runs.
    """
    excess = point.excess.mean(axis=0)
    laws = {form: fit_share_law(form, point.shares, excess) for form in FORMS}
    by_form = {form: least_safe(point.grid, law(point.grid)) for form, law in laws.items()}
    found, kept = [], []
    for redrawn in redraw(point.excess, laws[MAIN_FORM](point.shares), redraws):
        for form in FORMS:
            curve = fit_share_law(form, point.shares, redrawn)(point.grid)
            found.append(least_safe(point.grid, curve))
            if form == MAIN_FORM:
                kept.append(curve)
    lower, upper = quantiles(np.array(found), redraws.level)
    value = by_form[MAIN_FORM]
    return Critical(status_of(value), value, lower, upper, by_form, np.array(kept))


def status_of(value: float) -> str:
    """Return what a critical proportion of 0, of inf, or between them means."""
    return EVERY if value == 0 else NONE if np.isinf(value) else FOUND


def least_safe(grid: np.ndarray, excess: np.ndarray) -> float:
    """Return the least share of the grid whose excess is not positive: 0 for all, inf for none."""
    safe = np.flatnonzero(excess <= 0)
    if not len(safe):
        return float("inf")
    first = int(safe[0])
    if first == 0:
        return 0.0
    above, below = excess[first - 1], excess[first]
    return float(grid[first - 1] + (grid[first] - grid[first - 1]) * above / (above - below))


def quantiles(values: np.ndarray, level: float) -> tuple[float, float]:
    """Return both ends of a central interval of values, some of which may be inf."""
    tail = (1 - level) / 2
    lower, upper = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    return float(lower), float(upper)


def redraw(excess: np.ndarray, fitted: np.ndarray, redraws: Redraws) -> np.ndarray:
    """Return redrawn excess losses (R, K), each the mean over as many seeds as there are.

    Runs are redrawn by their residuals. What all runs of a seed share, the noise of their base
    included, is redrawn by seeds; of one seed it is unknown, and taken to be that of one run.
    `excess` is (S, K); `fitted` (K,) is the law.
    """
    generator = np.random.default_rng(redraws.seed)
    num_seeds, num_shares = excess.shape
    offsets = (excess - fitted).mean(axis=1)
    offsets -= offsets.mean()
    residuals = excess - fitted - (excess - fitted).mean(axis=1)[:, None]
    residuals *= np.sqrt(excess.size / max(excess.size - num_seeds - 2, 1))
    shape = (redraws.replicates, num_seeds)
    runs = generator.choice(residuals.ravel(), (*shape, num_shares)).mean(axis=1)
    if num_seeds > 1:
        shared = generator.choice(offsets * np.sqrt(num_seeds / (num_seeds - 1)), shape)
    else:
        shared = residuals.std() * generator.standard_normal(shape)
    return np.asarray(fitted + runs + shared.mean(axis=1)[:, None])


def knee(first: np.ndarray, second: np.ndarray) -> int:
    """Return the place where a curve of two losses bends most: the farthest from its chord.

    Both losses are scaled to their range, so that the choice does not depend on their units.
    """
    scaled = [(loss - loss.min()) / max(np.ptp(loss), 1e-12) for loss in (first, second)]
    return int(np.argmin(scaled[0] + scaled[1]))


def main_point(points: Sequence[Point]) -> Point:
    """Return the point of the answer: the largest size after all its tokens."""
    return max(points, key=lambda point: (point.num_params, point.tokens))


def fitted(point: Point, kind: str) -> np.ndarray:
    """Return the main law of a loss above the base's on the point's grid."""
    if kind == "original":
        return fit_share_law(MAIN_FORM, point.shares, point.excess.mean(axis=0))(point.grid)
    above = (point.new - point.base_new[:, None]).mean(axis=0)
    # The law of a domain is one of its own share.
    return fit_share_law(MAIN_FORM, 1 - point.shares, above)(1 - point.grid)
