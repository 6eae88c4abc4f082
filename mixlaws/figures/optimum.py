"""The recommended mixture and the mixtures that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import INK, MARKERS, WIDTH, baseline_markers, key, legend_below
from mixlaws.figures.view import BEST, View, baseline_kinds

SHARE_LABEL = "share of the training tokens (%)"
SHARES = ("optimum", "lower", "upper", "near_lower", "near_upper")


def draw(view: View) -> Drawn:
    """Draw the figure."""
    shares = optimum_shares(view.compared, view.optimum, view.domains)
    return plot_optimum(shares, view.colours), shares


def optimum_shares(
    compared: pd.DataFrame, optimum: Mapping[str, Any], domains: Sequence[str]
) -> pd.DataFrame:
    """Return each domain's share in the optimum and baselines, its interval, near-optimal range."""
    named = compared[compared["kind"].isin([*baseline_kinds(compared), BEST])]
    rows = []
    for domain in domains:
        row = {"domain": domain, "optimum": optimum["proportions"][domain]}
        row |= dict(zip(("lower", "upper"), optimum["intervals"][domain], strict=True))
        near = optimum["near_optimal"]["ranges"][domain]
        row |= dict(zip(("near_lower", "near_upper"), near, strict=True))
        row |= dict(zip(named["kind"], named[f"r_{domain}"], strict=True))
        rows.append(row)
    return pd.DataFrame(rows)


def plot_optimum(table: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Plot each domain's share in the optimum, with its interval, beside the compared mixtures.

    The compared mixtures are the columns of `optimum_shares` that are not in SHARES.
    """
    figure = Figure(figsize=(WIDTH * 0.85, 0.42 * len(table) + 1.3), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(table))
    percent = table.drop(columns="domain") * 100
    tones = [colours[domain] for domain in table["domain"]]
    near = percent["near_upper"] - percent["near_lower"]
    axes.barh(places, near, left=percent["near_lower"], height=0.62, color=tones, alpha=0.16)
    axes.hlines(places, percent["lower"], percent["upper"], colors=tones, linewidth=2.2)
    axes.scatter(percent["optimum"], places, marker="*", s=130, c=tones, edgecolors=INK, zorder=4)
    entries = [
        key("optimum with interval", marker="*", markersize=11, linestyle="-"),
        key("near-optimal", marker="s", markersize=10, alpha=0.3),
    ]
    others = [str(name) for name in percent if name not in SHARES]
    markers = MARKERS | baseline_markers([kind for kind in others if kind != BEST])
    for kind in others:
        style: dict[str, Any] = {"marker": markers[kind], "markersize": 6}
        style |= {"mfc": "none", "mec": INK, "linestyle": "none"}
        axes.plot(percent[kind], places, **style)
        entries.append(key(kind, **style))
    axes.set_yticks(places, table["domain"])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.set_xlabel(SHARE_LABEL)
    legend_below(figure, entries, columns=5)
    return figure


SPEC = FigureSpec(
    name="optimum",
    section="laws",
    title="The recommended mixture",
    caption=(
        "Share of each domain with its interval (line) and its range over the near-optimal "
        "mixtures (pale band), beside the mixtures it is compared with."
    ),
    draw=draw,
)
