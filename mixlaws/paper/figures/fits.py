"""The paper's figures on mixing laws, power laws, ranks and continual pre-training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mixlaws.figures.style import (
    DOMAIN_PALETTE,
    INK,
    LOSS_LABEL,
    MUTED,
    WIDTH,
    key,
    legend_below,
    panels,
    size_colours,
)
from mixlaws.paper.five_domains import IN_SAMPLE, REPEATED, SAME_HELD_OUT
from mixlaws.paper.forms import form_summary
from mixlaws.presentation import format_count

SCORINGS = {IN_SAMPLE: DOMAIN_PALETTE[5], SAME_HELD_OUT: DOMAIN_PALETTE[1], REPEATED: INK}
ORIGINAL, NEW = DOMAIN_PALETTE[0], DOMAIN_PALETTE[1]


def plot_two_domains(points: pd.DataFrame) -> Figure:
    """Log reducible loss over a domain's own share; lines are the laws (figure 2)."""
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


def plot_forms(table: pd.DataFrame) -> Figure:
    """Held-out and fitted error of each form, one panel per validation domain (table 1)."""
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


def plot_interactions(table: pd.DataFrame, theirs: Mapping[str, Sequence[float]]) -> Figure:
    """t_ij with row means removed, ours beside the authors' notebook (figure 4)."""
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


def plot_aggregation(table: pd.DataFrame) -> Figure:
    """Absolute errors of the overall loss, explicit and implicit, by scoring (figure 5)."""
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


def plot_rankings(table: pd.DataFrame) -> Figure:
    """Rank correlation of each size and step with the largest size's last step."""
    studies = list(dict.fromkeys(table["study"]))
    figure, grid = panels(len(studies), columns=2, height=2.6, share=True)
    sizes = list(dict.fromkeys(table["size"]))
    colours = size_colours(sizes)
    for axes, study in zip(grid, studies, strict=True):
        for size, part in table[table["study"] == study].groupby("size", sort=False):
            axes.plot(part["step"], part["spearman"], "o-", color=colours[str(size)], markersize=4)
        axes.set(title=study, xlabel="step")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    grid[0].set_ylabel("rank correlation with\nthe largest size's last step")
    legend_below(figure, [key(f"size {s}", color=colours[s], marker="o", linestyle="-",
                              markersize=4) for s in sizes])  # fmt: skip
    return figure


def plot_critical(
    curves: pd.DataFrame,
    fits: pd.DataFrame,
    critical: pd.DataFrame,
    base: Mapping[str, float],
    held_out: str,
) -> Figure:
    """Loss of the original and of the new domain over the original's share (figure 10)."""
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
    """Loss of both domains over steps, one line per share of the original domain."""
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
