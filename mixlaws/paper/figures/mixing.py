"""Mixing laws at one size and one number of steps: the paper's figures 2, 4, 5 and table 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    DOMAIN_PALETTE,
    INK,
    MUTED,
    WIDTH,
    key,
    legend_below,
    panels,
    size_colours,
)
from mixlaws.paper.five_domains import IN_SAMPLE, REPEATED, SAME_HELD_OUT
from mixlaws.paper.forms import form_summary
from mixlaws.paper.results import PaperResults

SCORINGS = {IN_SAMPLE: DOMAIN_PALETTE[5], SAME_HELD_OUT: DOMAIN_PALETTE[1], REPEATED: INK}


def draw_two_domains(results: PaperResults) -> Drawn:
    """Draw figure 2 of the paper."""
    points = results.table("2mix", "two_domain_points")
    fits = results.table("2mix", "two_domain_laws")
    fits = fits[fits["procedure"] == "grid"].drop(columns="procedure")
    points = points.merge(fits, on=["size", "step", "validation_domain"])
    return plot_two_domains(points), points


def plot_two_domains(points: pd.DataFrame) -> Figure:
    """Plot log reducible loss over a domain's own share; lines are the laws (figure 2)."""
    domains = list(dict.fromkeys(points["validation_domain"]))
    sizes, steps = (list(dict.fromkeys(points[name])) for name in ("size", "step"))
    colours, styles = size_colours(sizes), dict(zip(steps, ("-", "--", ":"), strict=False))
    figure, grid = panels(len(domains), columns=2, height=2.8)
    for axes, domain in zip(grid, domains, strict=True):
        here = points[points["validation_domain"] == domain]
        for (size, step), part in here.groupby(["size", "step"], sort=False):
            colour = colours[str(size)]
            axes.plot(part["share"], np.log(part["reducible"]), "o", color=colour, markersize=4)
            line = part["t"] * part["share"] + part["ln_k"]
            axes.plot(part["share"], line, styles[step], color=colour, linewidth=1.2)
        axes.set(title=f"{domain} loss", xlabel=f"share of {domain}")
    grid[0].set_ylabel("log reducible loss, ln(L − c)")
    entries = [key(f"size {s}", color=colours[s], marker="o", markersize=4) for s in sizes]
    entries += [key(f"{step:,} steps", linestyle=style) for step, style in styles.items()]
    legend_below(figure, entries)
    return figure


TWO_DOMAINS = FigureSpec(
    name="two_domains",
    section="mixing",
    title="Two domains: log reducible loss is straight in a domain's own share (figure 2)",
    caption=(
        "Points are the published losses less the law's constant c, which the paper's procedure "
        "takes from a grid; lines are its laws. Five points and three parameters: that they lie on "
        "a line is weak evidence for the form."
    ),
    draw=draw_two_domains,
)


def draw_forms(results: PaperResults) -> Drawn:
    """Draw table 1 of the paper."""
    forms = results.table("3mix", "forms")
    return plot_forms(forms), forms


def plot_forms(table: pd.DataFrame) -> Figure:
    """Plot held-out and fitted errors of each form, one panel per validation domain (table 1)."""
    summary = form_summary(table)
    domains, forms = (list(dict.fromkeys(summary[n])) for n in ("validation_domain", "form"))
    figure, grid = panels(len(domains), columns=3, height=2.6)
    places = np.arange(len(forms))
    for axes, domain in zip(grid, domains, strict=True):
        rows = summary[summary["validation_domain"] == domain].set_index("form").loc[forms]
        axes.vlines(places, rows["low"], rows["high"], color=INK, linewidth=1.2)
        axes.plot(places, rows["repeated_median"], "o", color=INK, markersize=4.5)
        axes.plot(places, rows["validation_mae"], "D", color=DOMAIN_PALETTE[1], markersize=4)
        axes.plot(places, rows["fitted_mae"], "_", color=MUTED, markersize=9)
        axes.set(title=domain, yscale="log")
        axes.set_xticks(places, forms, rotation=45, ha="right")
    grid[0].set_ylabel("mean absolute error (nats per token)")
    entries = [
        key("held out, random splits: median, 10 to 90 %", marker="o", color=INK, markersize=4.5),
        key("held out, the paper's split", marker="D", color=DOMAIN_PALETTE[1], markersize=4),
        key("in-sample, the paper's split", marker="_", markersize=9),
    ]
    legend_below(figure, entries, columns=3)
    return figure


