"""Predict what a law was not fitted to: folds over mixtures, sizes and steps, and baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixlaws.errors import DataError
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.pipelines import Pipeline
from mixlaws.results import (
    HELD_OUT,
    K_FOLD,
    LATER_STEPS,
    LEAVE_ONE_MIXTURE_OUT,
    LEAVE_ONE_SIZE_OUT,
)
from mixlaws.scoring.predictors import BASELINES, mixing_predictor

MANY_MIXTURES = 64
"""Above this number mixtures are left out in groups: one fit per mixture would take minutes and
change nothing, as a fit without an eighth of so many is as good as one without a single one."""
NUM_GROUPS = 8
"""Groups of mixtures that are then left out in turn."""
Forecaster = Callable[[Observations, Observations], np.ndarray]
"""(rows to fit, n_test rows to predict) -> losses (n_test, V)."""


@dataclass(frozen=True, eq=False)
class LossTable:
    """One loss per mixture and validation domain, at one size and one number of tokens."""

    size: str
    """A size label, or "target" for extrapolated losses."""
    tokens: float
    mixtures: np.ndarray
    """(M,) ids."""
    proportions: np.ndarray
    """(M, K)."""
    losses: np.ndarray
    """(M, V) nats."""


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What one law predicted for mixtures or runs that it was not fitted to."""

    law: str
    fold: str
    size: str
    """A size label, or "target" where the observed losses are themselves extrapolated."""
    tokens: float
    mixtures: np.ndarray
    """(m,) ids."""
    observed: np.ndarray
    """(m, V) nats."""
    predicted: np.ndarray
    """(m, V) nats; infinite for a mixture that would never be chosen."""
    ranks: bool = True
    """False where the order of predictions only tells which mixture was left out."""


def last_rows(observations: Observations, size: str) -> Observations:
    """Return the rows of a size at the last step that all its runs have.

    Raises DataError if its runs have no step in common.
    """
    rows = observations.select(observations.size == size)
    num_runs = len(set(zip(rows.mixture.tolist(), rows.seed.tolist(), strict=True)))
    steps, counts = np.unique(rows.step, return_counts=True)
    common = steps[counts == num_runs]
    if not len(common):
        raise DataError(
            f"the runs of size {size} have no step in common at which mixtures could be compared; "
            f"their steps are {steps.tolist()}. Evaluate all runs at the same steps"
        )
    return rows.select(rows.step == common[-1])


def last_losses(observations: Observations, size: str) -> LossTable:
    """Return the losses of a size at the last step that all its runs have, mean over seeds."""
    rows = last_rows(observations, size)
    mixtures, first = np.unique(rows.mixture, return_index=True)
    losses = _mean_by_mixture(rows.mixture, rows.losses)
    return LossTable(size, float(rows.tokens[0]), mixtures, rows.proportions[first], losses)


