"""A folder of drawn figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mixlaws.errors import DataError
from mixlaws.files import read_json

if TYPE_CHECKING:
    import pandas as pd


class FigureFolder:
    """A folder of figures (NAME.svg), their tables (NAME.csv) and an index of their captions."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.index_path = self.folder / "index.json"

    def svg_path(self, name: str) -> Path:
        """Return the path of a figure; its table is the CSV file beside it."""
        return self.folder / f"{name}.svg"

    def index(self) -> list[dict[str, str]]:
        """Return name, section, title and caption of the drawn figures, in order.

        Raises DataError if no figures were drawn.
        """
        if not self.index_path.exists():
            raise DataError(
                f"the figures are missing: there is no {self.index_path}. Draw them first"
            )
        return list(read_json(self.index_path))

    def table(self, name: str) -> pd.DataFrame | None:
        """Return the table of a figure, or None if it was not drawn."""
        from mixlaws.tables import read_table

        path = self.svg_path(name).with_suffix(".csv")
        return read_table(path, ()) if path.exists() else None
