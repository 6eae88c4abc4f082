"""Look forward as far as the target is: the folds, the pipeline that they choose, its intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.observations import Observations, Target, check_size_reach
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, LogLog, Nested, Pipeline
from mixlaws.scoring.candidates import common_rows, make_candidates
from mixlaws.scoring.distance_errors import DistanceErrors, measure_fold_coverage
from mixlaws.scoring.distance_folds import (
    Candidate,
    Distance,
    FoldPredictions,
    distance_folds,
    distance_to,
    predict_folds,
)
from mixlaws.scoring.folds import NUM_GROUPS, FoldResult, LossTable, last_losses, leave_mixtures_out
from mixlaws.scoring.level_variance import LevelVariance
from mixlaws.scoring.pipeline_choice import PipelineChoice, choose_pipeline
from mixlaws.scoring.pooled_errors import pooled_shapes
from mixlaws.scoring.single_point import (
    single_point_coverage,
    single_point_errors,
    single_point_half_width,
)
from mixlaws.scoring.uncertainty import Uncertainty, measure_uncertainty

COVERAGE_LEVEL = 0.9
"""Of the intervals whose coverage is measured on the experiment's own folds."""


@dataclass(frozen=True)
class Question:
    """What else the choice of the pipeline depends on."""

    mixing: str = "additive"
    """The mixing law that decides."""
    pinned: str | None = None
    """The pipeline that the config names; None lets the folds choose."""
    swarm: str | None = None
    """The public swarm at hand, whose own pooled values are left out."""
    failed: Mapping[str, str] | None = None
    """Why pipelines that were asked for cannot be candidates."""
    left_out: FoldResult | None = None
    """What `mixing` predicted for mixtures left out at the largest size; None predicts them."""


@dataclass(frozen=True, eq=False)
class Forward:
    """The pipeline that predicts the target, and how far it may miss."""

    choice: PipelineChoice
    predictions: FoldPredictions
    uncertainty: Uncertainty
    coverage: float
    """Share of the chosen pipeline's fold errors inside intervals that all other folds predict, at
    COVERAGE_LEVEL; nan with fewer than two folds. Of a swarm without folds, the share of mixtures
    left out that are inside what all others tell."""


def has_folds(observations: Observations) -> bool:
    """Return whether any forward fold can be made: not of one size and few checkpoints."""
    return bool(distance_folds(observations, np.ones(len(observations), dtype=bool)))


def look_forward(
    observations: Observations,
    target: Target,
    columns: Columns,
    pipelines: Sequence[Pipeline],
    question: Question = Question(),
) -> Forward:
    """Choose the pipeline by forward folds and measure its uncertainty at the target.

    A swarm without folds is a case of its own: see `_single_point`. Raises FitError when no
    pipeline can be used, or the pinned one cannot.
    """
    failed, pinned = dict(question.failed or {}), question.pinned
    if pinned in failed:
        raise FitError(
            f"the {pinned} pipeline of laws.pipeline cannot be fitted: {failed[pinned]}. Choose "
            "another pipeline or train more"
        )
    largest = str(observations.size[np.argmax(observations.num_params)])
    table = last_losses(observations, largest)
    if not has_folds(observations):
        return _single_point(observations, target, columns, table, question)
    check_size_reach(observations, target)
    candidates = make_candidates(pipelines, observations)
    candidates, found, cut_off = predict_forward(candidates, observations, columns)
    failed |= cut_off
    every = np.ones(len(observations), dtype=bool)
    choice = choose_pipeline(
        found,
        {each.name: each.distance(observations, every, target) for each in candidates},
        distance_to(observations, target),
        swarm=question.swarm,
        pinned=pinned,
    )
    choice = replace(choice, failed=failed | choice.failed)
    chosen = found.of(choice.name)
    left_out = question.left_out or _left_out(question.mixing, table)
    widths = measure_uncertainty(choice, chosen, left_out, table.proportions, columns)
    if choice.name == LogLog.name:
        lines = next(each for each in pipelines if isinstance(each, LogLog))
        widths = _widen_by_lines(widths, lines, observations, target, columns)
    shapes = pooled_shapes(choice.name, "levels", question.swarm)
    coverage = measure_fold_coverage(chosen, shapes, COVERAGE_LEVEL)
    return Forward(choice, found, widths, coverage)


