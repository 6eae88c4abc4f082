"""Predicted and observed losses of the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import INK, MUTED, WIDTH, error_bars, key, legend_below
from mixlaws.figures.view import View
from mixlaws.mixtures.lattice import OPTIMUM
from mixlaws.presentation import ordered
from mixlaws.results import NOISE_FACTOR


def draw(view: View) -> Drawn | None:
    """Draw the figure, if the target was trained."""
    record = view.results.confirmation
    if record is None:
        return None
    rows = confirmation_rows(record, view.results.baselines)
    return plot_confirmation(rows), rows


def confirmation_rows(record: Mapping[str, Any], baselines: Sequence[str]) -> pd.DataFrame:
    """Return predicted and observed losses and gains, one row per mixture and seed.

    Columns: quantity (loss or gain), mixture, seed, observed, predicted, lower, upper, noise.
    """
    rows = []
    for quantity, entries, name in (
        ("loss", record["mixtures"], "observed"),
        ("gain", record["gains"], "per_seed"),
    ):
        for mixture, entry in ordered(entries, [OPTIMUM, *baselines]).items():
            predicted = {k: entry["predicted"][k] for k in ("lower", "upper")}
            predicted["predicted"] = entry["predicted"]["value"]
            for seed, observed in zip(record["seeds"], entry[name], strict=True):
                row = {"quantity": quantity, "mixture": mixture, "seed": seed}
                rows.append(row | {"observed": observed} | predicted | {"noise": record["noise"]})
    return pd.DataFrame(rows)


def plot_confirmation(table: pd.DataFrame) -> Figure:
    """Plot predicted intervals and the result of each seed: overall losses left, gains right."""
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
    if (noise := table["noise"].iloc[0]) is not None:  # known if there are two seeds or more
        right.axhspan(
            -NOISE_FACTOR * noise, NOISE_FACTOR * noise, color=MUTED, alpha=0.15, linewidth=0
        )
        entries.append(key("within twice the noise", marker="s", markersize=9, alpha=0.3))
    legend_below(figure, entries)
    return figure


def _draw_confirmed(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the interval of each mixture, and its seeds beside each other."""
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


SPEC = FigureSpec(
    name="confirmation",
    section="confirmation",
    title="Predicted and observed loss of the target",
    caption=(
        "Left: the predicted overall loss with the interval of the mean of these runs, and "
        "what each training seed gave. "
        "Right: by how much the optimum was better, seed by seed; inside the grey band a "
        "difference cannot be told from the noise between seeds."
    ),
    draw=draw,
)
