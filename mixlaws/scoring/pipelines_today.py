"""The pipelines of `laws.pipelines` as objects with `fit(observations, target)`.

The only adapter between the folds and today's fitters: delete it when the pipelines have `fit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from mixlaws.laws.joint.fit import (
    DEFAULT_FORMS,
    JointSettings,
    after_early_cut,
    fit_joint_ensemble,
)
from mixlaws.laws.joint.law import JointEnsemble
from mixlaws.laws.law import Ensemble, TargetLaw
from mixlaws.laws.nested import NestedSettings
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.pipelines import JointFitter, NestedFitter
from mixlaws.scoring.distance_folds import Candidate


@dataclass(frozen=True)
class Nested:
    """Step law, size law, mixing law."""

    mixing: str = "additive"
    settings: NestedSettings = field(default_factory=NestedSettings)
    name: str = "nested"

    def fit(self, observations: Observations, target: Target) -> TargetLaw:
        """Return the mixing law at the target."""
        return NestedFitter(target, self.mixing, self.settings)(observations, None)


@dataclass(frozen=True)
class Joint:
    """The mean of the joint forms, one tier."""

    forms: tuple[str, ...] = DEFAULT_FORMS
    settings: JointSettings = field(default_factory=JointSettings)
    name: str = "joint"

    def fit(self, observations: Observations, target: Target) -> TargetLaw:
        """Return the ensemble at the target."""
        fitters = [JointFitter(target, form, self.settings) for form in self.forms]
        return Ensemble([fit(observations, None) for fit in fitters])


@dataclass(frozen=True)
class TwoTierJoint:
    """The joint forms with offsets of their own for mixtures that were seen; levels only."""

    forms: tuple[str, ...] = DEFAULT_FORMS
    settings: JointSettings = field(default_factory=JointSettings)
    name: str = "joint, two tiers"

    def fit(self, observations: Observations, target: Target) -> _AtTarget:
        """Return the ensemble's predictions at the target."""
        ensemble, _ = fit_joint_ensemble(observations, forms=self.forms, settings=self.settings)
        return _AtTarget(ensemble, target)


@dataclass(frozen=True)
class _AtTarget:
    ensemble: JointEnsemble
    target: Target

    def predict(self, proportions: np.ndarray) -> np.ndarray:
        return self.ensemble.predict(self.target, proportions)


def make_candidates(
    observations: Observations, nested: Nested | None = None, joint: Joint | None = None
) -> list[Candidate]:
    """Return nested and joint as candidates: joint's early cut is taken from the full runs."""
    nested, joint = nested or Nested(), joint or Joint()
    uncut = replace(joint, settings=replace(joint.settings, early_cut=0.0))
    kept = after_early_cut(observations, joint.settings.early_cut)
    return [
        Candidate(nested, np.ones(len(observations), dtype=bool), min_sizes=3, by_span=False),
        Candidate(uncut, kept, min_sizes=2, by_span=True),
    ]
