"""Which pipelines the losses of a planned sweep could decide with, before anything is trained.

The checks are those of the folds and of the laws themselves, made on a swarm of planned runs: they
count sizes, checkpoints and mixtures, and no check looks at a loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.joint.fit import JointSettings
from mixlaws.laws.loglog import LogLogSettings
from mixlaws.laws.nested import NestedSettings
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, LogLog, Nested, Pipeline
from mixlaws.scoring.candidates import make_candidates
from mixlaws.scoring.distance_folds import distance_to
from mixlaws.scoring.forward import check_single_point, has_folds, predict_forward
from mixlaws.scoring.joint_folds import NO_CUT, usable_cuts
from mixlaws.scoring.pipeline_choice import find_failures

_MOST_MIXTURES = 12
"""Mixtures that are planted at most: three in each group of the joint laws' folds. More would
change no count that a check looks at."""


@dataclass(frozen=True)
class PlannedSweep:
    """What a sweep will measure: every size at every step on every mixture that is fitted."""

    sizes: Mapping[str, float]
    """N of each proxy size."""
    steps: Sequence[int]
    """Evaluations of every run."""
    batch_tokens: int
    num_mixtures: int
    """Different mixtures that the laws are fitted to."""

    def observations(self) -> Observations:
        """Return one row per size, mixture and step, all of loss 1."""
        count = min(self.num_mixtures, _MOST_MIXTURES)
        first = (np.arange(count) + 1) / (count + 1)
        size, mixture, step = (
            each.ravel()
            for each in np.meshgrid(
                np.arange(len(self.sizes)), np.arange(count), self.steps, indexing="ij"
            )
        )
        num_params = np.array(list(self.sizes.values()), dtype=float)[size]
        tokens = step * float(self.batch_tokens)
        return Observations(
            domains=("first", "rest"),
            validation_domains=("planned",),
            size=np.array(list(self.sizes))[size],
            mixture=np.array([f"mix-{index:03d}" for index in range(count)])[mixture],
            seed=np.zeros(len(step), dtype=int),
            step=step,
            proportions=np.stack([first, 1 - first], axis=1)[mixture],
            num_params=num_params,
            compute_params=num_params,
            tokens=tokens,
            effective_tokens=tokens,
            annealing=np.zeros(len(step)),
            losses=np.ones((len(step), 1)),
        )


@dataclass(frozen=True)
class _Counted:
    """A pipeline that is checked where it would be fitted."""

    pipeline: Any

    @property
    def name(self) -> str:
        return str(self.pipeline.name)

    def fit(self, observations: Observations, target: Target) -> _Counted:
        self.pipeline.check(observations, target)
        return self

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        return np.ones((len(proportions), 1))


def check_pipelines(sweep: PlannedSweep, target: Target, *, asked: str, early_cut: float) -> None:
    """Raise FitError if `laws.pipeline`, pinned or auto, could not predict the target.

    The early cut of joint laws is chosen on the losses, so every cut that can be chosen must do.
    auto needs one pipeline, with each of them. A sweep without folds answers at its own size and
    tokens only.
    """
    observations = sweep.observations()
    if not has_folds(observations):
        check_single_point(observations, target, None if asked == "auto" else asked)
        return
    nested = Nested(settings=NestedSettings(early_cut=early_cut))
    nested.check(observations, target)  # the mixing law is chosen on its losses at the target
    others: list[list[Pipeline]] = [[]]
    if asked == LogLog.name:
        others = [[LogLog(settings=LogLogSettings(early_cut=early_cut))]]
    elif asked != Nested.name:
        cuts = usable_cuts(observations)
        if not cuts and asked == Joint.name:
            raise _too_few(sweep, asked, {asked: NO_CUT})
        others = [[Joint(settings=JointSettings(early_cut=cut))] for cut in cuts] or others
    for each in others:
        usable, failed = _usable([nested, *each], observations, target)
        if not usable & ({Nested.name, Joint.name} if asked == "auto" else {asked}):
            raise _too_few(sweep, asked, failed)


def _usable(
    pipelines: Sequence[Pipeline], observations: Observations, target: Target
) -> tuple[set[str], dict[str, str]]:
    """Return the names that the folds leave to choose from, and why the others are out."""
    candidates = [
        replace(each, pipeline=_Counted(each.pipeline))
        for each in make_candidates(pipelines, observations)
    ]
    columns = Columns(observations.validation_domains, np.ones(1))
    candidates, found, failed = predict_forward(candidates, observations, columns)
    failed |= find_failures(found, distance_to(observations, target))
    return {each.name for each in candidates if found.of(each.name)} - failed.keys(), failed


def _too_few(sweep: PlannedSweep, asked: str, failed: Mapping[str, str]) -> FitError:
    """Return the error that names what the sweep measures and why that is too little."""
    sizes, steps = len(set(sweep.sizes.values())), len(set(sweep.steps))
    why = "".join(f" ({name}: {reason})" for name, reason in failed.items())
    return FitError(
        f"{sizes} proxy size(s) with {steps} evaluations each are too few for laws.pipeline "
        f"{asked}: no fold is left that shows how losses go on to the target{why}. Raise "
        "training.num_evaluations (8 are enough for any pipeline), or add sizes to training.sizes"
    )
