"""The pipelines, settings given: from observations to a law at the target.

Which pipeline and which settings is chosen elsewhere (`scoring/choice.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from mixlaws.errors import DataError
from mixlaws.laws.joint.fit import DEFAULT_FORMS, JointSettings, fit_joint
from mixlaws.laws.joint.law import JointAtTarget, JointLaw
from mixlaws.laws.law import Ensemble, Law, members
from mixlaws.laws.least_squares import Fit
from mixlaws.laws.loglog import LogLogFit, LogLogSettings, fit_loglog
from mixlaws.laws.nested import NestedFit, NestedSettings, fit_nested
from mixlaws.laws.observations import Observations, Target


class Pipeline(Protocol):
    """What turns observations into a law at the target; picklable."""

    @property
    def name(self) -> str:
        """Return the name that the config uses."""
        ...

    def fit(self, observations: Observations, target: Target, start: Law | None = None, /) -> Law:
        """Return the law at the target; `start`, an earlier one, may save time.

        Raises FitError when the observations do not suffice.
        """
        ...


@dataclass(frozen=True)
class Nested:
    """Step law, size law and mixing law, one after the other (the paper's algorithm 1)."""

    name: ClassVar[str] = "nested"
    mixing: str = "additive"
    settings: NestedSettings = field(default_factory=NestedSettings)

    def fit(self, observations: Observations, target: Target, _start: Law | None = None) -> Law:
        """Return the mixing law at the target; an earlier law is of no use."""
        return self.fit_stages(observations, target).mixing

    def fit_stages(self, observations: Observations, target: Target) -> NestedFit:
        """Return the laws of all three stages."""
        return fit_nested(observations, target, mixing=self.mixing, settings=self.settings)


@dataclass(frozen=True)
class Joint:
    """One law in size, tokens and proportions; the mean over several forms."""

    name: ClassVar[str] = "joint"
    forms: tuple[str, ...] = DEFAULT_FORMS
    settings: JointSettings = field(default_factory=JointSettings)

    def fit(self, observations: Observations, target: Target, start: Law | None = None) -> Law:
        """Return the ensemble of the forms at the target; `start` is where the fits begin."""
        return Ensemble(
            tuple(law.at(target) for law, _ in self.fit_forms(observations, start).values())
        )

    def fit_forms(
        self, observations: Observations, start: Law | None = None
    ) -> dict[str, tuple[JointLaw, Fit]]:
        """Return the law of each form, at any size and number of tokens, with its evidence."""
        earlier = {} if start is None else _joint_laws(start)
        return {
            form: fit_joint(
                observations, form=form, settings=self.settings, start=earlier.get(form)
            )
            for form in self.forms
        }


@dataclass(frozen=True)
class LogLog:
    """Straight lines in log size and log tokens, then a mixing law."""

    name: ClassVar[str] = "loglog"
    mixing: str = "additive"
    settings: LogLogSettings = field(default_factory=LogLogSettings)

    def fit(self, observations: Observations, target: Target, _start: Law | None = None) -> Law:
        """Return the mixing law at the target; an earlier law is of no use."""
        return self.fit_lines(observations, target).mixing

    def fit_lines(self, observations: Observations, target: Target) -> LogLogFit:
        """Return the lines, and the mixing law at the target."""
        return fit_loglog(observations, target, mixing=self.mixing, settings=self.settings)


PIPELINES: dict[str, type[Nested | Joint | LogLog]] = {
    pipeline.name: pipeline for pipeline in (Nested, Joint, LogLog)
}
"""By the name that the config uses."""


def _joint_laws(start: Law) -> dict[str, JointLaw]:
    return {law.law.form: law.law for law in members(start) if isinstance(law, JointAtTarget)}


def pipeline_record(pipeline: Pipeline) -> dict[str, Any]:
    """Return a pipeline with all its settings as plain JSON; an infinite number is "inf"."""
    return {"name": pipeline.name, **_plain(pipeline)}


def make_pipeline(record: Mapping[str, Any]) -> Pipeline:
    """Return the pipeline that `pipeline_record` wrote; raise DataError if there is none such."""
    name = record.get("name")
    if name not in PIPELINES:
        raise DataError(
            f"there is no pipeline {name!r}: a fitted law names one of {', '.join(PIPELINES)}. "
            "Fit it again with this version"
        )
    given = {key: value for key, value in record.items() if key != "name"}
    return _restored(PIPELINES[name](), given)


def _plain(value: Any) -> Any:
    """Return a dataclass as JSON values."""
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return "inf" if isinstance(value, float) and value == np.inf else value


def _restored(default: Any, record: Any) -> Any:
    """Return JSON values in the types of a default."""
    if not is_dataclass(default):
        if isinstance(default, tuple):
            return tuple(record)
        return np.inf if record == "inf" else record
    names = [each.name for each in fields(default)]
    if set(record) != set(names):
        raise DataError(
            f"the settings {', '.join(sorted(set(record) ^ set(names)))} of a fitted law are "
            "unknown or missing: it was written by another version. Fit it again with this one"
        )
    kind: Any = type(default)
    return kind(**{name: _restored(getattr(default, name), record[name]) for name in names})
