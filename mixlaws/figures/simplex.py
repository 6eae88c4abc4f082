"""The predicted overall loss as a function of the mixture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from mixlaws.figures.share_paths import plot_share_paths, share_paths
from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.style import ABOVE_LABEL, OVERALL_LABEL
from mixlaws.figures.ternary import plot_ternary
from mixlaws.figures.view import MAX_PANELS, View
from mixlaws.laws.overall import OVERALL


def draw(view: View) -> Drawn | None:
    """Draw a triangle for three domains, and otherwise the loss along each domain's share."""
    surface = view.results.surface
    if surface is None:
        return None
    label = OVERALL_LABEL
    if not view.states_loss:
        surface, label = above_optimum(surface, view.optimum), ABOVE_LABEL
    tolerance = view.optimum["near_optimal"]["tolerance"]
    if len(view.domains) == 3:
        return plot_ternary(surface, view.compared, tolerance, view.colours, label), surface
    paths = share_paths(surface, view.compared)
    shown = paths[paths["domain"].isin(_widest(paths))]
    return plot_share_paths(shown, view.compared, tolerance, view.colours, label), paths


def above_optimum(surface: pd.DataFrame, optimum: Mapping[str, Any]) -> pd.DataFrame:
    """Return the surface as differences from the optimum's predicted loss."""
    columns = ["overall", "overall_lower", "overall_upper"]
    best = optimum["predicted"][OVERALL]["value"]
    return surface.assign(**{name: surface[name] - best for name in columns})


def _widest(paths: pd.DataFrame) -> list[str]:
    """Return the domains whose share changes the loss most, at most MAX_PANELS, in order."""
    spread = paths.groupby("domain", sort=False)["overall"].agg(lambda x: x.quantile(0.9) - x.min())
    kept = {*spread.nlargest(MAX_PANELS).index}
    return [str(domain) for domain in dict.fromkeys(paths["domain"]) if domain in kept]


SPEC = FigureSpec(
    name="simplex",
    section="laws",
    title="Predicted overall loss over the mixtures",
    caption=(
        "At the target. With three domains every place in the triangle is a mixture; otherwise "
        "the share of one domain varies and the others keep the ratios of the optimum. The light "
        "line (or the thick part) bounds how much worse a mixture can be predicted and still not "
        "be told from the optimum."
    ),
    draw=draw,
)
