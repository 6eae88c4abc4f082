"""The cost of each stage."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import MUTED, WIDTH
from mixlaws.figures.view import View
from mixlaws.presentation import format_flops, format_seconds
from mixlaws.results import Results

TRAINING_RULES = ("train_proxy", "train_confirmation")
"""Rules whose seconds come from the records of their runs."""


def draw(view: View) -> Drawn | None:
    """Draw the figure, if any cost was recorded. Imported losses cost nothing here."""
    if view.results.imported is not None:
        return None
    costs = stage_costs(view.results)
    return None if costs.empty else (plot_cost(costs), costs)


def stage_costs(results: Results) -> pd.DataFrame:
    """Return one row per stage: its number of jobs, their seconds, and FLOPs if it trains models.

    The seconds of training stages come from the runs and include all attempts. Those of other
    stages come from the cost that each job recorded (provenance.record_cost). Imported runs have
    no seconds.
    """
    rows = []
    for rule, seconds in results.job_seconds().items():
        if rule not in TRAINING_RULES:
            rows.append((rule.replace("_", " "), len(seconds), sum(seconds), float("nan")))
    trained = {"train proxies": results.runs, "train confirmation": results.confirmation_runs}
    for name, table in trained.items():
        if table is not None and {"seconds", "flops"} <= set(table):
            rows.append((name, len(table), table["seconds"].sum(), table["flops"].sum()))
    table = pd.DataFrame(rows, columns=["stage", "num_jobs", "seconds", "flops"])
    return table.sort_values("seconds", ascending=False, ignore_index=True)


def plot_cost(table: pd.DataFrame) -> Figure:
    """Plot the seconds of each stage on the left and its training FLOPs on the right."""
    figure = Figure(figsize=(WIDTH, 0.3 * len(table) + 1.1), layout="constrained")
    seconds, flops = figure.subplots(1, 2, sharey=True)
    bars = seconds.barh(table["stage"], table["seconds"], color=MUTED)
    seconds.bar_label(bars, [format_seconds(s) for s in table["seconds"]], padding=3, fontsize=8)
    seconds.set_xlabel("seconds, summed over jobs")
    bars = flops.barh(table["stage"], table["flops"].fillna(0), color=MUTED)
    names = [format_flops(f) if f > 0 else "" for f in table["flops"]]
    flops.bar_label(bars, names, padding=3, fontsize=8)
    flops.set_xlabel("training FLOPs")
    flops.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_flops(value)))
    flops.xaxis.set_major_locator(MaxNLocator(3))
    for axes in (seconds, flops):
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.22)
    seconds.invert_yaxis()
    return figure


SPEC = FigureSpec(
    name="cost",
    section="cost",
    title="What it cost",
    caption=("Seconds are summed over jobs, which run side by side: the wall time is shorter."),
    draw=draw,
)
