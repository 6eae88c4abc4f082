"""The style of all figures: fonts, colours, legends, and saving."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from mixlaws.files import atomic_path
from mixlaws.laws.overall import OVERALL
from mixlaws.presentation import INKS, format_count
from mixlaws.tables import write_table

# Chosen greedily as the farthest points in OKLab, seen with and without red-green blindness, among
# colours with a contrast of at least 2.2 to white and 2.7 to the page's dark background.
DOMAIN_PALETTE = (
    *("#2f7fd0", "#e0762a", "#2f9e62", "#b04fc0", "#c83c4a", "#1fa7b8", "#9a7a1c", "#f090c0"),
    *("#006868", "#a8b800", "#987888", "#a0a8f8", "#007000", "#b8a888", "#705088", "#785840"),
    *("#6048c0", "#d85898", "#a82870", "#9078f0", "#d878e0", "#f87078", "#08c878", "#0060a0"),
    *("#9080c0", "#488880", "#00a8f0", "#e8a010", "#58c0a8", "#a04000", "#68a000", "#b87058"),
)
SIZE_RAMP = "blend:#e8a010,#c83c4a,#6048c0"
INK, MUTED, GRID = INKS["ink"], INKS["muted"], INKS["grid"]
UNWEIGHTED = "#8a929c"
"""Grey of the domains for which there is no colour left; on either background."""
# Colours for use on filled contours; the page does not swap them.
WHITE, BLACK = "#ffffff", "#000000"
MARKERS = {"optimum": "*", "best observed": "^", "held-out": "D", "sample": "o"}
"""Markers by kind of mixture, except baselines."""
BASELINE_MARKERS = ("s", "v", "P", "X", "<", ">")
WIDTH = 9.0
"""Width of the page's text, inches."""
LOSS_LABEL = "loss L (nats per token)"
TOKENS_LABEL = "training tokens D"
OVERALL_LABEL = "predicted overall loss L (nats per token)"
ABOVE_LABEL = "predicted overall loss above the optimum (nats per token)"
PARAMS_LABEL = "parameters N"


def use_style() -> None:
    """Set the style of all figures. Call this once before drawing."""
    sns.set_theme(
        context="paper",
        style="ticks",
        palette=DOMAIN_PALETTE,
        rc={
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
            "font.size": 9,
            "axes.titlesize": 9.5,
            "axes.labelsize": 9,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.fontsize": 8.5,
            "legend.frameon": False,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.edgecolor": MUTED,
            "axes.linewidth": 0.8,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": GRID,
            "grid.linewidth": 0.6,
            "patch.edgecolor": "none",
            "patch.linewidth": 0.0,
            "axes.facecolor": "none",
            "figure.facecolor": "none",
            "savefig.facecolor": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.fonttype": "none",
            "svg.hashsalt": "mixlaws",
        },
    )


def domain_colours(
    domains: Sequence[str], weights: Mapping[str, float] | None = None
) -> dict[str, str]:
    """Return one colour per domain, by its position, and the colour INK for the overall loss.

    `domains` are the training domains, then the validation-only ones. If there are more domains
    than colours, those with the largest weights in the overall loss have one, and all others and
    those without a weight are grey.
    """
    coloured = list(domains)
    if len(coloured) > len(DOMAIN_PALETTE):
        known = weights or {}
        weighted = sorted(domains, key=lambda domain: -known.get(domain, 0.0))
        kept = {name for name in weighted[: len(DOMAIN_PALETTE)] if known.get(name, 0.0) > 0}
        coloured = [domain for domain in domains if domain in kept]
    colours = dict(zip(coloured, DOMAIN_PALETTE, strict=False))
    return {domain: colours.get(domain, UNWEIGHTED) for domain in domains} | {OVERALL: INK}


def domain_keys(colours: Mapping[str, str], domains: Iterable[str]) -> list[Line2D]:
    """Return the legend entries of domains drawn as lines; all grey ones share one."""
    shown = list(dict.fromkeys(domains))
    entries = [key(d, color=colours[d], ls="-") for d in shown if colours[d] != UNWEIGHTED]
    if num_grey := len(shown) - len(entries):
        entries.append(key(f"{num_grey} others", color=UNWEIGHTED, ls="-"))
    return entries


def baseline_markers(names: Iterable[str]) -> dict[str, str]:
    """Return a marker for each baseline, by its position; they repeat from the seventh on."""
    return dict(zip(names, cycle(BASELINE_MARKERS), strict=False))


def size_colours(sizes: Sequence[str]) -> dict[str, str]:
    """Return one colour per size; `sizes` are sorted by parameters."""
    ramp = sns.color_palette(SIZE_RAMP, max(len(sizes), 2)).as_hex()
    return dict(zip(sizes, ramp, strict=False))


def panels(
    count: int, *, columns: int = 4, height: float = 2.3, share: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its `count` panels, row by row; with `share` they share their axes."""
    rows = math.ceil(count / columns)
    columns = math.ceil(count / rows)
    width = WIDTH if columns > 2 else WIDTH * (0.4 + 0.2 * columns)
    figure = Figure(figsize=(width, height * rows + 0.5), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=share, sharey=share).flat)
    for unused in axes[count:]:
        unused.remove()
    return figure, axes[:count]


def label_outer(grid: Sequence[Axes], x_label: str, y_label: str) -> None:
    """Label x under the lowest panel of each column, and y beside the first panel of each row."""
    places = [(axes, axes.get_subplotspec()) for axes in grid]
    cells = [(axes, spec.rowspan.start, spec.colspan.start) for axes, spec in places if spec]
    lowest = {column: row for _, row, column in sorted(cells, key=lambda cell: cell[1])}
    for axes, row, column in cells:
        if row == lowest[column]:
            axes.set_xlabel(x_label)
            axes.tick_params(axis="x", labelbottom=True)
        if column == 0:
            axes.set_ylabel(y_label)


def log_counts(axes: Axes, ticks: Iterable[float] | None = None) -> None:
    """Make x logarithmic, with ticks such as 100K and 1M, or exactly at `ticks`."""
    axes.set_xscale("log")
    if ticks is None:
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=5))
    else:
        axes.set_xticks(list(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))


def legend_below(figure: Figure, handles: Sequence[Line2D], columns: int = 4) -> None:
    """Put one legend under all panels."""
    figure.legend(
        handles=list(handles), loc="outside lower center", ncols=min(columns, len(handles))
    )


def key(label: str, **style: object) -> Line2D:
    """Return a legend entry: a marker, a line, or both, as given by `style`."""
    return Line2D([], [], label=label, **({"color": MUTED, "linestyle": "none"} | style))  # type: ignore[arg-type]


def error_bars(table: pd.DataFrame, value: str) -> np.ndarray:
    """Return the distances (2, n) of the columns lower and upper from `value`, not negative."""
    distances = [table[value] - table["lower"], table["upper"] - table[value]]
    return np.clip(np.array(distances, dtype=float), 0, None)


def save_figure(figure: Figure, data: pd.DataFrame, svg_path: str | Path) -> None:
    """Write a figure as SVG and its table as CSV beside it. Equal inputs give equal bytes."""
    svg_path = Path(svg_path)
    with atomic_path(svg_path) as temporary, mpl.rc_context({"svg.hashsalt": svg_path.stem}):
        figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
    write_table(data, svg_path.with_suffix(".csv"))
