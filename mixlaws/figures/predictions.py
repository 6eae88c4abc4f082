"""Predicted against observed losses: of mixtures kept out of the fit, and of the target itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixlaws.errors import DataError
from mixlaws.figures.style import (
    INK,
    MUTED,
    OVERALL,
    WIDTH,
    error_bars,
    key,
    label_outer,
    legend_below,
    panels,
)
from mixlaws.presentation import ordered

KINDS = {
    "fitted": ("fitted (in-sample)", {"marker": ".", "markersize": 5, "color": MUTED}),
    "leave-one-mixture-out": ("left out in turn", {"marker": "o", "markersize": 4.5}),
    "held-out": ("held-out mixture", {"marker": "D", "markersize": 5.5, "mec": INK, "mew": 1.2}),
}
CONFIRMED = ("optimum", "uniform", "natural")
OUT_OF_SAMPLE = ("leave-one-mixture-out", "held-out")
KEYS = ["size", "mixture", "tokens", "validation_domain"]


def observed_losses(losses: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Return the mean loss over seeds by size, mixture, tokens and domain, the overall one too."""
    observed = losses.groupby(KEYS, sort=False)["loss"].mean().rename("observed").reset_index()
    weight = observed["validation_domain"].map(weights).fillna(0.0)
    weighted = observed.assign(observed=weight * observed["observed"])
    overall = weighted.groupby(KEYS[:3], sort=False)["observed"].sum().reset_index()
    return pd.concat([observed, overall.assign(validation_domain=OVERALL)], ignore_index=True)


def compared_losses(
    predictions: pd.DataFrame, observed: pd.DataFrame, num_params: Mapping[str, int]
) -> pd.DataFrame:
    """Join predictions with what was observed, at the largest proxy size and its last tokens.

    Predictions for the target are left out: its losses are not proxies' losses. Raises DataError
    naming the predictions for which no loss was observed.
    """
    scale = predictions["size"].map(num_params) * predictions["tokens"]
    joined = predictions[scale == scale.max()].merge(observed, on=KEYS, how="left")
    if (missing := joined[joined["observed"].isna()]).size:
        names = missing[["size", "mixture", "tokens"]].drop_duplicates().values.tolist()
        raise DataError(
            "laws/predictions.csv must predict losses that losses.parquet holds, but there are "
            f"none for (size, mixture, tokens) {names}: rerun the laws"
        )
    return joined


