"""A study: one data set of published runs, as tables in a folder and as arrays for the laws."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mixlaws.errors import DataError
from mixlaws.files import read_json, write_json
from mixlaws.laws.observations import Observations, Target
from mixlaws.losses.tables import read_losses
from mixlaws.runs.schedules import Cosine
from mixlaws.tables import read_table, write_table

TABLES = {"losses": "losses.parquet", "mixtures": "mixtures.csv", "sizes": "sizes.csv"}
TABLES |= {"dropped": "dropped.csv", "record": "study.json"}
"""What `save_study` writes: the table's name, its file."""


@dataclass(frozen=True, eq=False)
class Study:
    """One published data set, corrected."""

    domains: tuple[str, ...]
    """Training domains, the order of the columns r_*."""
    weights: dict[str, float]
    """Weight of each validation domain in the overall loss; sums to 1; order of the columns."""
    losses: pd.DataFrame
    """size, mixture, seed, step, tokens, validation_domain, loss (nats per token)."""
    mixtures: pd.DataFrame
    """mixture, run (the authors' number, lowest of equals), r_<domain>."""
    sizes: pd.DataFrame
    """Index size; num_params, compute_params."""
    base_losses: dict[str, float]
    """Loss of the model that training continued from, by validation domain; often empty."""
    dropped: pd.DataFrame
    """size, run, step, num_validation_domains, reason: everything that was left out."""
    tokens_per_step: int
    schedule: Cosine | None
    """None: constant or unknown."""

    def target(self, size: str, step: int) -> Target:
        """Return the point (size, step) of this study as a target."""
        effective, annealing = self._state(np.array([step]))
        num_params, compute_params = self.sizes.to_dict("index")[size].values()
        return Target(
            num_params=float(num_params),
            compute_params=float(compute_params),
            tokens=float(step * self.tokens_per_step),
            effective_tokens=float(effective[0]),
            annealing=float(annealing[0]),
        )

    def observations(self) -> Observations:
        """Return the losses as arrays, one row per (size, mixture, seed, step), sorted by it.

        Raises DataError listing the rows that lack a validation domain.
        """
        rows = ["size", "mixture", "seed", "step"]
        wide = self.losses.pivot(index=rows, columns="validation_domain", values="loss")
        wide = wide[list(self.weights)]
        if wide.isna().to_numpy().any():
            listed = wide.index[wide.isna().any(axis=1)].tolist()[:10]
            raise DataError(
                f"every (size, mixture, seed, step) must have all {wide.shape[1]} validation "
                f"domains, but some are missing at {listed}: drop these rows or get them again"
            )
        size, mixture, seed, step = (wide.index.get_level_values(name).to_numpy() for name in rows)
        shares = self.mixtures.set_index("mixture")[[f"r_{domain}" for domain in self.domains]]
        effective, annealing = self._state(step)
        return Observations(
            domains=self.domains,
            validation_domains=tuple(self.weights),
            size=size.astype(str),
            mixture=mixture.astype(str),
            seed=seed,
            step=step,
            proportions=shares.loc[mixture].to_numpy(),
            num_params=self.sizes.loc[size, "num_params"].to_numpy(dtype=float),
            compute_params=self.sizes.loc[size, "compute_params"].to_numpy(dtype=float),
            tokens=step * float(self.tokens_per_step),
            effective_tokens=effective,
            annealing=annealing,
            losses=wide.to_numpy(),
        )

    def _state(self, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.schedule is None:
            return steps * float(self.tokens_per_step), np.zeros(len(steps))
        return self.schedule.state(steps, self.tokens_per_step)


def save_study(study: Study, folder: str | Path) -> None:
    """Write a study as the files of TABLES into a folder."""
    folder = Path(folder)
    write_table(study.losses, folder / TABLES["losses"])
    write_table(study.mixtures, folder / TABLES["mixtures"])
    write_table(study.sizes.reset_index(), folder / TABLES["sizes"])
    write_table(study.dropped, folder / TABLES["dropped"])
    record = {
        "domains": list(study.domains),
        "weights": [list(pair) for pair in study.weights.items()],
        "base_losses": study.base_losses,
        "tokens_per_step": study.tokens_per_step,
        "schedule": None if study.schedule is None else asdict(study.schedule),
    }
    write_json(record, folder / TABLES["record"])


def load_study(folder: str | Path) -> Study:
    """Read what `save_study` wrote; raise DataError for a file or a column that is missing."""
    folder = Path(folder)
    record = read_json(folder / TABLES["record"])
    shares = [f"r_{domain}" for domain in record["domains"]]
    sizes = read_table(folder / TABLES["sizes"], ["size", "num_params", "compute_params"])
    return Study(
        domains=tuple(record["domains"]),
        weights=dict(record["weights"]),
        losses=read_losses(folder / TABLES["losses"]),
        mixtures=read_table(folder / TABLES["mixtures"], ["mixture", "run", *shares]),
        sizes=sizes.set_index("size"),
        base_losses=record["base_losses"],
        dropped=read_table(folder / TABLES["dropped"], ["size", "run", "step", "reason"]),
        tokens_per_step=record["tokens_per_step"],
        schedule=None if record["schedule"] is None else Cosine(**record["schedule"]),
    )
