"""Choose the pipeline and the mixing law by folds, and score every candidate on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixlaws.errors import FitError
from mixlaws.laws.joint.fit import JointSettings
from mixlaws.laws.loglog import LogLogSettings
from mixlaws.laws.mixing import candidate_laws
from mixlaws.laws.nested import NestedSettings, fit_nested
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, LogLog, Nested, Pipeline
from mixlaws.scoring.folds import (
    FoldResult,
    LossTable,
    last_losses,
    leave_mixtures_out,
    predict_held_out,
)
from mixlaws.scoring.forward import Forward, Question, has_folds, look_forward
from mixlaws.scoring.joint_folds import choose_joint
from mixlaws.scoring.selection import decide

COMPARED = (Nested.name, Joint.name)
"""The pipelines that the folds choose from; the log-log lines decide only where they are pinned."""


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
    forward: Forward
    """Unseen sizes and steps, by pipeline, and what they say of the target."""
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
    pinned = None if options["mixing"] == "auto" else options["mixing"]
    tables = _mixture_tables(fitted, target, options["early_cut"])
    laws = candidate_laws(min(len(table.mixtures) for table in tables), pinned)
    folds = [result for table in tables for result in leave_mixtures_out(laws, table)]
    decision = decide(folds, columns, pinned=pinned)
    asked = options["pipeline"]
    joint, joint_scores, why_not = (
        _choose_joint(fitted, columns.weights)
        if asked in ("auto", Joint.name) and has_folds(fitted)
        else ({}, [], {})
    )
    draft = LawChoice("nested", decision.law, options["early_cut"], joint, {})
    forward = look_forward(
        fitted,
        target,
        columns,
        [each for name, each in draft.pipelines().items() if name in (asked, *COMPARED)],
        Question(
            decision.law,
            None if asked == "auto" else asked,
            failed=why_not,
            left_out=_of_largest_size(folds, decision.law, fitted),
        ),
    )
    reasons = {"mixing": decision.reason, "pipeline": forward.choice.reason}
    choice = replace(draft, pipeline=forward.choice.name, reasons=reasons)
    held = _held_out_folds(observations, held_out, laws)
    return Scored(choice, folds + held, forward, joint_scores)


def _mixture_tables(fitted: Observations, target: Target, early_cut: float) -> list[LossTable]:
    """Return the losses at the end of every size, and those extrapolated if any are."""
    tables = [last_losses(fitted, str(size)) for size in np.unique(fitted.size)]
    nested = fit_nested(fitted, target, settings=NestedSettings(early_cut=early_cut))
    if nested.step is None and nested.size is None:
        return tables
    extrapolated = LossTable(
        "target", target.tokens, nested.mixtures, nested.proportions, nested.losses
    )
    return [*tables, extrapolated]


def _of_largest_size(folds: Sequence[FoldResult], law: str, fitted: Observations) -> FoldResult:
    """Return what a law predicted for the mixtures left out at the largest size."""
    largest = str(fitted.size[np.argmax(fitted.num_params)])
    return next(each for each in folds if (each.law, each.size) == (law, largest))


def _held_out_folds(
    observations: Observations, held_out: Sequence[str], laws: Sequence[str]
) -> list[FoldResult]:
    """Predict the held-out mixtures at the end of every size."""
    if not len(held_out):
        return []
    tables = [last_losses(observations, str(size)) for size in np.unique(observations.size)]
    return [result for table in tables for result in predict_held_out(laws, table, held_out)]


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
