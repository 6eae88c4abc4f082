"""The results of an experiment, prepared for its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import pandas as pd

from mixlaws.figures.curves import Target
from mixlaws.figures.style import domain_colours
from mixlaws.laws.files import FittedLaw, fitted_law
from mixlaws.laws.observations import Observations
from mixlaws.laws.overall import OVERALL
from mixlaws.losses.arrays import make_observations
from mixlaws.losses.swarm import Swarm
from mixlaws.mixtures.lattice import OPTIMUM
from mixlaws.presentation import ordered_rows
from mixlaws.results import BASELINE, BEST_OBSERVED, HELD_OUT, NAMED, Results

MAX_PANELS = 24
"""A figure has at most so many panels, those of the largest weights; its table has all domains."""


class View:
    """The results of an experiment, with its domains in the config's order, and their colours.

    `config` contains all defaults.
    """

    def __init__(self, results: Results, config: Mapping[str, Any]) -> None:
        self.results = results
        config = results.with_domains(config)
        self.weights: Mapping[str, float] = config["validation"]["weights"]
        self.domains = list(config["domains"])
        self.measured = [*self.domains, *config["validation"]["domains"]]
        self.colours = domain_colours(self.measured, self.weights)

    @cached_property
    def shown(self) -> list[str]:
        """Return the validation domains that have a panel: at most MAX_PANELS, by weight."""
        heaviest = sorted(self.measured, key=lambda domain: -self.weights.get(domain, 0.0))
        kept = {*heaviest[:MAX_PANELS]}
        return [domain for domain in self.measured if domain in kept]

    def shown_rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of the validation domains that have a panel, and of the overall loss."""
        rows = table[table["validation_domain"].isin([*self.shown, OVERALL])]
        return ordered_rows(rows, "validation_domain", [OVERALL, *self.shown])

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

    @cached_property
    def observations(self) -> Observations:
        """Return the losses of the proxies as arrays."""
        folder = self.results.folder
        names = ("losses.parquet", "runs.csv", "mixtures.csv")
        return make_observations(Swarm.read(*(folder / name for name in names)))

    @cached_property
    def law(self) -> FittedLaw | None:
        """Return the law that decides, at the target; None if it was not written."""
        record = self.results.law
        return None if record is None else fitted_law(record)

    @property
    def optimum(self) -> Mapping[str, Any]:
        """Return the record of the optimum."""
        return self.results.optimum

    @property
    def pipeline(self) -> str:
        """Return the name of the pipeline that decides."""
        return str(self.optimum["pipeline"])

    @property
    def states_loss(self) -> bool:
        """Return whether the absolute loss of the target may be stated."""
        return bool(self.optimum["support"]["states_loss"])

    @property
    def target(self) -> Target:
        """Return the target of the extrapolation."""
        return Target(**self.optimum["target"])

    @property
    def drawn_target(self) -> Target:
        """Return how far curves are drawn: to the target, if its absolute loss may be stated."""
        if self.states_loss:
            return self.target
        size = self.sizes[-1]
        return Target(size, self.num_params[size], int(self.results.losses["tokens"].max()))

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
    def fitted_mixtures(self) -> list[str]:
        """Return the ids of the mixtures that were trained and not held out."""
        kinds = self.results.mixtures.set_index("id")["kind"]
        trained = dict.fromkeys(self.results.runs["mixture"].astype(str))
        return [mixture for mixture in trained if kinds[mixture] != HELD_OUT]

    @cached_property
    def reference(self) -> str:
        """Return the mixture whose laws are drawn: the first fitted baseline.

        Without a fitted baseline, it is the best observed mixture or else the first fitted one.
        """
        best = self.optimum["baselines"].get(BEST_OBSERVED, {}).get("mixture")
        fitted = self.fitted_mixtures
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
    is_baseline = mixtures["kind"].isin([BASELINE, NAMED])
    kinds = mixtures["kind"].where(mixtures["kind"] == HELD_OUT, SAMPLE)
    kinds = kinds.where(~is_baseline, mixtures["id"])
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