def predict_forward(
    candidates: Sequence[Candidate], observations: Observations, columns: Columns
) -> tuple[list[Candidate], FoldPredictions, dict[str, str]]:
    """Predict every fold by every candidate; also return those that are left, and why others not.

    Where the early cut of the joint laws leaves no fold, they are out; the others keep all rows.
    """
    candidates, failed = list(candidates), {}
    folds = distance_folds(observations, common_rows(candidates))
    if not folds:
        failed[Joint.name] = "its early cut leaves no fold with three numbers of tokens"
        candidates = [each for each in candidates if each.name != Joint.name]
        folds = distance_folds(observations, np.ones(len(observations), dtype=bool))
    return candidates, predict_folds(candidates, observations, columns, folds), failed


def _left_out(mixing: str, table: LossTable) -> FoldResult:
    """Return the predictions of the mixing law at each mixture when it is left out."""
    results = leave_mixtures_out([mixing], table)
    return next(each for each in results if each.law == mixing)


def _widen_by_lines(
    widths: Uncertainty, lines: LogLog, observations: Observations, target: Target, columns: Columns
) -> Uncertainty:
    """Join the error at the target with the straight lines' own, which no fold of nested knows."""
    fit = lines.fit_lines(observations, target)
    reach = columns.with_overall(fit.losses * fit.log_sd).mean(axis=0)
    levels = widths.levels
    sigma = levels.errors.sigma(levels.distance)
    scale = levels.errors.scale * np.hypot(sigma, reach) / sigma
    return Uncertainty(replace(levels, errors=replace(levels.errors, scale=scale)))


def check_single_point(observations: Observations, target: Target, pinned: str | None) -> str:
    """Raise FitError if a swarm without folds cannot answer: for another target than its own point.

    Nor can another pinned pipeline than nested, whose mixing law answers. Returns what the swarm
    has, in words. No loss is looked at.
    """
    reach = distance_to(observations, target)
    sizes, tokens = len(np.unique(observations.size)), len(np.unique(observations.tokens))
    have = f"the runs have {sizes} size(s) and losses at {tokens} number(s) of tokens"
    if reach.size > 0 or reach.tokens > 0:
        raise FitError(
            f"{have}: they do not show how losses go on to the target, {np.exp(reach.size):.3g} "
            f"times the largest size and {np.exp(reach.tokens):.3g} times its tokens. Add runs of "
            "further sizes (training.sizes, if this workflow trains them), measure them at more "
            "tokens (training.num_evaluations), or set the target to the runs' own size and tokens"
        )
    if pinned not in (None, Nested.name):
        raise FitError(
            f"laws.pipeline is {pinned}, which cannot be used here: {have}, from which no "
            f"law in size or tokens can be fitted. Set it to auto or {Nested.name}"
        )
    return have


def _single_point(
    observations: Observations,
    target: Target,
    columns: Columns,
    table: LossTable,
    question: Question,
) -> Forward:
    """Return the mixing law's uncertainty at the swarm's own size and tokens.

    Without a second size or enough checkpoints nothing tells how losses go on: only the target's
    own point can be answered. Raises the FitError of `check_single_point`.
    """
    have = check_single_point(observations, target, question.pinned)
    left_out = question.left_out or _left_out(question.mixing, table)
    errors = DistanceErrors(
        scale=np.ones(len(columns.names)),
        domains=(1.0, 0.0, 0.0),
        overall=(1.0, 0.0, 0.0),
        measured=(False, False),
        num_folds=min(NUM_GROUPS, len(table.mixtures)),
        num_swarms=0,
    )
    reason = f"{have}: the mixing law at that point, and nothing is extrapolated"
    choice = PipelineChoice(
        Nested.name, reason, {}, dict(question.failed or {}), errors, errors, Distance(0, 0), ()
    )
    widths = measure_uncertainty(choice, [], left_out, table.proportions, columns)
    missed = single_point_errors(question.mixing, table, columns, left_out)
    half_width = single_point_half_width(missed, COVERAGE_LEVEL)
    variance = (half_width / errors.quantile(COVERAGE_LEVEL, choice.distance)) ** 2
    # The errors are those of mixtures left out: their novelty is in them already.
    known = widths.differences.novelty_left_out()
    scale = np.sqrt(np.maximum(variance - known, widths.differences.noise / 2))
    levels = LevelVariance(replace(errors, scale=scale), choice.distance, widths.differences)
    coverage = single_point_coverage(missed, COVERAGE_LEVEL)
    return Forward(choice, FoldPredictions((), ()), Uncertainty(levels), coverage)
