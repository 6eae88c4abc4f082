"""Compare all mixing laws and the regressors that peers use, on mixtures that they did not see."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixlaws.errors import ConfigError, DataError, FitError
from mixlaws.laws.mixing import MIXING_LAWS
from mixlaws.laws.observations import Observations
from mixlaws.laws.overall import Columns
from mixlaws.results import K_FOLD, LEAVE_ONE_MIXTURE_OUT
from mixlaws.scoring.folds import (
    MANY_MIXTURES,
    NUM_GROUPS,
    LossTable,
    last_losses,
    predict_splits,
)
from mixlaws.scoring.predictors import BIMIX, COMPARATORS, own_domains
from mixlaws.scoring.scores import score_rows

COMPARED = (*MIXING_LAWS, *COMPARATORS, BIMIX)
"""Every name that can be compared. A law in its registry is here by itself."""
MIN_MIXTURES = 8
"""Mixtures that a size needs: the ranks and regrets of fewer say nothing about a law."""


@dataclass(frozen=True)
class Folds:
    """How mixtures are left out."""

    number: int | None = None
    """None leaves out one mixture at a time, and one eighth of more than 64."""
    seed: int | None = None
    """Shuffles the mixtures first; None keeps the order of their ids."""

    def split(self, num_mixtures: int) -> np.ndarray:
        """Return the fold (M,) of each mixture; raise ConfigError for too many or few folds."""
        default = NUM_GROUPS if num_mixtures > MANY_MIXTURES else num_mixtures
        number = default if self.number is None else self.number
        if not 2 <= number <= num_mixtures:
            raise ConfigError(
                f"{num_mixtures} mixtures cannot be left out in {number} folds. State from 2 to "
                f"{num_mixtures} folds (--folds)"
            )
        order = np.arange(num_mixtures)
        if self.seed is not None:
            order = np.random.default_rng(self.seed).permutation(num_mixtures)
        split = np.empty(num_mixtures, dtype=int)
        split[order] = np.arange(num_mixtures) % number
        return split


@dataclass(frozen=True)
class Comparison:
    """The scores of the laws at one size and number of tokens."""

    size: str
    tokens: float
    num_mixtures: int
    num_domains: int
    num_folds: int
    rows: tuple[dict[str, Any], ...]
    """As in scores.csv, with `seconds` of CPU and without `decides`: per law and validation domain,
    `overall` last; laws in the order of their overall mae."""
    failed: dict[str, str]
    """Why a law has no scores, by its name."""

    @property
    def laws(self) -> list[str]:
        """Return the laws that have scores, that of the least error first."""
        return list(dict.fromkeys(row["law"] for row in self.rows))

    def of(self, law: str) -> list[dict[str, Any]]:
        """Return the rows of one law."""
        return [row for row in self.rows if row["law"] == law]


def compare_laws(
    observations: Observations,
    columns: Columns,
    *,
    names: Sequence[str] = COMPARED,
    folds: Folds | None = None,
) -> Comparison:
    """Score laws on left-out mixtures of the largest size, at the last step of all its runs.

    A law that cannot be fitted, or whose package is missing, is named in `failed`. Raises
    ConfigError for an unknown name and for impossible folds, DataError if no size has MIN_MIXTURES
    mixtures.
    """
    if unknown := [name for name in names if name not in COMPARED]:
        raise ConfigError(
            f"there is no law {', '.join(unknown)} to compare. Choose from {', '.join(COMPARED)}"
        )
    table = last_losses(observations, _largest_size(observations))
    split = (folds or Folds()).split(len(table.mixtures))
    own = own_domains(observations.domains, observations.validation_domains)
    scored: list[list[dict[str, Any]]] = []
    failed = {}
    for name in names:
        try:
            scored.append(list(_score(name, table, split, columns, own)))
        except FitError as error:
            failed[name] = str(error)
    scored.sort(key=lambda rows: np.nan_to_num(rows[-1]["mae"], nan=np.inf))
    return Comparison(
        size=table.size,
        tokens=table.tokens,
        num_mixtures=len(table.mixtures),
        num_domains=len(observations.domains),
        num_folds=int(split.max()) + 1,
        rows=tuple(row for rows in scored for row in rows),
        failed=failed,
    )


def _largest_size(observations: Observations) -> str:
    """Return the largest size with enough mixtures; a target may have been trained on two."""
    num_params = dict(zip(observations.size.tolist(), observations.num_params, strict=True))
    counts = {
        size: len(np.unique(observations.mixture[observations.size == size]))
        for size in sorted(num_params, key=lambda size: num_params[size])
    }
    enough = [size for size, count in counts.items() if count >= MIN_MIXTURES]
    if not enough:
        listed = ", ".join(f"{count} at {size}" for size, count in counts.items())
        raise DataError(
            f"laws are compared on at least {MIN_MIXTURES} mixtures of one size, but there are "
            f"{listed}. Add runs on other mixtures"
        )
    return enough[-1]


def _score(
    name: str,
    table: LossTable,
    split: np.ndarray,
    columns: Columns,
    own: np.ndarray | None,
) -> Iterator[dict[str, Any]]:
    """Yield the scores of one law, by validation domain and overall."""
    fold = LEAVE_ONE_MIXTURE_OUT if split.max() + 1 == len(split) else K_FOLD
    begin = time.process_time()
    result = predict_splits(name, fold, table, split, own=own)
    seconds = time.process_time() - begin
    for row in score_rows([result], columns, decides=""):
        del row["decides"]
        yield row | {"seconds": seconds}
