"""Drawing shared by the figures of the step law and the size law."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

NUM_POINTS = 40
"""Number of points of each drawn line."""


@dataclass(frozen=True)
class Target:
    """The size and tokens to which the laws extrapolate."""

    size: str
    num_params: int
    tokens: int


def draw_part(axes: Axes, part: pd.DataFrame, x: str, kind: str, colour: str) -> None:
    """Draw points or a line; an extrapolated line is dashed."""
    if kind in ("law", "extrapolated"):
        style = "--" if kind == "extrapolated" else "-"
        axes.plot(part[x], part["loss"], linestyle=style, color=colour, linewidth=1.3)
    else:
        marker = "x" if kind == "left out" else "o"
        axes.plot(part[x], part["loss"], marker, color=colour, markersize=3.5)
