"""Forward folds at several distances, the same ones for every pipeline.

Each fold fits smaller sizes, earlier checkpoints or both, and predicts the last losses of a larger
size or of a longer run. Its distance to what was fitted is (x, y):

    x = ln(N predicted / largest N fitted)      y = ln(D predicted / D that size usually reached)

both at least 0. `distance_errors` extrapolates the errors over (x, y) to the target's distance. A
pipeline may measure y in units of the fitted span, ln(D reached / first D fitted): see Candidate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.joint.fit import typical_tokens
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.scoring.folds import target_of

FIRST_PARTS = (1 / 4, 1 / 3, 1 / 2, 0.6, 0.75, 0.9)
"""Parts of a run's tokens that a fold fits. The last one tells how far a pipeline misses near the
data: without it that came from public runs alone, and near intervals were too wide."""
BEYOND = 1.2
"""A checkpoint beyond this part of a typical run of its size belongs to a run that goes on."""
MIN_CHECKPOINTS = 3
"""A fold needs as many numbers of tokens after the early cut of the full runs: a power law in
tokens has three parameters, and from two the priors alone would predict."""


class Predictor(Protocol):
    """What a fold needs of a law."""

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        """Return losses (m, V) in nats at proportions (m, K)."""
        ...


class Pipeline(Protocol):
    """What a fold fits."""

    @property
    def name(self) -> str:
        """Return nested, joint or loglog."""
        ...

    def fit(self, observations: Observations, target: Target) -> Predictor:
        """Return the law at the target. Raises FitError when the observations do not allow it."""
        ...


@dataclass(frozen=True, eq=False)
class Candidate:
    """A pipeline with what the folds must know of it."""

    pipeline: Pipeline
    kept: np.ndarray
    """(n,) mask: the rows left by its early cut, taken from the full runs. A fold's truncated runs
    must not move the cut: the first steps of a run are as special in a fold as in the whole."""
    min_sizes: int
    """Sizes that a fold must leave to it: three for nested, whose size law has three parameters,
    and two for joint."""
    by_span: bool
    """Whether y counts in units of the fitted span in tokens. So it does for joint, which misses by
    how well that span shows the trend: on the published logs half a run misses more than a third of
    a schedule does. Not for nested, which misses what it lacks, the schedule."""

    @property
    def name(self) -> str:
        """Return the pipeline's name."""
        return self.pipeline.name

    def distance(self, observations: Observations, train: np.ndarray, target: Target) -> Distance:
        """Return how far the target is from the rows to fit (n,), in this pipeline's units."""
        fitted = observations.select(train & self.kept)
        plain = distance_to(fitted, target)
        if not self.by_span or plain.tokens == 0:
            return plain
        span = _span(fitted)
        return Distance(plain.size, plain.tokens / span if span > 0 else np.inf)


@dataclass(frozen=True)
class Distance:
    """How far a prediction looks beyond the losses that were fitted."""

    size: float
    """x, at least 0."""
    tokens: float
    """y, at least 0."""


@dataclass(frozen=True, eq=False)
class DistanceFold:
    """One split: rows to fit, and rows at one size and one number of tokens to predict."""

    name: str
    train: np.ndarray
    """(n,) mask."""
    validate: np.ndarray
    """(n,) mask."""
    num_sizes: int
    """Sizes left to fit."""
    distance: Distance


@dataclass(frozen=True, eq=False)
class FoldPrediction:
    """What one pipeline predicted on one fold, mean over seeds; overall last."""

    pipeline: str
    fold: DistanceFold
    distance: Distance
    """In the pipeline's units; the fold's own is in plain logarithms."""
    size: str
    tokens: float
    mixtures: np.ndarray
    """(m,) ids."""
    proportions: np.ndarray
    """(m, K)."""
    observed: np.ndarray
    """(m, V + 1) nats."""
    predicted: np.ndarray
    """(m, V + 1) nats."""

    @property
    def errors(self) -> np.ndarray:
        """Return predicted minus observed (m, V + 1)."""
        return self.predicted - self.observed


@dataclass(frozen=True, eq=False)
class FoldPredictions:
    """What every candidate predicted, and why it could not."""

    found: tuple[FoldPrediction, ...]
    failed: tuple[tuple[str, DistanceFold, str], ...]
    """(pipeline, fold, message)."""

    def of(self, pipeline: str) -> list[FoldPrediction]:
        """Return one pipeline's predictions."""
        return [each for each in self.found if each.pipeline == pipeline]


def distance_to(observations: Observations, target: Target) -> Distance:
    """Return how far a target is from the observations."""
    largest, reached = _reach(observations)
    return _distance(target.num_params, target.tokens, largest, reached)


