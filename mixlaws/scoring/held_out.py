"""Intervals of the held-out mixtures' losses, from the errors on mixtures that were left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mixlaws.laws.overall import Columns
from mixlaws.results import HELD_OUT
from mixlaws.scoring.folds import FoldResult
from mixlaws.scoring.forward import COVERAGE_LEVEL
from mixlaws.scoring.scores import PredictedLosses


def with_held_out_interval(
    predictions: PredictedLosses, folds: Sequence[FoldResult], columns: Columns
) -> PredictedLosses:
    """Return predictions of held-out mixtures with an interval of one new run; others unchanged.

    The half-width (V + 1,) is a quantile of the absolute errors that the same law makes, at the
    same size, on the fitted mixtures when they are left out: the ceil((n + 1) level)-th of n, or
    the largest. The held-out mixtures themselves have no part in it.
    """
    if predictions.kind != HELD_OUT:
        return predictions
    left_out = next(f for f in folds if f.size == predictions.size and f.fold != HELD_OUT)
    errors = columns.with_overall(left_out.predicted) - columns.with_overall(left_out.observed)
    number = len(errors)
    place = min(int(np.ceil((number + 1) * COVERAGE_LEVEL)), number) - 1
    half = np.sort(np.abs(errors), axis=0)[place]
    values = columns.with_overall(predictions.predicted)
    return replace(predictions, lower=values - half, upper=values + half)
