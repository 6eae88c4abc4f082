"""Turn the tables of a swarm into observations. Nothing else makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.laws.observations import Observations
from mixlaws.losses.swarm import Swarm
from mixlaws.losses.tables import RUN_KEY, SCHEDULE_COLUMNS, share_columns
from mixlaws.runs.schedules import make_schedule


def make_observations(swarm: Swarm) -> Observations:
    """Return the losses as arrays, one row per (size, mixture, seed, step), in this order.

    Losses, runs and mixtures are joined by name. Raises DataError if a mixture has several phases,
    or if the runs have different schedules.
    """
    key, domains = [*RUN_KEY, "step"], list(swarm.validation_domains)
    wide = swarm.losses.pivot(index=[*key, "tokens"], columns="validation_domain", values="loss")
    wide = wide[domains].reset_index().sort_values(key, ignore_index=True)
    runs = swarm.runs.drop(columns="tokens", errors="ignore")
    joined = wide.merge(runs, on=RUN_KEY, how="left", validate="many_to_one")
    shares = _static_shares(swarm, joined["mixture"])
    effective, annealing = _schedule_state(joined)
    return Observations(
        domains=swarm.domains,
        validation_domains=swarm.validation_domains,
        size=joined["size"].to_numpy(dtype=str),
        mixture=joined["mixture"].to_numpy(dtype=str),
        seed=joined["seed"].to_numpy(dtype=int),
        step=joined["step"].to_numpy(dtype=int),
        # The memory order is fixed, because the last bits of sums and products depend on it.
        proportions=np.asarray(shares, dtype=float, order="F"),
        num_params=joined["num_params"].to_numpy(dtype=float),
        compute_params=_compute_params(joined),
        tokens=joined["tokens"].to_numpy(dtype=float),
        effective_tokens=effective,
        annealing=annealing,
        losses=np.asarray(joined[domains], dtype=float, order="C"),
    )


def _static_shares(swarm: Swarm, mixtures: pd.Series) -> pd.DataFrame:
    """Return the proportions of each row's mixture."""
    table = swarm.mixtures[swarm.mixtures["id"].isin(mixtures)]
    if several := table.loc[table.duplicated("id"), "id"].drop_duplicates().tolist():
        raise DataError(
            f"the mixtures {', '.join(several)} change during the run (several phases); laws are "
            "for constant proportions only. Leave out the runs of these mixtures"
        )
    return table.set_index("id")[share_columns(swarm.domains)].loc[mixtures]


def knows_compute(runs: pd.DataFrame) -> bool:
    """Return whether the FLOPs per token of the runs and of any target are known.

    The runs need the column flops_per_token, the target needs vocabulary_size. If one is missing,
    `compute_params` is num_params for both, so that runs and target stay comparable.
    """
    return {"flops_per_token", "vocabulary_size"} <= set(runs)


def _compute_params(rows: pd.DataFrame) -> np.ndarray:
    if "compute_params" in rows:
        return rows["compute_params"].to_numpy(dtype=float)
    if not knows_compute(rows):
        return rows["num_params"].to_numpy(dtype=float)
    return np.asarray(rows["flops_per_token"].to_numpy(dtype=float) / 6)


def schedule_of(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the schedule settings that all runs share; a setting that is not stated is None.

    A table without a schedule means a constant one. Raises DataError if the schedules of the runs
    differ, because their points lie on different curves.
    """
    if "schedule" not in runs:
        return {"schedule": "constant", "warmup_steps": 0}
    settings = runs[[column for column in SCHEDULE_COLUMNS if column in runs]]
    if set(settings["schedule"]) == {"constant"}:
        settings = settings[["schedule"]].assign(warmup_steps=settings.get("warmup_steps", 0))
    distinct = settings.drop_duplicates()
    if len(distinct) > 1:
        shown = [
            {name: value for name, value in row.items() if pd.notna(value)}
            for row in distinct.to_dict("records")
        ]
        raise DataError(
            f"the runs have {len(distinct)} learning-rate schedules and cannot be fitted together: "
            f"{'; '.join(map(str, shown))}. Keep the runs of one schedule"
        )
    row = distinct.iloc[0].to_dict()
    stated = {str(name): value for name, value in row.items() if pd.notna(value)}
    return {**dict.fromkeys(SCHEDULE_COLUMNS), **stated}


def _schedule_state(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return effective tokens and annealing of each (run, step)."""
    tokens = rows["tokens"].to_numpy(dtype=float)
    settings = schedule_of(rows)
    if settings["schedule"] == "constant":
        return tokens, np.zeros(len(tokens))
    effective, annealing = np.empty(len(tokens)), np.empty(len(tokens))
    lengths = rows.assign(num_steps=_num_steps(rows), batch_tokens=_batch_tokens(rows))
    for _, part in lengths.groupby(["num_steps", "batch_tokens"]):
        schedule = make_schedule(settings, int(part["num_steps"].iloc[0]))
        state = schedule.state(part["step"].to_numpy(), float(part["batch_tokens"].iloc[0]))
        effective[part.index], annealing[part.index] = state
    return effective, annealing


def _num_steps(rows: pd.DataFrame) -> pd.Series:
    """Return the number of steps of each row's run; by default, its last measured step."""
    return rows.get("num_steps", rows.groupby(RUN_KEY)["step"].transform("max"))


def _batch_tokens(rows: pd.DataFrame) -> pd.Series:
    """Return the number of tokens per step of each row's run."""
    return rows.get("batch_tokens", rows["tokens"] / rows["step"])
