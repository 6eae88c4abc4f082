"""Which pipeline is chosen, and how often its intervals hold, on the published logs.

    MIXLAWS_PUBLISHED=<folder of the published logs> python benchmarks/calibration.py

prints Markdown tables (docs/method.md). `--pooled` prints the table of scoring/pooled_errors.py
instead. In every cell the pipeline, its errors by distance and the variance of differences come
from the training side alone; where mixtures are left out, the folds are those of the whole swarm
without these mixtures' rows. The pooled shapes leave the swarm under test out. The 1B losses
choose nothing.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/reference")]

from published_logs import read_logs, weights_of  # noqa: E402

from mixlaws.decision.difference_variance import (  # noqa: E402
    DifferenceVariance,
    distances,
    fit_difference_variance,
    fit_forward_part,
)
from mixlaws.decision.level_variance import LevelVariance  # noqa: E402
from mixlaws.laws.observations import Observations, Target  # noqa: E402
from mixlaws.laws.overall import Columns  # noqa: E402
from mixlaws.scoring.distance_errors import shapes_of  # noqa: E402
from mixlaws.scoring.distance_folds import (  # noqa: E402
    Candidate,
    Distance,
    FoldPrediction,
    FoldPredictions,
    distance_folds,
    distance_to,
    predict_folds,
)
from mixlaws.scoring.folds import cross_validate_mixtures, last_losses, target_of  # noqa: E402
from mixlaws.scoring.pipeline_choice import PipelineChoice, choose_pipeline  # noqa: E402
from mixlaws.scoring.pipelines_today import make_candidates  # noqa: E402

SWARMS = ("5mix", "redpajama")
LEVEL = 0.9
NUM_GROUPS = 5
USUAL_STEPS = 30_000
NUM_RESAMPLES = 400


@dataclass(frozen=True, eq=False)
class Swarm:
    """The training side of one public study, and its runs at 1B."""

    name: str
    observations: Observations
    unseen: Observations
    columns: Columns


@dataclass(frozen=True, eq=False)
class Cell:
    """What is predicted from what."""

    swarm: str
    kind: str
    """mixtures, size, steps, two sizes, 10-20k steps or 1B."""
    trained: np.ndarray
    """(n, K) mixtures fitted at the largest size."""
    left_out: np.ndarray
    """(n, V + 1) leave-one-out errors of the mixing law at these."""
    folds: FoldPredictions
    targets: dict[str, Distance]
    reach: Distance
    step: int
    mixtures: np.ndarray
    proportions: np.ndarray
    observed: np.ndarray
    predicted: dict[str, np.ndarray]
    """(m, V + 1) by pipeline."""

    @property
    def label(self) -> str:
        """Return swarm and kind."""
        return f"{self.swarm}, {self.kind}"


def read_swarm(published: Path, name: str) -> Swarm:
    """Return a study's proxies: 70M to 410M, the mixtures of the largest size and the default."""
    study = read_logs(published, name)
    seen = study.observations()
    mixtures = [*set(seen.mixture[seen.size == "410M"].tolist()), "default"]
    proxies = (seen.size != "1B") & np.isin(seen.mixture, mixtures)
    columns = Columns(seen.validation_domains, weights_of(study))
    return Swarm(name, seen.select(proxies), seen.select(seen.size == "1B"), columns)


def make_cell(
    swarm: Swarm,
    kind: str,
    train: Observations,
    unseen: Observations,
    folds: FoldPredictions | None = None,
) -> Cell:
    """Fit everything to `train` and predict the rows of `unseen`, which share one size and step."""
    candidates = make_candidates(train)
    columns, target = swarm.columns, target_of(unseen)
    everything = np.ones(len(train), dtype=bool)
    if folds is None:
        folds = predict_folds(
            candidates, train, columns, distance_folds(train, candidates[1].kept)
        )
    largest = str(train.size[np.argmax(train.num_params)])
    table = last_losses(_usual(train), largest)
    left = next(r for r in cross_validate_mixtures(["additive"], table) if r.law == "additive")
    return Cell(
        swarm=swarm.name,
        kind=kind,
        trained=table.proportions,
        left_out=columns.with_overall(left.predicted - left.observed),
        folds=folds,
        targets={c.name: c.distance(train, everything, target) for c in candidates},
        reach=distance_to(train, target),
        step=int(unseen.step[0]),
        mixtures=unseen.mixture,
        proportions=unseen.proportions,
        observed=columns.with_overall(unseen.losses),
        predicted={c.name: _predict(c, train, target, unseen, columns) for c in candidates},
    )


def _usual(observations: Observations) -> Observations:
    return observations.select(observations.step <= USUAL_STEPS)


def _predict(
    candidate: Candidate,
    train: Observations,
    target: Target,
    unseen: Observations,
    columns: Columns,
) -> np.ndarray:
    law = candidate.pipeline.fit(train.select(candidate.kept), target)
    return columns.with_overall(law.predict(unseen.proportions))


