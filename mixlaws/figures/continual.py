"""The figures of continual pre-training: laws over the share, the trade-off, and over tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    DOMAIN_PALETTE,
    INK,
    MUTED,
    TOKENS_LABEL,
    key,
    legend_below,
    log_counts,
    panels,
    size_colours,
)
from mixlaws.files import read_json
from mixlaws.results import Results
from mixlaws.tables import read_table

KINDS = {"original": DOMAIN_PALETTE[0], "new": DOMAIN_PALETTE[1]}
SHARE_LABEL = "share of the original data (%)"
ABOVE_BASE = "loss above the base's (nats per token)"


@dataclass(frozen=True)
class ContinualView:
    """The results of continual pre-training."""

    results: Results

    @cached_property
    def answer(self) -> dict[str, Any]:
        """Return the record of the critical proportion."""
        return dict(read_json(self.results.folder / "continual" / "critical.json"))

    @cached_property
    def verification(self) -> dict[str, Any] | None:
        """Return the record of the verification; None if it was not asked for or has no runs."""
        path = self.results.folder / "continual" / "verification.json"
        record = dict(read_json(path)) if path.exists() else {"losses": {}}
        return record if record["losses"] else None

    def table(self, name: str, *columns: str) -> pd.DataFrame:
        """Return a table of continual pre-training."""
        return read_table(self.results.folder / "continual" / f"{name}.csv", columns)

    @cached_property
    def last(self) -> pd.DataFrame:
        """Return the curves of every size after all tokens."""
        curves = self.table("curves", "size", "step", "kind", "series", "share", "loss", "above")
        return curves[curves["step"] == curves["step"].max()]

    @property
    def sizes(self) -> list[str]:
        """Return the trained sizes, smallest first."""
        return list(dict.fromkeys(self.table("critical", "size")["size"]))


def draw_shares(view: ContinualView) -> Drawn:
    """Draw both losses above the base's over the share, with the critical proportion."""
    last, answer = view.last, view.answer
    colours = size_colours(view.sizes)
    figure, grid = panels(2, columns=2, height=2.8)
    for axes, kind in zip(grid, KINDS, strict=True):
        for size, colour in colours.items():
            part = last[(last["size"] == size) & (last["kind"] == kind)]
            runs, law = part[part["series"] == "run"], part[part["series"] == "law"]
            axes.plot(100 * runs["share"], runs["above"], "o", color=colour, markersize=4)
            axes.plot(100 * law["share"], law["above"], "-", color=colour, linewidth=1.3)
        axes.axhline(0, color=MUTED, linestyle=":", linewidth=1.2)
        axes.set(title=f"{kind} domains", xlabel=SHARE_LABEL)
    lower, upper = _ends(answer)
    if lower < upper:
        grid[0].axvspan(100 * lower, 100 * upper, color=MUTED, alpha=0.25, linewidth=0)
    entries = [key(size, color=colour, linestyle="-") for size, colour in colours.items()]
    entries.append(key("the base", linestyle=":", linewidth=1.2))
    entries.append(key("critical share, interval", linestyle="-", linewidth=6, alpha=0.4))
    if view.verification is not None:
        share, base = 100 * view.verification["share"], answer["base"]
        for axes, kind in zip(grid, KINDS, strict=True):
            above = view.verification[kind] - base[kind]
            axes.plot(share, above, "D", color=INK, mfc="none", markersize=7)
        entries.append(key("verification", marker="D", color=INK, mfc="none", markersize=7))
    grid[0].set_ylabel(ABOVE_BASE)
    legend_below(figure, entries, columns=3)
    return figure, last


def _ends(answer: dict[str, Any]) -> tuple[float, float]:
    """Return the interval of the critical proportion, cut to the trained shares."""
    least, most = answer["trained"]
    lower, upper = answer["lower"], answer["upper"]
    return (
        most if lower is None else max(lower, least),
        most if upper is None else max(upper, least),
    )


