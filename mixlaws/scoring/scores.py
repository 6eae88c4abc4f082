"""Scores of held-out predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from mixlaws.laws.overall import Columns
from mixlaws.scoring.folds import FoldResult

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


_ROUNDING = 1e-12
"""Losses that differ by less, relative to the largest, are equal: their ranks say nothing."""


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
    if len(observed) >= MIN_RANKED and np.ptp(observed) > _ROUNDING * np.abs(observed).max():
        scores["r2"] = float(1 - ((predicted - observed) ** 2).sum() / spread)
        if ranks and np.ptp(predicted) > 0:
            scores["spearman"] = float(scipy.stats.spearmanr(observed, predicted).statistic)
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
