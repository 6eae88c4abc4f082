"""Intervals of a swarm at one size and one number of tokens: errors on mixtures left out."""

from __future__ import annotations

import numpy as np

from mixlaws.laws.overall import Columns
from mixlaws.results import K_FOLD
from mixlaws.scoring.folds import NUM_GROUPS, FoldResult, LossTable, cross_validate_mixtures


def single_point_errors(
    mixing: str, table: LossTable, columns: Columns, left_out: FoldResult | None = None
) -> np.ndarray:
    """Return the absolute errors (n, V + 1) of the mixing law over 8 folds of the mixtures.

    With fewer than 8 mixtures each is left out alone. `left_out`, if it is of groups of mixtures,
    holds these predictions already.
    """
    if left_out is None or left_out.fold != K_FOLD:
        folds = min(NUM_GROUPS, len(table.mixtures))
        results = cross_validate_mixtures([mixing], table, num_folds=folds)
        left_out = next(each for each in results if each.law == mixing)
    predicted, observed = (columns.with_overall(x) for x in (left_out.predicted, left_out.observed))
    return np.abs(predicted - observed)


def single_point_half_width(errors: np.ndarray, level: float) -> np.ndarray:
    """Return half the interval (V + 1,) of one new run's loss at the swarm's own size and tokens.

    The `level` quantile of absolute errors (n, V + 1) on mixtures left out, which hold the noise
    of a run and what the law cannot follow; a bootstrap holds neither. The quantile is that of a
    new error: the ceil((n + 1) level)-th of n, the largest where n is too small for it.
    """
    number = len(errors)
    place = min(int(np.ceil((number + 1) * level)), number) - 1
    return np.asarray(np.sort(errors, axis=0)[place])


def single_point_coverage(errors: np.ndarray, level: float) -> float:
    """Return the share of errors (n, V + 1) inside the half-width that all others tell.

    nan with fewer than two mixtures.
    """
    if len(errors) < 2:
        return float("nan")
    others = [np.delete(errors, place, axis=0) for place in range(len(errors))]
    widths = np.array([single_point_half_width(each, level) for each in others])
    return float((errors <= widths).mean())
