"""Figures of the mixture that each law would choose, and of the stability of ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    DOMAIN_PALETTE,
    INK,
    WIDTH,
    key,
    legend_below,
    panels,
    size_colours,
)
from mixlaws.paper.extrapolation import ROLES
from mixlaws.paper.figures.target import ROLE_COLOURS
from mixlaws.paper.results import PaperResults
from mixlaws.presentation import format_count


def draw_optimum(results: PaperResults) -> Drawn:
    """Draw the optima of all laws."""
    shares = compared_shares(
        results.table("redpajama", "optima"),
        results.study("redpajama").mixtures,
        results.optimum,
        results.settings["extrapolation"],
    )
    return plot_shares(shares), shares


def compared_shares(
    optima: pd.DataFrame,
    mixtures: pd.DataFrame,
    record: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """Return mixture, domain, share, lower, upper (of the joint laws' optimum only)."""
    shares = mixtures.set_index("id")
    domains = list(settings["limits"])
    columns = [f"r_{domain}" for domain in domains]
    named = {f"{role} (trained at 1B)": shares.loc[settings[role], columns] for role in ROLES}
    for row in optima.set_index(["law", "search"]).itertuples():
        named[f"{row.Index[0]} law, {row.Index[1]}"] = pd.Series(
            {name: getattr(row, name) for name in columns}
        )
    rows = [
        {"mixture": name, "domain": domain, "share": float(values[f"r_{domain}"])}
        for name, values in named.items()
        for domain in domains
    ]
    for domain in domains:
        low, high = record["intervals"][domain]
        share = record["proportions"][domain]
        rows.append({"mixture": "joint laws, exact", "domain": domain, "share": share}
                    | {"lower": low, "upper": high})  # fmt: skip
    return pd.DataFrame(rows)


def plot_shares(table: pd.DataFrame) -> Figure:
    """Plot the share of each domain in the trained mixtures and in each law's optimum."""
    mixtures, domains = (list(dict.fromkeys(table[name])) for name in ("mixture", "domain"))
    colours = dict(zip(mixtures, (*ROLE_COLOURS.values(), *DOMAIN_PALETTE[2:]), strict=False))
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(mixtures)
    for place, mixture in enumerate(mixtures):
        rows = table[table["mixture"] == mixture].set_index("domain").loc[domains]
        x = np.arange(len(domains)) + (place - (len(mixtures) - 1) / 2) * width
        axes.bar(x, 100 * rows["share"], width, color=colours[mixture])
        bounded = rows["lower"].notna().to_numpy()
        axes.vlines(x[bounded], 100 * rows["lower"][bounded], 100 * rows["upper"][bounded],
                    color=INK, linewidth=1.2)  # fmt: skip
    axes.set_xticks(np.arange(len(domains)), domains)
    axes.set_ylabel("share (%)")
    entries = [key(m, marker="s", color=colours[m], markersize=6) for m in mixtures]
    legend_below(figure, [*entries, key("90 % interval", linestyle="-", color=INK)], columns=4)
    return figure


OPTIMUM = FigureSpec(
    name="paper_optimum",
    section="choice",
    title="The mixtures that each law would choose, within the token limits",
    caption=("Optima are flat: mixtures with much different shares are predicted nearly alike."),
    draw=draw_optimum,
)


def draw_rankings(results: PaperResults) -> Drawn:
    """Draw the rank correlations of both studies that have several sizes."""
    tables = [
        results.table(study, "rank_stability").assign(study=study)
        for study in ("redpajama", "5mix")
    ]
    stability = pd.concat(tables)
    return plot_rankings(stability), stability


def plot_rankings(table: pd.DataFrame) -> Figure:
    """Plot the rank correlation of each size and step with the largest size's last step."""
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


RANKINGS = FigureSpec(
    name="rankings",
    section="choice",
    title="Stability of ranks over size and step",
    caption=(
        "Spearman correlation with the 410M models at 30k steps, over the mixtures trained at all "
        "sizes."
    ),
    draw=draw_rankings,
)