def _mean_by_mixture(mixture: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Return the mean losses (M, V) over the seeds of each mixture, in the order of ids."""
    return np.array([losses[mixture == each].mean(axis=0) for each in np.unique(mixture)])


def target_of(rows: Observations) -> Target:
    """Return the point in (N, D) of rows that share one."""
    return Target(
        num_params=float(rows.num_params[0]),
        compute_params=float(rows.compute_params[0]),
        tokens=float(rows.tokens[0]),
        effective_tokens=float(rows.effective_tokens[0]),
        annealing=float(rows.annealing[0]),
    )


def forecaster(pipeline: Pipeline) -> Forecaster:
    """Return the forecaster of a pipeline: fitted anew to the rows of each fold."""

    def forecast(fitted: Observations, unseen: Observations) -> np.ndarray:
        target, sizes = target_of(unseen), np.unique(fitted.num_params)
        if len(sizes) == 1:
            # No law in size from one size: its loss is the forecast, and the errors say how bad.
            target = replace(target, num_params=float(sizes[0]))
        return pipeline.fit(fitted, target).predict(unseen.proportions)

    return forecast


def cross_validate_mixtures(
    laws: Sequence[str], table: LossTable, *, num_folds: int | None = None
) -> list[FoldResult]:
    """Predict every mixture by laws fitted to the others; baselines are always added.

    `num_folds` None leaves one mixture out at a time. With k folds the mixture of row i is in fold
    i mod k: space-filling designs go from extreme to inner, so every fold gets all kinds.
    """
    num_mixtures = len(table.mixtures)
    split = np.arange(num_mixtures) % (num_folds or num_mixtures)
    fold = LEAVE_ONE_MIXTURE_OUT if num_folds is None else K_FOLD
    return [predict_splits(law, fold, table, split) for law in _with_baselines(laws)]


def leave_mixtures_out(laws: Sequence[str], table: LossTable) -> list[FoldResult]:
    """Predict every mixture by laws fitted to others: one left out at a time, or one in eight."""
    many = len(table.mixtures) > MANY_MIXTURES
    return cross_validate_mixtures(laws, table, num_folds=NUM_GROUPS if many else None)


def predict_held_out(
    laws: Sequence[str], table: LossTable, held_out: Sequence[str]
) -> list[FoldResult]:
    """Predict the held-out mixtures by laws fitted to all others; baselines are always added.

    Raises DataError if none of the held-out mixtures is in the table.
    """
    split = np.where(np.isin(table.mixtures, list(held_out)), 0, -1)
    if not (split == 0).any():
        raise DataError(
            f"no held-out mixture of {list(held_out)} has a loss at size {table.size}, only "
            f"{table.mixtures.tolist()}: train them or set mixtures.held_out to 0"
        )
    return [predict_splits(law, HELD_OUT, table, split) for law in _with_baselines(laws)]


def _with_baselines(laws: Sequence[str]) -> list[str]:
    return [*laws, *(baseline for baseline in BASELINES if baseline not in laws)]


def predict_splits(
    law: str,
    fold: str,
    table: LossTable,
    split: np.ndarray,
    *,
    own: np.ndarray | None = None,
) -> FoldResult:
    """Predict each split (-1: always fitted) from all other mixtures.

    `own` (V,) is the training domain of each validation domain, for `bimix` alone.
    """
    predict = mixing_predictor(law, own)
    predicted = np.full_like(table.losses, np.nan)
    for each in range(split.max() + 1):
        out = split == each
        predicted[out] = predict(
            table.proportions[~out], table.losses[~out], table.proportions[out]
        )
    used = split >= 0
    return FoldResult(
        law=law,
        fold=fold,
        size=table.size,
        tokens=table.tokens,
        mixtures=table.mixtures[used],
        observed=table.losses[used],
        predicted=predicted[used],
        ranks=law not in ("mean", "best-observed"),
    )


def leave_largest_size_out(
    forecasters: Mapping[str, Forecaster], observations: Observations
) -> list[FoldResult]:
    """Predict the last losses of the largest size from all smaller sizes.

    The baselines know each mixture at the largest of the smaller sizes: its loss there
    (best-observed), their mean, and a linear law through them.
    Raises DataError if there is only one size.
    """
    sizes = observations.size[np.argsort(observations.num_params, kind="stable")]
    largest = sizes[-1]
    smaller = observations.select(observations.size != largest)
    if not len(smaller):
        raise DataError(
            f"there is no size to leave out beside {largest}: add one to training.sizes"
        )
    known = last_losses(smaller, str(sizes[sizes != largest][-1]))
    unseen = last_rows(observations, str(largest))
    return _forecast(forecasters, LEAVE_ONE_SIZE_OUT, smaller, unseen, known)


def leave_later_steps_out(
    forecasters: Mapping[str, Forecaster],
    observations: Observations,
    size: str,
    *,
    first_part: float = 0.5,
) -> list[FoldResult]:
    """Predict the last losses of a size's runs from the first part of every run's tokens.

    The baselines know each mixture at the last step of the first part.
    """
    unseen = last_rows(observations, size)
    limit = first_part * unseen.tokens.max()
    early = observations.select(observations.tokens <= limit)
    return _forecast(forecasters, LATER_STEPS, early, unseen, last_losses(early, size))


def _forecast(
    forecasters: Mapping[str, Forecaster],
    fold: str,
    fitted: Observations,
    unseen: Observations,
    known: LossTable,
) -> list[FoldResult]:
    """Predict the unseen rows by every forecaster and baseline; mean over seeds."""
    mixtures, first = np.unique(unseen.mixture, return_index=True)
    predictions = {
        name: _mean_by_mixture(unseen.mixture, forecast(fitted, unseen))
        for name, forecast in forecasters.items()
    }
    for name in ("mean", "linear"):
        predict = mixing_predictor(name)
        predictions[name] = predict(known.proportions, known.losses, unseen.proportions[first])
    predictions["best-observed"] = _known_losses(known, mixtures)
    return [
        FoldResult(
            law=name,
            fold=fold,
            size=str(unseen.size[0]),
            tokens=float(unseen.tokens[0]),
            mixtures=mixtures,
            observed=_mean_by_mixture(unseen.mixture, unseen.losses),
            predicted=predicted,
            ranks=name != "mean",
        )
        for name, predicted in predictions.items()
    ]


def _known_losses(known: LossTable, mixtures: np.ndarray) -> np.ndarray:
    """Return each mixture's known loss (m, V), the largest known one where it was not seen."""
    place = {mixture: index for index, mixture in enumerate(known.mixtures.tolist())}
    worst = known.losses.max(axis=0)
    return np.array([known.losses[place[m]] if m in place else worst for m in mixtures.tolist()])
