"""What the law that decides misses of the losses of the proxies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixlaws.figures.deciding import FITTED, LEFT_OUT, fitted_losses
from mixlaws.figures.law_curves import PIPELINE_WORDS
from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    INK,
    MUTED,
    TOKENS_LABEL,
    key,
    label_outer,
    legend_below,
    log_counts,
    panels,
    size_colours,
)
from mixlaws.figures.view import View
from mixlaws.results import HELD_OUT

NUM_TICKS = 3
"""On the axis of tokens, whose range may be short."""


def draw(view: View) -> Drawn | None:
    """Draw the figure, if the law that decides can be evaluated at the proxies."""
    table = fitted_losses(view)
    if table is None or table.empty:
        return None
    return plot_residuals(view.shown_rows(table), view.sizes), table


def plot_residuals(table: pd.DataFrame, sizes: Sequence[str]) -> Figure:
    """Plot predicted minus observed loss over tokens, one panel per validation domain."""
    table = table[table["kind"] != LEFT_OUT]
    domains = list(dict.fromkeys(table["validation_domain"]))
    colours, tokens = size_colours(sizes), table["tokens"]
    ticks = sorted({*np.geomspace(tokens.min(), tokens.max(), NUM_TICKS).round().tolist()})
    figure, grid = panels(len(domains), share=True)
    for axes, domain in zip(grid, domains, strict=True):
        rows = table[table["validation_domain"] == domain]
        axes.axhline(0, color=MUTED, linewidth=0.8)
        for size in sizes:
            _draw_size(axes, rows[rows["size"] == size], colours[size])
        axes.set_title(domain)
        axes.text(0.04, 0.96, _scores(rows), transform=axes.transAxes, va="top", fontsize=7.5)
        log_counts(axes, ticks)
    grid[0].margins(y=0.25)
    label_outer(grid, TOKENS_LABEL, "predicted minus observed (nats)")
    entries = [key(f"size {s}", color=colours[s], marker=".", markersize=8) for s in sizes]
    if HELD_OUT in set(table["kind"]):
        entries.append(key("held-out mixture", marker="D", markersize=4, mec=INK, mew=0.8))
    legend_below(figure, entries, columns=6)
    return figure


def _draw_size(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    """Draw the errors of one size: fitted runs as dots, held-out mixtures as outlined diamonds."""
    error = rows["predicted"] - rows["observed"]
    for kind, style in (
        (FITTED, {"marker": ".", "markersize": 3.5, "alpha": 0.6}),
        (HELD_OUT, {"marker": "D", "markersize": 3.5, "mec": INK, "mew": 0.7}),
    ):
        part = rows["kind"] == kind
        axes.plot(rows.loc[part, "tokens"], error[part], color=colour, ls="none", **style)  # type: ignore[arg-type]


def _scores(rows: pd.DataFrame) -> str:
    """Return the root mean square error of each kind as text."""
    squares = (rows["predicted"] - rows["observed"]) ** 2
    words = {FITTED: "in-sample", HELD_OUT: "held out"}
    return "\n".join(
        f"{word}: rms {np.sqrt(squares[rows['kind'] == kind].mean()):.4f}"
        for kind, word in words.items()
        if (rows["kind"] == kind).any()
    )


SPEC = FigureSpec(
    name="residuals",
    section="deciding",
    title="What the law that decides misses",
    caption=lambda view: (
        f"Predicted minus observed loss of every run after the early cut, by the "
        f"{PIPELINE_WORDS[view.pipeline]}"
        + (", whose step laws are fitted to one run each" if view.pipeline == "nested" else "")
        + ". A pattern that all points of a size share is an error of the law's form; scatter is "
        "the noise of the runs. In-sample errors are smaller than those at the target."
    ),
    draw=draw,
)
