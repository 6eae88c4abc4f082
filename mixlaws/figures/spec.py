"""FigureSpec: a figure with its words; and drawing a folder of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd
from matplotlib.figure import Figure

from mixlaws.figures.style import save_figure, use_style
from mixlaws.files import write_json
from mixlaws.results import FigureFolder

View = TypeVar("View")
Drawn = tuple[Figure, pd.DataFrame]
"""A figure and the table of what it shows."""


@dataclass(frozen=True)
class FigureSpec(Generic[View]):
    """One figure: its words, its place on the page, and the function that draws it."""

    name: str
    """Of its files."""
    section: str
    """Id of the page's section that shows it."""
    title: str
    caption: str | Callable[[View], str]
    """A text, or a function of the view if it depends on the results."""
    draw: Callable[[View], Drawn | None]
    """Returns None if the results lack what the figure shows."""

    def words(self, view: View) -> dict[str, str]:
        """Return what the index says of the figure."""
        caption = self.caption if isinstance(self.caption, str) else self.caption(view)
        words = {"name": self.name, "section": self.section}
        return words | {"title": self.title, "caption": caption}


def draw_all(specs: Iterable[FigureSpec[View]], view: View, folder: str | Path) -> None:
    """Draw the figures that the results allow into a folder, each with its table.

    An index in the folder holds their words for the page. Equal results give equal bytes.
    """
    use_style()
    output = FigureFolder(folder)
    index = []
    for spec in specs:
        drawn = spec.draw(view)
        if drawn is not None:
            save_figure(*drawn, output.svg_path(spec.name))
            index.append(spec.words(view))
    write_json(index, output.index_path)
