"""The step law: loss as a function of training tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixlaws.figures.curves import NUM_POINTS, Target, dashed_words, draw_part, nested_words
from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    LOSS_LABEL,
    TOKENS_LABEL,
    key,
    label_outer,
    legend_below,
    log_counts,
    panels,
    size_colours,
)
from mixlaws.figures.view import View
from mixlaws.laws.power import power_law


def draw(view: View) -> Drawn | None:
    """Draw the figure, if the nested pipeline was fitted and has a step law."""
    if view.step_law is None:
        return None
    curves = step_curves(view.losses, view.step_law, view.reference, view.drawn_target)
    return plot_step_law(view.shown_rows(curves), view.sizes), curves


def step_curves(
    losses: pd.DataFrame, laws: pd.DataFrame, mixture: str, target: Target
) -> pd.DataFrame:
    """Return the losses and step laws of one mixture.

    Columns: size, validation_domain, kind, tokens, loss. The kind is fitted, left out (a loss
    before the first tokens of the law), law or extrapolated.
    """
    keys = ["size", "seed", "validation_domain"]
    laws = laws[laws["mixture"] == mixture]
    points = losses[losses["mixture"] == mixture].merge(laws[[*keys, "first_tokens"]], on=keys)
    late = points["tokens"] >= points["first_tokens"]
    points = points.assign(kind=np.where(late, "fitted", "left out"))
    last = points.groupby(keys)["tokens"].max()
    curves = [points]
    for row in laws.itertuples():
        end = float(last[(row.size, row.seed, row.validation_domain)])
        for kind, first, final in (
            ("law", row.first_tokens, end),
            ("extrapolated", end, max(end, target.tokens)),
        ):
            tokens = np.geomspace(first, final, NUM_POINTS)
            loss = power_law(row.E, row.B, row.beta, row.reference_tokens).predict(tokens)[0]
            curve = {"size": row.size, "seed": row.seed, "kind": kind}
            curve |= {"validation_domain": row.validation_domain, "tokens": tokens, "loss": loss}
            curves.append(pd.DataFrame(curve))
    columns = ["size", "seed", "validation_domain", "kind", "tokens", "loss"]
    return pd.concat(curves, ignore_index=True)[columns]


def plot_step_law(table: pd.DataFrame, sizes: Sequence[str]) -> Figure:
    """Plot loss over tokens, one panel per validation domain; dashed where extrapolated."""
    domains = list(dict.fromkeys(table["validation_domain"]))
    colours = size_colours(sizes)
    figure, grid = panels(len(domains), share=True)
    for axes, domain in zip(grid, domains, strict=True):
        rows = table[table["validation_domain"] == domain]
        for (size, _, kind), part in rows.groupby(["size", "seed", "kind"], sort=False):
            draw_part(axes, part, "tokens", str(kind), colours[str(size)])
        axes.set_title(domain)
        log_counts(axes)
    label_outer(grid, TOKENS_LABEL, LOSS_LABEL)
    entries = [key(f"size {s}", color=colours[s], marker="o", markersize=4) for s in sizes]
    entries += [
        key("left out of the fit", marker="x", markersize=4),
        key("fitted law", linestyle="-"),
        key("extrapolated to the target's tokens", linestyle="--"),
    ]
    legend_below(figure, entries, columns=6)
    return figure


SPEC = FigureSpec(
    name="step_law",
    section="nested",
    title="Step law of the nested pipeline: loss against training tokens",
    caption=lambda view: (
        f"{nested_words(view)}The {view.reference} mixture. Each curve is fitted to the filled "
        "points of one run; crosses come before the early cut and are left out. "
        f"{dashed_words(view)}"
    ),
    draw=draw,
)
