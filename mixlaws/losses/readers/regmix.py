"""Reader of the published tables of RegMix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.losses.readers.data_mixing_laws import check_sums


@dataclass(frozen=True, eq=False)
class MixtureTable:
    """Losses of one size and one number of tokens at many mixtures."""

    domains: tuple[str, ...]
    validation_domains: tuple[str, ...]
    proportions: np.ndarray
    """(n, K) rows on the simplex."""
    losses: np.ndarray
    """(n, V) nats per token."""


def read_regmix(mixture_csv: str | Path, loss_csv: str | Path) -> MixtureTable:
    """Read a pair of RegMix tables (train_mixture_*.csv, train_pile_loss_*.csv), joined by index.

    Proportions have three decimals there and are renormalised. Raises DataError when an index
    stands in only one of the two files or proportions are off by more than rounding.
    """
    mixtures = pd.read_csv(mixture_csv, index_col="index")
    losses = pd.read_csv(loss_csv, index_col="index")
    if not mixtures.index.is_unique or set(mixtures.index) != set(losses.index):
        raise DataError(
            f"{mixture_csv} and {loss_csv} must have the same rows, each once, but "
            f"{sorted(set(mixtures.index) ^ set(losses.index))[:10]} stand in only one: "
            "take both files from one release"
        )
    shares = mixtures.to_numpy(dtype=float)
    check_sums(shares, [f"row {index}" for index in mixtures.index])
    return MixtureTable(
        domains=tuple(str(name).removeprefix("train_the_pile_") for name in mixtures),
        validation_domains=tuple(
            str(name).removeprefix("metric/the_pile_").removesuffix("_val_loss") for name in losses
        ),
        proportions=shares / shares.sum(axis=1, keepdims=True),
        losses=losses.loc[mixtures.index].to_numpy(dtype=float),
    )