def draw_trade_off(view: ContinualView) -> Drawn:
    """Draw the loss on the original domains against that on the new ones, with its knee."""
    size = view.sizes[-1]
    last = view.last[view.last["size"] == size]
    figure, (axes,) = panels(1, height=3.0)
    table = last.pivot_table(index=["series", "seed", "share"], columns="kind", values="loss")
    law, runs = table.loc["law"], table.loc["run"]
    axes.plot(law["new"], law["original"], "-", color=INK, linewidth=1.3)
    axes.plot(runs["new"], runs["original"], "o", color=KINDS["original"], markersize=4)
    means = runs.groupby("share").mean()
    for share, row in means.iterrows():
        axes.annotate(
            f"{100 * float(str(share)):g} %",
            (row["new"], row["original"]),
            xytext=(6, 3),
            textcoords="offset points",
            fontsize=8,
        )
    base, knee = view.answer["base"], view.answer["knee"]
    axes.axhline(base["original"], color=MUTED, linestyle=":", linewidth=1.2)
    axes.plot(knee["new"], knee["original"], "*", color=KINDS["new"], markersize=12)
    axes.set(xlabel="loss on the new domains", ylabel="loss on the original domains")
    entries = [
        key("runs, by share of the original data", marker="o", color=KINDS["original"]),
        key("laws", linestyle="-", color=INK),
        key(f"knee, {100 * knee['share']:.0f} %", marker="*", color=KINDS["new"], markersize=10),
        key("the base on the original domains", linestyle=":", linewidth=1.2),
    ]
    legend_below(figure, entries, columns=2)
    return figure, table.reset_index()


def draw_scale(view: ContinualView) -> Drawn | None:
    """Draw the critical proportion over tokens by size, extrapolated to the target."""
    scale = view.table("scale", "law", "size", "tokens", "value", "lower", "upper", "extrapolated")
    if scale.empty:
        return None
    joint, form = scale[scale["law"] == "joint"], scale[scale["law"] == "tokens"]
    colours = size_colours(list(dict.fromkeys(joint["size"])))
    figure, (axes,) = panels(1, height=3.0)
    for size, colour in colours.items():
        part = joint[joint["size"] == size].sort_values("tokens")
        ends = 100 * part[["lower", "upper"]].clip(0, 1)
        axes.fill_between(part["tokens"], *ends.to_numpy().T, color=colour, alpha=0.15, linewidth=0)
        _line(axes, part, colour)
    found = view.table("critical", "size", "tokens", "value", "status")
    found = found[found["status"] == "found"]
    for size, part in found.groupby("size"):
        axes.plot(part["tokens"], 100 * part["value"], "o", color=colours[str(size)], markersize=4)
    _line(axes, form, MUTED)
    log_counts(axes)
    axes.set(xlabel=TOKENS_LABEL, ylabel="critical share (%)", ylim=(0, 100))
    entries = [key(size, color=colour, linestyle="-") for size, colour in colours.items()]
    if not form.empty:
        entries.append(key("R = b0 + b1 T^s", linestyle="-"))
    entries.append(key("extrapolated", linestyle="--"))
    legend_below(figure, entries, columns=3)
    return figure, scale


def _line(axes: Axes, part: pd.DataFrame, colour: str) -> None:
    """Draw a line over tokens; beyond the trained tokens, or for no trained size, it is dashed."""
    part = part[np.isfinite(part["value"].astype(float))].sort_values("tokens")
    is_beyond = part["extrapolated"].astype(bool)
    inside, beyond = part[~is_beyond], part[is_beyond]
    axes.plot(inside["tokens"], 100 * inside["value"], "-", color=colour, linewidth=1.3)
    joined = pd.concat([inside.tail(1), beyond])
    axes.plot(joined["tokens"], 100 * joined["value"], "--", color=colour, linewidth=1.3)


CONTINUAL_FIGURES = (
    FigureSpec(
        name="replay_shares",
        section="continual",
        title="Loss over the share of the original data",
        caption=(
            "Points are runs, each compared with the base that it started from; lines are the "
            "mixing laws fitted to them. Where the law of the original domains crosses the dotted "
            "line, their loss is that of the base: the critical proportion."
        ),
        draw=draw_shares,
    ),
    FigureSpec(
        name="trade_off",
        section="continual",
        title="What the new domains gain, and what the original ones lose",
        caption=(
            "The losses at the end of the largest size. At the knee, both losses are low "
            "together, each measured over its own range."
        ),
        draw=draw_trade_off,
    ),
    FigureSpec(
        name="critical_over_tokens",
        section="scale",
        title="The critical proportion over tokens and sizes",
        caption=(
            "Points are the critical proportions of each size after so many tokens; lines are the "
            "joint law with its interval, and the published form R = b0 + b1 T^s (Gu et al. 2024, "
            "arXiv:2407.17467) fitted to the points of the largest size. What is dashed is "
            "extrapolated."
        ),
        draw=draw_scale,
    ),
)
"""All figures of continual pre-training."""
