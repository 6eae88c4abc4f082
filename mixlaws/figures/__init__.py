"""The figures of an experiment; each draws tables of the results in a common style."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.figures import (
    confirmation,
    cost,
    interaction_matrix,
    isoflop,
    law_curves,
    optimum,
    predicted_vs_observed,
    residuals,
    signal_to_noise,
    simplex,
    size_law,
    slopes,
    step_law,
    tokens_per_domain,
    training_curves,
)
from mixlaws.figures.continual import CONTINUAL_FIGURES, ContinualView
from mixlaws.figures.spec import draw_all
from mixlaws.figures.view import View
from mixlaws.results import Results

FIGURES = (
    confirmation.SPEC,
    predicted_vs_observed.SPEC,
    tokens_per_domain.SPEC,
    training_curves.SPEC,
    signal_to_noise.SPEC,
    law_curves.TOKENS_SPEC,
    law_curves.SIZES_SPEC,
    slopes.SPEC,
    residuals.SPEC,
    step_law.SPEC,
    size_law.SPEC,
    interaction_matrix.SPEC,
    simplex.SPEC,
    optimum.SPEC,
    isoflop.SPEC,
    cost.SPEC,
)
"""All figures; each section of the page shows its own in this order."""


def draw_figures(results: str | Path, config: Mapping[str, Any], output: str | Path) -> None:
    """Draw the figures of an experiment into the folder `output`, each with its table.

    `config` contains all defaults. A figure is left out if its data are absent: the law that
    decides has no such part, or there is no confirmation. Equal results give equal bytes, except
    for cost.svg, which shows seconds. Raises DataError if a file is missing that every experiment
    has.
    """
    draw_all(FIGURES, View(Results(results), config), output)


def draw_continual(results: str | Path, output: str | Path) -> None:
    """Draw the figures of continual pre-training into the folder `output`, each with its table."""
    draw_all(CONTINUAL_FIGURES, ContinualView(Results(results)), output)
