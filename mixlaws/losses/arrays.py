"""From tables to arrays: the only place where observations are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.laws.observations import Observations
from mixlaws.losses.tables import RUN_KEY, SCHEDULE_COLUMNS
from mixlaws.runs.schedules import make_schedule


def make_observations(losses: pd.DataFrame, runs: pd.DataFrame) -> Observations:
    """Return the tables as arrays, one row per (run, step).

    Training domains come in the order of the r_ columns of `runs`, validation domains in order of
    appearance. Raises DataError naming every run without a record and every missing loss.
    """
    key = [*RUN_KEY, "step"]
    domains = list(dict.fromkeys(losses["validation_domain"]))
    wide = losses.pivot(index=[*key, "tokens"], columns="validation_domain", values="loss")
    wide = wide[domains].reset_index().sort_values(key, ignore_index=True)
    if incomplete := wide[wide[domains].isna().any(axis=1)][key].values.tolist():
        raise DataError(
            "losses must hold every validation domain of every (size, mixture, seed, step), but "
            f"some are missing at {incomplete}: rerun those runs"
        )
    joined = wide.merge(runs.drop(columns="tokens"), on=RUN_KEY, how="left")
    if unknown := joined[joined["num_params"].isna()][RUN_KEY].drop_duplicates().values.tolist():
        raise DataError(f"runs.csv must name every run of the losses, but {unknown} are missing")
    shares = [str(column) for column in runs if str(column).startswith("r_")]
    tokens = joined["tokens"].to_numpy(dtype=float)
    effective, annealing = _schedule_state(joined, tokens)
    return Observations(
        domains=tuple(column.removeprefix("r_") for column in shares),
        validation_domains=tuple(domains),
        size=joined["size"].to_numpy(dtype=str),
        mixture=joined["mixture"].to_numpy(dtype=str),
        seed=joined["seed"].to_numpy(dtype=int),
        step=joined["step"].to_numpy(dtype=int),
        proportions=joined[shares].to_numpy(dtype=float),
        num_params=joined["num_params"].to_numpy(dtype=float),
        compute_params=joined["flops_per_token"].to_numpy(dtype=float) / 6,
        tokens=tokens,
        effective_tokens=effective,
        annealing=annealing,
        losses=joined[domains].to_numpy(dtype=float),
    )


def schedule_of(runs: pd.DataFrame) -> dict[str, Any]:
    """Return the schedule settings that all runs share; a table without any means constant.

    Raises DataError when runs differ: points of different schedules lie on different curves.
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
            f"all runs must share one learning-rate schedule to be fitted together, but there are "
            f"{len(distinct)}: {'; '.join(map(str, shown))}: keep them in experiments of their own"
        )
    row = distinct.iloc[0].to_dict()
    return {str(name): None if pd.isna(value) else value for name, value in row.items()}


def _schedule_state(rows: pd.DataFrame, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return effective tokens and annealing of each (run, step)."""
    settings = schedule_of(rows)
    if settings["schedule"] == "constant":
        return tokens, np.zeros(len(tokens))
    effective, annealing = np.empty(len(tokens)), np.empty(len(tokens))
    for _, part in rows.groupby(["num_steps", "batch_tokens"]):
        schedule = make_schedule(settings, int(part["num_steps"].iloc[0]))
        state = schedule.state(part["step"].to_numpy(), float(part["batch_tokens"].iloc[0]))
        effective[part.index], annealing[part.index] = state
    return effective, annealing
