"""The slopes of the log-log lines: each mixture's own beside the common one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import INK, key, label_outer, legend_below, panels
from mixlaws.figures.view import View

REGRESSOR_WORDS = {"num_params": "parameters", "tokens": "tokens", "compute": "FLOPs"}


def draw(view: View) -> Drawn | None:
    """Draw the figure, if the lines decide and mixtures have slopes of their own."""
    lines = view.measured_rows(view.results.line_law)
    if lines is None:
        return None
    table = slope_rows(lines)
    return None if table.empty else (plot_slopes(table, view.colours), table)


def slope_rows(lines: pd.DataFrame) -> pd.DataFrame:
    """Return tidy slopes: regressor, validation_domain, mixture, own, common."""
    parts = [
        lines[["validation_domain", "mixture"]].assign(
            regressor=regressor,
            own=lines[f"own_slope_{regressor}"],
            common=lines[f"slope_{regressor}"],
        )
        for regressor in REGRESSOR_WORDS
        if {f"own_slope_{regressor}", f"slope_{regressor}"} <= set(lines)
    ]
    columns = ["regressor", "validation_domain", "mixture", "own", "common"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True).dropna(subset="own")[columns]


def plot_slopes(table: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Plot one panel per regressor: a row of points per validation domain, a bar at the common."""
    regressors = list(dict.fromkeys(table["regressor"]))
    domains = list(dict.fromkeys(table["validation_domain"]))
    figure, grid = panels(len(regressors), height=0.32 * len(domains) + 0.9)
    places = {domain: place for place, domain in enumerate(domains)}
    for axes, regressor in zip(grid, regressors, strict=True):
        rows = table[table["regressor"] == regressor]
        for domain, part in rows.groupby("validation_domain", sort=False):
            place = places[str(domain)]
            heights = np.full(len(part), place, dtype=float)
            axes.plot(part["own"], heights, "o", color=colours[str(domain)], ms=4.5, alpha=0.6)
            axes.plot(part["common"].iloc[:1], [place], "|", color=INK, ms=14, mew=2)
        axes.set_yticks(range(len(domains)), domains)
        axes.set_ylim(len(domains) - 0.4, -0.6)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_title(f"slope in ln {REGRESSOR_WORDS[regressor]}")
    label_outer(grid, "change of ln loss per unit of the logarithm", "")
    entries = [
        key("own slope of one mixture", marker="o", markersize=4.5),
        key("common slope of the lines", marker="|", color=INK, markersize=12, mew=2),
    ]
    legend_below(figure, entries)
    return figure


SPEC = FigureSpec(
    name="slopes",
    section="deciding",
    title="Is the slope common to all mixtures?",
    caption=(
        "The log-log recipe assumes one slope for all mixtures. Each dot is the slope of one "
        "mixture alone; the bar is the common slope. The table of tests says whether the dots "
        "scatter more than the noise of runs."
    ),
    draw=draw,
)
