"""All that the intervals at a target are made of: measured once, written to a file, read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixlaws.laws.overall import Columns
from mixlaws.scoring.difference_variance import (
    DifferenceVariance,
    ForwardPart,
    Kind,
    fit_difference_variance,
    fit_forward_part,
)
from mixlaws.scoring.distance_errors import DistanceErrors
from mixlaws.scoring.distance_folds import Distance, FoldPrediction
from mixlaws.scoring.folds import FoldResult
from mixlaws.scoring.level_variance import LevelVariance
from mixlaws.scoring.pipeline_choice import PipelineChoice


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Half-widths of losses and of differences at one target; overall last."""

    levels: LevelVariance

    @property
    def differences(self) -> DifferenceVariance:
        """Return the variance of differences, which the levels' novelty shares."""
        return self.levels.differences

    def of_losses(
        self, proportions: np.ndarray, level: float, kind: Kind = "single_run"
    ) -> np.ndarray:
        """Return half the interval (m, V + 1) of the losses of mixtures (m, K)."""
        return self.levels.half_width(proportions, level, kind)

    def of_differences(
        self,
        pair: tuple[np.ndarray, np.ndarray],
        level: float,
        kind: Kind = "expected",
        *,
        num_seeds: int = 1,
    ) -> np.ndarray:
        """Return half the interval (m, V + 1) of the differences of pairs of mixtures."""
        return self.differences.half_width(*pair, level, kind, num_seeds=num_seeds)

    def moved_to(self, distance: Distance, shapes: Mapping[str, Sequence[float]]) -> Uncertainty:
        """Return the uncertainty at another distance.

        `shapes` are those of the variance of differences (difference_growth in choice.json), for
        `domains` and `overall`: the forward part grows by them.
        """
        levels, forward = self.levels, self.differences.forward
        if forward is not None:
            here, there = (_differences_at(each, shapes) for each in (levels.distance, distance))
            columns = [0] * (len(forward.noise) - 1) + [1]
            growth = np.where(here > 0, there / np.where(here > 0, here, 1.0), 1.0)[columns]
            forward = ForwardPart(forward.smooth * growth, forward.noise * growth)
        differences = replace(self.differences, forward=forward)
        return Uncertainty(LevelVariance(levels.errors, distance, differences))

    def record(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        errors, differences = self.levels.errors, self.differences
        forward = differences.forward
        return {
            "levels": {
                "scale": errors.scale.tolist(),
                "domains": list(errors.domains),
                "overall": list(errors.overall),
                "measured": list(errors.measured),
                "num_folds": errors.num_folds,
                "num_swarms": errors.num_swarms,
            },
            "distance": [self.levels.distance.size, self.levels.distance.tokens],
            "differences": {
                "trained": differences.trained.tolist(),
                "kappa": differences.kappa.tolist(),
                "forward": forward
                and {"smooth": forward.smooth.tolist(), "noise": forward.noise.tolist()},
            },
        }


def _differences_at(distance: Distance, shapes: Mapping[str, Sequence[float]]) -> np.ndarray:
    """Return the relative variance (2,) of differences at a distance: of domains, and overall."""
    features = np.array([1.0, distance.size**2, distance.tokens**2])
    return np.array([np.dot(shapes[name], features) for name in ("domains", "overall")])


def measure_uncertainty(
    choice: PipelineChoice,
    predictions: Sequence[FoldPrediction],
    left_out: FoldResult,
    proportions: np.ndarray,
    columns: Columns,
) -> Uncertainty:
    """Return the uncertainty at the target that the pipeline was chosen for.

    `predictions` are the chosen pipeline's on the forward folds, `left_out` the leave-one-out
    predictions of the mixing law that decides at the largest size, and `proportions` (n, K) the
    shares of its mixtures. A target within the fitted sizes and tokens has no forward part.
    """
    forward = None
    several = [p for p in predictions if len(p.mixtures) > 2]
    if max(choice.distance.size, choice.distance.tokens) > 0 and several:
        folds = [
            (p.proportions, p.errors, choice.differences.growth(choice.distance, p.distance))
            for p in several
        ]
        forward = fit_forward_part(folds)
    errors = columns.with_overall(left_out.predicted) - columns.with_overall(left_out.observed)
    differences = fit_difference_variance(proportions, errors, forward)
    return Uncertainty(LevelVariance(choice.levels, choice.distance, differences))


def read_uncertainty(record: Mapping[str, Any]) -> Uncertainty:
    """Return what `Uncertainty.record` wrote."""
    levels, parts = record["levels"], record["differences"]
    errors = DistanceErrors(
        scale=np.array(levels["scale"]),
        domains=tuple(levels["domains"]),
        overall=tuple(levels["overall"]),
        measured=tuple(levels["measured"]),
        num_folds=levels["num_folds"],
        num_swarms=levels["num_swarms"],
    )
    forward = parts["forward"] and ForwardPart(
        np.array(parts["forward"]["smooth"]), np.array(parts["forward"]["noise"])
    )
    differences = DifferenceVariance(np.array(parts["trained"]), np.array(parts["kappa"]), forward)
    return Uncertainty(LevelVariance(errors, Distance(*record["distance"]), differences))
