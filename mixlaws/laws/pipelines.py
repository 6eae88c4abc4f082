"""The pipelines: each fits a law at the target to observations.

`mixlaws.scoring.choice` chooses the pipeline and its settings.
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
    """Fits a law at the target to observations. A pipeline can be pickled."""

    @property
    def name(self) -> str:
        """Return the pipeline's name in the config."""
        ...

    def fit(self, observations: Observations, target: Target, start: Law | None = None, /) -> Law:
        """Return the law at the target; starting from an earlier law, `start`, may save time.

        Raises FitError if there are too few observations.
        """
        ...


@dataclass(frozen=True)
class Nested:
    """Fits a step law, a size law and a mixing law in turn (the paper's algorithm 1)."""

    name: ClassVar[str] = "nested"
    mixing: str = "additive"
    settings: NestedSettings = field(default_factory=NestedSettings)

    def fit(self, observations: Observations, target: Target, start: Law | None = None) -> Law:
        """Return the mixing law at the target; its fit begins at `start`."""
        return self.fit_stages(observations, target, start).mixing

    def fit_stages(
        self, observations: Observations, target: Target, start: Law | None = None
    ) -> NestedFit:
        """Return the laws of all three stages."""
        return fit_nested(
            observations, target, mixing=self.mixing, settings=self.settings, start=start
        )


@dataclass(frozen=True)
class Joint:
    """Fits one law in size, tokens and proportions per form and takes the mean of the forms."""

    name: ClassVar[str] = "joint"
    forms: tuple[str, ...] = DEFAULT_FORMS
    settings: JointSettings = field(default_factory=JointSettings)

    def fit(self, observations: Observations, target: Target, start: Law | None = None) -> Law:
        """Return the ensemble of the forms at the target; the fits begin at `start`."""
        return Ensemble(
            tuple(law.at(target) for law, _ in self.fit_forms(observations, start).values())
        )

    def fit_forms(
        self, observations: Observations, start: Law | None = None
    ) -> dict[str, tuple[JointLaw, Fit]]:
        """Return the law of each form, which holds at any size and tokens, with its evidence."""
        earlier = {} if start is None else _joint_laws(start)
        return {
            form: fit_joint(
                observations, form=form, settings=self.settings, start=earlier.get(form)
            )
            for form in self.forms
        }


@dataclass(frozen=True)
class LogLog:
    """Fits straight lines in log size and log tokens, then a mixing law."""

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
"""The pipelines by their name in the config."""


def _joint_laws(start: Law) -> dict[str, JointLaw]:
    return {law.law.form: law.law for law in members(start) if isinstance(law, JointAtTarget)}


def pipeline_record(pipeline: Pipeline) -> dict[str, Any]:
    """Return a pipeline with all its settings as JSON values; infinity becomes "inf"."""
    return {"name": pipeline.name, **_plain(pipeline)}


def make_pipeline(record: Mapping[str, Any]) -> Pipeline:
    """Rebuild a pipeline from its record; raise DataError if this version does not know it."""
    name = record.get("name")
    if name not in PIPELINES:
        raise DataError(
            f"the fitted law names an unknown pipeline, {name!r}; there are "
            f"{', '.join(PIPELINES)}. Fit it again with this version"
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
    """Convert JSON values to the types of a default value."""
    if not is_dataclass(default):
        if isinstance(default, tuple):
            return tuple(record)
        return np.inf if record == "inf" else record
    names = [each.name for each in fields(default)]
    if set(record) != set(names):
        raise DataError(
            f"the settings {', '.join(sorted(set(record) ^ set(names)))} of a fitted law are "
            "unknown or missing: another version wrote it. Fit it again with this version"
        )
    kind: Any = type(default)
    return kind(**{name: _restored(getattr(default, name), record[name]) for name in names})
