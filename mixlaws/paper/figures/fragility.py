"""How the paper's 48 % depends on the first step, and its prediction on sharing exponents."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    INK,
    LOSS_LABEL,
    MUTED,
    WIDTH,
    key,
    legend_below,
)
from mixlaws.laws.overall import OVERALL
from mixlaws.paper.figures.target import ROLE_COLOURS
from mixlaws.paper.results import PaperResults
from mixlaws.presentation import format_count


def draw_matching(results: PaperResults) -> Drawn:
    """Draw figure 8 of the paper."""
    curves = results.table("redpajama", "target_curves")
    return plot_matching(curves, results.ratios), results.ratios


def plot_matching(curves: pd.DataFrame, ratios: pd.DataFrame) -> Figure:
    """Plot both loss curves at 1B, and the ratio of steps for several first steps of the fit."""
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    for role, colour in ROLE_COLOURS.items():
        rows = curves[curves["role"] == role]
        left.plot(rows["step"], rows["loss"], "o-", color=colour, markersize=4, linewidth=1.2)
        left.axhline(rows["loss"].iloc[-1], color=colour, linestyle=":", linewidth=1)
        law = ratios[(ratios["runner"] == role) & (ratios["method"] == "power law")]
        shift = 150 if role == "default" else -150
        right.errorbar(
            law["first_step"] + shift, law["ratio"],
            np.abs(np.array([law["ratio"] - law["lower"], law["upper"] - law["ratio"]])),
            fmt="o", color=colour, markersize=5, linewidth=1.2,
        )  # fmt: skip
        read = ratios[(ratios["runner"] == role) & (ratios["method"] != "power law")]
        for ratio in read["ratio"]:
            right.axhline(ratio, color=colour, linestyle="--", linewidth=1)
    right.axhline(1.0, color=MUTED, linewidth=0.8)
    left.set(xlabel="step", ylabel=f"overall {LOSS_LABEL}", title="1B models")
    right.set(xlabel="first step of the fit", ylabel="steps to match the other / 100k")
    right.set_title("default above, optimised below")
    for axes in (left, right):
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    entries = [key(f"{role} mixture", color=c, marker="o", linestyle="-", markersize=4)
               for role, c in ROLE_COLOURS.items()]  # fmt: skip
    entries += [
        key("last loss", linestyle=":", color=INK),
        key("read between checkpoints", linestyle="--", color=INK),
        key("90 % interval of the fit", linestyle="-", color=INK),
    ]
    legend_below(figure, entries, columns=5)
    return figure


MATCHING = FigureSpec(
    name="matching",
    section="extrapolation",
    title="Steps to match the other mixture (figure 8)",
    caption=(
        "Left: the observed losses of both 1B models. Right: the step at which a power law through "
        "one curve reaches the other's last loss, for several first steps of the fit. The paper's "
        "1.48 and 0.73 are the leftmost points. Beyond 100k steps nothing was trained."
    ),
    draw=draw_matching,
)


def draw_sharing(results: PaperResults) -> Drawn:
    """Draw the predictions for every way to share exponents."""
    sensitivity = results.table("redpajama", "sharing_sensitivity")
    return plot_sharing(sensitivity, results.predictions), sensitivity


def plot_sharing(table: pd.DataFrame, predictions: pd.DataFrame) -> Figure:
    """Plot the losses predicted with every way to share exponents; lines are observed losses."""
    table = table.reset_index(drop=True)
    figure = Figure(figsize=(WIDTH, 0.24 * len(table) + 1.6), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(table))[::-1]
    for role, colour in ROLE_COLOURS.items():
        axes.plot(table[role], places, "o", color=colour, markersize=4.5)
        rows = predictions[(predictions["role"] == role) & (predictions["panel"] == OVERALL)]
        axes.axvline(rows["observed"].iloc[0], color=colour, linestyle=":", linewidth=1.4)
    words = {
        "curve": "each curve",
        "row": "each run",
        "validation_domain": "each group",
        "all": "all",
    }
    labels = [
        f"{row.validation}; step: {words[row.step_sharing]}; size: {words[row.size_sharing]}, "
        f"{row.size_exponents}"
        for row in table.itertuples()
    ]
    axes.set_yticks(places, labels)
    axes.set_xlabel("predicted overall loss at 1B and 100k steps (nats per token)")
    entries = [key(f"predicted, {r}", color=c, marker="o") for r, c in ROLE_COLOURS.items()]
    entries += [key(f"observed, {r}", color=c, linestyle=":") for r, c in ROLE_COLOURS.items()]
    legend_below(figure, entries)
    return figure


SHARING = FigureSpec(
    name="sharing",
    section="extrapolation",
    title="The nested prediction depends on how exponents are shared",
    caption=(
        "Explicit exponential law. Each row fits algorithm 1 with the step and size exponents "
        "shared as it says; the size exponent is kept in the range of the authors' starts or free. "
        "Dotted: what was observed."
    ),
    draw=draw_sharing,
)
