"""Choose the pipeline and the mixing law by folds, and score every candidate on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.joint.fit import JointSettings
from mixlaws.laws.loglog import LogLogSettings
from mixlaws.laws.mixing import DECIDING_LAWS
from mixlaws.laws.nested import NestedSettings, fit_nested
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns, FoldErrors
from mixlaws.laws.pipelines import Joint, LogLog, Nested, Pipeline
from mixlaws.scoring.fold_errors import measure_fold_errors
from mixlaws.scoring.folds import (
    FoldResult,
    LossTable,
    cross_validate_mixtures,
    forecaster,
    last_losses,
    leave_largest_size_out,
    leave_later_steps_out,
    predict_held_out,
)
from mixlaws.scoring.joint_folds import choose_joint
from mixlaws.scoring.selection import decide

# The joint law replaces the nested pipeline only if its forward error is lower by this factor:
# the folds are few, and the nested pipeline is the published procedure.
PIPELINE_MARGIN = 0.8


@dataclass(frozen=True)
class LawChoice:
    """What predicts the target, and why."""

    pipeline: str
    mixing: str
    early_cut: float
    """Of the nested pipeline and of the log-log lines."""
    joint: dict[str, Any]
    """forms, early_cut, schedule; empty when nobody asked for joint laws or none can be fitted."""
    reasons: dict[str, str]

    def pipelines(self) -> dict[str, Pipeline]:
        """Return every pipeline that can be fitted, with the settings that were chosen for it."""
        nested = Nested(self.mixing, NestedSettings(early_cut=self.early_cut))
        found: dict[str, Pipeline] = {nested.name: nested}
        if self.joint:
            cut, schedule = self.joint["early_cut"], self.joint["schedule"]
            settings = JointSettings(early_cut=cut, schedule=schedule)
            found[Joint.name] = Joint(tuple(self.joint["forms"]), settings)
        lines = LogLog(self.mixing, LogLogSettings(early_cut=self.early_cut))
        return found | {lines.name: lines}

    def chosen(self) -> Pipeline:
        """Return the pipeline that predicts the target."""
        return self.pipelines()[self.pipeline]


@dataclass(frozen=True, eq=False)
class Scored:
    """A choice with all that was predicted on the way to it."""

    choice: LawChoice
    mixture_folds: list[FoldResult]
    """Unseen mixtures, by mixing law."""
    forward_folds: list[FoldResult]
    """An unseen size and unseen steps, by pipeline."""
    errors: FoldErrors
    """Of the chosen pipeline on the forward folds."""
    joint_folds: list[Any]
    """The inner folds of the joint laws."""


def choose_laws(
    observations: Observations,
    held_out: Sequence[str],
    *,
    target: Target,
    columns: Columns,
    options: Mapping[str, Any],
) -> Scored:
    """Choose and score on the training side: the held-out mixtures choose nothing.

    `options` is the config's `laws`. Raises FitError when the pinned pipeline cannot be fitted.
    """
    fitted = observations.select(~np.isin(observations.mixture, held_out))
    folds = _mixture_folds(fitted, target, options["early_cut"])
    pinned = None if options["mixing"] == "auto" else options["mixing"]
    decision = decide(folds, columns, pinned=pinned)
    asked = options["pipeline"]
    joint, joint_scores, why_not = (
        _choose_joint(fitted, columns.weights) if asked in ("auto", "joint") else ({}, [], {})
    )
    draft = LawChoice("nested", decision.law, options["early_cut"], joint, {})
    forward, failed = _forward_folds(fitted, draft)
    failed |= why_not
    pipeline, reason = _choose_pipeline(asked, forward, columns, failed)
    choice = LawChoice(
        pipeline,
        decision.law,
        options["early_cut"],
        joint,
        {"mixing": decision.reason, "pipeline": reason},
    )
    held = _held_out_folds(observations, held_out)
    errors = measure_fold_errors([f for f in forward if f.law == pipeline], columns)
    if pipeline == "loglog":
        errors = _widen_by_distance(errors, fitted, target, choice, columns)
    return Scored(choice, folds + held, forward, errors, joint_scores)


def _widen_by_distance(
    errors: FoldErrors, fitted: Observations, target: Target, choice: LawChoice, columns: Columns
) -> FoldErrors:
    """Join the errors with the straight lines' own: it grows with the distance to the target."""
    settings = LogLogSettings(early_cut=choice.early_cut)
    lines = LogLog(choice.mixing, settings).fit_lines(fitted, target)
    reach = columns.with_overall(lines.losses * lines.log_sd).mean(axis=0)
    return FoldErrors(np.hypot(errors.level, reach), errors.difference)


