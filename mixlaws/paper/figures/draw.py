"""Draw the figures of the reproduction from the tables in its results folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mixlaws.figures import laws
from mixlaws.figures.style import domain_colours, save_figure, use_style
from mixlaws.files import read_json
from mixlaws.losses.swarm import Swarm
from mixlaws.paper.figures import fits as paper_fits
from mixlaws.paper.figures import target as paper_target
from mixlaws.paper.points import Panels, complete_runs, target_at
from mixlaws.tables import read_table

Drawn = Iterator[tuple[str, Figure, pd.DataFrame]]


class Tables:
    """The files of one reproduction, each read when it is asked for."""

    def __init__(self, results: Path, published: Mapping[str, Any]) -> None:
        self.results = results
        self.groups = published["validation_groups"]
        self.figures = published["figures"]
        self.claims = {claim["id"]: claim.get("value") for claim in published["claims"]}

    def table(self, study: str, name: str) -> pd.DataFrame:
        """Return a table of a study; raise DataError where it is missing."""
        return read_table(self.results / study / f"{name}.csv", [])

    def record(self, study: str, name: str) -> dict[str, Any]:
        """Return a JSON record of a study."""
        return dict(read_json(self.results / study / f"{name}.json"))

    def study(self, name: str) -> Swarm:
        """Return a study's losses."""
        return Swarm.load(self.results / name)


def draw_published(results: str | Path, published: Mapping[str, Any], folder: str | Path) -> None:
    """Write each figure as SVG with the CSV of what it shows; the same bytes every time.

    `published` is that part of the config. Raises DataError for a table that is missing.
    """
    use_style()
    tables = Tables(Path(results), published)
    for draw in (_mixing, _power_laws, _target, _ranks, _continual):
        for name, figure, data in draw(tables):
            save_figure(figure, data, Path(folder) / f"{name}.svg")


def _mixing(tables: Tables) -> Drawn:
    """Yield figures 2, 4 and 5 and table 1."""
    points = tables.table("2mix", "two_domain_points")
    fits = tables.table("2mix", "two_domain_laws")
    fits = fits[fits["procedure"] == "grid"].drop(columns="procedure")
    points = points.merge(fits, on=["size", "step", "validation_domain"])
    yield "two_domains", paper_fits.plot_two_domains(points), points
    forms = tables.table("3mix", "forms")
    yield "forms", paper_fits.plot_forms(forms), forms
    interactions = tables.table("5mix", "interactions")
    theirs = tables.figures["five_domains"]["published_t"]
    yield "interactions", paper_fits.plot_interactions(interactions, theirs), interactions
    errors = tables.table("5mix", "aggregation")
    yield "aggregation", paper_fits.plot_aggregation(errors), errors


def _power_laws(tables: Tables) -> Drawn:
    """Yield the step and size laws of the optimised mixture, group by group."""
    settings, study = tables.figures["extrapolation"], tables.study("redpajama")
    panels = Panels.of(study, tables.groups)
    runs = panels.group(complete_runs(study, settings["sizes"], settings["steps"]))
    losses = pd.DataFrame(runs.losses, columns=list(runs.validation_domains)).assign(
        size=runs.size, mixture=runs.mixture, seed=runs.seed, tokens=runs.tokens
    )
    keys = ["size", "mixture", "seed", "tokens"]
    losses = losses.melt(keys, var_name="validation_domain", value_name="loss")
    step, size = tables.table("redpajama", "step_law"), tables.table("redpajama", "size_law")
    counts = study.num_params
    label, tokens = settings["target"]["size"], int(target_at(study, **settings["target"]).tokens)
    target = laws.Target(label, int(counts[label]), tokens)
    shown = settings["optimised"]
    curves = laws.step_curves(losses, step, shown, target)
    yield "paper_step_law", laws.plot_step_law(curves, settings["sizes"]), curves
    curves = laws.size_curves(step, size, counts, target)
    colours = domain_colours(list(tables.groups))
    yield "paper_size_law", laws.plot_size_law(curves, shown, colours, target), curves


def _target(tables: Tables) -> Drawn:
    """Yield what is predicted at the target, what was observed, and what 48 % rests on."""
    points = paper_target.target_points(
        tables.table("redpajama", "fitting_points"),
        tables.table("redpajama", "target_predictions"),
        tables.table("redpajama", "joint_predictions"),
        tables.figures["extrapolation"],
    )
    points = pd.concat([points, paper_target.published_points(points, tables.claims)])
    yield "predictions", paper_target.plot_predictions(points), points
    joint = paper_target.joint_curves(
        tables.table("redpajama", "joint_predictions"),
        tables.record("redpajama", "optimum"),
        tables.figures["extrapolation"],
    )
    yield "joint_target", paper_target.plot_joint_curves(joint), joint
    curves = tables.table("redpajama", "target_curves")
    ratios = tables.table("redpajama", "steps_to_match")
    yield "matching", paper_target.plot_matching(curves, ratios), ratios
    sensitivity = tables.table("redpajama", "sharing_sensitivity")
    observed = tables.table("redpajama", "target_predictions")
    yield "sharing", paper_target.plot_sharing(sensitivity, observed), sensitivity
    shares = paper_target.compared_shares(
        tables.table("redpajama", "optima"),
        tables.study("redpajama").mixtures,
        tables.record("redpajama", "optimum"),
        tables.figures["extrapolation"],
    )
    yield "paper_optimum", paper_target.plot_shares(shares), shares


def _ranks(tables: Tables) -> Drawn:
    """Yield the rank correlations of both studies that have several sizes."""
    stability = pd.concat(
        [
            tables.table(study, "rank_stability").assign(study=study)
            for study in ("redpajama", "5mix")
        ]
    )
    yield "rankings", paper_fits.plot_rankings(stability), stability


def _continual(tables: Tables) -> Drawn:
    """Yield figure 10 and the curves behind it."""
    curves, fits = tables.table("continual", "curves"), tables.table("continual", "share_laws")
    critical = tables.table("continual", "critical_proportions")
    base = tables.record("continual", "errors")["base_losses"]
    held_out = tables.figures["continual"]["held_out"]
    figure = paper_fits.plot_critical(curves, fits, critical, base, held_out)
    yield "critical_proportion", figure, critical
    yield "continual_curves", paper_fits.plot_continual_curves(curves, base), curves
