"""The errors that the bootstrap cannot see, measured on folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixlaws.laws.overall import Columns, FoldErrors
from mixlaws.scoring.folds import FoldResult


def measure_fold_errors(results: Sequence[FoldResult], columns: Columns) -> FoldErrors:
    """Return the errors of one law over forward folds; each fold counts the same.

    Pass the results of the law that decides: sizes, steps or mixtures it was not fitted to. The
    difference between two mixtures is freed of what a fold misses in common.
    """
    errors = [
        columns.with_overall(result.predicted) - columns.with_overall(result.observed)
        for result in results
    ]
    level = np.mean([(error**2).mean(axis=0) for error in errors], axis=0)
    several = [error for error in errors if len(error) > 1]
    # The expected squared difference of two errors is twice their variance.
    variances = [2 * error.var(axis=0, ddof=1) for error in several] or [2 * level]
    return FoldErrors(np.sqrt(level), np.sqrt(np.mean(variances, axis=0)))
