"""Continual pre-training: the paper's figure 10 and the curves behind it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    DOMAIN_PALETTE,
    INK,
    LOSS_LABEL,
    MUTED,
    key,
    legend_below,
    panels,
    size_colours,
)
from mixlaws.paper.results import PaperResults
from mixlaws.presentation import format_count

ORIGINAL, NEW = DOMAIN_PALETTE[0], DOMAIN_PALETTE[1]


def draw_critical(results: PaperResults) -> Drawn:
    """Draw figure 10 of the paper."""
    curves, fits = results.table("continual", "curves"), results.table("continual", "share_laws")
    held_out = results.settings["continual"]["held_out"]
    return plot_critical(curves, fits, results.critical, _base(results), held_out), results.critical


def draw_continual_curves(results: PaperResults) -> Drawn:
    """Draw the loss over the steps."""
    curves = results.table("continual", "curves")
    return plot_continual_curves(curves, _base(results)), curves


def _base(results: PaperResults) -> dict[str, float]:
    """Return the losses before continual training."""
    return dict(results.record("continual", "errors")["base_losses"])


def plot_critical(
    curves: pd.DataFrame,
    fits: pd.DataFrame,
    critical: pd.DataFrame,
    base: Mapping[str, float],
    held_out: str,
) -> Figure:
    """Plot the loss of both domains over the share of the original one (figure 10)."""
    last = curves[curves["step"] == curves["step"].max()]
    at_end = critical[critical["step"] == critical["step"].max()].set_index("procedure")
    figure, grid = panels(2, columns=2, height=2.8)
    for axes, (domain, colour) in zip(
        grid, {"original": ORIGINAL, "new": NEW}.items(), strict=True
    ):
        law = fits[(fits["domain"] == domain) & (fits["form"] == "exponential")]
        axes.plot(100 * law["share"], law["loss"], "-", color=colour, linewidth=1.3)
        points = last[last["domain"] == domain]
        fitted = points[points["mixture"] != held_out]
        axes.plot(100 * fitted["share"], fitted["loss"], "o", color=colour, markersize=5)
        out = points[points["mixture"] == held_out]
        axes.plot(100 * out["share"], out["loss"], "D", color=colour, markersize=6, mfc="none")
        axes.set(title=f"{domain} domain", xlabel="share of the original domain (%)")
    grid[0].axhline(base["original"], color=MUTED, linestyle=":", linewidth=1.2)
    ours = at_end.loc["ours"]
    grid[0].axvspan(100 * ours["lower"], 100 * ours["upper"], color=MUTED, alpha=0.25, linewidth=0)
    grid[0].axvline(100 * ours["value"], color=MUTED, linewidth=1.0)
    grid[0].set_ylabel(LOSS_LABEL)
    entries = [
        key("fitted runs", marker="o", color=INK, markersize=5),
        key("the paper's critical run, left out", marker="D", color=INK, mfc="none", markersize=6),
        key("loss before continual training", linestyle=":", linewidth=1.2),
        key("critical share, 90 % interval", linestyle="-", linewidth=6, alpha=0.4),
    ]
    legend_below(figure, entries, columns=2)
    return figure


def plot_continual_curves(curves: pd.DataFrame, base: Mapping[str, float]) -> Figure:
    """Plot the loss of both domains over steps, one line per share of the original domain."""
    shares = sorted(set(curves["share"]))
    ramp = dict(zip(shares, size_colours([str(s) for s in shares]).values(), strict=True))
    figure, grid = panels(2, columns=2, height=2.6)
    for axes, domain in zip(grid, ("original", "new"), strict=True):
        for share, part in curves[curves["domain"] == domain].groupby("share"):
            axes.plot(part["step"], part["loss"], "o-", color=ramp[share], markersize=3, lw=1.2)
        axes.set(title=f"{domain} domain", xlabel="step")
        _thousands(axes)
    grid[0].axhline(base["original"], color=MUTED, linestyle=":", linewidth=1.2)
    grid[0].set_ylabel(LOSS_LABEL)
    entries = [key(f"{100 * s:.3g} % original", color=ramp[s], linestyle="-") for s in shares]
    legend_below(figure, [*entries, key("before", linestyle=":", linewidth=1.2)], columns=3)
    return figure


def _thousands(axes: Axes) -> None:
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))


CRITICAL_PROPORTION = FigureSpec(
    name="critical_proportion",
    section="continual",
    title="Continual pre-training: the critical proportion (figure 10)",
    caption=(
        "Pythia-70M continued on the Pile and Python code, 10k steps. Curves are fitted without "
        "the diamond, the run that the paper made to check its prediction."
    ),
    draw=draw_critical,
)


CONTINUAL_CURVES = FigureSpec(
    name="continual_curves",
    section="continual",
    title="Continual pre-training: loss over steps",
    caption=(
        "The share of the original domain that keeps its loss falls with more steps, so a critical "
        "proportion belongs to a number of steps."
    ),
    draw=draw_continual_curves,
)
