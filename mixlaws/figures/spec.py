"""FigureSpec, which describes one figure, and drawing a folder of figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd
from matplotlib.figure import Figure

from mixlaws.figure_folder import FigureFolder
from mixlaws.figures.style import save_figure, use_style
from mixlaws.files import write_json

View = TypeVar("View")
Drawn = tuple[Figure, pd.DataFrame]
"""A figure, and the table with its data."""


@dataclass(frozen=True)
class FigureSpec(Generic[View]):
    """One figure: its title and caption, its section, and the function that draws it."""

    name: str
    """Name of its files, without suffix."""
    section: str
    """Id of the section of the page that shows it."""
    title: str
    caption: str | Callable[[View], str]
    """The caption, or a function that makes it from the results."""
    draw: Callable[[View], Drawn | None]
    """Function that draws the figure, or returns None if the results lack its data."""

    def words(self, view: View) -> dict[str, str]:
        """Return the figure's entry in the index."""
        caption = self.caption if isinstance(self.caption, str) else self.caption(view)
        words = {"name": self.name, "section": self.section}
        return words | {"title": self.title, "caption": caption}


def draw_all(specs: Iterable[FigureSpec[View]], view: View, folder: str | Path) -> None:
    """Draw all figures for which the results have data into a folder, each with its table.

    An index in the folder has their titles and captions for the page. Equal results give equal
    bytes.
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
