"""The paper's figures on the 1B target: predictions, the 48 %, exponents, optima."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mixlaws.figures.style import (
    DOMAIN_PALETTE,
    INK,
    LOSS_LABEL,
    MUTED,
    WIDTH,
    key,
    label_outer,
    legend_below,
    panels,
)
from mixlaws.laws.overall import OVERALL
from mixlaws.paper.extrapolation import BOOSTED, ROLES
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


def target_points(
    fitting: pd.DataFrame, target: pd.DataFrame, joint: pd.DataFrame, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return kind, mixture or role, panel, predicted, observed: every point of the figure."""
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
    """Predicted against observed loss, overall and by group; extrapolations stand out."""
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


def joint_curves(
    joint: pd.DataFrame, record: Mapping[str, Any], settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Return role, step, predicted, observed, and at the target lower and upper."""
    named = {settings[role]: role for role in ROLES}
    rows = joint[(joint["panel"] == OVERALL) & joint["mixture"].isin(named)]
    rows = rows.assign(role=rows["mixture"].map(named))[["role", "step", "predicted", "observed"]]
    last = rows["step"] == settings["target"]["step"]
    for end in ("value", "lower", "upper"):
        bound = {role: record["baselines"][role]["overall"][end] for role in ROLES}
        rows[end] = rows["role"].map(bound).where(last)
    return rows.sort_values(["role", "step"], ignore_index=True)


def plot_joint_curves(table: pd.DataFrame) -> Figure:
    """Predicted and observed overall loss over steps at 1B, which no fit has seen."""
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
        key("90 % interval, as for an unseen mixture", linestyle="-", linewidth=3),
    ]
    legend_below(figure, entries)
    return figure


def plot_matching(curves: pd.DataFrame, ratios: pd.DataFrame) -> Figure:
    """Both loss curves at 1B, and the ratio of steps for several first steps of the fit."""
    figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    for role, colour in ROLE_COLOURS.items():
        rows = curves[curves["role"] == role]
        left.plot(rows["step"], rows["loss"], "o-", color=colour, markersize=4, linewidth=1.2)
        left.axhline(rows["loss"].iloc[-1], color=colour, linestyle=":", linewidth=1)
        law = ratios[(ratios["runner"] == role) & (ratios["method"] == "power law")]
        shift = 150 if role == "default" else -150
        right.errorbar(
            law["first_step"] + shift, law["ratio"],
            np.abs(np.array([law["ratio"] - law["lower"], law["upper"] - law["ratio"]])),
            fmt="o", color=colour, markersize=5, linewidth=1.2,
        )  # fmt: skip
        read = ratios[(ratios["runner"] == role) & (ratios["method"] != "power law")]
        for ratio in read["ratio"]:
            right.axhline(ratio, color=colour, linestyle="--", linewidth=1)
    right.axhline(1.0, color=MUTED, linewidth=0.8)
    left.set(xlabel="step", ylabel=f"overall {LOSS_LABEL}", title="1B models")
    right.set(xlabel="first step of the fit", ylabel="steps to match the other / 100k")
    right.set_title("default above, optimised below")
    for axes in (left, right):
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_count(value)))
    entries = [key(f"{role} mixture", color=c, marker="o", linestyle="-", markersize=4)
               for role, c in ROLE_COLOURS.items()]  # fmt: skip
    entries += [
        key("last loss", linestyle=":", color=INK),
        key("read between checkpoints", linestyle="--", color=INK),
        key("90 % interval of the fit", linestyle="-", color=INK),
    ]
    legend_below(figure, entries, columns=5)
    return figure


def plot_sharing(table: pd.DataFrame, predictions: pd.DataFrame) -> Figure:
    """Predicted losses at the target under every way to share exponents; lines are observed."""
    table = table.reset_index(drop=True)
    figure = Figure(figsize=(WIDTH, 0.24 * len(table) + 1.6), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(table))[::-1]
    for role, colour in ROLE_COLOURS.items():
        axes.plot(table[role], places, "o", color=colour, markersize=4.5)
        rows = predictions[(predictions["role"] == role) & (predictions["panel"] == OVERALL)]
        axes.axvline(rows["observed"].iloc[0], color=colour, linestyle=":", linewidth=1.4)
    words = {
        "curve": "each curve",
        "row": "each run",
        "validation_domain": "each group",
        "all": "all",
    }
    labels = [
        f"{row.validation}; step: {words[row.step_sharing]}; size: {words[row.size_sharing]}, "
        f"{row.size_exponents}"
        for row in table.itertuples()
    ]
    axes.set_yticks(places, labels)
    axes.set_xlabel("predicted overall loss at 1B and 100k steps (nats per token)")
    entries = [key(f"predicted, {r}", color=c, marker="o") for r, c in ROLE_COLOURS.items()]
    entries += [key(f"observed, {r}", color=c, linestyle=":") for r, c in ROLE_COLOURS.items()]
    legend_below(figure, entries)
    return figure


def compared_shares(
    optima: pd.DataFrame,
    mixtures: pd.DataFrame,
    record: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """Return mixture, domain, share, lower, upper (of the joint laws' optimum only)."""
    shares = mixtures.set_index("id")
    domains = list(settings["limits"])
    columns = [f"r_{domain}" for domain in domains]
    named = {f"{role} (trained at 1B)": shares.loc[settings[role], columns] for role in ROLES}
    for row in optima.set_index(["law", "search"]).itertuples():
        named[f"{row.Index[0]} law, {row.Index[1]}"] = pd.Series(
            {name: getattr(row, name) for name in columns}
        )
    rows = [
        {"mixture": name, "domain": domain, "share": float(values[f"r_{domain}"])}
        for name, values in named.items()
        for domain in domains
    ]
    for domain in domains:
        low, high = record["intervals"][domain]
        share = record["proportions"][domain]
        rows.append({"mixture": "joint laws, exact", "domain": domain, "share": share}
                    | {"lower": low, "upper": high})  # fmt: skip
    return pd.DataFrame(rows)


def plot_shares(table: pd.DataFrame) -> Figure:
    """Share of each domain in the trained mixtures and in each law's optimum."""
    mixtures, domains = (list(dict.fromkeys(table[name])) for name in ("mixture", "domain"))
    colours = dict(zip(mixtures, (*ROLE_COLOURS.values(), *DOMAIN_PALETTE[2:]), strict=False))
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(mixtures)
    for place, mixture in enumerate(mixtures):
        rows = table[table["mixture"] == mixture].set_index("domain").loc[domains]
        x = np.arange(len(domains)) + (place - (len(mixtures) - 1) / 2) * width
        axes.bar(x, 100 * rows["share"], width, color=colours[mixture])
        bounded = rows["lower"].notna().to_numpy()
        axes.vlines(x[bounded], 100 * rows["lower"][bounded], 100 * rows["upper"][bounded],
                    color=INK, linewidth=1.2)  # fmt: skip
    axes.set_xticks(np.arange(len(domains)), domains)
    axes.set_ylabel("share (%)")
    entries = [key(m, marker="s", color=colours[m], markersize=6) for m in mixtures]
    legend_below(figure, [*entries, key("90 % interval", linestyle="-", color=INK)], columns=4)
    return figure
