"""Predicted and observed losses of the proxies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixlaws.errors import DataError
from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    INK,
    MUTED,
    error_bars,
    key,
    label_outer,
    legend_below,
    panels,
)
from mixlaws.figures.view import View
from mixlaws.laws.overall import OVERALL
from mixlaws.results import HELD_OUT, K_FOLD, LEAVE_ONE_MIXTURE_OUT

KINDS = {
    "fitted": ("fitted (in-sample)", {"marker": ".", "markersize": 5, "color": MUTED}),
    LEAVE_ONE_MIXTURE_OUT: ("left out in turn", {"marker": "o", "markersize": 4.5}),
    K_FOLD: ("left out in groups", {"marker": "o", "markersize": 4.5}),
    HELD_OUT: ("held-out mixture", {"marker": "D", "markersize": 5.5, "mec": INK, "mew": 1.2}),
}
OUT_OF_SAMPLE = (LEAVE_ONE_MIXTURE_OUT, K_FOLD, HELD_OUT)
KEYS = ["size", "mixture", "tokens", "validation_domain"]


def draw(view: View) -> Drawn | None:
    """Draw the figure for the chosen law, if laws were scored."""
    predictions, scores = view.results.predictions, view.results.scores
    if predictions is None or scores is None:
        return None
    predictions = predictions[predictions["law"].isin(scores.loc[scores["decides"], "law"])]
    observed = observed_losses(view.losses, view.weights)
    compared = compared_losses(predictions, observed, view.num_params)
    return plot_predicted_vs_observed(view.shown_rows(compared), view.colours), compared


def observed_losses(losses: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Return the mean loss over seeds by size, mixture, tokens and domain, overall included."""
    observed = losses.groupby(KEYS, sort=False)["loss"].mean().rename("observed").reset_index()
    weight = observed["validation_domain"].map(weights).fillna(0.0)
    weighted = observed.assign(observed=weight * observed["observed"])
    overall = weighted.groupby(KEYS[:3], sort=False)["observed"].sum().reset_index()
    return pd.concat([observed, overall.assign(validation_domain=OVERALL)], ignore_index=True)


def compared_losses(
    predictions: pd.DataFrame, observed: pd.DataFrame, num_params: Mapping[str, int]
) -> pd.DataFrame:
    """Join predicted and observed losses at the end of the runs of the largest proxy size.

    Predictions for the target are left out. Raises DataError listing predictions without an
    observed loss.
    """
    scale = predictions["size"].map(num_params) * predictions["tokens"]
    joined = predictions[scale == scale.max()].merge(observed, on=KEYS, how="left")
    if (missing := joined[joined["observed"].isna()]).size:
        rows = missing[["size", "mixture", "tokens"]].drop_duplicates()
        names = [f"{m} of size {s} at {int(d):,} tokens" for s, m, d in rows.values.tolist()]
        raise DataError(
            "some predictions in laws/predictions.csv have no loss in losses.parquet: "
            f"{'; '.join(names)}. Rerun score_laws"
        )
    return joined


def plot_predicted_vs_observed(table: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Plot one panel per validation domain, scored on predictions that were not fitted."""
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
    """Draw the points of one kind, with their intervals if they have any."""
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
    """Return MAE and R2 of the predictions that were not fitted, as text."""
    kept = rows[rows["kind"].isin(OUT_OF_SAMPLE)]
    if kept.empty:
        return ""
    error = kept["predicted"] - kept["observed"]
    spread = ((kept["observed"] - kept["observed"].mean()) ** 2).sum()
    quality = f"\nR² {1 - (error**2).sum() / spread:.2f}" if spread > 0 else ""
    return f"kept out of the fit ({len(kept)}):\nMAE {error.abs().mean():.3f}{quality}"


SPEC = FigureSpec(
    name="predicted_vs_observed",
    section="quality",
    title="Predicted against observed loss",
    caption=(
        "At the largest proxy size. On the line, prediction and observation agree. Scores count "
        "only what was kept out of the fit: mixtures left out in turn (circles) and held-out "
        "mixtures that no fit ever saw (outlined diamonds). The small grey points are in-sample."
    ),
    draw=draw,
)
