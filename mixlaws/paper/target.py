"""The stages of the joint laws at the target: each reads a study's folder and writes files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mixlaws.files import write_json
from mixlaws.losses.swarm import Swarm
from mixlaws.paper import joint_target
from mixlaws.paper.points import Settings
from mixlaws.tables import write_table


def score_pipelines(
    study: str | Path, settings: Settings, *, folds: str | Path, choice: str | Path
) -> None:
    """Choose the joint laws by folds; score them and the nested pipeline on forward folds."""
    swarm = Swarm.load(study)
    chosen = joint_target.choose(swarm, settings)
    joint_target.save_choice(chosen, choice)
    write_table(joint_target.forward_folds(swarm, settings, chosen), folds)


def predict_target(
    study: str | Path,
    groups: Mapping[str, Sequence[str]],
    settings: Settings,
    *,
    choice: str | Path,
    output: str | Path,
) -> None:
    """Write the losses at the target's size, as predicted by the chosen joint laws."""
    chosen = joint_target.read_choice(choice)
    write_table(joint_target.joint_predictions(Swarm.load(study), groups, settings, chosen), output)


def bound_target(
    study: str | Path,
    settings: Settings,
    *,
    choice: str | Path,
    uncertainty: Mapping[str, Any],
    processes: int,
    output: str | Path,
) -> None:
    """Write the joint laws' optimum and predictions at the target, with intervals (JSON)."""
    record = joint_target.bound_target(
        Swarm.load(study),
        settings,
        joint_target.read_choice(choice),
        uncertainty=uncertainty,
        swarm=Path(study).name,
        processes=processes,
    )
    write_json(record, output)
