"""The choice of the mixing law by its errors on unseen mixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from mixlaws.errors import ConfigError
from mixlaws.laws.overall import Columns
from mixlaws.results import K_FOLD, LEAVE_ONE_MIXTURE_OUT
from mixlaws.scoring.folds import FoldResult
from mixlaws.scoring.predictors import BASELINES
from mixlaws.scoring.scores import MIN_RANKED

DEFAULT_LAW = "additive"


@dataclass(frozen=True)
class Decision:
    """The mixing law that the workflow uses, and why."""

    law: str
    reason: str


def decide(
    results: Sequence[FoldResult], columns: Columns, *, pinned: str | None = None
) -> Decision:
    """Choose the mixing law: the additive law unless the folds clearly prefer another.

    Judged by `results` of cross_validate_mixtures, at one or several sizes. For every law, the
    absolute error of the overall loss at each mixture it was not fitted to is averaged over the
    sizes (their noise is shared, so sizes are not independent evidence). A law replaces the
    additive one if its error is lower by a one-sided paired t-test over mixtures at the level
    0.05 / number of alternatives; among those, the one of lowest mean error.
    Raises ConfigError if a pinned law was not scored or the additive law was not.
    """
    errors = _errors_by_law(results, columns.weights)
    if pinned is not None:
        if pinned not in errors:
            raise ConfigError(
                f"the law {pinned!r} of laws.mixing was not scored: choose from {', '.join(errors)}"
            )
        return Decision(pinned, "pinned by laws.mixing in the config")
    if DEFAULT_LAW not in errors:
        raise ConfigError(
            f"the {DEFAULT_LAW} law, to which others are compared, is not among the scored laws "
            f"{list(errors)}: score it too"
        )
    others = {law: error for law, error in errors.items() if law != DEFAULT_LAW}
    level = 0.05 / max(len(others), 1)
    chances = {law: _paired_p_value(errors[DEFAULT_LAW], error) for law, error in others.items()}
    better = {law: others[law].mean() for law, chance in chances.items() if chance < level}
    if not better:
        return Decision(DEFAULT_LAW, _kept_reason(errors[DEFAULT_LAW], others, level))
    law = min(better, key=lambda name: better[name])
    return Decision(
        law,
        f"its mean error on unseen mixtures is {better[law]:.4f} nats against "
        f"{errors[DEFAULT_LAW].mean():.4f} of the {DEFAULT_LAW} law (p = {chances[law]:.2g})",
    )


def _errors_by_law(results: Sequence[FoldResult], weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return for each law but the baselines its |error| of the overall loss per mixture (M,)."""
    collected: dict[str, dict[str, list[float]]] = {}
    for result in results:
        if result.law in BASELINES or result.fold not in (LEAVE_ONE_MIXTURE_OUT, K_FOLD):
            continue
        error = np.abs((result.predicted - result.observed) @ weights)
        by_mixture = collected.setdefault(result.law, {})
        for mixture, value in zip(result.mixtures.tolist(), error.tolist(), strict=True):
            by_mixture.setdefault(mixture, []).append(value)
    return {
        law: np.array([np.mean(by_mixture[mixture]) for mixture in sorted(by_mixture)])
        for law, by_mixture in collected.items()
    }


def _paired_p_value(default: np.ndarray, other: np.ndarray) -> float:
    """Return the chance of so large a lead of `other` if both laws erred alike."""
    lead = default - other
    if len(lead) < MIN_RANKED or np.ptp(lead) == 0:
        return 1.0
    return float(scipy.stats.ttest_1samp(lead, 0.0, alternative="greater").pvalue)


def _kept_reason(default: np.ndarray, others: Mapping[str, np.ndarray], level: float) -> str:
    """Say how close the best alternative came."""
    if not others:
        return "no other law was scored"
    law = min(others, key=lambda name: others[name].mean())
    own, rival = float(default.mean()), float(others[law].mean())
    said = f"its mean error on unseen mixtures is {own:.4f} nats"
    if rival >= own:
        more = f"{rival / own:.2g} times as much" if own > 0 else "more"
        return f"{said}; the best alternative, {law}, misses by {more} ({rival:.4f} nats)"
    return (
        f"{said}; the best alternative, {law}, misses by a little less ({rival:.4f} nats), but not "
        f"by more than these mixtures scatter (level {level:.2g})"
    )
