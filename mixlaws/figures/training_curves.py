"""The loss and accuracy of the runs during training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import TOKENS_LABEL, WIDTH, domain_keys, legend_below, log_counts
from mixlaws.figures.view import View

MEASURES = {"loss": "loss L (nats per token)", "accuracy": "next-token accuracy"}
NUM_RANGES = 6
"""With more validation domains than this, ranges would overlap and are left out."""


def draw(view: View) -> Drawn:
    """Draw the figure."""
    curves = training_curves(view.losses, view.sizes)
    return plot_training_curves(curves, view.colours), curves


def training_curves(losses: pd.DataFrame, sizes: Sequence[str]) -> pd.DataFrame:
    """Return mean, lowest and highest loss and accuracy over the mixtures, by size and tokens.

    Imported losses may have no accuracy.
    """
    keys = ["size", "tokens", "validation_domain"]
    measures = [measure for measure in MEASURES if measure in losses]
    long = losses.melt(id_vars=keys, value_vars=measures, var_name="measure")
    table = long.groupby([*keys, "measure"], sort=False)["value"].agg(["mean", "min", "max"])
    table = table.rename(columns={"min": "lowest", "max": "highest"}).reset_index()
    place = table["size"].map(list(sizes).index)
    return table.assign(place=place).sort_values(["place", "tokens"]).drop(columns="place")


def plot_training_curves(table: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Plot loss (above) and accuracy (below) over tokens: a column per size, a line per domain."""
    sizes = list(dict.fromkeys(table["size"]))
    measures = [measure for measure in MEASURES if measure in set(table["measure"])]
    width, height = max(4.5, min(WIDTH, 3.2 * len(sizes))), 2.6 * len(measures)
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(len(measures), len(sizes), squeeze=False, sharex=True, sharey="row")
    for row, measure in enumerate(measures):
        for column, size in enumerate(sizes):
            part = table[(table["size"] == size) & (table["measure"] == measure)]
            _draw_curves(grid[row, column], part, colours)
            grid[row, column].set_ylabel(MEASURES[measure] if column == 0 else "")
            if row == 0:
                grid[row, column].set_title(f"size {size}")
    for axes in grid[-1]:
        log_counts(axes)
        axes.set_xlabel(TOKENS_LABEL)
    legend_below(figure, domain_keys(colours, table["validation_domain"]), columns=6)
    return figure


def _draw_curves(axes: Axes, part: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draw each domain's mean over the mixtures, and its range if there are few domains."""
    shared = {"data": part, "x": "tokens", "y": "mean", "hue": "validation_domain"}
    sns.lineplot(ax=axes, palette=dict(colours), legend=False, errorbar=None, **shared)
    groups = part.groupby("validation_domain", sort=False)
    if groups.ngroups <= NUM_RANGES:
        for domain, rows in groups:
            axes.fill_between(
                rows["tokens"],
                rows["lowest"],
                rows["highest"],
                color=colours[str(domain)],
                alpha=0.12,
                linewidth=0,
            )
    axes.set_xlabel("")


def _measured_words(view: View) -> str:
    accuracy = " and next-token accuracy (higher is better)" if "accuracy" in view.losses else ""
    return f"Loss (lower is better){accuracy}"


SPEC = FigureSpec(
    name="training_curves",
    section="runs",
    title="Training curves",
    caption=lambda view: (
        f"{_measured_words(view)} of each validation domain over training: mean over all mixtures "
        "and, where there are few domains, the range from the lowest to the highest. The wider the "
        "range, the more the mixture matters."
    ),
    draw=draw,
)
