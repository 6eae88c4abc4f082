"""The step law, the size law and the interaction of domains, with the losses they rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixlaws.figures.style import (
    INK,
    LOSS_LABEL,
    MUTED,
    PARAMS_LABEL,
    TOKENS_LABEL,
    key,
    label_outer,
    legend_below,
    log_counts,
    panels,
    size_colours,
)
from mixlaws.laws.power import power_law
from mixlaws.presentation import format_count

NUM_CURVE_POINTS = 40
MAX_ANNOTATED = 12
"""A matrix with more rows or columns than this has no room for its numbers."""


MAX_LEVEL_TICKS = 4
"""More sizes than this would write over one another."""


@dataclass(frozen=True)
class Target:
    """What is extrapolated to."""

    size: str
    num_params: int
    tokens: int


def step_curves(
    losses: pd.DataFrame, laws: pd.DataFrame, mixture: str, target: Target
) -> pd.DataFrame:
    """Return one mixture's losses and step laws: kind is fitted, left out, law or extrapolated.

    A loss before its law's first tokens was left out of the fit. Columns: size,
    validation_domain, kind, tokens, loss.
    """
    keys = ["size", "seed", "validation_domain"]
    laws = laws[laws["mixture"] == mixture]
    points = losses[losses["mixture"] == mixture].merge(laws[[*keys, "first_tokens"]], on=keys)
    late = points["tokens"] >= points["first_tokens"]
    points = points.assign(kind=np.where(late, "fitted", "left out"))
    last = points.groupby(keys)["tokens"].max()
    curves = [points]
    for row in laws.itertuples():
        end = float(last[(row.size, row.seed, row.validation_domain)])
        for kind, first, final in (
            ("law", row.first_tokens, end),
            ("extrapolated", end, max(end, target.tokens)),
        ):
            tokens = np.geomspace(first, final, NUM_CURVE_POINTS)
            loss = power_law(row.E, row.B, row.beta, row.reference_tokens).predict(tokens)[0]
            curve = {"size": row.size, "seed": row.seed, "kind": kind}
            curve |= {"validation_domain": row.validation_domain, "tokens": tokens, "loss": loss}
            curves.append(pd.DataFrame(curve))
    columns = ["size", "seed", "validation_domain", "kind", "tokens", "loss"]
    return pd.concat(curves, ignore_index=True)[columns]


def plot_step_law(table: pd.DataFrame, sizes: Sequence[str]) -> Figure:
    """Loss over tokens, one panel per validation domain; dashed where extrapolated."""
    domains = list(dict.fromkeys(table["validation_domain"]))
    colours = size_colours(sizes)
    figure, grid = panels(len(domains), share=True)
    for axes, domain in zip(grid, domains, strict=True):
        rows = table[table["validation_domain"] == domain]
        for (size, _, kind), part in rows.groupby(["size", "seed", "kind"], sort=False):
            _draw_part(axes, part, "tokens", str(kind), colours[str(size)])
        axes.set_title(domain)
        log_counts(axes)
    label_outer(grid, TOKENS_LABEL, LOSS_LABEL)
    entries = [key(f"size {s}", color=colours[s], marker="o", markersize=4) for s in sizes]
    entries += [
        key("left out of the fit", marker="x", markersize=4),
        key("fitted law", linestyle="-"),
        key("extrapolated to the target's tokens", linestyle="--"),
    ]
    legend_below(figure, entries, columns=6)
    return figure


def _draw_part(axes: Axes, part: pd.DataFrame, x: str, kind: str, colour: str) -> None:
    """Draw points or a line; an extrapolated line is always dashed."""
    if kind in ("law", "extrapolated"):
        style = "--" if kind == "extrapolated" else "-"
        axes.plot(part[x], part["loss"], linestyle=style, color=colour, linewidth=1.3)
    else:
        marker = "x" if kind == "left out" else "o"
        axes.plot(part[x], part["loss"], marker, color=colour, markersize=3.5)


def size_curves(
    step_laws: pd.DataFrame,
    size_laws: pd.DataFrame,
    num_params: Mapping[str, int],
    target: Target,
) -> pd.DataFrame:
    """Return every mixture's size law and the losses it was fitted to, at the target's tokens.

    Those losses are the step laws' values, averaged over seeds. Columns: mixture,
    validation_domain, kind (fitted, law or extrapolated), num_params, loss.
    """
    columns = (step_laws[name] for name in ("E", "B", "beta", "reference_tokens"))
    loss = power_law(*columns).predict(float(target.tokens))
    points = step_laws.assign(loss=loss, num_params=step_laws["size"].map(num_params))
    points = points.merge(size_laws[["mixture", "validation_domain"]].drop_duplicates())
    keys = ["mixture", "validation_domain", "num_params"]
    points = points.groupby(keys, sort=False)["loss"].mean().reset_index().assign(kind="fitted")
    smallest, largest = points["num_params"].min(), points["num_params"].max()
    spans = {"law": (smallest, largest), "extrapolated": (largest, target.num_params)}
    curves = [points]
    for row in size_laws.itertuples():
        for kind, (first, last) in spans.items():
            params = np.geomspace(first, max(first, last), NUM_CURVE_POINTS)
            loss = power_law(row.E, row.A, row.alpha, row.reference_params).predict(params)[0]
            curve = {"mixture": row.mixture, "validation_domain": row.validation_domain}
            curves.append(pd.DataFrame(curve | {"kind": kind, "num_params": params, "loss": loss}))
    return pd.concat(curves, ignore_index=True)


def plot_size_law(
    table: pd.DataFrame, shown: str, colours: Mapping[str, str], target: Target
) -> Figure:
    """Loss over parameters, one panel per validation domain; mixture `shown` stands out."""
    domains = list(dict.fromkeys(table["validation_domain"]))
    figure, grid = panels(len(domains), share=True)
    ticks = sorted({*table.loc[table["kind"] == "fitted", "num_params"], target.num_params})
    for axes, domain in zip(grid, domains, strict=True):
        rows = table[table["validation_domain"] == domain]
        for (mixture, kind), part in rows.groupby(["mixture", "kind"], sort=False):
            if mixture == shown:
                _draw_part(axes, part, "num_params", str(kind), colours[domain])
            elif kind != "fitted":
                style = "--" if kind == "extrapolated" else "-"
                axes.plot("num_params", "loss", style, data=part, color=MUTED, lw=0.6, alpha=0.6)
        axes.set_title(domain)
        log_counts(axes, ticks)
        if len(ticks) > MAX_LEVEL_TICKS:
            axes.tick_params(axis="x", rotation=45)
    label_outer(grid, PARAMS_LABEL, LOSS_LABEL)
    entries = [
        key("step law's value, each size", marker="o", markersize=4),
        key(f"size law, mixture {shown}", color=INK, linestyle="-"),
        key("other mixtures", linestyle="-", linewidth=0.6),
        key(f"extrapolated to {format_count(target.num_params)}", linestyle="--"),
    ]
    legend_below(figure, entries)
    return figure


def plot_interaction_matrix(table: pd.DataFrame) -> Figure:
    """Change of each validation loss (rows) per +10 points of each domain's share (columns)."""
    rows = list(dict.fromkeys(table["validation_domain"]))
    columns = list(dict.fromkeys(table["domain"]))
    matrix = table.pivot(index="validation_domain", columns="domain", values="effect")
    width, height = 0.62 * len(columns) + 3.6, 0.36 * len(rows) + 1.7
    figure = Figure(figsize=(min(width, 11.0), height), layout="constrained")
    axes = figure.subplots()
    few = max(len(rows), len(columns)) <= MAX_ANNOTATED
    sns.heatmap(
        matrix.loc[rows, columns],
        ax=axes,
        cmap="vlag",
        center=0.0,
        robust=True,
        annot=few,
        fmt="+.3f",
        annot_kws={"fontsize": 8},
        linewidths=0.6,
        cbar_kws={"label": "change of the loss (nats per token)\nper +10 points of share"},
    )
    axes.set_xlabel("training domain whose share grows, the others giving way pro rata")
    axes.set_ylabel("validation domain")
    axes.tick_params(axis="y", rotation=0)
    axes.grid(visible=False)
    return figure
