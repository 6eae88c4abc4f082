"""Reader of the published tables of RegMix (Liu et al., arXiv:2407.01492)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mixlaws.errors import DataError
from mixlaws.losses.swarm import Swarm
from mixlaws.losses.tables import rescale_shares, share_columns


def read_regmix(options: Mapping[str, Any], files: Mapping[str, Path]) -> Swarm:
    """Read a pair of RegMix tables, for one size and one checkpoint, and join them by index.

    `files`: `mixtures` (train_mixture_*.csv) and `losses` (train_pile_loss_*.csv). `options`:
    `size`, `num_params`, `step` and `tokens` of the runs, which the tables do not state. The
    published shares are rounded to three decimals; they are rescaled to sum to 1. Raises DataError
    if an index is in only one of the files, or if shares are off by more than rounding.
    """
    mixtures = pd.read_csv(files["mixtures"], index_col="index")
    losses = pd.read_csv(files["losses"], index_col="index")
    if not mixtures.index.is_unique or set(mixtures.index) != set(losses.index):
        raise DataError(
            f"{files['mixtures']} and {files['losses']} have different or repeated rows: "
            f"{sorted(set(mixtures.index) ^ set(losses.index))} are in only one of them. "
            "Take both files from one release"
        )
    ids = [f"mix-{index:03d}" for index in mixtures.index]
    domains = [str(name).removeprefix("train_the_pile_") for name in mixtures]
    shares = rescale_shares(
        mixtures.to_numpy(dtype=float), [f"row {index}" for index in mixtures.index]
    )
    run = {"size": options["size"], "mixture": ids, "seed": 0}
    return Swarm(
        losses=_long(losses.loc[mixtures.index], run, options),
        runs=pd.DataFrame(run | {name: options[name] for name in ("num_params", "tokens")}),
        mixtures=pd.concat(
            [
                pd.DataFrame({"id": ids, "kind": "sample", "phase": 0, "until_tokens": None}),
                pd.DataFrame(shares, columns=share_columns(domains)),
            ],
            axis=1,
        ),
    )


def _long(losses: pd.DataFrame, run: Mapping[str, Any], options: Mapping[str, Any]) -> pd.DataFrame:
    """Return one row per mixture and validation domain, in the order of the published table."""
    names = [
        str(name).removeprefix("metric/the_pile_").removesuffix("_val_loss") for name in losses
    ]
    keys = pd.DataFrame({**run, "step": options["step"], "tokens": options["tokens"]})
    wide = pd.concat([keys, losses.set_axis(names, axis=1).reset_index(drop=True)], axis=1)
    long = wide.melt(list(keys), var_name="validation_domain", value_name="loss")
    return long.sort_values("mixture", kind="stable", ignore_index=True)
