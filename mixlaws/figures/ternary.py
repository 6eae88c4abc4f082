"""The predicted loss over the mixtures of three domains, drawn as a triangle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from matplotlib.tri import Triangulation

from mixlaws.figures.style import (
    BLACK,
    INK,
    MARKERS,
    OVERALL_LABEL,
    WHITE,
    WIDTH,
    baseline_markers,
    key,
    legend_below,
)
from mixlaws.figures.view import SAMPLE, baseline_kinds
from mixlaws.mixtures.lattice import OPTIMUM
from mixlaws.results import HELD_OUT

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
"""Coordinates of the mixtures of only one domain: left, right, top."""
NUM_LEVELS = 13
COLOUR_MAP = "crest_r"
LABELLED_SHARES = (0.25, 0.5, 0.75)
POINTS: dict[str, dict[str, Any]] = {
    SAMPLE: {"markersize": 6, "mfc": BLACK, "mec": WHITE},
    HELD_OUT: {"markersize": 6.5, "mfc": "#f5b942"},
    "best observed": {"markersize": 10},
    OPTIMUM: {"markersize": 16},
}
BASELINE_SIZES = {"s": 6.5}
"""Size of square markers, which look larger than others of the same size."""
BASELINE_SIZE = 7.5
OUTLINED = [Stroke(linewidth=3.6, foreground=BLACK), Normal()]


def plot_ternary(
    surface: pd.DataFrame,
    compared: pd.DataFrame,
    tolerance: float,
    colours: Mapping[str, str],
    label: str = OVERALL_LABEL,
) -> Figure:
    """Plot contours of the predicted overall loss, the trained mixtures and the optimum.

    A light line encloses the near-optimal mixtures, within `tolerance` (nats) of the optimum.
    """
    columns = [str(column) for column in surface if str(column).startswith("r_")]
    figure = Figure(figsize=(WIDTH * 0.72, 5.4), layout="constrained")
    axes = figure.subplots()
    x, y = (surface[columns].to_numpy(dtype=float) @ CORNERS).T
    loss = surface["overall"].to_numpy(dtype=float)
    levels = _levels(loss)
    triangles = Triangulation(x, y)
    norm = BoundaryNorm(levels, 256)
    filled = axes.tricontourf(
        triangles, loss, levels, cmap=COLOUR_MAP, norm=norm, extend="max", antialiased=True
    )
    filled.set_edgecolor("face")
    bar = figure.colorbar(filled, ax=axes, shrink=0.75, spacing="uniform", format="%.2f")
    bar.set_label(label)
    near = axes.tricontour(triangles, loss, [loss.min() + tolerance], colors=WHITE, linewidths=1.8)
    near.set_path_effects(OUTLINED)
    _draw_frame(axes, {c.removeprefix("r_"): colours[c.removeprefix("r_")] for c in columns})
    entries = _draw_mixtures(axes, compared, columns)
    line = {"color": WHITE, "linestyle": "-", "linewidth": 1.8, "path_effects": OUTLINED}
    entries.append(key(f"within {tolerance:.3f} nats of the optimum", **line))
    legend_below(figure, entries, columns=4)
    return figure


def _levels(loss: np.ndarray) -> np.ndarray:
    """Return contour levels that are close together near the minimum.

    The highest tenth of the losses is above the top level, because the loss can explode where a
    domain is missing.
    """
    top = np.quantile(loss, 0.9)
    return loss.min() + max(top - loss.min(), 1e-6) * np.linspace(0, 1, NUM_LEVELS) ** 1.7


def _draw_frame(axes: Axes, colours: Mapping[str, str]) -> None:
    """Draw the triangle, its grid lines with their shares, and the domains' names."""
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.plot(*np.vstack([CORNERS, CORNERS[:1]]).T, color=INK, linewidth=1.0)
    for place, (domain, colour) in enumerate(colours.items()):
        corner, first, second = (CORNERS[(place + turn) % 3] for turn in range(3))
        x, y = corner
        beyond, side = (y + 0.03, "bottom") if y > 0 else (y - 0.06, "top")
        axes.text(
            x, beyond, f"100 % {domain}", color=colour, fontweight="bold", ha="center", va=side
        )
        for share in LABELLED_SHARES:
            ends = share * corner + (1 - share) * np.array([first, second])
            axes.plot(*ends.T, color=WHITE, linewidth=0.5, alpha=0.55)
            x, y = ends[0] + 0.035 * (ends[0] - ends[1]) / np.linalg.norm(ends[0] - ends[1])
            axes.text(x, y, f"{share:.0%}", color=colour, ha="center", va="center", fontsize=8)


def _draw_mixtures(axes: Axes, compared: pd.DataFrame, columns: list[str]) -> list[Line2D]:
    """Mark the mixtures by kind; return their legend entries."""
    entries = []
    baselines = baseline_markers(baseline_kinds(compared))
    looks = {kind: POINTS[kind] | {"marker": MARKERS[kind]} for kind in POINTS}
    best = looks.pop(OPTIMUM)
    for kind, marker in baselines.items():
        looks[kind] = {"marker": marker, "markersize": BASELINE_SIZES.get(marker, BASELINE_SIZE)}
    for kind, look in (looks | {OPTIMUM: best}).items():
        rows = compared[compared["kind"] == kind]
        style = {"mfc": WHITE, "mec": BLACK, "ls": "none"} | look
        if not rows.empty:
            points = rows[columns].to_numpy(dtype=float) @ CORNERS
            axes.plot(*points.T, **style)
            entries.append(key("trained mixture" if kind == SAMPLE else kind, **style))
    return entries
