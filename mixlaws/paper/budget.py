"""How large and how long, from the paper's RedPajama losses: N and D for the target's FLOPs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws.decision.budget import answer_budget
from mixlaws.decision.compute_budget import answer_together, make_question
from mixlaws.files import write_json
from mixlaws.laws.joint.fit import JointSettings
from mixlaws.laws.overall import Columns
from mixlaws.laws.pipelines import Joint
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.experiment import Experiment
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.joint_target import NO_OPTIONS, ROLES, read_choice
from mixlaws.paper.points import Settings, target_at
from mixlaws.tables import write_table

STUDY = "redpajama"


def divide_published(
    folder: str | Path, config: Mapping[str, Any], *, budget: str | Path, isoflop: str | Path
) -> None:
    """Write budget.json and isoflop.csv of the results in a folder, as `divide_budget` does."""
    record, curves = answer_published(Path(folder), config)
    write_json(record, budget)
    write_table(curves, isoflop)


def answer_published(
    folder: Path, config: Mapping[str, Any]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the record and the curves for the config's `compute_budget`.

    The laws are fitted to all runs of the study, those of the target's size included. The tokens
    that exist come from published.figures.extrapolation.limits.
    """
    study = Swarm.load(folder / STUDY)
    settings = config["published"]["figures"]["extrapolation"]
    experiment = _experiment(study, settings)
    question = make_question(config, JointSettings().early_cut)
    record, curves = answer_budget(
        experiment.observations,
        experiment.columns,
        experiment.target,
        question,
        list(experiment.baselines),
    )
    choice = read_choice(folder / STUDY / "joint_choice.json")
    total = experiment.target.tokens
    available = {
        domain: None if share >= 1 else share * total
        for domain, share in settings["limits"].items()
    }
    joint = answer_together(
        experiment, Joint(choice.forms, choice.settings), question, NO_OPTIONS, (available, ())
    )
    return record | {"joint": joint}, curves


def _experiment(study: Swarm, settings: Settings) -> Experiment:
    observations = make_observations(study)
    names = dict.fromkeys(settings[role] for role in ROLES)
    return Experiment(
        observations=observations,
        held_out=(),
        baselines={name: study.shares(name).tolist() for name in names},
        columns=Columns.of(study.weights, observations.validation_domains),
        target=target_at(study, **settings["target"]),
        target_options=dict(settings["target"]),
        named=(),
        weights=dict(study.weights),
    )
