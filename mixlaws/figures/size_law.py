"""The size law: loss as a function of parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mixlaws.figures.curves import NUM_POINTS, Target, dashed_words, draw_part, nested_words
from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    INK,
    LOSS_LABEL,
    MUTED,
    PARAMS_LABEL,
    key,
    label_outer,
    legend_below,
    log_counts,
    panels,
)
from mixlaws.figures.view import View
from mixlaws.laws.power import power_law
from mixlaws.presentation import format_count

MAX_LEVEL_TICKS = 4
"""With more ticks than this, their labels are rotated so that they do not overlap."""


def draw(view: View) -> Drawn | None:
    """Draw the figure, if the nested pipeline was fitted and has a step law and a size law."""
    step_law, size_law = view.step_law, view.size_law
    if step_law is None or size_law is None:
        return None
    curves = size_curves(step_law, size_law, view.num_params, view.target)
    if not view.states_loss:
        curves = curves[curves["kind"] != "extrapolated"]
    shown = view.shown_rows(curves)
    return plot_size_law(shown, view.reference, view.colours, view.drawn_target), curves


def size_curves(
    step_laws: pd.DataFrame,
    size_laws: pd.DataFrame,
    num_params: Mapping[str, int],
    target: Target,
) -> pd.DataFrame:
    """Return the size law of every mixture, and the losses that it was fitted to.

    The losses are the step laws' values at the target's tokens, averaged over seeds. Columns:
    mixture, validation_domain, kind (fitted, law or extrapolated), num_params, loss.
    """
    columns = (step_laws[name] for name in ("E", "B", "beta", "reference_tokens"))
    loss = power_law(*columns).predict(float(target.tokens))
    points = step_laws.assign(loss=loss, num_params=step_laws["size"].map(num_params))
    points = points.merge(size_laws[["mixture", "validation_domain"]].drop_duplicates())
    keys = ["mixture", "validation_domain", "num_params"]
    points = points.groupby(keys, sort=False)["loss"].mean().reset_index().assign(kind="fitted")
    smallest, largest = points["num_params"].min(), points["num_params"].max()
    spans = {"law": (smallest, largest), "extrapolated": (largest, target.num_params)}
    curves = [points]
    for row in size_laws.itertuples():
        for kind, (first, last) in spans.items():
            params = np.geomspace(first, max(first, last), NUM_POINTS)
            loss = power_law(row.E, row.A, row.alpha, row.reference_params).predict(params)[0]
            curve = {"mixture": row.mixture, "validation_domain": row.validation_domain}
            curves.append(pd.DataFrame(curve | {"kind": kind, "num_params": params, "loss": loss}))
    return pd.concat(curves, ignore_index=True)


def plot_size_law(
    table: pd.DataFrame, shown: str, colours: Mapping[str, str], target: Target
) -> Figure:
    """Plot loss over parameters, one panel per validation domain; highlight mixture `shown`."""
    domains = list(dict.fromkeys(table["validation_domain"]))
    figure, grid = panels(len(domains), share=True)
    ticks = sorted({*table.loc[table["kind"] == "fitted", "num_params"], target.num_params})
    for axes, domain in zip(grid, domains, strict=True):
        rows = table[table["validation_domain"] == domain]
        for (mixture, kind), part in rows.groupby(["mixture", "kind"], sort=False):
            if mixture == shown:
                draw_part(axes, part, "num_params", str(kind), colours[domain])
            elif kind != "fitted":
                style = "--" if kind == "extrapolated" else "-"
                axes.plot("num_params", "loss", style, data=part, color=MUTED, lw=0.6, alpha=0.6)
        axes.set_title(domain)
        log_counts(axes, ticks)
        if len(ticks) > MAX_LEVEL_TICKS:
            axes.tick_params(axis="x", rotation=45)
    label_outer(grid, PARAMS_LABEL, LOSS_LABEL)
    entries = [
        key("step law's value, each size", marker="o", markersize=4),
        key(f"size law, mixture {shown}", color=INK, linestyle="-"),
        key("other mixtures", linestyle="-", linewidth=0.6),
        key(f"extrapolated to {format_count(target.num_params)}", linestyle="--"),
    ]
    legend_below(figure, entries)
    return figure


SPEC = FigureSpec(
    name="size_law",
    section="nested",
    title="Size law of the nested pipeline: loss against parameters",
    caption=lambda view: (
        f"{nested_words(view)}At the target's number of tokens; each point is the value of a step "
        f"law there. The coloured line is the {view.reference} mixture, the thin lines are the "
        f"others. {dashed_words(view)}"
    ),
    draw=draw,
)
