"""A swarm: a set of runs, our own or published, with their losses and mixtures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.files import read_json, write_json
from mixlaws.losses.tables import (
    LOSS_KEY,
    RUN_KEY,
    domains_of,
    read_losses,
    read_mixtures,
    read_runs,
    share_columns,
)
from mixlaws.tables import read_table, write_table

LOSSES, RUNS, MIXTURES = "losses.parquet", "runs.csv", "mixtures.csv"
DROPPED, RECORD = "dropped.csv", "study.json"
DROPPED_COLUMNS = ["size", "run", "step", "num_validation_domains", "reason"]
_SUM_ERROR = 1e-6
_NUM_LISTED = 20


@dataclass(frozen=True, eq=False)
class Swarm:
    """Losses, runs and mixtures as tables (columns: `mixlaws.losses.tables`).

    Construction raises DataError if the tables do not fit together (`check`). The weights, base
    losses and dropped checkpoints belong to published data; they are empty for our own runs.
    """

    losses: pd.DataFrame
    runs: pd.DataFrame
    mixtures: pd.DataFrame
    weights: dict[str, float] = field(default_factory=dict)
    """Published weight of each validation domain in the overall loss; sums to 1."""
    base_losses: dict[str, float] = field(default_factory=dict)
    """Loss of the model that training continued from, by validation domain."""
    dropped: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=DROPPED_COLUMNS))
    """Every checkpoint that was left out: size, run, step, num_validation_domains, reason."""
    remarks: tuple[str, ...] = ()
    """What an import changed or accepted, one sentence each, for the page."""

    def __post_init__(self) -> None:
        self.check()

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the training domains, in the order of the mixtures' columns."""
        return domains_of(self.mixtures)

    @property
    def validation_domains(self) -> tuple[str, ...]:
        """Return the validation domains, in the order of the weights or, without, of the losses."""
        return tuple(self.weights or self.losses["validation_domain"].unique())

    @property
    def num_params(self) -> dict[str, float]:
        """Return N by size, smallest first."""
        sizes = self.runs.drop_duplicates("size").sort_values("num_params")
        return dict(zip(sizes["size"], sizes["num_params"], strict=True))

    def shares(self, mixture: str) -> np.ndarray:
        """Return the proportions (K,) of a static mixture; raise DataError for an unknown id."""
        rows = self.mixtures.loc[self.mixtures["id"] == mixture, share_columns(self.domains)]
        if len(rows) != 1:
            raise DataError(
                f"the mixture table has {len(rows)} rows for {mixture!r} instead of one. "
                "Correct the mixture's id"
            )
        return rows.to_numpy(dtype=float)[0]

    def check(self) -> None:
        """Raise DataError that lists every contradiction between the tables."""
        if problems := list(_problems(self)):
            raise DataError(
                f"losses, runs and mixtures do not fit together: {'; '.join(problems)}. "
                "Add the missing rows, or remove the rows that need them"
            )

    def save(self, folder: str | Path) -> None:
        """Write the swarm into a folder: the three tables, dropped.csv and study.json."""
        folder = Path(folder)
        write_table(self.losses, folder / LOSSES)
        write_table(self.runs, folder / RUNS)
        write_table(self.mixtures, folder / MIXTURES)
        write_table(self.dropped, folder / DROPPED)
        record = {"weights": list(self.weights.items()), "base_losses": self.base_losses}
        write_json(record, folder / RECORD)

    @classmethod
    def load(cls, folder: str | Path) -> Swarm:
        """Read a swarm that `save` wrote; raise DataError for a missing file or column."""
        folder = Path(folder)
        record = read_json(folder / RECORD)
        return cls(
            losses=read_losses(folder / LOSSES),
            runs=read_runs(folder / RUNS),
            mixtures=read_mixtures(folder / MIXTURES),
            weights=dict(record["weights"]),
            base_losses=record["base_losses"],
            dropped=read_table(folder / DROPPED, DROPPED_COLUMNS),
        )

    @classmethod
    def read(cls, losses: str | Path, runs: str | Path, mixtures: str | Path) -> Swarm:
        """Read a swarm from its three tables; raise DataError for a missing file or column."""
        return cls(read_losses(losses), read_runs(runs), read_mixtures(mixtures))


def _problems(swarm: Swarm) -> Iterator[str]:
    losses, runs, mixtures = swarm.losses, swarm.runs, swarm.mixtures
    yield from _named("repeated losses", losses.loc[losses.duplicated(LOSS_KEY), LOSS_KEY])
    yield from _named("repeated runs", runs.loc[runs.duplicated(RUN_KEY), RUN_KEY])
    yield from _named("no run for losses of", _without(losses[RUN_KEY].drop_duplicates(), runs))
    yield from _named("no losses for the runs", _without(runs[RUN_KEY], losses))
    unknown = runs.loc[~runs["mixture"].isin(mixtures["id"]), "mixture"]
    yield from _named("no proportions for the mixtures", unknown.drop_duplicates())
    yield from _named("no num_params for the runs", runs.loc[~(runs["num_params"] > 0), RUN_KEY])
    key = ["id", "phase"]
    yield from _named("repeated mixtures", mixtures.loc[mixtures.duplicated(key), key])
    shares = mixtures[share_columns(swarm.domains)].to_numpy(dtype=float)
    on_simplex = (shares >= 0).all(axis=1) & (np.abs(shares.sum(axis=1) - 1) <= _SUM_ERROR)
    yield from _named("shares that do not sum to 1", mixtures.loc[~on_simplex, key])
    measured = losses["validation_domain"].unique()
    if swarm.weights:
        unlike = sorted(set(swarm.weights) ^ set(measured))
        yield from _named("validation domains with only a weight or only losses", unlike)
    yield from _incomplete(losses, list(measured))


def _without(table: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table whose runs are not in another table."""
    keys = [pd.MultiIndex.from_frame(each[RUN_KEY]) for each in (table, other)]
    return table[~keys[0].isin(keys[1])]


def _incomplete(losses: pd.DataFrame, measured: Sequence[str]) -> Iterator[str]:
    """Yield the checkpoints at which a validation domain was not measured.

    Rows that repeat another are counted: they are a problem of their own.
    """
    key = [*RUN_KEY, "step", "tokens"]
    counts = losses.groupby(key)["validation_domain"].transform("size")
    for row, found in losses[counts < len(measured)].groupby(key)["validation_domain"]:
        lacking = [domain for domain in measured if domain not in set(found)]
        yield f"no loss of {', '.join(lacking)} at {list(row[:-1])}"


def _named(what: str, rows: pd.DataFrame | pd.Series | list[str]) -> Iterator[str]:
    """Yield a problem with a list of the rows that have it; yield nothing if there are none."""
    listed = rows if isinstance(rows, list) else rows.to_numpy(dtype=object).tolist()
    if listed:
        more = f" and {len(listed) - _NUM_LISTED} more" if len(listed) > _NUM_LISTED else ""
        yield f"{what} {', '.join(map(str, listed[:_NUM_LISTED]))}{more}"
