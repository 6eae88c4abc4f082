"""Choose the pipeline: the least expected error at the target's distance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from mixlaws.errors import FitError
from mixlaws.scoring.distance_errors import DistanceErrors, measure_distance_errors
from mixlaws.scoring.distance_folds import Distance, FoldPrediction, FoldPredictions
from mixlaws.scoring.pooled_errors import pooled_shapes

FAR = float(np.log(2.0))
"""Beyond this factor in N or D joint is the prior choice, within it nested."""
LEVEL = 0.9
"""Folds tell two pipelines apart if 1 is outside this interval of the ratio of their errors."""
CLEAR_RATIO = 2.0
"""An expected error this many times another's decides however few the folds are: the prior says
which pipeline is usually better, not that it is better by such a factor."""


@dataclass(frozen=True)
class FoldRow:
    """One row of the page's table of folds, overall loss, nats."""

    fold: str
    size_factor: float
    """N predicted over the largest N fitted, at least 1."""
    token_factor: float
    """D predicted over the D usually reached, at least 1."""
    num_mixtures: int
    errors: dict[str, float]
    """Mean absolute error by pipeline; a pipeline without one was not asked or failed."""


@dataclass(frozen=True, eq=False)
class PipelineChoice:
    """The pipeline that predicts the target, why, and how far it is expected to miss."""

    name: str
    reason: str
    expected: dict[str, float]
    """Standard deviation of the error of the overall loss at the target by pipeline, nats."""
    failed: dict[str, str]
    """Why a pipeline is out."""
    levels: DistanceErrors
    differences: DistanceErrors
    """Of the chosen pipeline; half the variance of a difference of two mixtures."""
    distance: Distance
    """To the target, in the chosen pipeline's units."""
    table: tuple[FoldRow, ...]


def choose_pipeline(
    predictions: FoldPredictions,
    targets: Mapping[str, Distance],
    reach: Distance,
    *,
    swarm: str | None = None,
    pinned: str | None = None,
) -> PipelineChoice:
    """Choose by the expected error at the target's distance; a written prior decides near ties.

    `targets` holds the candidates' names with the target's distance in their units, `reach` the
    plain distance; `swarm` names the public swarm at hand, whose own pooled values are then left
    out; `pinned` chooses without looking. A pipeline is out if it fails a fold no farther than the
    target. Where the folds cannot tell (jackknife over folds, and errors within CLEAR_RATIO of
    each other), joint predicts targets beyond twice the N or D of the data, nested those nearer.
    Raises FitError if no pipeline is left.
    """
    failed = find_failures(predictions, reach)
    names = [n for n in targets if n not in failed and predictions.of(n)]
    if pinned is not None and pinned not in names:
        why = failed.get(pinned, "these runs leave it no fold: train further sizes or measure more")
        raise FitError(f"laws.pipeline is {pinned}, which cannot be used here: {why}")
    if not names:
        listed = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise FitError(f"no pipeline can be fitted to these runs ({listed or 'no fold'})")
    expected = {
        name: expected_error(predictions.of(name), name, targets[name], swarm) for name in names
    }
    if pinned is not None:
        name, reason = pinned, "pinned by laws.pipeline in the config"
    else:
        name, reason = _decide(predictions, targets, reach, expected, swarm)
    found = predictions.of(name)
    return PipelineChoice(
        name=name,
        reason=reason,
        expected=expected,
        failed=failed,
        levels=measure_distance_errors(found, pooled_shapes(name, "levels", swarm)),
        differences=measure_distance_errors(
            found,
            pooled_shapes(name, "differences", swarm),
            differences=any(len(each.mixtures) > 1 for each in found),
        ),
        distance=targets[name],
        table=tuple(fold_table(predictions)),
    )


def expected_error(
    found: Sequence[FoldPrediction], name: str, distance: Distance, swarm: str | None
) -> float:
    """Return the standard deviation of the overall error at a distance, nats."""
    errors = measure_distance_errors(found, pooled_shapes(name, "levels", swarm))
    return float(errors.sigma(distance)[-1])