def plot_predicted_vs_observed(table: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """One panel per validation domain; only what was kept out of the fit is scored."""
    domains = [d for d in colours if d in set(table["validation_domain"])]
    domains.sort(key=lambda domain: domain != OVERALL)
    figure, grid = panels(len(domains), height=2.5)
    for axes, domain in zip(grid, domains, strict=True):
        rows = table[table["validation_domain"] == domain]
        for kind, part in rows.groupby("kind", sort=False):
            _draw_kind(axes, part, str(kind), colours[domain])
        low, high = (f(rows[["observed", "predicted"]].to_numpy()) for f in (np.min, np.max))
        pad = 0.06 * (high - low)
        axes.plot([low - pad, high + pad], [low - pad, high + pad], color=MUTED, lw=0.8, zorder=0)
        axes.set_ylim(low - pad, high + 6 * pad)
        axes.set_title(domain)
        axes.text(0.04, 0.96, _score(rows), transform=axes.transAxes, va="top", fontsize=7.5)
    label_outer(grid, "observed loss (nats per token)", "predicted loss (nats per token)")
    shown = [kind for kind in KINDS if kind in set(table["kind"])]
    legend_below(figure, [key(KINDS[k][0], **({"color": MUTED} | KINDS[k][1])) for k in shown])
    return figure


def _draw_kind(axes: Axes, part: pd.DataFrame, kind: str, colour: str) -> None:
    """Draw points of one kind, with their intervals where there are any."""
    bounded = part.dropna(subset=["lower", "upper"])
    axes.errorbar(
        bounded["observed"],
        bounded["predicted"],
        yerr=error_bars(bounded, "predicted"),
        fmt="none",
        ecolor=colour,
        elinewidth=0.8,
        alpha=0.5,
    )
    style = {"color": colour, "linestyle": "none"} | KINDS[kind][1]
    axes.plot(part["observed"], part["predicted"], **style)  # type: ignore[arg-type]


def _score(rows: pd.DataFrame) -> str:
    """Return MAE and R2 of the predictions that were kept out of the fit."""
    kept = rows[rows["kind"].isin(OUT_OF_SAMPLE)]
    if kept.empty:
        return ""
    error = kept["predicted"] - kept["observed"]
    spread = ((kept["observed"] - kept["observed"].mean()) ** 2).sum()
    quality = f"\nR² {1 - (error**2).sum() / spread:.2f}" if spread > 0 else ""
    return f"kept out of the fit ({len(kept)}):\nMAE {error.abs().mean():.3f}{quality}"


def confirmation_rows(record: Mapping[str, Any]) -> pd.DataFrame:
    """Return predicted and observed losses and gains, one row per mixture and seed.

    Columns: quantity (loss or gain), mixture, seed, observed, predicted, lower, upper, noise.
    """
    rows = []
    for quantity, entries, name in (
        ("loss", record["mixtures"], "observed"),
        ("gain", record["gains"], "per_seed"),
    ):
        for mixture, entry in ordered(entries, CONFIRMED).items():
            predicted = {k: entry["predicted"][k] for k in ("lower", "upper")}
            predicted["predicted"] = entry["predicted"]["value"]
            for seed, observed in zip(record["seeds"], entry[name], strict=True):
                row = {"quantity": quantity, "mixture": mixture, "seed": seed}
                rows.append(row | {"observed": observed} | predicted | {"noise": record["noise"]})
    return pd.DataFrame(rows)


def plot_confirmation(table: pd.DataFrame) -> Figure:
    """Predicted intervals against each seed: overall losses left, the optimum's gains right."""
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[3, 2])
    _draw_confirmed(left, table[table["quantity"] == "loss"])
    left.set_ylabel("overall loss (nats per token)")
    gains = table[table["quantity"] == "gain"]
    _draw_confirmed(right, gains)
    right.axhline(0, color=MUTED, linewidth=0.8)
    right.set_ylabel("gain of the optimum (nats per token)")
    right.set_xticks(right.get_xticks(), [f"over {m}" for m in dict.fromkeys(gains["mixture"])])
    entries = [
        key("predicted, with interval", marker="_", markersize=12, mew=2, color=INK),
        key("observed, one per seed", marker="o", markersize=5, color=MUTED),
    ]
    if (noise := table["noise"].iloc[0]) is not None:  # known from two seeds on
        right.axhspan(-2 * noise, 2 * noise, color=MUTED, alpha=0.15, linewidth=0)
        entries.append(key("within twice the noise", marker="s", markersize=9, alpha=0.3))
    legend_below(figure, entries)
    return figure


def _draw_confirmed(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw each mixture's interval and its seeds side by side."""
    mixtures = list(dict.fromkeys(rows["mixture"]))
    first = rows.drop_duplicates("mixture")
    places = np.arange(len(mixtures), dtype=float)
    axes.errorbar(
        places,
        first["predicted"],
        yerr=error_bars(first, "predicted"),
        fmt="_",
        markersize=14,
        mew=2,
        color=INK,
        elinewidth=1.2,
        capsize=4,
    )
    for place, mixture in zip(places, mixtures, strict=True):
        observed = rows.loc[rows["mixture"] == mixture, "observed"]
        beside = place + 0.22 + 0.04 * np.arange(len(observed))
        axes.plot(beside, observed, "o", color=MUTED, markersize=5)
    axes.set_xticks(places, mixtures)
    axes.set_xlim(-0.6, len(mixtures) - 0.4)
    axes.grid(axis="x", visible=False)
