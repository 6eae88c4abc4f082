"""The pipelines of `laws.pipelines` as objects with `fit(observations, target)`.

The only adapter between the folds and today's fitters: delete it when the pipelines have `fit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mixlaws.laws.joint.fit import DEFAULT_FORMS, JointSettings
from mixlaws.laws.law import Ensemble, TargetLaw
from mixlaws.laws.nested import NestedSettings
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.pipelines import JointFitter, NestedFitter


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
