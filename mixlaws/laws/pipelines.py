"""The pipelines as fitters: observations to a law at the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mixlaws.laws.joint.fit import JointSettings, fit_joint
from mixlaws.laws.joint.law import JointAtTarget
from mixlaws.laws.law import TargetLaw
from mixlaws.laws.loglog import LogLogSettings, fit_loglog
from mixlaws.laws.nested import NestedSettings, fit_nested
from mixlaws.laws.observations import Observations, Target

Fitter = Callable[[Observations, TargetLaw | None], TargetLaw]
"""(observations, earlier law of the same form or None) -> law at the target. Must be picklable."""


@dataclass(frozen=True)
class NestedFitter:
    """Fit the nested pipeline; picklable."""

    target: Target
    mixing: str = "additive"
    settings: NestedSettings | None = None

    def __call__(self, observations: Observations, _start: TargetLaw | None) -> TargetLaw:
        """Return the mixing law at the target; the pipeline has no warm start."""
        fit = fit_nested(observations, self.target, mixing=self.mixing, settings=self.settings)
        return fit.mixing


@dataclass(frozen=True)
class JointFitter:
    """Fit one form of the joint laws; picklable."""

    target: Target
    form: str = "F1"
    settings: JointSettings | None = None

    def __call__(self, observations: Observations, start: TargetLaw | None) -> TargetLaw:
        """Return the law at the target, warm-started by an earlier one."""
        first = start.law if isinstance(start, JointAtTarget) else None
        law, _ = fit_joint(observations, form=self.form, settings=self.settings, start=first)
        return law.at(self.target)


@dataclass(frozen=True)
class LogLogFitter:
    """Fit the log-log lines; picklable."""

    target: Target
    mixing: str = "additive"
    settings: LogLogSettings | None = None

    def __call__(self, observations: Observations, _start: TargetLaw | None) -> TargetLaw:
        """Return the mixing law at the target; the lines have no warm start."""
        fit = fit_loglog(observations, self.target, mixing=self.mixing, settings=self.settings)
        return fit.mixing
