"""Every figure of the report: tables in, Figure out, all in one style."""

from mixlaws.figures.draw import draw_figures

__all__ = ["draw_figures"]
