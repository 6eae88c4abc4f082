"""Open the losses of one experiment: its observations, target, weights and baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixlaws.errors import DataError
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.losses.arrays import knows_compute, make_observations, schedule_of
from mixlaws.losses.fingerprints import check_runs
from mixlaws.losses.swarm import Swarm
from mixlaws.runs.schedules import make_schedule
from mixlaws.runs.shapes import Shape
from mixlaws.runs.supply import target_supply
from mixlaws.tables import read_table

SCHEDULE_NAMES = ("schedule", "schedule_horizon", "final_rate", "decay_share")


@dataclass(frozen=True, eq=False)
class Experiment:
    """The inputs of an experiment's laws and decisions."""

    observations: Observations
    held_out: tuple[str, ...]
    """Ids of the mixtures that are left out of every fit."""
    baselines: dict[str, list[float]]
    """Proportions of the baseline mixtures by id, in the order of the domains; may be empty."""
    columns: Columns
    target: Target
    target_options: dict[str, Any]
    weights: dict[str, float]

    @property
    def fitted(self) -> Observations:
        """Return the observations without the held-out mixtures."""
        return self.observations.select(~np.isin(self.observations.mixture, self.held_out))

    def record(self) -> dict[str, Any]:
        """Return the target and the objective, for optimum.json."""
        target = {name: self.target_options[name] for name in ("size", "tokens")}
        return {
            "target": {**target, "num_params": int(self.target.num_params)},
            "objective": {"weights": self.weights},
        }

    def distance(self) -> dict[str, float]:
        """Return the distance of the extrapolation: the target's N and D over the largest seen."""
        return {
            "num_params": float(self.target.num_params / self.observations.num_params.max()),
            "tokens": float(self.target.tokens / self.observations.tokens.max()),
        }


def open_experiment(
    losses: str | Path,
    runs: str | Path,
    mixtures: str | Path,
    *,
    target: Mapping[str, Any],
    weights: Mapping[str, float],
) -> Experiment:
    """Read the tables of an experiment; `target` and `weights` come from the config.

    The runs may be imported: baselines, seeds, schedules, vocabulary_size and flops_per_token are
    optional. Raises DataError if the tables do not fit together, if the runs saw different text or
    schedules, or if a weighted validation domain was not measured.
    """
    swarm = Swarm.read(losses, runs, mixtures)
    check_runs(swarm.runs, runs)
    check_schedule(schedule_of(swarm.runs), target)
    observations = make_observations(swarm)
    kinds = swarm.mixtures.drop_duplicates("id").set_index("id")["kind"]
    vocabulary_size = swarm.runs["vocabulary_size"].iloc[0] if knows_compute(swarm.runs) else None
    return Experiment(
        observations=observations,
        held_out=tuple(kinds.index[kinds == "held-out"]),
        baselines={
            str(name): swarm.shares(name).tolist() for name in kinds.index[kinds == "baseline"]
        },
        columns=Columns.of(weights, observations.validation_domains),
        target=make_target(target, vocabulary_size),
        target_options=dict(target),
        weights=dict(weights),
    )


def check_schedule(trained: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Raise DataError if the runs and the target have different learning-rate schedules."""
    asked = {"schedule": "constant", **target}
    is_constant = asked["schedule"] == "constant" == trained["schedule"]
    names = ["schedule"] if is_constant else [*SCHEDULE_NAMES, "warmup_steps"]
    different = [name for name in names if trained.get(name) != asked.get(name)]
    if different:
        listed = ", ".join(f"{n} ({trained.get(n)}, target {asked.get(n)})" for n in different)
        raise DataError(
            f"the runs and the target have different learning-rate schedules: they differ in "
            f"{listed}. Train the proxies on the target's schedule, or change training.schedule "
            "back"
        )


def make_target(target: Mapping[str, Any], vocabulary_size: int | None) -> Target:
    """Return the config's target as a point in (N, D), with the state of its schedule at the end.

    Without a `vocabulary_size` its FLOPs are unknown; `compute_params` is then N, as it is for the
    runs (`arrays.knows_compute`).
    """
    names = [name for name in Shape.__dataclass_fields__ if name in target]
    shape = Shape(**{name: target[name] for name in names})
    compute_params = float(shape.num_params)
    if vocabulary_size is not None:
        length = target["sequence_length"]
        flops = shape.flops_per_token(vocabulary_size=int(vocabulary_size), sequence_length=length)
        compute_params = flops / 6
    effective, annealing = float(target["tokens"]), 0.0
    if target.get("schedule", "constant") != "constant":
        num_steps = target["tokens"] // target["batch_tokens"]
        schedule = make_schedule(target, num_steps)
        effective, annealing = map(float, schedule.state(num_steps, target["batch_tokens"]))
    return Target(
        num_params=shape.num_params,
        compute_params=compute_params,
        tokens=float(target["tokens"]),
        effective_tokens=effective,
        annealing=annealing,
    )


def supply(
    available_tokens: Mapping[str, int | None],
    accounting: str | Path | None,
    measured_factor: float,
) -> dict[str, float | None]:
    """Return the number of tokens of each domain available to the target; None means no limit.

    As `target_supply`, with the training tokens counted in `accounting`. Imported runs have no
    accounting (None).
    """
    if accounting is None or not measured_factor:
        return target_supply(available_tokens, {}, 0)
    table = read_table(accounting, ["domain", "split", "num_tokens"])
    train = table[table["split"] == "train"]
    counted = dict(zip(train["domain"], train["num_tokens"], strict=True))
    return target_supply(available_tokens, counted, measured_factor)
