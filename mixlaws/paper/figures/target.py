"""Predicted and observed losses of the paper's 1B target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    DOMAIN_PALETTE,
    INK,
    LOSS_LABEL,
    MUTED,
    key,
    label_outer,
    legend_below,
    panels,
)
from mixlaws.laws.overall import OVERALL
from mixlaws.paper.extrapolation import BOOSTED, ROLES
from mixlaws.paper.results import PaperResults
from mixlaws.presentation import format_count

ROLE_COLOURS = {"default": DOMAIN_PALETTE[1], "optimised": DOMAIN_PALETTE[0]}
KINDS = {
    "fitted": "in-sample, 410M at 30k steps",
    "left out": "left out in turn, 410M at 30k steps",
    "algorithm 1": "algorithm 1, 1B at 100k steps",
    "joint laws": "joint laws, 1B at 100k steps",
    "published": "the authors' predictions there",
}
MARKERS = {"algorithm 1": "s", "joint laws": "o", "published": "x"}


def draw_predictions(results: PaperResults) -> Drawn:
    """Draw predicted against observed losses."""
    points = target_points(
        results.table("redpajama", "fitting_points"),
        results.predictions,
        results.joint_predictions,
        results.settings["extrapolation"],
    )
    points = pd.concat([points, published_points(points, results.claims)])
    return plot_predictions(points), points


def target_points(
    fitting: pd.DataFrame, target: pd.DataFrame, joint: pd.DataFrame, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return every point of the figure: kind, mixture or role, panel, predicted, observed."""
    boosted = target[target["law"] == BOOSTED].assign(kind="algorithm 1").drop(columns="law")
    named = {settings[role]: role for role in ROLES}
    at_end = (joint["step"] == settings["target"]["step"]) & joint["mixture"].isin(named)
    beside = joint[at_end].assign(kind="joint laws", role=joint["mixture"].map(named))
    columns = ["kind", "role", "panel", "predicted", "observed"]
    tables = [fitting.rename(columns={"mixture": "role"}), boosted, beside]
    return pd.concat([table[columns] for table in tables], ignore_index=True)


def published_points(points: pd.DataFrame, claims: Mapping[str, Any]) -> pd.DataFrame:
    """Return the authors' own predictions as points of kind `published`."""
    rows = points[points["kind"] == "algorithm 1"]
    names = "predicted." + rows["role"] + "." + rows["panel"]
    return rows.assign(kind="published", predicted=names.map(dict(claims)).astype(float))


def plot_predictions(points: pd.DataFrame) -> Figure:
    """Plot predicted against observed losses, overall and by group; highlight extrapolations."""
    names = [OVERALL, *(p for p in dict.fromkeys(points["panel"]) if p != OVERALL)]
    figure, grid = panels(len(names), columns=3, height=2.7)
    for axes, name in zip(grid, names, strict=True):
        here = points[points["panel"] == name]
        ends = [
            here[["predicted", "observed"]].min().min(),
            here[["predicted", "observed"]].max().max(),
        ]
        axes.plot(ends, ends, "-", color=MUTED, linewidth=0.8)
        for kind, fill in (("fitted", "none"), ("left out", MUTED)):
            part = here[here["kind"] == kind]
            axes.plot(
                part["observed"], part["predicted"], "o", color=MUTED, mfc=fill, ms=3, mew=0.7
            )
        for kind, marker in MARKERS.items():
            for role, colour in ROLE_COLOURS.items():
                part = here[(here["kind"] == kind) & (here["role"] == role)]
                axes.plot(part["observed"], part["predicted"], marker, color=colour, ms=6, mew=1.4)
        axes.set_title(name)
    label_outer(grid, "observed loss (nats per token)", "predicted loss")
    entries = [key(f"{role} mixture", color=c, linestyle="-") for role, c in ROLE_COLOURS.items()]
    entries += [key(KINDS[kind], color=INK, marker=m, markersize=6) for kind, m in MARKERS.items()]
    entries += [
        key(KINDS["left out"], marker="o", markersize=3),
        key(KINDS["fitted"], marker="o", markersize=3, mfc="none"),
    ]
    legend_below(figure, entries, columns=3)
    return figure


PREDICTIONS = FigureSpec(
    name="predictions",
    section="extrapolation",
    title="Predicted against observed, overall and by group",
    caption=(
        "On the line, prediction and observation agree. The small circles are 410M models at 30k "
        "steps: hollow ones were fitted (the tight diagonal of the paper's figure is in-sample), "
        "filled ones left out in turn. The large marks are the two 1B runs at 100k steps, which no "
        "fit has seen."
    ),
    draw=draw_predictions,
)


def draw_joint_target(results: PaperResults) -> Drawn:
    """Draw the predictions of the joint laws at 1B."""
    settings = results.settings["extrapolation"]
    joint = joint_curves(results.joint_predictions, results.optimum, settings)
    return plot_joint_curves(joint), joint


def joint_curves(
    joint: pd.DataFrame, record: Mapping[str, Any], settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return role, step, predicted and observed, and for the target also lower and upper."""
    named = {settings[role]: role for role in ROLES}
    rows = joint[(joint["panel"] == OVERALL) & joint["mixture"].isin(named)]
    rows = rows.assign(role=rows["mixture"].map(named))[["role", "step", "predicted", "observed"]]
    last = rows["step"] == settings["target"]["step"]
    overall = {role: record["baselines"][role]["overall"] for role in ROLES}
    # What is observed is one run of each mixture.
    bounds = {role: (found["value"], *found["one_run"]) for role, found in overall.items()}
    for place, end in enumerate(("value", "lower", "upper")):
        found = {role: ends[place] for role, ends in bounds.items()}
        rows[end] = rows["role"].map(found).where(last)
    return rows.sort_values(["role", "step"], ignore_index=True)


def plot_joint_curves(table: pd.DataFrame) -> Figure:
    """Plot predicted and observed overall losses over steps at 1B, a size no fit has seen."""
    figure, grid = panels(2, columns=2, height=2.8, share=True)
    for axes, (role, colour) in zip(grid, ROLE_COLOURS.items(), strict=True):
        rows = table[table["role"] == role]
        axes.plot(rows["step"], rows["predicted"], "--", color=colour, linewidth=1.3)
        axes.plot(rows["step"], rows["observed"], "o", color=colour, markersize=4)
        last = rows.dropna(subset=["lower"])
        axes.vlines(last["step"] * 1.04, last["lower"], last["upper"], color=MUTED, linewidth=3)
        axes.set(title=f"{role} mixture", xlabel="step", xscale="log")
        axes.set_xticks([10_000, 20_000, 40_000, 100_000])
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda _value, _: ""))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    grid[0].set_ylabel(f"overall {LOSS_LABEL}")
    entries = [
        key("predicted, never fitted", linestyle="--", color=INK),
        key("observed at 1B", marker="o", color=INK, markersize=4),
        key("90 % interval of one run", linestyle="-", linewidth=3),
    ]
    legend_below(figure, entries)
    return figure


JOINT_TARGET = FigureSpec(
    name="joint_target",
    section="extrapolation",
    title="The joint laws at 1B, a size no fit has seen",
    caption=(
        "Fitted to 70M to 410M models. Intervals are of one run, from the errors on forward folds "
        "among these models."
    ),
    draw=draw_joint_target,
)