FORMS = FigureSpec(
    name="forms",
    section="mixing",
    title="Functional forms on unseen mixtures (table 1)",
    caption=(
        "Three domains, 410M, 60k steps. Lower is better. M1 to M4 are the paper's candidates; "
        "additive is this package's default law; linear, mean and random are baselines. The paper "
        "chose M4."
    ),
    draw=draw_forms,
)


def draw_interactions(results: PaperResults) -> Drawn:
    """Draw figure 4 of the paper."""
    interactions = results.table("5mix", "interactions")
    theirs = results.settings["five_domains"]["published_t"]
    return plot_interactions(interactions, theirs), interactions


def plot_interactions(table: pd.DataFrame, theirs: Mapping[str, Sequence[float]]) -> Figure:
    """Plot t_ij with row means removed, ours beside the authors' notebook (figure 4)."""
    groups = list(theirs)
    ours = table.pivot(index="validation_group", columns="domain", values="t").loc[groups, groups]
    other = pd.DataFrame(theirs, index=groups).T
    other = other.sub(other.mean(axis=1), axis=0)
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    for axes, (title, matrix) in zip(
        figure.subplots(1, 2, sharey=True),
        {"our fit": ours, "the authors' notebook": other}.items(),
        strict=True,
    ):
        sns.heatmap(
            matrix, ax=axes, cmap="vlag", center=0.0, vmin=-8, vmax=8, annot=True, fmt="+.1f",
            annot_kws={"fontsize": 8}, linewidths=0.6, cbar=matrix is other,
            cbar_kws={"label": "t, mean of the row removed", "extend": "min"},
        )  # fmt: skip
        axes.set(title=title, xlabel="training domain", ylabel="")
        axes.tick_params(axis="y", rotation=0)
        axes.grid(visible=False)
    figure.axes[0].set_ylabel("validation group")
    return figure


INTERACTIONS = FigureSpec(
    name="interactions",
    section="mixing",
    title="How five domains interact (figure 4)",
    caption=(
        "Exponents t of the exponential law, 70M, 30k steps. Only differences within a row can be "
        "known, so each row's mean is removed. Negative: the domain lowers that loss."
    ),
    draw=draw_interactions,
)


def draw_aggregation(results: PaperResults) -> Drawn:
    """Draw figure 5 of the paper."""
    errors = results.table("5mix", "aggregation")
    return plot_aggregation(errors), errors


def plot_aggregation(table: pd.DataFrame) -> Figure:
    """Plot absolute errors of the overall loss, explicit and implicit, by scoring (figure 5)."""
    numbers = list(dict.fromkeys(table["num_implicit"]))
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    axes = figure.subplots()
    for offset, (scoring, colour) in zip((-0.24, 0.0, 0.24), SCORINGS.items(), strict=True):
        for place, number in enumerate(numbers):
            rows = table[(table["scoring"] == scoring) & (table["num_implicit"] == number)]
            errors = rows["error"].to_numpy()
            x = place + offset
            axes.vlines(x, *np.quantile(errors, [0.1, 0.9]), color=colour, linewidth=1.2)
            axes.plot(x, errors.mean(), "o", color=colour, markersize=5)
    labels = ["explicit" if n == 0 else f"implicit\nK = {n}" for n in numbers]
    axes.set_xticks(np.arange(len(numbers)), labels)
    axes.set(yscale="log", ylabel="absolute error of the\noverall loss (nats per token)")
    entries = [
        key(f"{name}: mean, 10 to 90 %", color=colour, marker="o", markersize=5)
        for name, colour in SCORINGS.items()
    ]
    legend_below(figure, entries, columns=3)
    return figure


AGGREGATION = FigureSpec(
    name="aggregation",
    section="mixing",
    title="Explicit and implicit aggregation (figure 5)",
    caption=(
        "The paper scores six mixtures that it also fits: in-sample, more implicit domains always "
        "look better. Only the held-out errors say which aggregation predicts."
    ),
    draw=draw_aggregation,
)
