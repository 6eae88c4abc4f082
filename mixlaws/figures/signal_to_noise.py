"""Loss against accuracy: how far mixtures differ, over how much a run's measure wobbles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import DOMAIN_PALETTE, key, legend_below
from mixlaws.figures.view import View
from mixlaws.laws.overall import OVERALL

MEASURES = ("loss", "accuracy")
LAST_CHECKPOINTS = 6
"""Checkpoints at the end of a run that a parabola is fitted to; what is off it is noise."""
MIN_CHECKPOINTS = 5
"""A parabola through fewer leaves too little to measure noise by."""
MIN_MIXTURES = 3
COLUMNS = ("size", "measure", "validation_domain", "num_mixtures")
VALUES = ("spread", "seed_noise", "checkpoint_noise", "noise", "ratio")


def draw(view: View) -> Drawn | None:
    """Draw the figure, if accuracy was recorded and noise can be measured."""
    if "accuracy" not in view.losses:
        return None
    table = signal_to_noise(view.losses, view.weights)
    if table["ratio"].notna().sum() == 0:
        return None
    place = {size: index for index, size in enumerate(view.sizes)}
    table = table.sort_values("size", key=lambda sizes: sizes.map(place), kind="stable")
    return plot_ratios(table), table.reset_index(drop=True)


def signal_to_noise(losses: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Return spread, noise and their ratio by size, measure and validation domain.

    `losses` has size, mixture, seed, tokens, validation_domain, loss and accuracy; `overall` is
    their weighted sum. At the last tokens of each size, spread is the standard deviation between
    mixtures of the mean over their seeds. seed_noise is that between seeds of a mixture, pooled
    (nan with one seed). checkpoint_noise is that of the last checkpoints of a run about a
    parabola in ln D. noise is the larger of both; the spread's own part of it is not taken off.
    """
    rows = []
    keys = ["size", "mixture", "seed", "tokens"]
    for measure in MEASURES:
        wide = losses.pivot(index=keys, columns="validation_domain", values=measure)
        weighted = wide.columns.map(lambda name: weights.get(name, 0.0)).to_numpy(dtype=float)
        wide = wide.assign(**{OVERALL: wide.to_numpy() @ weighted}).reset_index()
        for size, part in wide.groupby("size", sort=False):
            for domain in [OVERALL, *dict.fromkeys(losses["validation_domain"])]:
                values = part[["mixture", "seed", "tokens"]].assign(value=part[domain])
                found = _spread_and_noise(values)
                rows.append((size, measure, domain, values["mixture"].nunique(), *found))
    return pd.DataFrame(rows, columns=[*COLUMNS, *VALUES])


def _spread_and_noise(values: pd.DataFrame) -> tuple[float, float, float, float, float]:
    """Return spread, seed noise, checkpoint noise, noise and ratio of one size; nan if unknown."""
    counts = values.groupby("tokens").size()
    last = counts.index[counts == counts.max()].max()
    final = values[values["tokens"] == last]
    by_mixture = final.groupby("mixture")["value"]
    enough = by_mixture.ngroups >= MIN_MIXTURES
    spread = float(by_mixture.mean().std()) if enough else np.nan
    seeds = _pooled((group - group.mean(), 1) for _, group in by_mixture if len(group) > 1)
    runs = values[values["tokens"] <= last].groupby(["mixture", "seed"])
    checkpoints = _pooled(filter(None, map(_off_curve, (run for _, run in runs))))
    known = [each for each in (seeds, checkpoints) if not np.isnan(each)]
    noise = max(known) if known else np.nan
    return spread, seeds, checkpoints, noise, spread / noise if noise else np.nan


def _off_curve(run: pd.DataFrame) -> tuple[np.ndarray, int] | None:
    """Return what the last checkpoints are off a parabola in ln D, and the parameters it took."""
    tail = run.sort_values("tokens").tail(LAST_CHECKPOINTS)
    if len(tail) < MIN_CHECKPOINTS:
        return None
    x, y = np.log(tail["tokens"].to_numpy(dtype=float)), tail["value"].to_numpy(dtype=float)
    return y - np.polyval(np.polyfit(x, y, 2), x), 3


def _pooled(groups: Iterator[tuple[np.ndarray, int]]) -> float:
    """Return the standard deviation of residuals, each group of which took some parameters."""
    squares, freedom = 0.0, 0
    for residuals, taken in groups:
        squares += float((np.asarray(residuals) ** 2).sum())
        freedom += len(residuals) - taken
    return float(np.sqrt(squares / freedom)) if freedom else np.nan


def plot_ratios(table: pd.DataFrame) -> Figure:
    """Plot spread over noise of the overall loss and accuracy, and of every domain, by size."""
    sizes = list(dict.fromkeys(table["size"]))
    figure = Figure(figsize=(max(4.5, 1.3 * len(sizes) + 2), 3.2), layout="constrained")
    axes = figure.subplots()
    for place, measure in enumerate(MEASURES):
        colour, shift = DOMAIN_PALETTE[place], 0.16 * (2 * place - 1)
        rows = table[(table["measure"] == measure) & table["ratio"].notna()]
        at = rows["size"].map(sizes.index) + shift
        overall = rows["validation_domain"] == OVERALL
        axes.plot(at[~overall], rows["ratio"][~overall], "o", color=colour, alpha=0.35, ms=3)
        axes.plot(at[overall], rows["ratio"][overall], "D", color=colour, ms=6)
    axes.margins(x=0.12)
    axes.set_yscale("log")
    for formatter in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xticks(range(len(sizes)), [f"size {size}" for size in sizes])
    axes.set_ylabel("spread between mixtures / noise")
    entries = [
        key(measure, color=colour, marker="D", markersize=6)
        for measure, colour in zip(MEASURES, DOMAIN_PALETTE, strict=False)
    ]
    legend_below(figure, [*entries, key("each validation domain", marker="o", markersize=3)])
    return figure


SPEC = FigureSpec(
    name="signal_to_noise",
    section="runs",
    title="Loss against accuracy: which one tells mixtures apart",
    caption=(
        "Standard deviation between mixtures over the noise of one run, at the end of each size. "
        "Noise is the larger of the standard deviation between seeds and that of the last "
        "checkpoints about a parabola in ln D. The higher, the better the measure tells mixtures "
        "apart."
    ),
    draw=draw,
)
