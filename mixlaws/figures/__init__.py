"""Every figure of an experiment: tables in, Figure out, all in one style."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.figures import (
    confirmation,
    cost,
    interaction_matrix,
    optimum,
    predicted_vs_observed,
    simplex,
    size_law,
    step_law,
    tokens_per_domain,
    training_curves,
)
from mixlaws.figures.spec import draw_all
from mixlaws.figures.view import View
from mixlaws.results import Results

FIGURES = (
    confirmation.SPEC,
    predicted_vs_observed.SPEC,
    tokens_per_domain.SPEC,
    training_curves.SPEC,
    step_law.SPEC,
    size_law.SPEC,
    interaction_matrix.SPEC,
    simplex.SPEC,
    optimum.SPEC,
    cost.SPEC,
)
"""In the order in which a section of the page shows them."""


def draw_figures(results: str | Path, config: Mapping[str, Any], output: str | Path) -> None:
    """Draw the figures of an experiment into the folder `output`, each with its table.

    `config` is complete. A figure whose files are absent (a pipeline without step laws, no
    confirmation) is left out. The same results give the same bytes, but for cost.svg, which shows
    seconds. Raises DataError for a file that every experiment must have, ConfigError for more
    domains than colours.
    """
    draw_all(FIGURES, View(Results(results), config), output)
