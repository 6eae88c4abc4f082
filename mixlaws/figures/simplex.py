"""The predicted overall loss as a function of the mixture."""

from __future__ import annotations

from mixlaws.figures.share_paths import plot_share_paths, share_paths
from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.figures.ternary import plot_ternary
from mixlaws.figures.view import View


def draw(view: View) -> Drawn | None:
    """Draw a triangle for three domains, and otherwise the loss along each domain's share."""
    surface = view.results.surface
    if surface is None:
        return None
    tolerance = view.optimum["near_optimal"]["tolerance"]
    if len(view.domains) == 3:
        return plot_ternary(surface, view.compared, tolerance, view.colours), surface
    paths = share_paths(surface, view.compared)
    return plot_share_paths(paths, view.compared, tolerance, view.colours), paths


SPEC = FigureSpec(
    name="simplex",
    section="laws",
    title="Predicted overall loss over the mixtures",
    caption=(
        "At the target. With three domains every place in the triangle is a mixture; otherwise "
        "one domain's share varies and the others keep the optimum's ratios. The light line (or "
        "the thick part) bounds how much worse a mixture can be predicted and still not be told "
        "from the optimum."
    ),
    draw=draw,
)
