"""The loss over size at several numbers of FLOPs, by L(N, D)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    INK,
    MUTED,
    OVERALL_LABEL,
    PARAMS_LABEL,
    key,
    legend_below,
    log_counts,
    size_colours,
)
from mixlaws.figures.view import View
from mixlaws.presentation import format_flops


def draw(view: View) -> Drawn | None:
    """Draw the figure, if there is an answer."""
    record, curves = view.results.budget, view.results.isoflop
    return None if record is None else draw_isoflop(record, curves)


def draw_isoflop(record: Mapping[str, Any], curves: pd.DataFrame | None) -> Drawn | None:
    """Draw the curves of a record (budget.json); None if it has no answer."""
    if curves is None or curves.empty:
        return None
    return plot_isoflop(record, curves), curves


def plot_isoflop(record: Mapping[str, Any], curves: pd.DataFrame) -> Figure:
    """Plot one curve a budget with its optimum; the budget asked for has intervals."""
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    colours = size_colours([str(flops) for flops in sorted(curves["flops"].unique())])
    entries = []
    for flops, part in curves.groupby("flops"):
        colour = colours[str(flops)]
        axes.plot("num_params", "loss", data=part, color=colour)
        if flops == record["flops"]:
            bounds = (part["num_params"], part["lower"], part["upper"])
            axes.fill_between(*bounds, color=colour, alpha=0.15, linewidth=0)
        best = part[part["is_optimum"]]
        axes.plot("num_params", "loss", "o", data=best, color=colour, markersize=5)
        entries.append(key(f"{format_flops(flops)} FLOPs", color=colour, linestyle="-"))
    size, loss = (record["optimum"][name] for name in ("num_params", "loss"))
    distances = [[size["value"] - size["lower"]], [size["upper"] - size["value"]]]
    axes.errorbar(size["value"], loss["value"], xerr=distances, color=INK, capsize=3, fmt="none")
    rule = record["rule_of_thumb"]
    axes.axvline(rule["num_params"], color=MUTED, linestyle=":")
    words = f"{rule['tokens_per_parameter']:.0f} tokens per parameter"
    entries += [
        key("optimum", marker="o", markersize=5),
        key("its interval", color=INK, linestyle="-"),
        key(words, linestyle=":"),
    ]
    log_counts(axes)
    axes.set_xlabel(PARAMS_LABEL)
    axes.set_ylabel(OVERALL_LABEL)
    legend_below(figure, entries)
    return figure


def caption(record: Mapping[str, Any]) -> str:
    """Return the caption."""
    return (
        f"Predicted loss of the mixture {record['mixture']} over size. Along a curve the FLOPs are "
        "the same: the larger the model, the fewer the tokens. The band and the bar are for "
        f"{format_flops(record['flops'])} FLOPs; the dotted line is the rule of thumb there."
    )


SPEC = FigureSpec(
    name="isoflop",
    section="budget",
    title="Loss against size at equal FLOPs",
    caption=lambda view: caption(view.results.budget or {}),
    draw=draw,
)