def fold_table(predictions: FoldPredictions) -> list[FoldRow]:
    """Return one row a fold, nearest first."""
    rows: dict[str, FoldRow] = {}
    for each in predictions.found:
        fold = each.fold
        row = rows.setdefault(
            fold.name,
            FoldRow(
                fold.name,
                float(np.exp(fold.distance.size)),
                float(np.exp(fold.distance.tokens)),
                len(each.mixtures),
                {},
            ),
        )
        row.errors[each.pipeline] = float(np.abs(each.errors[:, -1]).mean())
    return sorted(rows.values(), key=lambda row: row.size_factor * row.token_factor)


def find_failures(predictions: FoldPredictions, reach: Distance) -> dict[str, str]:
    """Return why a pipeline is out: it failed a fold that looks no farther than the target."""
    out: dict[str, str] = {}
    for name, fold, message in predictions.failed:
        near = fold.distance.size <= reach.size and fold.distance.tokens <= reach.tokens
        if near or not predictions.of(name):
            out.setdefault(name, f"{fold.name}: {message}")
    return out


def _decide(
    predictions: FoldPredictions,
    targets: Mapping[str, Distance],
    reach: Distance,
    expected: Mapping[str, float],
    swarm: str | None,
) -> tuple[str, str]:
    listed = ", ".join(f"{name} {error:.4f}" for name, error in expected.items())
    said = f"expected error of the overall loss at the target, nats: {listed}"
    order = sorted(expected, key=lambda name: expected[name])
    if len(order) == 1:
        return order[0], f"{said}; no other pipeline could be fitted to the folds"
    log_ratio = float(np.log(expected[order[1]] / expected[order[0]]))
    margin = _log_ratio_margin(predictions, targets, (order[0], order[1]), swarm)
    if log_ratio > min(margin, np.log(CLEAR_RATIO)):
        return order[0], f"{said}; {_source(predictions, order[0], order[1])}"
    far = reach.size > FAR or reach.tokens > FAR
    prior = "joint" if far else "nested"
    chosen = prior if prior in order[:2] else order[0]
    where = "more than" if far else "less than"
    return chosen, (
        f"{said}; the folds cannot tell them apart, and {chosen} is the usual choice for a target "
        f"{where} twice the size or tokens of the proxies"
    )


def _source(predictions: FoldPredictions, chosen: str, other: str) -> str:
    """Say whether the experiment's own folds prefer the chosen pipeline, or only its growth does.

    The expected error at the target is partly pooled over public swarms: where the folds that both
    predicted prefer the other pipeline, that growth decides, and the reason must not hide it.
    """
    errors = {
        name: {p.fold.name: float(np.abs(p.errors[:, -1]).mean()) for p in predictions.of(name)}
        for name in (chosen, other)
    }
    common = [fold for fold in errors[chosen] if fold in errors[other]]
    if not common:
        return "no fold was predicted by both, so how errors grow on public runs decides"
    own, rival = (float(np.mean([errors[n][fold] for fold in common])) for n in (chosen, other))
    listed = f"on the {len(common)} folds that both predicted {chosen} misses by {own:.4f}"
    if own <= rival:
        return f"{listed} and {other} by {rival:.4f}"
    return (
        f"{listed} and {other} only by {rival:.4f}, but {other}'s errors grow faster towards the "
        "target's distance, partly as measured on public runs"
    )


def _log_ratio_margin(
    predictions: FoldPredictions,
    targets: Mapping[str, Distance],
    pair: tuple[str, str],
    swarm: str | None,
) -> float:
    """Return by how much ln(error / error) of two pipelines must differ from 0: jackknife."""
    folds = list(dict.fromkeys(p.fold.name for p in predictions.found if p.pipeline in pair))
    ratios = []
    for left_out in folds:
        rest = {n: [p for p in predictions.of(n) if p.fold.name != left_out] for n in pair}
        if all(rest.values()):
            first, second = (expected_error(rest[n], n, targets[n], swarm) for n in pair)
            ratios.append(np.log(second / first))
    if len(ratios) < 2:
        return float("inf")
    number = len(ratios)
    error = np.sqrt((number - 1) * np.var(ratios))
    return float(scipy.stats.t.ppf(0.5 + LEVEL / 2, number - 1) * error)
