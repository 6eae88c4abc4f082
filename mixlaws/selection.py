"""Scores of held-out predictions, and the choice of the mixing law that they support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from mixlaws.errors import ConfigError
from mixlaws.folds import BASELINES, K_FOLD, LEAVE_ONE_MIXTURE_OUT, FoldResult
from mixlaws.objective import Columns

DEFAULT_LAW = "additive"

# Rank correlations and R2 of fewer mixtures say nothing.
MIN_RANKED = 3


def score_rows(
    results: Sequence[FoldResult], columns: Columns, *, decides: str
) -> list[dict[str, Any]]:
    """Return the rows of scores.csv: each result per validation domain, and overall.

    mae and regret are in nats. The regret is the observed loss of the mixture of lowest prediction
    minus the lowest observed loss, among the mixtures of the fold; where predictions do not rank
    (the mean), it is that of a mixture drawn at random. best-observed predicts no unseen mixture:
    it has scores where a mixture was seen before, at a smaller size or earlier.
    A score that a result cannot have, such as the rank correlation of equal predictions, is nan.
    `decides` is the law that was chosen.
    """
    rows = []
    for result in results:
        observed = columns.with_overall(result.observed)
        predicted = columns.with_overall(result.predicted)
        for index, name in enumerate(columns.names):
            rows.append(
                {
                    "law": result.law,
                    "fold": result.fold,
                    "size": result.size,
                    "tokens": result.tokens,
                    "validation_domain": name,
                    "num_mixtures": len(result.mixtures),
                    **_scores(observed[:, index], predicted[:, index], ranks=result.ranks),
                    "decides": result.law == decides,
                }
            )
    return rows


def _scores(observed: np.ndarray, predicted: np.ndarray, *, ranks: bool) -> dict[str, float]:
    """Return mae, r2, spearman and regret of (m,) losses."""
    scores = {"mae": np.nan, "r2": np.nan, "spearman": np.nan, "regret": np.nan}
    if not np.isfinite(predicted).all():
        return scores
    # Without ranks any mixture may be chosen: a mean of all others is highest for the best one.
    chosen = observed[predicted == predicted.min()] if ranks else observed
    scores["mae"] = float(np.abs(predicted - observed).mean())
    scores["regret"] = float(chosen.mean() - observed.min())
    spread = ((observed - observed.mean()) ** 2).sum()
    if len(observed) >= MIN_RANKED and spread > 0:
        scores["r2"] = float(1 - ((predicted - observed) ** 2).sum() / spread)
        if ranks and np.ptp(predicted) > 0:
            scores["spearman"] = float(stats.spearmanr(observed, predicted).statistic)
    return scores


@dataclass(frozen=True, eq=False)
class PredictedLosses:
    """Predictions of one law for named mixtures at one size and number of tokens."""

    law: str
    kind: str
    """fitted, leave-one-mixture-out, held-out or target."""
    size: str
    tokens: float
    mixtures: np.ndarray
    """(m,) ids."""
    predicted: np.ndarray
    """(m, V) nats."""
    lower: np.ndarray | None = None
    """(m, V + 1), overall last; None where there is no interval."""
    upper: np.ndarray | None = None
    """(m, V + 1)."""


def fold_predictions(result: FoldResult) -> PredictedLosses:
    """Return a fold's predictions in the form of the table."""
    return PredictedLosses(
        result.law, result.fold, result.size, result.tokens, result.mixtures, result.predicted
    )


def prediction_rows(predictions: PredictedLosses, columns: Columns) -> list[dict[str, Any]]:
    """Return the rows of predictions.csv: each mixture per validation domain, and overall."""
    values = columns.with_overall(predictions.predicted)
    empty = np.full_like(values, np.nan)
    lower = empty if predictions.lower is None else predictions.lower
    upper = empty if predictions.upper is None else predictions.upper
    return [
        {
            "law": predictions.law,
            "kind": predictions.kind,
            "size": predictions.size,
            "tokens": predictions.tokens,
            "mixture": mixture,
            "validation_domain": name,
            "predicted": float(values[row, column]),
            "lower": float(lower[row, column]),
            "upper": float(upper[row, column]),
        }
        for row, mixture in enumerate(predictions.mixtures.tolist())
        for column, name in enumerate(columns.names)
    ]


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
                f"laws.mixing must name a scored law ({', '.join(errors)}), got {pinned!r}"
            )
        return Decision(pinned, "pinned by laws.mixing in the config")
    if DEFAULT_LAW not in errors:
        raise ConfigError(
            f"the {DEFAULT_LAW} law must be among the scored laws, got {list(errors)}"
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
    return float(stats.ttest_1samp(lead, 0.0, alternative="greater").pvalue)


def _kept_reason(default: np.ndarray, others: Mapping[str, np.ndarray], level: float) -> str:
    """Say how close the best alternative came."""
    if not others:
        return "no other law was scored"
    law = min(others, key=lambda name: others[name].mean())
    return (
        f"its mean error on unseen mixtures is {default.mean():.4f} nats; the best alternative, "
        f"{law} with {others[law].mean():.4f}, is not better beyond noise (level {level:.2g})"
    )
