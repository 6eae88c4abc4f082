"""Drawing shared by the figures of the step law and the size law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.axes import Axes

if TYPE_CHECKING:
    from mixlaws.figures.view import View

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


def nested_words(view: View) -> str:
    """Say that the nested laws do not decide, where another pipeline does; or nothing."""
    if view.pipeline == "nested":
        return ""
    return f"For comparison: the {view.pipeline} pipeline decides here. "


def dashed_words(view: View) -> str:
    """Say what is dashed, or that curves end at the proxies because the target is too far."""
    if view.states_loss:
        return "The dashed part is extrapolated to the target."
    return "Curves end at the proxies, because no loss is stated for the target."
