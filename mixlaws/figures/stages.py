"""What goes through the stages: tokens per domain, losses of the runs, and what each stage cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mixlaws.figures.style import (
    MUTED,
    TOKENS_LABEL,
    WIDTH,
    key,
    legend_below,
    log_counts,
)
from mixlaws.files import read_json
from mixlaws.presentation import format_count, format_flops, format_seconds

MEASURES = {"loss": "loss L (nats per token)", "accuracy": "next-token accuracy"}
NUM_RANGES = 6
"""With more validation domains than this, the ranges over the mixtures would cover each other."""


def plot_tokens_per_domain(accounting: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Tokens kept per domain: the training split solid, the validation split pale."""
    domains = list(dict.fromkeys(accounting["domain"]))
    figure = Figure(figsize=(WIDTH * 0.8, 0.42 * len(domains) + 1.1), layout="constrained")
    axes = figure.subplots()
    for split, offset, opacity in (("train", -0.2, 1.0), ("validation", 0.2, 0.45)):
        rows = accounting[accounting["split"] == split]
        places = [domains.index(domain) + offset for domain in rows["domain"]]
        bars = axes.barh(
            places,
            rows["num_tokens"],
            height=0.36,
            alpha=opacity,
            color=[colours[domain] for domain in rows["domain"]],
        )
        axes.bar_label(bars, [format_count(n) for n in rows["num_tokens"]], padding=3, fontsize=8)
    axes.set_yticks(range(len(domains)), domains)
    axes.set_ylim(len(domains) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    axes.set_xlabel("tokens, after removing duplicates")
    square = {"marker": "s", "markersize": 8}
    legend_below(
        figure,
        [key("training split", **square), key("validation split", alpha=0.45, **square)],
    )
    return figure


def training_curves(losses: pd.DataFrame, sizes: Sequence[str]) -> pd.DataFrame:
    """Return mean, lowest and highest loss and accuracy over the mixtures, per size and tokens."""
    keys = ["size", "tokens", "validation_domain"]
    long = losses.melt(id_vars=keys, value_vars=list(MEASURES), var_name="measure")
    table = long.groupby([*keys, "measure"], sort=False)["value"].agg(["mean", "min", "max"])
    table = table.rename(columns={"min": "lowest", "max": "highest"}).reset_index()
    place = table["size"].map(list(sizes).index)
    return table.assign(place=place).sort_values(["place", "tokens"]).drop(columns="place")


def plot_training_curves(table: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Loss (above) and accuracy (below) over tokens, one column per size, one line per domain."""
    sizes = list(dict.fromkeys(table["size"]))
    figure = Figure(figsize=(max(4.5, min(WIDTH, 3.2 * len(sizes))), 5.2), layout="constrained")
    grid = figure.subplots(2, len(sizes), squeeze=False, sharex=True, sharey="row")
    for row, (measure, label) in enumerate(MEASURES.items()):
        for column, size in enumerate(sizes):
            part = table[(table["size"] == size) & (table["measure"] == measure)]
            _draw_curves(grid[row, column], part, colours)
            grid[row, column].set_ylabel(label if column == 0 else "")
            if row == 0:
                grid[row, column].set_title(f"size {size}")
    for axes in grid[1]:
        log_counts(axes)
        axes.set_xlabel(TOKENS_LABEL)
    shown = dict.fromkeys(table["validation_domain"])
    legend_below(figure, [key(d, color=colours[d], linestyle="-") for d in shown], columns=6)
    return figure


def _draw_curves(axes: Axes, part: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draw each validation domain's mean over the mixtures and, if they are few, its range."""
    shared = {"data": part, "x": "tokens", "y": "mean", "hue": "validation_domain"}
    sns.lineplot(ax=axes, palette=dict(colours), legend=False, errorbar=None, **shared)
    groups = part.groupby("validation_domain", sort=False)
    if groups.ngroups <= NUM_RANGES:
        for domain, rows in groups:
            axes.fill_between(
                rows["tokens"],
                rows["lowest"],
                rows["highest"],
                color=colours[str(domain)],
                alpha=0.12,
                linewidth=0,
            )
    axes.set_xlabel("")


def stage_costs(
    results: Path, runs: pd.DataFrame, confirmation_runs: pd.DataFrame | None
) -> pd.DataFrame:
    """Return one row a stage: jobs, seconds summed over its jobs, FLOPs where models are trained.

    Seconds of the training stages come from the runs, all their attempts included; the others' from
    the cost that each job wrote (provenance.record_cost), in one file or folder per rule.
    """
    rows = []
    for path in sorted((results / "benchmarks").glob("*")):
        if path.stem not in ("train_proxy", "train_confirmation"):
            files = [path] if path.is_file() else sorted(path.rglob("*.json"))
            seconds = sum(float(read_json(file)["seconds"]) for file in files)
            rows.append((path.stem.replace("_", " "), len(files), seconds, float("nan")))
    trained = {"train proxies": runs, "train confirmation": confirmation_runs}
    for name, table in trained.items():
        if table is not None:
            rows.append((name, len(table), table["seconds"].sum(), table["flops"].sum()))
    table = pd.DataFrame(rows, columns=["stage", "num_jobs", "seconds", "flops"])
    return table.sort_values("seconds", ascending=False, ignore_index=True)


def plot_cost(table: pd.DataFrame) -> Figure:
    """Seconds per stage on the left, training FLOPs on the right."""
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
