"""The tokens of each domain in the training and the validation split."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import WIDTH, key, legend_below
from mixlaws.figures.view import View
from mixlaws.presentation import format_count


def draw(view: View) -> Drawn | None:
    """Draw the figure, if the experiment has text and did not import its losses."""
    accounting = view.results.accounting
    if accounting is None:
        return None
    return plot_tokens_per_domain(accounting, view.colours), accounting


def plot_tokens_per_domain(accounting: pd.DataFrame, colours: Mapping[str, str]) -> Figure:
    """Plot the kept tokens per domain: the training split solid, the validation split pale."""
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


SPEC = FigureSpec(
    name="tokens_per_domain",
    section="text",
    title="Tokens per domain",
    caption=(
        "What is left of each domain after removing duplicates. Whole documents go to one split "
        "or the other. A domain with a pale bar only is measured and never trained on."
    ),
    draw=draw,
)