def distance_folds(observations: Observations, kept: np.ndarray) -> list[DistanceFold]:
    """Return the folds that the observations allow.

    `kept` (n,) is the early cut of the full runs: a fold needs MIN_CHECKPOINTS numbers of tokens
    after it. A swarm of one size, or of one checkpoint, may have none. With few checkpoints two
    parts of a run can hold the same rows: these are one fold.
    """
    folds: dict[bytes, DistanceFold] = {}
    for fold in _all_folds(observations):
        if len(np.unique(observations.tokens[fold.train & kept])) >= MIN_CHECKPOINTS:
            folds.setdefault(np.packbits([fold.train, fold.validate]).tobytes(), fold)
    return list(folds.values())


def _all_folds(observations: Observations) -> Iterator[DistanceFold]:
    part = observations.tokens / typical_tokens(observations)
    usual = part <= BEYOND
    sizes = np.unique(observations.num_params)
    ends = {n: _last_common(observations, (observations.num_params == n) & usual) for n in sizes}
    largest = sizes[-1]
    for first in FIRST_PARTS:
        train = usual & (part <= first + 1e-9)
        yield from _fold(observations, f"first {first:.2g} of the tokens", train, ends[largest])
    for place in range(2, len(sizes)):
        smaller = observations.num_params < sizes[place]
        for predicted in sizes[place:]:
            left = f"{place} sizes, predicting {_label(observations, ends[predicted])}"
            yield from _fold(observations, left, smaller & usual, ends[predicted])
        for first in FIRST_PARTS:
            train = smaller & usual & (part <= first + 1e-9)
            name = f"{place} sizes and the first {first:.2g} of their tokens"
            yield from _fold(observations, name, train, ends[largest])
    for size in sizes:
        late = (observations.num_params == size) & ~usual
        if late.any():
            end = _last_common(observations, late)
            name = f"runs that go on, {_label(observations, end)}"
            yield from _fold(observations, name, usual, end)


def _fold(
    observations: Observations, name: str, train: np.ndarray, validate: np.ndarray
) -> Iterator[DistanceFold]:
    """Yield the fold if it has rows to fit and to predict."""
    if not train.any() or not validate.any():
        return
    fitted = observations.select(train)
    unseen = target_of(observations.select(validate))
    yield DistanceFold(
        name, train, validate, len(np.unique(fitted.num_params)), distance_to(fitted, unseen)
    )


def _last_common(observations: Observations, rows: np.ndarray) -> np.ndarray:
    """Return the mask (n,) of the last number of tokens that all runs among the rows have.

    Where they share none, the one that most of them have, the last of equals.
    """
    tokens, counts = np.unique(observations.tokens[rows], return_counts=True)
    end = tokens[np.flatnonzero(counts == counts.max())[-1]]
    return np.asarray(rows & (observations.tokens == end))


def _label(observations: Observations, rows: np.ndarray) -> str:
    return str(observations.size[rows][0])


def _reach(observations: Observations) -> tuple[float, float]:
    """Return the largest N, and the tokens at which its runs usually end (median)."""
    largest = observations.num_params.max()
    rows = observations.select(observations.num_params == largest)
    return float(largest), float(typical_tokens(rows)[0])


def _span(observations: Observations) -> float:
    """Return ln(D that the largest size usually reached / the first D fitted to it)."""
    largest, reached = _reach(observations)
    return float(np.log(reached / observations.tokens[observations.num_params == largest].min()))


def _distance(num_params: float, tokens: float, largest: float, reached: float) -> Distance:
    return Distance(
        max(0.0, float(np.log(num_params / largest))), max(0.0, float(np.log(tokens / reached)))
    )


def predict_folds(
    candidates: Sequence[Candidate],
    observations: Observations,
    columns: Columns,
    folds: Sequence[DistanceFold],
) -> FoldPredictions:
    """Fit every candidate to every fold that leaves it enough sizes; keep the reasons of failures.

    Size folds are those with x > 0: a fold within the fitted sizes asks no candidate for more.
    """
    found: list[FoldPrediction] = []
    failed: list[tuple[str, DistanceFold, str]] = []
    for fold in folds:
        for candidate in candidates:
            if fold.distance.size > 0 and fold.num_sizes < candidate.min_sizes:
                continue
            try:
                found.append(_predict(candidate, observations, columns, fold))
            except FitError as error:
                failed.append((candidate.name, fold, str(error)))
    return FoldPredictions(tuple(found), tuple(failed))


def _predict(
    candidate: Candidate, observations: Observations, columns: Columns, fold: DistanceFold
) -> FoldPrediction:
    unseen = observations.select(fold.validate)
    target = target_of(unseen)
    law = candidate.pipeline.fit(observations.select(fold.train & candidate.kept), target)
    mixtures, first = np.unique(unseen.mixture, return_index=True)
    observed = np.array([unseen.losses[unseen.mixture == m].mean(axis=0) for m in mixtures])
    return FoldPrediction(
        pipeline=candidate.name,
        fold=fold,
        distance=candidate.distance(observations, fold.train, target),
        size=str(unseen.size[0]),
        tokens=target.tokens,
        mixtures=mixtures,
        proportions=unseen.proportions[first],
        observed=columns.with_overall(observed),
        predicted=columns.with_overall(law.predict(unseen.proportions[first])),
    )
