"""Fit every law that the report shows, once, and write them: law.json and the law tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixlaws.files import write_json
from mixlaws.laws.files import FittedLaw, save_law
from mixlaws.laws.joint.law import JointLaw
from mixlaws.laws.law import Ensemble, Law
from mixlaws.laws.least_squares import Fit
from mixlaws.laws.loglog import LogLogFit
from mixlaws.laws.nested import NestedFit
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, LogLog, Nested
from mixlaws.laws.slopes import SlopeTest, compare_slopes
from mixlaws.scoring.choice import LawChoice
from mixlaws.scoring.law_tables import joint_table, mixing_table, size_table, step_table
from mixlaws.scoring.line_tables import line_table, slope_test_table
from mixlaws.scoring.record import open_tables, read_choice
from mixlaws.scoring.targets import target_record
from mixlaws.tables import write_table


def fit_laws(
    inputs: Mapping[str, str], outputs: Mapping[str, str], settings: Mapping[str, Any]
) -> None:
    """Fit the laws to all fitted mixtures and write the one that decides, and their parameters.

    Reads losses, runs, mixtures and choice; writes law, targets, and the tables of parameters:
    step, size, mixing, joint, line and slope.
    `settings` are the config's target and weights, and the level of the intervals.
    """
    experiment = open_tables(inputs, settings)
    choice, uncertainty = read_choice(inputs["choice"])
    observations, target = experiment.fitted, experiment.target
    fits = fit_all(observations, target, choice)
    fitted = fits.fitted_law(
        observations, experiment.columns, uncertainty=uncertainty, level=settings["level"]
    )
    save_law(Path(outputs["law"]).parent, fitted)
    write_json(target_record(fitted, observations), outputs["targets"])
    names = observations.validation_domains
    write_table(step_table(fits.nested, names), outputs["step"])
    write_table(size_table(fits.nested, names, target.tokens), outputs["size"])
    write_table(mixing_table(fits.nested, observations), outputs["mixing"])
    laws = [law for law, _ in fits.joint.values()]
    write_table(joint_table(laws, observations), outputs["joint"])
    tests = fits.slope_tests(observations, experiment.columns)
    write_table(line_table(fits.lines, tests, names), outputs["line"])
    write_table(slope_test_table(tests, experiment.columns), outputs["slope"])


@dataclass(frozen=True, eq=False)
class Fits:
    """The fits of the nested pipeline and the joint laws, and the law that was chosen."""

    choice: LawChoice
    target: Target
    nested: NestedFit
    """Shown by every report."""
    joint: dict[str, tuple[JointLaw, Fit]]
    """By form; empty when nobody asked for joint laws or none can be fitted."""
    lines: LogLogFit | None
    """None unless the log-log lines decide."""
    law: Law
    """What decides, at the target."""
    noise: np.ndarray
    """(V,) root mean square of what it leaves of the losses that it was fitted to, nats."""

    def fitted_law(
        self,
        observations: Observations,
        columns: Columns,
        *,
        uncertainty: Mapping[str, Any],
        level: float,
    ) -> FittedLaw:
        """Return what law.json holds."""
        return FittedLaw(
            law=self.law,
            pipeline=self.choice.chosen(),
            target=self.target,
            domains=observations.domains,
            columns=columns,
            noise=self.noise,
            uncertainty=uncertainty,
            level=level,
            num_mixtures=len(np.unique(observations.mixture)),
        )

    def slope_tests(self, observations: Observations, columns: Columns) -> list[SlopeTest]:
        """Return whether the lines of all mixtures have one slope; empty without lines."""
        chosen = self.choice.chosen()
        if not isinstance(chosen, LogLog):
            return []
        return compare_slopes(observations, columns, chosen.settings)


def fit_all(observations: Observations, target: Target, choice: LawChoice) -> Fits:
    """Fit the nested pipeline, the joint laws if there are any, and the chosen law."""
    pipelines, chosen = choice.pipelines(), choice.chosen()
    nested, joint = pipelines["nested"], pipelines.get("joint")
    assert isinstance(nested, Nested)
    stages = nested.fit_stages(observations, target)
    forms = joint.fit_forms(observations) if isinstance(joint, Joint) else {}
    law: Law = stages.mixing
    lines, evidence = None, [stages.mixing_fit]
    if isinstance(chosen, Joint):
        law = Ensemble(tuple(each.at(target) for each, _ in forms.values()))
        evidence = [fit for _, fit in forms.values()]
    elif isinstance(chosen, LogLog):
        lines = chosen.fit_lines(observations, target)
        law, evidence = lines.mixing, [lines.mixing_fit]
    squares = np.mean([(fit.residuals**2).mean(axis=0) for fit in evidence], axis=0)
    return Fits(choice, target, stages, forms, lines, law, np.sqrt(squares))
