"""The loss over size at several numbers of FLOPs, from the RedPajama losses."""

from __future__ import annotations

from mixlaws.figures.isoflop import caption, draw_isoflop
from mixlaws.figures.spec import Drawn, FigureSpec
from mixlaws.paper.results import PaperResults


def draw(found: PaperResults) -> Drawn | None:
    """Draw the figure, if the config states FLOPs."""
    if found.budget is None:
        return None
    return draw_isoflop(found.budget, found.table("redpajama", "isoflop"))


ISOFLOP = FigureSpec(
    name="paper_isoflop",
    section="budget",
    title="Loss against size at equal FLOPs",
    caption=lambda found: caption(found.budget or {}),
    draw=draw,
)