def _mixture_folds(fitted: Observations, target: Target, early_cut: float) -> list[FoldResult]:
    """Leave one mixture out at the end of every size, and of the losses extrapolated."""
    tables = [last_losses(fitted, str(size)) for size in np.unique(fitted.size)]
    nested = fit_nested(fitted, target, settings=NestedSettings(early_cut=early_cut))
    tables.append(
        LossTable("target", target.tokens, nested.mixtures, nested.proportions, nested.losses)
    )
    return [result for table in tables for result in cross_validate_mixtures(DECIDING_LAWS, table)]


def _held_out_folds(observations: Observations, held_out: Sequence[str]) -> list[FoldResult]:
    """Predict the held-out mixtures at the end of every size."""
    if not len(held_out):
        return []
    tables = [last_losses(observations, str(size)) for size in np.unique(observations.size)]
    results = [predict_held_out(DECIDING_LAWS, table, held_out) for table in tables]
    return [result for table in results for result in table]


def _choose_joint(
    fitted: Observations, weights: np.ndarray
) -> tuple[dict[str, Any], list[Any], dict[str, str]]:
    """Return the joint laws' settings, their folds, and why there are none if so."""
    try:
        choice, scores = choose_joint(fitted, weights=weights)
    except FitError as error:
        return {}, [], {"joint": str(error)}
    settings = {
        "forms": list(choice.forms),
        "early_cut": choice.settings.early_cut,
        "schedule": choice.settings.schedule,
    }
    return settings, scores, {}


def _forward_folds(
    fitted: Observations, draft: LawChoice
) -> tuple[list[FoldResult], dict[str, str]]:
    """Predict the largest size from the smaller ones, and its last losses from early ones."""
    largest = str(fitted.size[np.argmax(fitted.num_params)])
    several = len(np.unique(fitted.size)) > 1
    results: dict[tuple[str, str], FoldResult] = {}
    failed: dict[str, str] = {}
    for name, pipeline in draft.pipelines().items():
        forecasters = {name: forecaster(pipeline)}
        try:
            found = leave_later_steps_out(forecasters, fitted, largest)
            found += leave_largest_size_out(forecasters, fitted) if several else []
        except FitError as error:
            failed[name] = str(error)
            continue
        results |= {(result.fold, result.law): result for result in found}
    return list(results.values()), failed


def _choose_pipeline(
    asked: str, forward: Sequence[FoldResult], columns: Columns, failed: Mapping[str, str]
) -> tuple[str, str]:
    """Return the pipeline and the reason: pinned, or by the mean error over the forward folds."""
    if asked != "auto":
        if asked in failed:
            raise FitError(
                f"the {asked} pipeline of laws.pipeline cannot be fitted: {failed[asked]}. Choose "
                "another pipeline or train more"
            )
        return asked, "pinned by laws.pipeline in the config"
    errors = {
        name: _mean_error(columns, [f for f in forward if f.law == name])
        for name in ("nested", "joint")
        if name not in failed
    }
    listed = ", ".join(f"{name} {error:.4f}" for name, error in errors.items())
    best = min(errors, key=lambda name: errors[name])
    if best != "nested" and errors[best] > PIPELINE_MARGIN * errors.get("nested", np.inf):
        best = "nested"
    return best, f"mean error of the overall loss on the forward folds, nats: {listed}"


def _mean_error(columns: Columns, results: Sequence[FoldResult]) -> float:
    """Return the mean over folds of the mean absolute error of the overall loss, nats."""
    overall: Callable[[np.ndarray], np.ndarray] = columns.overall
    return float(
        np.mean([np.abs(overall(r.predicted) - overall(r.observed)).mean() for r in results])
    )
