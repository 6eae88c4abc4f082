"""The chosen law at other targets than the experiment's: targets.json, for the page's sliders.

A joint law holds at any size and tokens. The laws of the nested pipeline and of the log-log lines
hold at one target, so they are fitted at a grid of targets that includes the experiment's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.files import FittedLaw, law_record
from mixlaws.laws.joint.fit import typical_tokens
from mixlaws.laws.law import Law
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.pipelines import Joint
from mixlaws.scoring.candidates import make_candidates

AXIS_POINTS = 5
"""Sizes, and numbers of tokens, of the grid."""


def target_record(fitted: FittedLaw, observations: Observations) -> dict[str, Any]:
    """Return what predicts other targets: how far the data reach, and the grid of laws."""
    grid = None
    if not isinstance(fitted.pipeline, Joint):
        grid = _grid_record(fitted, observations)
    return {
        "reach": _reach(fitted, observations),
        "compute": _compute(observations, fitted.target),
        "first_tokens": float(observations.tokens.min()),
        "grid": grid,
    }


def axis(reached: float, asked: float) -> list[float]:
    """Return AXIS_POINTS ascending values that hold the asked one.

    Beyond what the data reach, they go in equal ratios from there to the asked value and one step
    further. Within it, they go from a part of the asked value up to what the data reach.
    """
    if asked > 1.001 * reached:
        ratio = (asked / reached) ** (1 / (AXIS_POINTS - 2))
        values = [asked * ratio**step for step in range(2 - AXIS_POINTS, 2)]
    elif asked > 0.999 * reached:
        values = [asked * 2.0**step for step in range(1 - AXIS_POINTS, 1)]
    else:
        values = [asked / 4, asked / 2, asked, float(np.sqrt(asked * reached)), reached]
    return [asked if np.isclose(value, asked, rtol=1e-9) else float(value) for value in values]


def _reach(fitted: FittedLaw, observations: Observations) -> dict[str, float]:
    """Return the largest size, its usual tokens, and the unit of the distance in tokens."""
    (candidate,) = make_candidates([fitted.pipeline], observations)
    kept = observations.select(candidate.kept)
    largest = float(kept.num_params.max())
    reached = float(typical_tokens(kept.select(kept.num_params == largest))[0])
    every = np.ones(len(observations), dtype=bool)
    further = replace(fitted.target, num_params=largest, tokens=np.e * reached)
    distance = candidate.distance(observations, every, further).tokens
    return {"num_params": largest, "tokens": reached, "token_unit": 1 / distance}


def _compute(observations: Observations, target: Target) -> dict[str, list[float]]:
    """Return the sizes that are known, ascending, as N and as FLOPs per token / 6."""
    known = dict(zip(observations.num_params, observations.compute_params, strict=True))
    known |= {target.num_params: target.compute_params}
    sizes = sorted(known)
    return {
        "num_params": [float(size) for size in sizes],
        "compute_params": [float(known[size]) for size in sizes],
    }


def _grid_record(fitted: FittedLaw, observations: Observations) -> dict[str, Any]:
    """Return the parameters of the law at each target of the grid; None where it has none."""
    target = fitted.target
    reached = float(observations.num_params.max())
    one_size = len(np.unique(observations.num_params)) == 1
    sizes = [target.num_params] if one_size else axis(reached, target.num_params)
    tokens = axis(float(np.median(typical_tokens(observations))), target.tokens)

    def parameters(law: Law) -> list[dict[str, Any]]:
        return list(law_record(replace(fitted, law=law))["laws"])

    laws = [
        [
            _cell(fitted, observations, elsewhere(target, size, count), parameters)
            for count in tokens
        ]
        for size in sizes
    ]
    return {"num_params": [float(size) for size in sizes], "tokens": tokens, "laws": laws}


def elsewhere(target: Target, num_params: float, tokens: float) -> Target:
    """Return a target of another size and tokens, whose schedule ends in the same state."""
    return replace(
        target,
        num_params=num_params,
        compute_params=target.compute_params * num_params / target.num_params,
        tokens=tokens,
        effective_tokens=target.effective_tokens * tokens / target.tokens,
    )


def _cell(
    fitted: FittedLaw,
    observations: Observations,
    target: Target,
    parameters: Callable[[Law], Sequence[dict[str, Any]]],
) -> Sequence[dict[str, Any]] | None:
    if target == fitted.target:
        return parameters(fitted.law)
    try:
        return parameters(fitted.pipeline.fit(observations, target))
    except FitError:
        return None
