"""Predicted against observed at the target, with the noise between seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws.decision.estimates import of_mean
from mixlaws.decision.noise import seed_noise
from mixlaws.errors import DataError
from mixlaws.files import read_json, write_json
from mixlaws.losses.fingerprints import check_runs
from mixlaws.losses.tables import read_losses
from mixlaws.mixtures.lattice import OPTIMUM
from mixlaws.results import NOISE_FACTOR
from mixlaws.tables import read_table


def compare_confirmation(
    inputs: Mapping[str, str], output: str | Path, weights: Mapping[str, float]
) -> None:
    """Compare the target's trained losses with what was predicted for them: confirmation.json.

    Reads losses, runs, confirmation_runs and optimum.
    """
    check_same_text(inputs["runs"], inputs["confirmation_runs"])
    losses, optimum = read_losses(inputs["losses"]), read_json(inputs["optimum"])
    write_json(compare_losses(losses, optimum, weights), output)


def check_same_text(runs: str | Path, confirmation_runs: str | Path) -> None:
    """Raise DataError when the target's runs saw other text than the proxies did."""
    tables = [read_table(path, ["size", "mixture"]) for path in (runs, confirmation_runs)]
    check_runs(pd.concat(tables), f"{runs} and {confirmation_runs}")


def compare_losses(
    losses: pd.DataFrame, optimum: Mapping[str, Any], weights: Mapping[str, float]
) -> dict[str, Any]:
    """Return what confirmation.json holds, from the loss table of the target's runs.

    Predictions have the intervals of what was observed: the mean over the seeds.

    Raises DataError when a run of a mixture and seed is missing.
    """
    final = losses[losses["step"] == losses["step"].max()]
    table = final.pivot(index=["mixture", "seed"], columns="validation_domain", values="loss")
    shares = pd.Series(weights)
    overall = (table[shares.index] @ shares).unstack("seed")
    if overall.isna().any(axis=None):
        raise DataError(
            "the confirmation lacks the runs (mixture, seed) "
            f"{overall.isna().stack().loc[lambda missing: missing].index.tolist()}: train them"
        )
    predicted = _predictions(optimum)
    noise = seed_noise(overall.to_numpy())
    num_seeds = len(overall.columns)
    means = table.groupby("mixture").mean()
    return {
        "size": str(final["size"].iloc[0]),
        "tokens": int(final["tokens"].iloc[0]),
        "seeds": [int(seed) for seed in overall.columns],
        "noise": noise,
        "mean_absolute_error": _mean_absolute_error(means, predicted),
        "mixtures": {
            mixture: {
                "observed": row.tolist(),
                "mean": float(row.mean()),
                "predicted": of_mean(predicted[mixture]["overall"], num_seeds),
            }
            for mixture, row in overall.iterrows()
        },
        "domains": _by_domain(means, predicted, num_seeds),
        "gains": {
            mixture: _gain(
                overall, mixture, of_mean(optimum["baselines"][mixture]["gain"], num_seeds), noise
            )
            for mixture in overall.index
            if mixture != OPTIMUM
        },
    }


def _by_domain(
    means: pd.DataFrame, predicted: Mapping[str, Any], num_seeds: int
) -> dict[str, dict[str, Any]]:
    """Return the mean and the predicted loss of every mixture by validation domain."""
    return {
        domain: {
            mixture: {
                "mean": float(means.loc[mixture, domain]),
                "predicted": of_mean(predicted[mixture][domain], num_seeds),
            }
            for mixture in means.index
        }
        for domain in means.columns
    }


def _predictions(optimum: Mapping[str, Any]) -> dict[str, Any]:
    """Return the predicted losses by mixture, validation domain and overall."""
    baselines = {name: entry["predicted"] for name, entry in optimum["baselines"].items()}
    return {OPTIMUM: optimum["predicted"], **baselines}


def _mean_absolute_error(means: pd.DataFrame, predicted: Mapping[str, Any]) -> float:
    """Return the mean error over validation domains and confirmed mixtures, nats."""
    values = pd.DataFrame(
        {mixture: {d: predicted[mixture][d]["value"] for d in means} for mixture in means.index}
    ).T
    return float((values - means).abs().to_numpy().mean())


def _gain(
    overall: pd.DataFrame, mixture: Any, predicted: Mapping[str, float], noise: float | None
) -> dict[str, Any]:
    """Return by how much the optimum's overall loss is below a baseline's, paired by seed."""
    per_seed = (overall.loc[mixture] - overall.loc[OPTIMUM]).to_numpy(dtype=float)
    observed = float(per_seed.mean())
    return {
        "observed": observed,
        "per_seed": per_seed.tolist(),
        "predicted": dict(predicted),
        "beyond_noise": noise is not None and observed > NOISE_FACTOR * noise,
    }
