"""The paper's logs, exported to the documented long CSV and imported again, decide the same."""

import numpy as np
import pandas as pd
import pytest
from own_tables import options
from published_logs import read_logs

from mixlaws.api import decide, fit
from mixlaws.errors import DataError
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.experiment import make_experiment
from mixlaws.losses.stage import read_swarm
from mixlaws.losses.swarm import Swarm
from mixlaws.losses.tables import share_columns

POINT = ("70M", 30_000)


def exported(swarm, folder):
    """Write a swarm of the paper's reader as the two tables of docs/own-runs.md."""
    runs = swarm.runs.set_index(["size", "mixture", "seed"])
    key = pd.MultiIndex.from_frame(swarm.losses[["size", "mixture", "seed"]])
    losses = swarm.losses.assign(
        num_params=runs["num_params"].reindex(key).to_numpy(),
        compute_params=runs["flops_per_token"].reindex(key).to_numpy() / 6,
    )
    order = pd.CategoricalDtype(list(swarm.validation_domains), ordered=True)
    losses = losses.astype({"validation_domain": order}).sort_values(
        ["size", "mixture", "seed", "step", "validation_domain"]
    )
    losses.to_csv(folder / "losses.csv", index=False)
    names = dict(zip(share_columns(swarm.domains), swarm.domains, strict=True))
    mixtures = swarm.mixtures[["id", "kind", *names]].rename(columns=names)
    mixtures.to_csv(folder / "mixtures.csv", index=False)
    return {name: str(folder / f"{name}.csv") for name in ("losses", "mixtures")}


def at_point(swarm):
    """Return the rows of one size and step, without what only the paper's reader knows."""
    size, step = POINT
    rows = (swarm.losses["size"] == size) & (swarm.losses["step"] == step)
    losses = swarm.losses[rows]
    used = swarm.runs.merge(losses[["size", "mixture", "seed"]].drop_duplicates())
    mixtures = swarm.mixtures[swarm.mixtures["id"].isin(losses["mixture"])]
    columns = ["size", "mixture", "seed", "num_params"]
    return Swarm(losses, used[columns], mixtures, weights=swarm.weights)


def test_the_same_observations_and_the_same_decision(published, tmp_path):
    theirs = read_logs(published, "5mix")
    schedule = {"kind": "cosine", "warmup_steps": 2000, "horizon": 100_000, "final_rate": 0.1}
    stated = {"schedule": schedule, "tokens_per_step": 1_048_576}
    files = exported(theirs, tmp_path)
    with pytest.raises(DataError, match=r"losses have spikes, .* \(lines 2,353, 14,902 and 15,993"):
        read_swarm(options(files, **stated))
    ours = read_swarm(options(files, **stated, accept=["spike"]))
    first, second = make_observations(theirs), make_observations(ours)
    assert (first.domains, first.validation_domains) == (
        second.domains,
        second.validation_domains,
    )
    for name in ("size", "mixture", "seed", "step", "proportions", "num_params", "compute_params",
                 "tokens", "effective_tokens", "annealing", "losses"):  # fmt: skip
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    target = {"size": "410M", "tokens": 100_000 * 1_048_576, "schedule": "cosine"}
    target |= {"schedule_horizon": 100_000, "final_rate": 0.1, "warmup_steps": 2000}
    located = make_experiment(ours, target=target, weights=theirs.weights)
    assert located.target.annealing > 0.89
    laws = {"pipeline": "nested", "mixing": "additive"}
    decisions = [
        decide(fit(at_point(swarm), weights=theirs.weights, laws=laws), replicates=10)
        for swarm in (theirs, ours)
    ]
    assert decisions[0] == decisions[1]
    assert decisions[0]["target"]["size"] == "70M"
    assert abs(sum(decisions[0]["proportions"].values()) - 1) < 1e-9
