"""The predicted loss as a function of each domain's share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mixlaws.figures.style import (
    INK,
    MARKERS,
    MUTED,
    OVERALL_LABEL,
    baseline_markers,
    key,
    label_outer,
    legend_below,
    panels,
)
from mixlaws.figures.view import SAMPLE, TRAINED_KINDS, baseline_kinds
from mixlaws.mixtures.lattice import OPTIMUM
from mixlaws.results import HELD_OUT

PATH_TOLERANCE = 1e-4


def share_paths(surface: pd.DataFrame, compared: pd.DataFrame) -> pd.DataFrame:
    """Return the predicted loss along each domain's share, with the optimum's ratios of the others.

    Columns: domain, share, overall, overall_lower, overall_upper. The path of a domain consists of
    the rows of `surface` in which the other shares have the same ratios as in the optimum.
    """
    columns = [str(c) for c in surface if str(c).startswith("r_")]
    optimum = compared.loc[compared["kind"] == OPTIMUM, columns].to_numpy(dtype=float)[0]
    shares = surface[columns].to_numpy(dtype=float)
    paths = []
    for place, column in enumerate(columns):
        others = np.delete(optimum, place)
        left = (1 - shares[:, place])[:, None]
        expected = left * others / others.sum() if others.sum() > 0 else left / len(others)
        on_path = np.abs(np.delete(shares, place, axis=1) - expected).max(axis=1) < PATH_TOLERANCE
        path = surface[on_path].sort_values(column)
        path = path.assign(domain=column.removeprefix("r_"), share=path[column])
        paths.append(path.drop_duplicates("share"))
    names = ["domain", "share", "overall", "overall_lower", "overall_upper"]
    return pd.concat(paths, ignore_index=True)[names]


def plot_share_paths(
    paths: pd.DataFrame,
    compared: pd.DataFrame,
    tolerance: float,
    colours: Mapping[str, str],
    label: str = OVERALL_LABEL,
) -> Figure:
    """Plot the predicted overall loss along each domain's share; two domains share one panel.

    The line is thick where the loss is within `tolerance` (nats) of the optimum: these mixtures are
    near-optimal.
    """
    domains = list(dict.fromkeys(paths["domain"]))
    shown = domains[:1] if len(domains) == 2 else domains
    optimum, many = compared[compared["kind"] == OPTIMUM], len(shown) > 1
    figure, grid = panels(len(shown), height=2.3 if many else 3.2)
    best = np.inf
    for axes, domain in zip(grid, shown, strict=True):
        path = paths[paths["domain"] == domain]
        best = min(best, path["overall"].min())
        axes.axvline(100 * optimum[f"r_{domain}"].iloc[0], color=INK, linewidth=0.9)
        _draw_path(axes, path, best + tolerance, colours[domain])
        axes.set_title(f"{domain}, the rest {domains[1]}" if len(domains) == 2 else domain)
        axes.set_xlim(0, 100)
    label_outer(grid, "share (%)", label.removesuffix(" (nats per token)") if many else label)
    entries = [
        key("optimum", color=INK, linestyle="-"),
        key(f"within {tolerance:.3f} nats of it", linestyle="-", linewidth=4, alpha=0.6),
        key("interval", marker="s", markersize=9, alpha=0.25),
    ]
    if len(domains) == 2:
        entries += _mark_trained(grid[0], compared, shown[0])
    legend_below(figure, entries)
    return figure


def _draw_path(axes: Axes, path: pd.DataFrame, bound: float, colour: str) -> None:
    """Draw the path of one domain with its interval; the line is thick where it is near-optimal."""
    share = 100 * path["share"]
    low, high = path["overall_lower"], path["overall_upper"]
    axes.fill_between(share, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(share, path["overall"], color=colour, linewidth=1.3)
    near = path["overall"].where(path["overall"] <= bound)
    axes.plot(share, near, color=colour, linewidth=4, alpha=0.6)
    # The axis is cut off, because a loss that explodes without one domain would flatten all panels.
    axes.set_ylim(low.min() - 0.02, low.min() + 1.3 * (path["overall"].quantile(0.9) - low.min()))


def _mark_trained(axes: Axes, compared: pd.DataFrame, domain: str) -> list[Line2D]:
    """Mark the trained mixtures at the lower edge; return their legend entries."""
    entries = []
    baselines = baseline_markers(baseline_kinds(compared))
    for kind in (*TRAINED_KINDS, *baselines):
        shares = 100 * compared.loc[compared["kind"] == kind, f"r_{domain}"]
        if shares.empty:
            continue
        marker = (MARKERS | baselines)[kind]
        style: dict[str, Any] = {"marker": marker, "markersize": 5.5, "color": MUTED}
        style |= {"linestyle": "none", "mfc": "none" if kind == HELD_OUT else MUTED}
        heights = np.full(len(shares), 0.02)
        transform = axes.get_xaxis_transform()
        axes.plot(shares, heights, transform=transform, clip_on=False, **style)
        entries.append(key("trained mixture" if kind == SAMPLE else kind, **style))
    return entries
