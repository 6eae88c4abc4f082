"""Open the losses of one experiment: its observations, target, weights and baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import ConfigError, DataError
from mixlaws.laws.observations import Observations, Target
from mixlaws.laws.overall import Columns
from mixlaws.losses.arrays import knows_compute, make_observations, schedule_of
from mixlaws.losses.counts import size_of
from mixlaws.losses.fingerprints import check_runs
from mixlaws.losses.planned import check_mixtures_planned, check_runs_planned
from mixlaws.losses.swarm import LOSSES, MIXTURES, RUNS, Swarm
from mixlaws.losses.tables import read_mixtures, read_runs
from mixlaws.results import BASELINE, HELD_OUT, NAMED
from mixlaws.runs.schedules import make_schedule
from mixlaws.runs.shapes import Shape
from mixlaws.runs.supply import target_supply
from mixlaws.tables import read_table

SCHEDULE_NAMES = ("schedule", "schedule_horizon", "final_rate", "decay_share")
SCHEDULE_KEYS = (*SCHEDULE_NAMES, "warmup_steps")


@dataclass(frozen=True, eq=False)
class Experiment:
    """The inputs of an experiment's laws and decisions."""

    observations: Observations
    held_out: tuple[str, ...]
    """Ids of the mixtures that are left out of every fit."""
    baselines: dict[str, list[float]]
    """Proportions of the baselines by id, named ones too, in the order of the domains; may be
    empty."""
    named: tuple[str, ...]
    """Ids of the baselines that somebody named."""
    columns: Columns
    target: Target
    target_options: dict[str, Any]
    weights: dict[str, float]

    @property
    def fitted(self) -> Observations:
        """Return the observations without the held-out mixtures."""
        return self.observations.select(~np.isin(self.observations.mixture, self.held_out))

    def record(self) -> dict[str, Any]:
        """Return the target, the objective and the named mixtures, for optimum.json."""
        target = {name: self.target_options[name] for name in ("size", "tokens")}
        return {
            "target": {**target, "num_params": int(self.target.num_params)},
            "objective": {"weights": self.weights},
            "named": list(self.named),
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
    weights: Mapping[str, float] | None,
    planned: Mapping[str, Any] | None = None,
) -> Experiment:
    """Read the tables of an experiment, and return what `make_experiment` makes of them.

    `planned` holds the runs and mixtures of the sweep, where there is one. Raises DataError if the
    tables do not have just these, if they do not fit together or if the runs saw different text.
    """
    if planned is not None:
        check_runs_planned(read_runs(runs), planned["runs"], runs)
        check_mixtures_planned(read_mixtures(mixtures), planned["mixtures"], mixtures)
    swarm = Swarm.read(losses, runs, mixtures)
    check_runs(swarm.runs, runs)
    return make_experiment(swarm, target=target, weights=weights)


def open_observations(folder: str | Path) -> Observations:
    """Return the observations in a results folder, without those of held-out mixtures."""
    folder = Path(folder)
    swarm = Swarm.read(*(folder / name for name in (LOSSES, RUNS, MIXTURES)))
    held_out = swarm.mixtures.loc[swarm.mixtures["kind"] == HELD_OUT, "id"]
    observations = make_observations(swarm)
    return observations.select(~np.isin(observations.mixture, held_out))


def open_sizes(folder: str | Path) -> dict[str, float]:
    """Return N of each size of the runs in a results folder."""
    table = read_table(Path(folder) / RUNS, ["size", "num_params"])
    return dict(zip(table["size"].astype(str), table["num_params"].astype(float), strict=True))


def make_experiment(
    swarm: Swarm, *, target: Mapping[str, Any], weights: Mapping[str, float] | None
) -> Experiment:
    """Return the experiment of a swarm; `target` and `weights` come from the config.

    The runs may be imported: baselines, seeds, schedules, vocabulary_size and flops_per_token are
    optional, the target may be a size without a shape (`locate_target`), and weights of None are
    equal. Raises DataError if the runs saw different schedules, or if a weighted validation domain
    was not measured.
    """
    observations = make_observations(swarm)
    if "num_layers" not in target:
        target = locate_target(target, swarm.runs, observations)
    weights = equal_weights(observations.validation_domains) if weights is None else weights
    check_schedule(schedule_of(swarm.runs), target)
    kinds = swarm.mixtures.drop_duplicates("id").set_index("id")["kind"]
    vocabulary_size = swarm.runs["vocabulary_size"].iloc[0] if knows_compute(swarm.runs) else None
    return Experiment(
        observations=observations,
        held_out=tuple(kinds.index[kinds == HELD_OUT]),
        baselines={
            str(name): swarm.shares(name).tolist()
            for name in kinds.index[kinds.isin([BASELINE, NAMED])]
        },
        named=tuple(kinds.index[kinds == NAMED]),
        columns=Columns.of(weights, observations.validation_domains),
        target=make_target(target, vocabulary_size),
        target_options=dict(target),
        weights=dict(weights),
    )


