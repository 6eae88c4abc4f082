"""The law that decides against tokens and against parameters, where it holds everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

from mixlaws.figures.curves import NUM_POINTS, Target, dashed_words, draw_part
from mixlaws.figures.deciding import FITTED, LEFT_OUT, DecidingLaw, deciding_law, points_between
from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import (
    INK,
    LOSS_LABEL,
    MUTED,
    PARAMS_LABEL,
    TOKENS_LABEL,
    key,
    label_outer,
    legend_below,
    log_counts,
    panels,
    size_colours,
)
from mixlaws.figures.view import View
from mixlaws.laws.observations import Observations
from mixlaws.presentation import format_count

TARGET_CURVE = "target"
"""Size label of the target's own curve."""
PIPELINE_WORDS = {"joint": "joint law", "loglog": "log-log lines", "nested": "nested laws"}


def draw_tokens(view: View) -> Drawn | None:
    """Draw the losses of the reference mixture and the law over tokens, if it holds everywhere."""
    law = deciding_law(view)
    if law is None or not law.everywhere:
        return None
    curves = token_curves(view, law)
    figure = plot_tokens(view.shown_rows(curves), view.sizes)
    return _straightened(view, figure), curves


def token_curves(view: View, law: DecidingLaw) -> pd.DataFrame:
    """Return losses and curves of the reference mixture, one curve per size and the target's.

    Columns: size, validation_domain, kind (fitted, left out, law, extrapolated), tokens, loss.
    """
    seen, target = view.observations, view.drawn_target
    rows = np.flatnonzero(seen.mixture == view.reference)
    of_mixture = seen.select(rows)
    kind = np.where(law.late[rows], FITTED, LEFT_OUT)
    parts = [_tidy(of_mixture, of_mixture.losses, kind)]
    for size, num_params in view.num_params.items():
        here = of_mixture.select((of_mixture.size == size) & law.late[rows])
        here = here.select(np.argsort(here.tokens))
        parts.append(_tidy(here, law.predict(here), "law"))
        last = float(here.tokens.max())
        if target.tokens > last:
            tokens = np.geomspace(last, target.tokens, NUM_POINTS)
            beyond = points_between(
                view, view.reference, np.full(NUM_POINTS, float(num_params)), tokens
            )
            parts.append(_tidy(beyond, law.predict(beyond), "extrapolated", size))
    if target.num_params > max(view.num_params.values()):
        tokens = np.geomspace(of_mixture.tokens[law.late[rows]].min(), target.tokens, NUM_POINTS)
        own = points_between(
            view, view.reference, np.full(NUM_POINTS, float(target.num_params)), tokens
        )
        parts.append(_tidy(own, law.predict(own), "extrapolated", TARGET_CURVE))
    table = pd.concat(parts, ignore_index=True)
    return table[["size", "validation_domain", "kind", "tokens", "loss"]]


def _tidy(
    where: Observations, losses: np.ndarray, kind: str | np.ndarray, size: str | None = None
) -> pd.DataFrame:
    """Return losses (n, V) as rows with their place and kind."""
    domains = list(where.validation_domains)
    sizes = where.size if size is None else np.full(len(where), size)
    kinds = np.broadcast_to(kind, (len(where),))
    columns = {"size": sizes, "mixture": where.mixture, "kind": kinds}
    columns |= {"num_params": where.num_params, "tokens": where.tokens}
    table = pd.DataFrame({name: np.repeat(col, len(domains)) for name, col in columns.items()})
    names = np.tile(np.array(domains, dtype=object), len(where))
    return table.assign(validation_domain=names, loss=np.ravel(losses))


def plot_tokens(table: pd.DataFrame, sizes: Sequence[str]) -> Figure:
    """Plot loss over tokens, one panel per validation domain; dashed where extrapolated."""
    domains = list(dict.fromkeys(table["validation_domain"]))
    colours = size_colours(sizes) | {TARGET_CURVE: INK}
    figure, grid = panels(len(domains), share=True)
    for axes, domain in zip(grid, domains, strict=True):
        rows = table[table["validation_domain"] == domain]
        for (size, kind), part in rows.groupby(["size", "kind"], sort=False):
            draw_part(axes, part, "tokens", str(kind), colours[str(size)])
        axes.set_title(domain)
        log_counts(axes)
    label_outer(grid, TOKENS_LABEL, LOSS_LABEL)
    entries = [key(f"size {s}", color=colours[s], marker="o", markersize=4) for s in sizes]
    if TARGET_CURVE in set(table["size"]):
        entries.append(key("size of the target", color=INK, linestyle="--"))
    entries += [
        key("left out of the fit", marker="x", markersize=4),
        key("fitted law", linestyle="-"),
        key("extrapolated", linestyle="--"),
    ]
    legend_below(figure, entries, columns=6)
    return figure


