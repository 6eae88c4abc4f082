"""The joint laws on the paper's losses: predictions with intervals, forward folds, the optimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.decision.bootstrap import Sampling, bootstrap
from mixlaws.decision.decide import Evidence, decide_mixture
from mixlaws.decision.estimates import KINDS, estimate
from mixlaws.decision.intervals import Bounds, predict_differences
from mixlaws.files import read_json, write_json
from mixlaws.laws.joint.fit import JointSettings
from mixlaws.laws.nested import PAPER_SETTINGS
from mixlaws.laws.observations import Observations
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint, Nested
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.points import Panels, Settings, complete_runs, target_at
from mixlaws.scoring.folds import (
    FoldResult,
    forecaster,
    leave_largest_size_out,
    leave_later_steps_out,
)
from mixlaws.scoring.forward import Question, look_forward
from mixlaws.scoring.joint_folds import JointChoice, choose_joint

JOINT, PAPER = "joint", "nested, the paper's"
ROLES = ("default", "optimised")
NO_OPTIONS: dict[str, Any] = {"limits": {}, "groups": {}, "max_epochs": 1.0, "maximum_share": 0.0}
"""Options as in the config's `optimum`: no token is repeated, the weighted mean loss counts."""


def proxy_runs(study: Swarm, settings: Settings) -> Observations:
    """Return the proxies that the joint laws are fitted to; they include the default mixture."""
    seen = make_observations(study)
    largest = settings["sizes"][-1]
    named = [*seen.mixture[seen.size == largest], settings.get("default", "")]
    return seen.select(np.isin(seen.size, settings["sizes"]) & np.isin(seen.mixture, named))


def choose(study: Swarm, settings: Settings) -> JointChoice:
    """Choose early cut, schedule term and forms by folds over the proxies."""
    weights = np.array(list(study.weights.values()))
    choice, _ = choose_joint(proxy_runs(study, settings), weights=weights)
    return choice


def save_choice(choice: JointChoice, path: str | Path) -> None:
    """Write the choice of the folds as JSON."""
    settings = choice.settings
    record = {"early_cut": settings.early_cut, "schedule": settings.schedule}
    write_json(record | {"forms": list(choice.forms)}, path)


def read_choice(path: str | Path) -> JointChoice:
    """Read the choice that `save_choice` wrote."""
    record = read_json(path)
    settings = JointSettings(early_cut=record["early_cut"], schedule=record["schedule"])
    return JointChoice(settings, tuple(record["forms"]))


def joint_predictions(
    study: Swarm, groups: Mapping[str, Sequence[str]], settings: Settings, choice: JointChoice
) -> pd.DataFrame:
    """Return predicted and observed losses of every run at the target's size, for every panel.

    No law is fitted to this size. Columns: mixture, step, panel, predicted, observed.
    """
    panels = Panels.of(study, groups)
    laws = Joint(choice.forms, choice.settings).fit_forms(proxy_runs(study, settings))
    seen = make_observations(study)
    large = seen.select(seen.size == settings["target"]["size"])
    mean = np.mean([law.predict(large) for law, _ in laws.values()], axis=0)
    predicted, observed = panels.of_losses(mean), panels.of_losses(large.losses)
    tables = [
        pd.DataFrame(
            {
                "mixture": large.mixture,
                "step": large.step,
                "panel": panel,
                "predicted": predicted[:, place],
                "observed": observed[:, place],
            }
        )
        for place, panel in enumerate(panels.names)
    ]
    return pd.concat(tables, ignore_index=True)


def forward_folds(study: Swarm, settings: Settings, choice: JointChoice) -> pd.DataFrame:
    """Score nested laws, joint laws and baselines on the proxies' largest size and later steps.

    Columns: law, fold, size, and mae and bias of the overall loss, nats.
    """
    weights = np.array(list(study.weights.values()))
    runs = complete_runs(study, settings["sizes"], settings["steps"])
    rows = []
    for result in _fold_results(runs, choice):
        error = (result.predicted - result.observed) @ weights
        row = {"law": result.law, "fold": result.fold, "size": result.size}
        rows.append(row | {"mae": float(np.abs(error).mean()), "bias": float(error.mean())})
    return pd.DataFrame(rows)


def _fold_results(runs: Observations, choice: JointChoice) -> list[FoldResult]:
    forecasters = {
        PAPER: forecaster(Nested("exponential", PAPER_SETTINGS)),
        "nested": forecaster(Nested()),
        JOINT: forecaster(Joint(choice.forms, choice.settings)),
    }
    largest = str(runs.size[runs.num_params.argmax()])
    return leave_largest_size_out(forecasters, runs) + leave_later_steps_out(
        forecasters, runs, largest
    )


def bound_target(
    study: Swarm,
    settings: Settings,
    choice: JointChoice,
    *,
    uncertainty: Mapping[str, Any],
    swarm: str | None = None,
    processes: int = 1,
) -> dict[str, Any]:
    """Return the content of optimum.json (`decide_mixture`) and `gain`, default minus optimised.

    The law is that of `joint_predictions`. Intervals of losses and gains come from the forward
    folds among the proxies (`scoring/forward.py`), the study itself, `swarm`, left out of the
    pooled values; those of shares are bootstraps over mixtures.
    """
    evidence = _gather(study, settings, choice, uncertainty, swarm, processes)
    named: dict[str, Any] = {role: study.shares(settings[role]) for role in ROLES}
    record = decide_mixture(
        evidence,
        NO_OPTIONS
        | {"limits": {d: (0.0, float(upper)) for d, upper in settings["limits"].items()}},
        target_tokens=target_at(study, **settings["target"]).tokens,
        available_tokens={},
        baselines=named,
    )
    pair = (named["default"][None], named["optimised"][None])
    expected, one_run = (
        predict_differences(evidence.law, pair, evidence.bounds, kind) for kind in KINDS
    )
    return record | {"level": evidence.bounds.level, "gain": estimate(expected, one_run, -1)}


def _gather(
    study: Swarm,
    settings: Settings,
    choice: JointChoice,
    uncertainty: Mapping[str, Any],
    swarm: str | None,
    processes: int,
) -> Evidence:
    target = target_at(study, **settings["target"])
    proxies = proxy_runs(study, settings)
    columns = Columns(proxies.validation_domains, np.array(list(study.weights.values())))
    joint = Joint(choice.forms, choice.settings)
    question = Question(pinned=JOINT, swarm=swarm)
    forward = look_forward(proxies, target, columns, [joint], question)
    laws = bootstrap(
        joint,
        proxies,
        target,
        sampling=Sampling(uncertainty["replicates"], processes=processes),
    )
    bounds = Bounds(columns, forward.uncertainty, uncertainty["level"])
    return Evidence(proxies, laws, bounds)