def make_cells(swarm: Swarm) -> Iterator[Cell]:
    """Yield the cells of a swarm, near ones first."""
    runs = swarm.observations
    at_end = (runs.size == "410M") & (runs.step == USUAL_STEPS)
    end = runs.select(at_end)
    candidates = make_candidates(runs)
    folds = predict_folds(
        candidates, runs, swarm.columns, distance_folds(runs, candidates[1].kept)
    )
    names = np.unique(end.mixture)
    for group in range(NUM_GROUPS):
        out = names[group::NUM_GROUPS]
        rest = runs.select(~np.isin(runs.mixture, out))
        unseen = end.select(np.isin(end.mixture, out))
        yield make_cell(swarm, "mixtures", rest, unseen, _without(folds, out))
    usual = _usual(runs)
    yield make_cell(swarm, "size", runs.select(runs.size != "410M"), end)
    yield make_cell(swarm, "steps", usual.select(usual.step <= 0.75 * USUAL_STEPS), end)
    early = (usual.step <= 20_000) & (usual.step >= 10_000)
    yield make_cell(swarm, "10-20k steps", usual.select(early), end)
    yield make_cell(swarm, "two sizes", runs.select(np.isin(runs.size, ["70M", "160M"])), end)
    for step in np.unique(swarm.unseen.step):
        if step in (10_000, 20_000, 40_000, 100_000):
            at_step = swarm.unseen.select(swarm.unseen.step == step)
            yield make_cell(swarm, "1B", runs, at_step, folds)


def _without(folds: FoldPredictions, mixtures: np.ndarray) -> FoldPredictions:
    """Return the folds without these mixtures' rows."""
    found = []
    for each in folds.found:
        rows = ~np.isin(each.mixtures, mixtures)
        if rows.any():
            parts = ("mixtures", "proportions", "observed", "predicted")
            found.append(replace(each, **{name: getattr(each, name)[rows] for name in parts}))
    return FoldPredictions(tuple(found), folds.failed)


@dataclass(frozen=True, eq=False)
class Bounds:
    """Half-widths in one cell, of one new run."""

    cell: Cell
    choice: PipelineChoice
    levels: np.ndarray
    """(m, V + 1)."""
    pairs: tuple[np.ndarray, np.ndarray]
    """Two index arrays of the cell's mixtures."""
    differences: np.ndarray
    """(pairs, V + 1)."""
    expected: np.ndarray
    """(pairs, V + 1), of expected losses."""
    before: tuple[float, float]
    """Half-widths of level and difference, overall, of the former rule without its bootstrap."""

    @property
    def errors(self) -> np.ndarray:
        """Return predicted minus observed (m, V + 1)."""
        return self.cell.predicted[self.choice.name] - self.cell.observed


def bound(cell: Cell) -> Bounds:
    """Choose the pipeline of a cell and compute its half-widths."""
    choice = choose_pipeline(cell.folds, cell.targets, cell.reach, swarm=cell.swarm)
    variance = difference_variance(cell, choice)
    levels = LevelVariance(choice.levels, choice.distance, variance)
    i, j = np.triu_indices(len(cell.mixtures), 1)
    pair = cell.proportions[i], cell.proportions[j]
    none = np.empty((0, cell.observed.shape[1]))
    return Bounds(
        cell,
        choice,
        levels.half_width(cell.proportions, LEVEL),
        (i, j),
        variance.half_width(*pair, LEVEL, "single_run") if len(i) else none,
        variance.half_width(*pair, LEVEL) if len(i) else none,
        former_rule(cell),
    )


def difference_variance(cell: Cell, choice: PipelineChoice) -> DifferenceVariance:
    """Return the variance of differences at the cell's target."""
    forward = None
    if max(cell.reach.size, cell.reach.tokens) > 0:
        forward = fit_forward_part(
            [
                (p.proportions, p.errors, choice.differences.growth(choice.distance, p.distance))
                for p in cell.folds.of(choice.name)
            ]
        )
    return fit_difference_variance(cell.trained, cell.left_out, forward)


def former_rule(cell: Cell) -> tuple[float, float]:
    """Return 1.645 times the errors of nested on half the steps and on the largest size."""
    used = [
        p
        for p in cell.folds.of("nested")
        if p.fold.name.startswith("first 0.5") or (p.distance.size > 0 and p.distance.tokens == 0)
    ]
    errors = [p.errors[:, -1] for p in used]
    if not errors:
        return np.nan, np.nan
    level = np.sqrt(np.mean([np.mean(e**2) for e in errors]))
    difference = np.sqrt(np.mean([2 * e.var(ddof=1) for e in errors if len(e) > 1]))
    return float(1.645 * level), float(1.645 * difference)
