"""The losses of one experiment, opened for analysis: observations, target, weights, baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mixlaws.errors import DataError
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.losses.arrays import make_observations, schedule_of
from mixlaws.losses.fingerprints import check_runs
from mixlaws.losses.tables import read_losses
from mixlaws.losses.weights import weight_vector
from mixlaws.runs.schedules import make_schedule
from mixlaws.runs.shapes import Shape
from mixlaws.tables import read_table

SCHEDULE_NAMES = ("schedule", "schedule_horizon", "final_rate", "decay_share")


@dataclass(frozen=True, eq=False)
class Experiment:
    """What every law and decision starts from."""

    observations: Observations
    held_out: tuple[str, ...]
    """Ids of the mixtures that no fit may see."""
    baselines: dict[str, list[float]]
    """Proportions of uniform and natural, in the order of the domains."""
    columns: Columns
    target: Target
    target_options: dict[str, Any]
    weights: dict[str, float]

    @property
    def fitted(self) -> Observations:
        """Return the observations without the held-out mixtures."""
        return self.observations.select(~np.isin(self.observations.mixture, self.held_out))

    def record(self) -> dict[str, Any]:
        """Return target and objective as optimum.json states them."""
        target = {name: self.target_options[name] for name in ("size", "tokens")}
        return {
            "target": {**target, "num_params": int(self.target.num_params)},
            "objective": {"weights": self.weights},
        }

    def distance(self) -> dict[str, float]:
        """Return the target over the largest observed N and D: how far the laws must reach."""
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
    """Read the tables of an experiment; `target` and `weights` are the config's.

    Raises DataError when tables disagree or a weighted validation domain was not measured.
    """
    run_table = read_table(runs, ["size", "mixture", "seed", "num_params", "vocabulary_size"])
    check_runs(run_table, runs)
    observations = make_observations(read_losses(losses), run_table)
    check_schedule(schedule_of(run_table), target)
    table = read_table(mixtures, ["id", "kind"]).set_index("id")
    if unknown := sorted(set(observations.mixture.tolist()) - set(table.index)):
        raise DataError(f"{mixtures} must name every mixture of the losses, but lacks {unknown}")
    shares = table[[f"r_{domain}" for domain in observations.domains]]
    baselines = table.index[table["kind"] == "baseline"]
    return Experiment(
        observations=observations,
        held_out=tuple(table.index[table["kind"] == "held-out"]),
        baselines={str(name): shares.loc[name].tolist() for name in baselines},
        columns=Columns(
            observations.validation_domains,
            weight_vector(weights, observations.validation_domains),
        ),
        target=make_target(target, int(run_table["vocabulary_size"].iloc[0])),
        target_options=dict(target),
        weights=dict(weights),
    )


def check_schedule(trained: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Raise DataError when the runs' schedule is not the one that the target is predicted for."""
    asked = {"schedule": "constant", **target}
    is_constant = asked["schedule"] == "constant" == trained["schedule"]
    names = ["schedule"] if is_constant else [*SCHEDULE_NAMES, "warmup_steps"]
    different = [name for name in names if trained.get(name) != asked.get(name)]
    if different:
        listed = ", ".join(f"{n} ({trained.get(n)}, target {asked.get(n)})" for n in different)
        raise DataError(
            f"the target must have the schedule that the runs were trained on, but differs in "
            f"{listed}: train the proxies on the target's schedule or change training.schedule back"
        )


def make_target(target: Mapping[str, Any], vocabulary_size: int) -> Target:
    """Return the config's target as a point in (N, D), with its schedule's state at its end."""
    names = [name for name in Shape.__dataclass_fields__ if name in target]
    shape = Shape(**{name: target[name] for name in names})
    flops = shape.flops_per_token(
        vocabulary_size=vocabulary_size, sequence_length=target["sequence_length"]
    )
    effective, annealing = float(target["tokens"]), 0.0
    if target.get("schedule", "constant") != "constant":
        num_steps = target["tokens"] // target["batch_tokens"]
        schedule = make_schedule(target, num_steps)
        effective, annealing = map(float, schedule.state(num_steps, target["batch_tokens"]))
    return Target(
        num_params=shape.num_params,
        compute_params=flops / 6,
        tokens=float(target["tokens"]),
        effective_tokens=effective,
        annealing=annealing,
    )


def supply(
    available_tokens: Mapping[str, int | None], accounting: str | Path, measured_factor: float
) -> dict[str, float | None]:
    """Return the tokens of each domain that limit the target; None where nothing does.

    Stated numbers come first. A confirmation trains on the text at hand, so with a
    `measured_factor` above 0 its counted training tokens, times this, limit the other domains.
    """
    table = read_table(accounting, ["domain", "split", "num_tokens"])
    counted = table[table["split"] == "train"].set_index("domain")["num_tokens"]
    return {
        domain: stated or (float(counted[domain]) * measured_factor if measured_factor else None)
        for domain, stated in available_tokens.items()
    }
