"""Draw every figure of an experiment from the files in its results folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mixlaws.figures import laws, mixtures, predictions, stages
from mixlaws.figures.style import domain_colours, save_figure, use_style
from mixlaws.figures.ternary import plot_ternary
from mixlaws.files import read_json
from mixlaws.losses.tables import read_losses
from mixlaws.presentation import ordered_rows
from mixlaws.tables import read_table

REFERENCE_MIXTURE = "uniform"
"""The mixture whose laws are shown: every experiment trains it."""
Drawn = Iterator[tuple[str, Figure, pd.DataFrame]]


class Tables:
    """The files of one results folder, each read when it is asked for."""

    def __init__(self, results: Path, config: Mapping[str, Any]) -> None:
        self.results = results
        self.weights = config["validation"]["weights"]
        self.domains = list(config["domains"])
        self.measured = [*self.domains, *config["validation"]["domains"]]
        self.colours = domain_colours(self.measured)
        self.runs = read_table(results / "runs.csv", ["size", "num_params", "seconds", "flops"])
        losses = read_losses(results / "losses.parquet")
        self.losses = ordered_rows(losses, "validation_domain", self.measured)
        self.optimum = read_json(results / "optimum.json")
        self.target = laws.Target(**self.optimum["target"])
        sizes = self.runs.groupby("size")["num_params"].first().sort_values()
        self.num_params = {str(size): int(count) for size, count in sizes.items()}
        self.sizes = list(self.num_params)

    def law(self, name: str) -> pd.DataFrame | None:
        """Return a table of laws/, or None where the pipeline writes none."""
        path = self.results / "laws" / f"{name}.csv"
        if not path.exists():
            return None
        table = pd.read_csv(path, dtype={"size": str, "mixture": str})
        if "validation_domain" in table:
            table = ordered_rows(table, "validation_domain", self.measured)
        return table


def draw_figures(results: Path, config: Mapping[str, Any], folder: Path) -> None:
    """Write each figure as SVG, with the CSV of what it shows beside it, into `folder`.

    The same results give the same bytes, but for cost.svg, which shows seconds. A figure whose
    files are absent (a pipeline without step laws, no confirmation) is left out. Raises DataError
    for a file that every experiment must have, ConfigError for more domains than colours.
    """
    use_style()
    tables = Tables(Path(results), config)
    for draw in (_stages, _power_laws, _predictions, _mixtures, _confirmation):
        for name, figure, data in draw(tables):
            save_figure(figure, data, Path(folder) / f"{name}.svg")


def _stages(tables: Tables) -> Drawn:
    """Yield what the stages took in and what they cost."""
    accounting = read_table(tables.results / "accounting.csv", ["domain", "split", "num_tokens"])
    yield (
        "tokens_per_domain",
        stages.plot_tokens_per_domain(accounting, tables.colours),
        accounting,
    )
    curves = stages.training_curves(tables.losses, tables.sizes)
    yield "training_curves", stages.plot_training_curves(curves, tables.colours), curves
    path = tables.results / "confirmation_runs.csv"
    confirmed = read_table(path, ["seconds", "flops"]) if path.exists() else None
    costs = stages.stage_costs(tables.results, tables.runs, confirmed)
    yield "cost", stages.plot_cost(costs), costs


def _power_laws(tables: Tables) -> Drawn:
    """Yield the step laws and the size laws of the reference mixture."""
    step, size = tables.law("step_law"), tables.law("size_law")
    if step is None or step.empty:
        return
    curves = laws.step_curves(tables.losses, step, REFERENCE_MIXTURE, tables.target)
    yield "step_law", laws.plot_step_law(curves, tables.sizes), curves
    if size is not None and not size.empty:
        curves = laws.size_curves(step, size, tables.num_params, tables.target)
        figure = laws.plot_size_law(curves, REFERENCE_MIXTURE, tables.colours, tables.target)
        yield "size_law", figure, curves


def _predictions(tables: Tables) -> Drawn:
    """Yield predicted against observed losses of the deciding law."""
    predicted = read_table(tables.results / "laws" / "predictions.csv", ["law", "kind"])
    scores = read_table(tables.results / "laws" / "scores.csv", ["law", "decides"])
    predicted = predicted[predicted["law"].isin(scores.loc[scores["decides"], "law"])]
    observed = predictions.observed_losses(tables.losses, tables.weights)
    compared = predictions.compared_losses(predicted, observed, tables.num_params)
    figure = predictions.plot_predicted_vs_observed(compared, tables.colours)
    yield "predicted_vs_observed", figure, compared


def _mixtures(tables: Tables) -> Drawn:
    """Yield the interaction of domains, the loss over the simplex, and the optimum."""
    trained = read_table(tables.results / "mixtures.csv", ["id", "kind"])
    compared = mixtures.compared_mixtures(trained, tables.optimum, tables.domains)
    if (interaction := tables.law("interaction")) is not None:
        yield "interaction_matrix", laws.plot_interaction_matrix(interaction), interaction
    if (surface := tables.law("surface")) is not None:
        tolerance = tables.optimum["near_optimal"]["tolerance"]
        if len(tables.domains) == 3:
            yield (
                "simplex",
                plot_ternary(surface, compared, tolerance, tables.colours),
                surface,
            )
        else:
            paths = mixtures.share_paths(surface, compared)
            figure = mixtures.plot_share_paths(paths, compared, tolerance, tables.colours)
            yield "simplex", figure, paths
    shares = mixtures.optimum_shares(compared, tables.optimum, tables.domains)
    yield "optimum", mixtures.plot_optimum(shares, tables.colours), shares


def _confirmation(tables: Tables) -> Drawn:
    """Yield predicted against observed losses of the target, if it was trained."""
    path = tables.results / "confirmation.json"
    if path.exists():
        rows = predictions.confirmation_rows(read_json(path))
        yield "confirmation", predictions.plot_confirmation(rows), rows
