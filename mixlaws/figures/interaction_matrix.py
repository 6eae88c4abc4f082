"""The effect of each training domain on each validation loss."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.view import View

MAX_ANNOTATED = 12
"""A matrix with more rows or columns than this is drawn without numbers."""


def draw(view: View) -> Drawn | None:
    """Draw the figure, if the interaction was computed."""
    interaction = view.measured_rows(view.results.interaction)
    if interaction is None:
        return None
    return plot_interaction_matrix(interaction), interaction


def plot_interaction_matrix(table: pd.DataFrame) -> Figure:
    """Plot the change of each validation loss (rows) per +10 points of each share (columns)."""
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


SPEC = FigureSpec(
    name="interaction_matrix",
    section="laws",
    title="Which domain helps which",
    caption=(
        "Predicted change of each validation loss at the target when a training domain gets ten "
        "more points of share, taken from the others pro rata, starting from equal shares. Blue "
        "helps, red hurts. Shares sum to one, so a row shows only differences between domains."
    ),
    draw=draw,
)