def draw_sizes(view: View) -> Drawn | None:
    """Draw the law over parameters at the target's tokens, if it holds everywhere."""
    law, target = deciding_law(view), view.drawn_target
    if law is None or not law.everywhere or len(view.sizes) < 2:
        return None
    curves = parameter_curves(view, law)
    figure = plot_sizes(view.shown_rows(curves), view.reference, view.colours, target)
    return _straightened(view, figure), curves


def _straightened(view: View, figure: Figure) -> Figure:
    """Return the figure with logarithmic losses if log-log lines decide, so that they are lines."""
    if view.pipeline == "loglog":
        for axes in figure.axes:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(ScalarFormatter())
    return figure


def parameter_curves(view: View, law: DecidingLaw) -> pd.DataFrame:
    """Return the law of every fitted mixture at the target's tokens.

    Columns: mixture, validation_domain, kind (law or extrapolated), num_params, loss.
    """
    target, counts = view.drawn_target, list(view.num_params.values())
    spans = {"law": (counts[0], counts[-1])}
    if target.num_params > counts[-1]:
        spans["extrapolated"] = (counts[-1], target.num_params)
    parts = []
    for mixture in view.fitted_mixtures:
        for kind, (first, last) in spans.items():
            params = np.geomspace(first, last, NUM_POINTS)
            where = points_between(view, mixture, params, np.full(NUM_POINTS, float(target.tokens)))
            parts.append(_tidy(where, law.predict(where), kind))
    table = pd.concat(parts, ignore_index=True)
    return table[["mixture", "validation_domain", "kind", "num_params", "loss"]]


def plot_sizes(
    table: pd.DataFrame, shown: str, colours: Mapping[str, str], target: Target
) -> Figure:
    """Plot loss over parameters: the mixture `shown` in colour, thin lines for the others."""
    domains = list(dict.fromkeys(table["validation_domain"]))
    figure, grid = panels(len(domains))
    for axes, domain in zip(grid, domains, strict=True):
        rows = table[table["validation_domain"] == domain]
        for (mixture, kind), part in rows.groupby(["mixture", "kind"], sort=False):
            _draw_mixture(axes, part, str(kind), colours[domain] if mixture == shown else None)
        axes.set_title(domain)
        log_counts(axes)
    label_outer(grid, PARAMS_LABEL, LOSS_LABEL)
    entries = [
        key(f"mixture {shown}", color=INK, linestyle="-"),
        key("other mixtures", linestyle="-", linewidth=0.6),
        key(f"extrapolated to {format_count(target.num_params)}", linestyle="--"),
    ]
    legend_below(figure, entries)
    return figure


def _draw_mixture(axes: Axes, part: pd.DataFrame, kind: str, colour: str | None) -> None:
    if colour is not None:
        draw_part(axes, part, "num_params", kind, colour)
        return
    style = "--" if kind == "extrapolated" else "-"
    axes.plot("num_params", "loss", style, data=part, color=MUTED, lw=0.6, alpha=0.6)


TOKENS_SPEC = FigureSpec(
    name="law_over_tokens",
    section="deciding",
    title="The law that decides: loss against training tokens",
    caption=lambda view: (
        f"The {view.reference} mixture. The lines are the {PIPELINE_WORDS[view.pipeline]}, fitted "
        "to the filled points of all mixtures at once; crosses come before the early cut. "
        f"{dashed_words(view)} Each point of it is the end of a run of that length."
    ),
    draw=draw_tokens,
)
SIZES_SPEC = FigureSpec(
    name="law_over_sizes",
    section="deciding",
    title="The law that decides: loss against parameters",
    caption=lambda view: (
        f"The {PIPELINE_WORDS[view.pipeline]} at {format_count(view.drawn_target.tokens)} tokens. "
        f"The coloured line is the {view.reference} mixture, the thin ones are the others. "
        f"{dashed_words(view)}"
    ),
    draw=draw_sizes,
)