def check_schedule(trained: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Raise DataError if the runs and the target have different learning-rate schedules."""
    asked = {"schedule": "constant", **target}
    is_constant = asked["schedule"] == "constant" == trained["schedule"]
    names = ["schedule"] if is_constant else list(SCHEDULE_KEYS)
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
    num_params, compute_params = _target_params(target, vocabulary_size)
    effective, annealing = float(target["tokens"]), 0.0
    if target.get("schedule", "constant") != "constant":
        num_steps = target["tokens"] // target["batch_tokens"]
        schedule = make_schedule(target, num_steps)
        effective, annealing = map(float, schedule.state(num_steps, target["batch_tokens"]))
    return Target(
        num_params=num_params,
        compute_params=compute_params,
        tokens=float(target["tokens"]),
        effective_tokens=effective,
        annealing=annealing,
    )


def _target_params(target: Mapping[str, Any], vocabulary_size: int | None) -> tuple[float, float]:
    """Return N and the training FLOPs per token / 6 of a target with a shape, or with N alone."""
    if "num_layers" not in target:
        num_params = float(target["num_params"])
        return num_params, float(target.get("compute_params") or num_params)
    names = [name for name in Shape.__dataclass_fields__ if name in target]
    shape = Shape(**{name: target[name] for name in names})
    if vocabulary_size is None:
        return shape.num_params, float(shape.num_params)
    length = target["sequence_length"]
    flops = shape.flops_per_token(vocabulary_size=int(vocabulary_size), sequence_length=length)
    return shape.num_params, flops / 6


def equal_weights(validation_domains: Sequence[str]) -> dict[str, float]:
    """Return the weights of an overall loss that is the mean over validation domains."""
    return {name: 1 / len(validation_domains) for name in validation_domains}


def locate_target(
    target: Mapping[str, Any], runs: pd.DataFrame, observations: Observations
) -> dict[str, Any]:
    """Return a target of imported runs with its N, compute_params where known, tokens and batch.

    `target` may state `size`, a label of the runs' or a count, by default the largest size of the
    runs; `tokens`, by default the last that all runs of that size have; `compute_params` by size.
    Raises ConfigError for a size that is neither, or tokens that are not known.
    """
    counts = dict(zip(runs["size"], runs["num_params"], strict=True))
    largest = max(counts, key=lambda size: counts[size])
    label, num_params = size_of(largest if target.get("size") is None else target["size"], counts)
    tokens = target.get("tokens")
    if tokens is None:
        if label not in counts:
            raise ConfigError(
                f"target.tokens is missing: no run has the size {label}, so its tokens are not "
                "known. State target.tokens (--target 1B:100B)"
            )
        tokens = float(last_common_tokens(observations, label))
    found = {"size": label, "num_params": num_params, "tokens": tokens}
    stated = target.get("compute_params", {})
    if "compute_params" in runs:
        known = dict(zip(runs["size"], runs["compute_params"], strict=True)) | dict(stated)
        if label not in known:
            raise ConfigError(
                f"losses.compute_params has no entry for the target's size {label}, while the runs "
                "have theirs. Add it, or state none"
            )
        found["compute_params"] = float(known[label])
    if "batch_tokens" in runs:
        found["batch_tokens"] = float(runs["batch_tokens"].iloc[0])
    schedule = {key: value for key, value in target.items() if key in SCHEDULE_KEYS}
    return found | schedule


def last_common_tokens(observations: Observations, size: str) -> float:
    """Return the last number of tokens at which all runs of a size were measured.

    Raises DataError if there is none.
    """
    rows = observations.select(observations.size == size)
    num_runs = len(set(zip(rows.mixture.tolist(), rows.seed.tolist(), strict=True)))
    tokens, counts = np.unique(rows.tokens, return_counts=True)
    if not (counts == num_runs).any():
        raise DataError(
            f"the runs of size {size} have no number of tokens in common at which mixtures could "
            "be compared. Measure all runs at the same tokens"
        )
    return float(tokens[counts == num_runs][-1])


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
