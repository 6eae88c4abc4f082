"""The mixtures on one line per domain: predicted loss along each share, and the optimum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    WIDTH,
    key,
    label_outer,
    legend_below,
    panels,
)

PATH_TOLERANCE = 1e-4
BASELINES = ("uniform", "natural", "best observed")
SHARE_LABEL = "share of the training tokens (%)"


def compared_mixtures(
    mixtures: pd.DataFrame, optimum: Mapping[str, Any], domains: Sequence[str]
) -> pd.DataFrame:
    """Return the trained mixtures, the best observed one and the optimum: kind, id, r_<domain>."""
    columns = [f"r_{domain}" for domain in domains]
    kinds = mixtures["kind"].where(mixtures["kind"] != "baseline", mixtures["id"])
    trained = mixtures.assign(kind=kinds)[["kind", "id", *columns]]
    best = optimum["baselines"]["best_observed"]
    added = [
        ("best observed", best["mixture"], best["proportions"]),
        ("optimum", "optimum", optimum["proportions"]),
    ]
    rows = [{"kind": k, "id": i} | {f"r_{d}": r[d] for d in domains} for k, i, r in added]
    return pd.concat([trained, pd.DataFrame(rows)], ignore_index=True)


def share_paths(surface: pd.DataFrame, compared: pd.DataFrame) -> pd.DataFrame:
    """Return the predicted loss along each domain's share, the others in the optimum's ratios.

    Columns: domain, share, overall, overall_lower, overall_upper. The path of a domain is made of
    the rows of `surface` whose other shares stand to each other as in the optimum.
    """
    columns = [str(c) for c in surface if str(c).startswith("r_")]
    optimum = compared.loc[compared["kind"] == "optimum", columns].to_numpy(dtype=float)[0]
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
    paths: pd.DataFrame, compared: pd.DataFrame, tolerance: float, colours: Mapping[str, str]
) -> Figure:
    """Predicted overall loss along each domain's share; one panel suffices for two domains.

    `tolerance` (nats) is how far above the optimum the near-optimal set reaches: there the line
    is thick.
    """
    domains = list(dict.fromkeys(paths["domain"]))
    shown = domains[:1] if len(domains) == 2 else domains
    optimum = compared[compared["kind"] == "optimum"]
    figure, grid = panels(len(shown), height=3.2 if len(shown) == 1 else 2.3)
    best = np.inf
    for axes, domain in zip(grid, shown, strict=True):
        path = paths[paths["domain"] == domain]
        best = min(best, path["overall"].min())
        axes.axvline(100 * optimum[f"r_{domain}"].iloc[0], color=INK, linewidth=0.9)
        _draw_path(axes, path, best + tolerance, colours[domain])
        axes.set_title(f"{domain}, the rest {domains[1]}" if len(domains) == 2 else domain)
        axes.set_xlim(0, 100)
    label_outer(grid, "share (%)", "predicted overall loss L" if len(shown) > 1 else OVERALL_LABEL)
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
    """Draw one domain's path with its interval, thick where it is near-optimal."""
    share = 100 * path["share"]
    low, high = path["overall_lower"], path["overall_upper"]
    axes.fill_between(share, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(share, path["overall"], color=colour, linewidth=1.3)
    near = path["overall"].where(path["overall"] <= bound)
    axes.plot(share, near, color=colour, linewidth=4, alpha=0.6)
    # A domain without which the loss explodes would flatten every other panel's scale.
    axes.set_ylim(low.min() - 0.02, low.min() + 1.3 * (path["overall"].quantile(0.9) - low.min()))


def _mark_trained(axes: Axes, compared: pd.DataFrame, domain: str) -> list[Line2D]:
    """Mark the trained mixtures along the lower edge; return their legend entries."""
    entries = []
    for kind in ("sample", "held-out", "uniform", "natural"):
        shares = 100 * compared.loc[compared["kind"] == kind, f"r_{domain}"]
        style: dict[str, Any] = {"marker": MARKERS[kind], "markersize": 5.5, "color": MUTED}
        style |= {"linestyle": "none", "mfc": "none" if kind == "held-out" else MUTED}
        heights = np.full(len(shares), 0.02)
        transform = axes.get_xaxis_transform()
        axes.plot(shares, heights, transform=transform, clip_on=False, **style)
        entries.append(key("trained mixture" if kind == "sample" else kind, **style))
    return entries


def optimum_shares(
    compared: pd.DataFrame, optimum: Mapping[str, Any], domains: Sequence[str]
) -> pd.DataFrame:
    """Return one row a domain: the optimum's share and interval, near-optimal range, baselines."""
    named = compared[compared["kind"].isin(BASELINES)]
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
    """Share of each domain in the optimum, with its interval, beside the compared mixtures."""
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
    for kind in [kind for kind in BASELINES if kind in percent]:
        style: dict[str, Any] = {"marker": MARKERS[kind], "markersize": 6}
        style |= {"mfc": "none", "mec": INK, "linestyle": "none"}
        axes.plot(percent[kind], places, **style)
        entries.append(key(kind, **style))
    axes.set_yticks(places, table["domain"])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.set_xlabel(SHARE_LABEL)
    legend_below(figure, entries, columns=5)
    return figure
