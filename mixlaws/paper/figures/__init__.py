"""The paper's figures, drawn from the tables of the reproduction."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mixlaws.figures.spec import draw_all
from mixlaws.paper.figures import budget, choice, continual, fragility, mixing, power_laws, target
from mixlaws.paper.results import PaperResults

FIGURES = (
    mixing.TWO_DOMAINS,
    mixing.FORMS,
    mixing.INTERACTIONS,
    mixing.AGGREGATION,
    target.PREDICTIONS,
    target.JOINT_TARGET,
    fragility.MATCHING,
    power_laws.STEP_LAW,
    power_laws.SIZE_LAW,
    fragility.SHARING,
    choice.OPTIMUM,
    choice.RANKINGS,
    budget.ISOFLOP,
    continual.CRITICAL_PROPORTION,
    continual.CONTINUAL_CURVES,
)
"""All figures; each section of the page shows its own in this order."""


def draw_published(results: str | Path, config: Mapping[str, Any], output: str | Path) -> None:
    """Draw the figures of the reproduction into the folder `output`, each with its table.

    `config` contains all defaults. Equal results give equal bytes. Raises DataError if a table is
    missing.
    """
    draw_all(FIGURES, PaperResults(results, config), output)
