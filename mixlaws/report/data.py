"""The results of an experiment, prepared for its page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeVar

import pandas as pd

from mixlaws.mixtures.lattice import OPTIMUM
from mixlaws.presentation import ordered, ordered_rows
from mixlaws.report.blocks import PageFigure, section_figures
from mixlaws.report.findings import mixture_scores
from mixlaws.results import BEST_OBSERVED, RUN_KEY, Results
from mixlaws.runs.progress import read_progress

Table = TypeVar("Table", pd.DataFrame, "pd.DataFrame | None")
ROLE_KEY = ["role", *RUN_KEY]


class PageData:
    """Results in a reader's order: the config's domains, the plainest baseline first.

    JSON records have their keys sorted, so the order must come from elsewhere. `config` is
    complete.
    """

    def __init__(self, results: Results, config: Mapping[str, Any]) -> None:
        self.results = results
        self.config = config
        config = results.with_domains(config)
        self.domains = list(config["domains"])
        self.measured = [*self.domains, *config["validation"]["domains"]]
        self.weights: Mapping[str, float] = config["validation"]["weights"]

    def figures(self, section: str) -> list[PageFigure]:
        """Return the drawn figures of a section."""
        return section_figures(self.results.figures, section)

    @cached_property
    def optimum(self) -> dict[str, Any]:
        """Return the record of the optimum."""
        record = self.results.optimum
        near = record["near_optimal"]
        baselines = [*self.results.baselines, BEST_OBSERVED]
        return record | {
            "proportions": ordered(record["proportions"], self.domains),
            "near_optimal": near | {"ranges": ordered(near["ranges"], self.domains)},
            "baselines": ordered(record["baselines"], baselines),
        }

    @cached_property
    def confirmation(self) -> dict[str, Any] | None:
        """Return the record of the confirmation, the optimum first; None without one."""
        record = self.results.confirmation
        if record is None:
            return None
        mixtures = [OPTIMUM, *self.results.baselines]
        return record | {
            "mixtures": ordered(record["mixtures"], mixtures),
            "gains": ordered(record["gains"], mixtures),
            "domains": ordered(record["domains"], self.measured),
        }

    @property
    def is_confirmed(self) -> bool:
        """Return whether runs of the target show each of the optimum's gains beyond their noise."""
        gains = {} if self.confirmation is None else self.confirmation["gains"]
        return bool(gains) and all(gain["beyond_noise"] for gain in gains.values())

    @property
    def recommends(self) -> bool:
        """Return whether proxies or runs of the target let the page recommend the optimum."""
        return bool(self.optimum["support"]["recommends"]) or self.is_confirmed

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Return proxies and confirmation runs in one table; role says which is which."""
        return _with_roles(self.results.runs, self.results.confirmation_runs)

    @property
    def proxies(self) -> pd.DataFrame:
        """Return the runs that the laws were fitted to."""
        return self.results.runs

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Return the losses of proxies and confirmation runs in one table, with their role."""
        return _with_roles(self.results.losses, self.results.confirmation_losses)

    def in_order(self, table: Table) -> Table:
        """Return a table with its validation domains in the config's order; None stays None."""
        if table is None:
            return table
        return ordered_rows(table, "validation_domain", self.measured)

    @cached_property
    def scores(self) -> pd.DataFrame | None:
        """Return the scores on unseen mixtures, at the largest proxy size."""
        scores = self.in_order(self.results.scores)
        if scores is None:
            return None
        counts = self.proxies.groupby("size")["num_params"].first()
        return mixture_scores(scores, {str(s): int(n) for s, n in counts.items()})

    def num_params_of(self, scores: pd.DataFrame) -> float:
        """Return the parameters of the size of a table of scores, nan for an empty one."""
        sizes = self.proxies.groupby("size")["num_params"].first()
        return float("nan") if scores.empty else float(sizes[scores["size"].iloc[0]])

    def run_states(self) -> dict[tuple[Any, ...], str]:
        """Return the state of each run by role, size, mixture and seed: every run here is done.

        Runs that were interrupted say how often they were resumed, as far as this is known.
        """
        states = {}
        for key in self.runs[ROLE_KEY].itertuples(index=False, name=None):
            role, size, mixture, seed = key
            files = (
                self.results.run(size, mixture, seed)
                if role == "proxy"
                else self.results.confirmation_run(mixture, seed)
            )
            attempts = len({row["attempt"] for row in read_progress(files.progress)})
            resumed = f", resumed {attempts - 1} times" if attempts > 1 else ""
            states[key] = f"done{resumed}"
        return states

    def final_measures(self) -> pd.DataFrame:
        """Return overall loss and accuracy at the end of each run, by role, size, mixture and seed.

        Imported losses may have no accuracy.
        """
        losses = self.losses
        last = losses[losses["step"] == losses.groupby(ROLE_KEY)["step"].transform("max")]
        weights = last["validation_domain"].map(self.weights).fillna(0.0)
        measures = [name for name in ("loss", "accuracy") if name in last]
        weighted = last[measures].mul(weights, axis=0)
        return pd.concat([last[ROLE_KEY], weighted], axis=1).groupby(ROLE_KEY).sum()


def _with_roles(proxies: pd.DataFrame, confirmation: pd.DataFrame | None) -> pd.DataFrame:
    tables = {"proxy": proxies, "confirmation": confirmation}
    found = [table.assign(role=role) for role, table in tables.items() if table is not None]
    return pd.concat(found, ignore_index=True)
