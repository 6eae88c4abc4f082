"""The results of an experiment, prepared for its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from mixlaws.figures.curves import Target
from mixlaws.figures.style import domain_colours
from mixlaws.mixtures.lattice import OPTIMUM
from mixlaws.presentation import ordered_rows
from mixlaws.results import BASELINE, BEST_OBSERVED, HELD_OUT, Results


class View:
    """The results of an experiment, with its domains in the config's order, and their colours.

    `config` contains all defaults. Raises ConfigError if there are more domains than colours.
    """

    def __init__(self, results: Results, config: Mapping[str, Any]) -> None:
        self.results = results
        config = results.with_domains(config)
        self.weights: Mapping[str, float] = config["validation"]["weights"]
        self.domains = list(config["domains"])
        self.measured = [*self.domains, *config["validation"]["domains"]]
        self.colours = domain_colours(self.measured)

    def measured_rows(self, table: pd.DataFrame | None) -> pd.DataFrame | None:
        """Return a table with its validation domains in order, or None if it is absent or empty."""
        if table is None or table.empty:
            return None
        return ordered_rows(table, "validation_domain", self.measured)

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Return the losses of the proxies."""
        return ordered_rows(self.results.losses, "validation_domain", self.measured)

    @cached_property
    def step_law(self) -> pd.DataFrame | None:
        """Return the step laws, if there are any."""
        return self.measured_rows(self.results.step_law)

    @cached_property
    def size_law(self) -> pd.DataFrame | None:
        """Return the size laws, if there are any."""
        return self.measured_rows(self.results.size_law)

    @property
    def optimum(self) -> Mapping[str, Any]:
        """Return the record of the optimum."""
        return self.results.optimum

    @property
    def target(self) -> Target:
        """Return the target of the extrapolation."""
        return Target(**self.optimum["target"])

    @cached_property
    def num_params(self) -> dict[str, int]:
        """Return the parameters of each proxy size, smallest first."""
        sizes = self.results.runs.groupby("size")["num_params"].first().sort_values()
        return {str(size): int(count) for size, count in sizes.items()}

    @property
    def sizes(self) -> list[str]:
        """Return the proxy sizes, smallest first."""
        return list(self.num_params)

    @cached_property
    def reference(self) -> str:
        """Return the mixture whose laws are drawn: the first fitted baseline.

        Without a fitted baseline, it is the best observed mixture or else the first fitted one.
        """
        best = self.optimum["baselines"].get(BEST_OBSERVED, {}).get("mixture")
        fitted = [] if self.step_law is None else list(self.step_law["mixture"])
        return next((m for m in (*self.results.baselines, best) if m in fitted), fitted[0])

    @cached_property
    def compared(self) -> pd.DataFrame:
        """Return the trained mixtures, the best observed one and the optimum."""
        return compared_mixtures(self.results.mixtures, self.optimum, self.domains)


SAMPLE, BEST = "sample", "best observed"
TRAINED_KINDS = (SAMPLE, HELD_OUT)


def compared_mixtures(
    mixtures: pd.DataFrame, optimum: Mapping[str, Any], domains: Sequence[str]
) -> pd.DataFrame:
    """Return the trained mixtures, the best observed one and the optimum: kind, id, r_<domain>.

    The kind of a baseline is its id; a mixture that is neither baseline nor held out is a sample.
    """
    columns = [f"r_{domain}" for domain in domains]
    kinds = mixtures["kind"].where(mixtures["kind"].isin([BASELINE, HELD_OUT]), SAMPLE)
    kinds = kinds.where(kinds != BASELINE, mixtures["id"])
    trained = mixtures.assign(kind=kinds)[["kind", "id", *columns]]
    added = [(OPTIMUM, OPTIMUM, optimum["proportions"])]
    if best := optimum["baselines"].get(BEST_OBSERVED):
        added.insert(0, (BEST, best["mixture"], best["proportions"]))
    rows = [{"kind": k, "id": i} | {f"r_{d}": r[d] for d in domains} for k, i, r in added]
    return pd.concat([trained, pd.DataFrame(rows)], ignore_index=True)


def baseline_kinds(compared: pd.DataFrame) -> list[str]:
    """Return the ids of the baselines in `compared_mixtures`, in the order of the table."""
    others = {*TRAINED_KINDS, BEST, OPTIMUM}
    return [str(kind) for kind in dict.fromkeys(compared["kind"]) if kind not in others]
