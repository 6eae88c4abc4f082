"""Intervals of a swarm at one size and one number of tokens: errors on mixtures left out."""

from __future__ import annotations

import numpy as np

from mixlaws.laws.overall import Columns
from mixlaws.scoring.folds import LossTable, cross_validate_mixtures

NUM_FOLDS = 8


def single_point_half_width(
    mixing: str, table: LossTable, columns: Columns, *, level: float = 0.9
) -> np.ndarray:
    """Return half the interval (V + 1,) of one new run's loss at the swarm's own size and tokens.

    The `level` quantile of the absolute errors of the mixing law over 8 folds of the mixtures
    (leave-one-out below 8), which holds the noise of a run and what the law cannot follow; a
    bootstrap holds neither. The quantile is that of a new error: the ceil((n + 1) level)-th of n,
    the largest where n is too small for it.
    """
    num_mixtures = len(table.mixtures)
    folds = min(NUM_FOLDS, num_mixtures)
    results = cross_validate_mixtures([mixing], table, num_folds=folds)
    result = next(each for each in results if each.law == mixing)
    errors = np.abs(columns.with_overall(result.predicted) - columns.with_overall(result.observed))
    place = min(int(np.ceil((num_mixtures + 1) * level)), num_mixtures) - 1
    return np.asarray(np.sort(errors, axis=0)[place])
